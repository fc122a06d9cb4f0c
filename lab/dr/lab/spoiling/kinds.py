"""Every way in which the lab spoils business and ledgers, by name."""

from __future__ import annotations

from collections.abc import Mapping

from dr.lab.spoiling import answers, faults, fields, files, ledgers, records, serials, sheets
from dr.lab.spoiling.plans import Kind
from dr.lab.topology import unknown

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        *records.KINDS,
        *fields.KINDS,
        *serials.KINDS,
        *ledgers.KINDS,
        *files.KINDS,
        *sheets.KINDS,
        *answers.KINDS,
        *faults.KINDS,
    )
}


def find_kind(name: str) -> Kind:
    """Return the kind called ``name``, or raise with the nearest name."""
    if name not in KINDS:
        raise unknown("kind of spoiling", name, list(KINDS))
    return KINDS[name]


__all__ = ["KINDS", "Kind", "find_kind"]
