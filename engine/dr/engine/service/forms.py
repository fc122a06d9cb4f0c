"""Numbered forms: issued to whom, used, void, stolen, and what the audit of their numbers found.

The Jiangxi rules on incidents of registration, art. 17 (2), want the count and the serial ranges of
stolen certificates reported; ``Forms.stolen`` is what goes into that report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dr.engine.core.reconciliation import Session
from dr.reconcile.breaks import SerialRange
from dr.reconcile.serial_ranges import printed_range

_AUDITED = ("serial_gap", "serial_dup", "serial_out_of_block", "serial_void")


@dataclass(frozen=True, slots=True)
class BranchForms:
    """The forms of one branch; ``used`` counts records, None where the database was not asked.

    ``found`` maps a class of the audit to the numbers or ranges it found, as printed.
    """

    branch: str
    issued: tuple[SerialRange, ...] = ()
    void: tuple[SerialRange, ...] = ()
    stolen: tuple[SerialRange, ...] = ()
    used: int | None = None
    stolen_used: int | None = None
    found: Mapping[str, tuple[str, ...]] | None = None

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data; ``printed`` has the ranges as they stand on the forms."""
        held = {"issued": self.issued, "void": self.void, "stolen": self.stolen}
        return {
            "branch": self.branch,
            **{kind: [[r.first, r.last] for r in ranges] for kind, ranges in held.items()},
            "printed": {kind: [str(r) for r in ranges] for kind, ranges in held.items()},
            "issued_count": count(self.issued),
            "void_count": count(self.void),
            "stolen_count": count(self.stolen),
            "used": self.used,
            "stolen_used": self.stolen_used,
            "found": {name: list(numbers) for name, numbers in (self.found or {}).items()},
        }


def count(ranges: Iterable[SerialRange]) -> int:
    """Return how many numbers ranges have together."""
    return sum(each.count for each in ranges)


def range_of(block: Mapping[str, Any]) -> SerialRange:
    """Return the numbers of a line of the register."""
    return printed_range(str(block["first"]), str(block["last"]))


def forms_of(
    blocks: Sequence[Mapping[str, Any]],
    session: Session | None,
    used: Mapping[SerialRange, int] | None = None,
) -> list[BranchForms]:
    """Return the forms of every branch that the register names.

    Args:
        blocks: lines of the register, as the inventory has them.
        session: whose cases say what the audit found; None: nothing was audited.
        used: by block, how many records stand on numbers of it; None: nobody asked.
    """
    names = dict.fromkeys(str(block["branch"]) for block in blocks)
    return [_of_branch(name, blocks, session, used) for name in sorted(names)]


def _of_branch(
    name: str,
    blocks: Sequence[Mapping[str, Any]],
    session: Session | None,
    used: Mapping[SerialRange, int] | None,
) -> BranchForms:
    own: dict[str, list[SerialRange]] = {"issued": [], "void": [], "stolen": []}
    for block in blocks:
        if block["branch"] == name:
            own[block["kind"]].append(range_of(block))
    return BranchForms(
        branch=name,
        issued=tuple(sorted(own["issued"])),
        void=tuple(sorted(own["void"])),
        stolen=tuple(sorted(own["stolen"])),
        used=None if used is None else sum(used[r] for r in own["issued"]),
        stolen_used=None if used is None else sum(used[r] for r in own["stolen"]),
        found=_found(session, name),
    )


def _found(session: Session | None, name: str) -> dict[str, tuple[str, ...]] | None:
    branch = session.branches.get(name) if session is not None else None
    if branch is None:
        return None
    cases = branch.cases.values()
    return {
        what: tuple(sorted(case.found.key for case in cases if case.found.what == what))
        for what in _AUDITED
        if any(case.found.what == what for case in cases)
    }
