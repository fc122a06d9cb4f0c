"""Walk the rows of a run and say which is the first that does not fit.  Pure.

The chain finds any row that was edited, removed, put in or moved.  Somebody who rewrites
everything from a row to the end, the run's row included, leaves a chain that fits: compare the
``head`` with the one that reports and notices carry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dr.engine.core.canonical import GENESIS
from dr.engine.core.errors import DrError
from dr.engine.core.events import Event
from dr.engine.journal.database import Row
from dr.engine.journal.index import Index
from dr.engine.journal.rows import event_of
from dr.engine.journal.sealing import chained


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of one run found.

    Attributes:
        rows: how many events fit, from the first on.
        first_bad: ``seq`` of the first event that does not fit or is missing; None when all
            do, and when what does not fit is not an event.
        because: what is wrong, in words; empty when nothing is.
        head: the hash of the last event that fits.
    """

    ok: bool
    rows: int
    first_bad: int | None
    because: str
    head: str


class Walk:
    """A walk along the chain, one row after the other."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.rows = 0
        self.head = GENESIS
        self.index = Index(run)
        self.first: Event | None = None

    def bad(self, because: str, seq: int | None = None) -> Verdict:
        """Return the verdict that something does not fit here."""
        return Verdict(ok=False, rows=self.rows, first_bad=seq, because=because, head=self.head)

    def good(self) -> Verdict:
        """Return the verdict that everything fits."""
        return Verdict(ok=True, rows=self.rows, first_bad=None, because="", head=self.head)

    def along(self, rows: Iterable[Row]) -> Verdict | None:
        """Follow ``rows``, ordered by seq; None when all of them fit."""
        for row in rows:
            verdict = self._step(row)
            if verdict is not None:
                return verdict
        return None

    def _step(self, row: Row) -> Verdict | None:
        expected, seq = self.rows + 1, row[1]
        if not isinstance(seq, int):
            return self.bad(f"event {expected} has the number {seq!r}", expected)
        if seq > expected:
            return self.bad(f"event {expected} is missing: event {seq} is next", expected)
        if seq < expected:
            return self.bad(f"event {seq} is there out of its place", seq)
        if hash_of(self.head, row) != row[9]:
            return self.bad(f"event {seq} is not as it was written: its hash does not fit", seq)
        try:
            event = event_of(row)
            self.index.follow(event)
        except DrError as error:
            return self.bad(f"event {seq} cannot be followed: {error.message}", seq)
        self.first = self.first or event
        self.rows, self.head = seq, event.hash
        return None


def hash_of(previous: str, row: Row) -> str:
    """Return the hash that ``row`` must carry; empty when a column is not of its type."""
    run, seq, at, kind, step, host, attempt, epoch, data, _hash = row
    if not (
        isinstance(run, str)
        and isinstance(at, str)
        and isinstance(kind, str)
        and isinstance(data, str)
        and isinstance(seq, int)
        and isinstance(epoch, int)
        and (step is None or isinstance(step, str))
        and (host is None or isinstance(host, str))
        and (attempt is None or isinstance(attempt, int))
    ):
        return ""
    return chained(
        previous,
        run=run,
        seq=seq,
        at=at,
        kind=kind,
        step=step,
        host=host,
        attempt=attempt,
        epoch=epoch,
        data=data,
    )
