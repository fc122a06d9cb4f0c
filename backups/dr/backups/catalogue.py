"""The backup sets of an inventory: which copies of a service's data exist, and where.

Read from the snapshot that a run keeps (JSON data), so nothing here touches a file.  Durations are
text with a unit (``15m``) or seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dr.engine.core.errors import UserError
from dr.engine.core.values import Text, parse_duration


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a restore is expected to take before anything was measured.

    ``fixed`` covers start and recovery; ``rate_mb_s`` is what the copy moves, in 10^6 bytes
    a second.
    """

    fixed: timedelta | None = None
    rate_mb_s: float | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a set: a driver, a medium and where it lies.

    ``unavailable`` is the reason why this copy can not be restored today; empty when it can.
    """

    id: str
    driver: str
    medium: str
    host: str | None = None
    stanza: str = ""
    config: str = "/etc/pgbackrest.conf"
    user: str = ""
    repository: str = "/var/lib/pgbackrest"
    expect: Expectation = Expectation()
    unavailable: Text = Text()


@dataclass(frozen=True, slots=True)
class BackupSet:
    """Everything that is kept of one service's data."""

    id: str
    service: str
    title: Text = Text()
    rpo: timedelta | None = None
    copies: tuple[Copy, ...] = ()

    def copies_on(self, medium: str | None) -> tuple[Copy, ...]:
        """Return the copies on ``medium`` in the order of preference; all of them for None."""
        return tuple(c for c in self.copies if medium in (None, c.medium))


def read_sets(backups: Mapping[str, Any]) -> dict[str, BackupSet]:
    """Read the ``backups`` part of an inventory snapshot: sets by id."""
    sets = backups.get("sets", backups)
    return {str(name): _set(str(name), data) for name, data in sets.items()}


def find_set(backups: Mapping[str, Any], name: str) -> BackupSet:
    """Return the set called ``name``.

    Raises:
        UserError: the inventory has none of that name.
    """
    sets = read_sets(backups)
    try:
        return sets[name]
    except KeyError:
        known = ", ".join(sorted(sets)) or "none"
        raise UserError(
            f"the inventory has no backup set '{name}'",
            hint=f"Known sets: {known}; declare it in backups.yaml.",
        ) from None


def _set(name: str, data: Mapping[str, Any]) -> BackupSet:
    return BackupSet(
        id=name,
        service=str(data.get("service", "")),
        title=Text.of(data.get("title")),
        rpo=_duration(data.get("rpo")),
        copies=tuple(_copy(copy) for copy in data.get("copies") or ()),
    )


def _copy(data: Mapping[str, Any]) -> Copy:
    expect = data.get("expect") or {}
    rate = expect.get("rate_mb_s")
    return Copy(
        id=str(data["id"]),
        driver=str(data["driver"]),
        medium=str(data.get("medium", "disk")),
        host=data.get("host"),
        stanza=str(data.get("stanza") or ""),
        config=str(data.get("config") or "/etc/pgbackrest.conf"),
        user=str(data.get("user") or ""),
        repository=str(data.get("repository") or "/var/lib/pgbackrest"),
        expect=Expectation(
            fixed=_duration(expect.get("fixed")), rate_mb_s=None if rate is None else float(rate)
        ),
        unavailable=Text.of(data.get("unavailable")),
    )


def _duration(value: object) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int | float):
        return timedelta(seconds=value)
    raise TypeError(f"not a duration: {value!r}")
