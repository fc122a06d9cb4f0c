"""A branch's ledger against the recovered database: pure comparison by natural key.

The database is the recovered one; the ledger is what the branch knows.  What the branch holds an
answer for and the database lacks is lost business; what it has no answer for is looked up, and the
database's word settles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dr.reconcile.ledger import Entry, Ledger, Told


@dataclass(frozen=True, slots=True)
class Record:
    """One piece of business as the database has it."""

    key: str
    parcel: str = ""
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """A range of serial numbers that nobody accounts for; both ends belong to it."""

    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class BranchResult:
    """What one branch did that the recovered database lacks.

    Attributes:
        lost: acknowledged to the branch, and not in the database.
        arrived: without an answer at the branch, and in the database.
        open: without an answer, and not in the database: the branch must ask or enter it again.
        differing: in both, with another parcel or other serial numbers.
        unlisted: in the database, not in the branch's ledger.
        header: the columns of the branch's ledger, in its own words.
    """

    branch: str
    entries: int
    lost: tuple[Entry, ...] = ()
    arrived: tuple[Entry, ...] = ()
    open: tuple[Entry, ...] = ()
    differing: tuple[tuple[Entry, Record], ...] = ()
    unlisted: tuple[Record, ...] = ()
    complete: bool = True
    header: tuple[str, ...] = ()

    @property
    def parcels(self) -> frozenset[str]:
        """Parcels whose newest right may be missing: nothing may be registered on them."""
        touched = [*self.lost, *self.open, *(entry for entry, _ in self.differing)]
        return frozenset(entry.parcel for entry in touched if entry.parcel)

    @property
    def span(self) -> timedelta | None:
        """From the first lost piece of business to the last; None when nothing was lost."""
        moments = sorted(e.at for e in self.lost if e.at is not None)
        return moments[-1] - moments[0] if moments else None


def compare(ledger: Ledger, records: Iterable[Record]) -> BranchResult:
    """Compare a branch's ledger with what the database has of that branch."""
    central = {record.key: record for record in records}
    lost: list[Entry] = []
    arrived: list[Entry] = []
    without: list[Entry] = []
    differing: list[tuple[Entry, Record]] = []
    for entry in ledger.entries:
        record = central.get(entry.key)
        if record is None:
            if entry.told is Told.ACKNOWLEDGED:
                lost.append(entry)
            elif entry.told is Told.UNKNOWN:
                without.append(entry)
            continue
        if entry.told is not Told.ACKNOWLEDGED:
            arrived.append(entry)
        if _differs(entry, record):
            differing.append((entry, record))
    listed = {entry.key for entry in ledger.entries}
    return BranchResult(
        branch=ledger.branch,
        entries=len(ledger.entries),
        lost=tuple(lost),
        arrived=tuple(arrived),
        open=tuple(without),
        differing=tuple(differing),
        unlisted=tuple(r for r in central.values() if r.key not in listed),
        complete=ledger.complete,
        header=ledger.header,
    )


def _differs(entry: Entry, record: Record) -> bool:
    if entry.parcel and record.parcel and entry.parcel != record.parcel:
        return True
    shared = entry.numbers.keys() & record.numbers.keys()
    return any(entry.numbers[name] != record.numbers[name] for name in shared)


def touched_since(ledger: Ledger, since: datetime) -> frozenset[str]:
    """Return the parcels on which the branch did, or may have done, business after ``since``.

    Business that the centre refused left nothing behind and holds nothing.  A line without a moment
    counts as after.
    """
    return frozenset(
        entry.parcel
        for entry in ledger.entries
        if entry.parcel
        and entry.told is not Told.FAILED
        and any(at is None or at > since for at in (entry.at, entry.acknowledged_at or entry.at))
    )


def greatest_numbers(ledgers: Iterable[Ledger], names: Sequence[str]) -> dict[str, int | None]:
    """Return by sequence the greatest number that any branch used; None where none did.

    Numbers of unanswered and of refused business count too: the form may have been printed.
    """
    greatest: dict[str, int | None] = dict.fromkeys(names)
    for ledger in ledgers:
        for entry in ledger.entries:
            for name, number in entry.numbers.items():
                best = greatest.get(name)
                if name in greatest and (best is None or number > best):
                    greatest[name] = number
    return greatest


def serial_gaps(used: Iterable[int], first: int, last: int) -> list[Gap]:
    """List the ranges in ``first..last`` that nobody used, as ranges and never one by one."""
    gaps: list[Gap] = []
    expected = first
    for number in sorted({n for n in used if first <= n <= last}):
        if number > expected:
            gaps.append(Gap(expected, number - 1))
        expected = number + 1
    if expected <= last:
        gaps.append(Gap(expected, last))
    return gaps


def doubled(used: Iterable[tuple[str, int]]) -> dict[int, tuple[str, ...]]:
    """Return each number that two different keys claim, with the keys; two forms, one number."""
    owners: dict[int, set[str]] = {}
    for key, number in used:
        owners.setdefault(number, set()).add(key)
    return {n: tuple(sorted(keys)) for n, keys in sorted(owners.items()) if len(keys) > 1}


def last_acknowledged(ledgers: Iterable[Ledger]) -> datetime | None:
    """Return when a branch last held an answer from the centre; None when none ever did."""
    moments = [
        entry.acknowledged_at or entry.at
        for ledger in ledgers
        for entry in ledger.entries
        if entry.told is Told.ACKNOWLEDGED
    ]
    return max((m for m in moments if m is not None), default=None)
