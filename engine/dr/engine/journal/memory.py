"""A journal in memory with the semantics of the real one, for tests of what stands above it.

One ``MemoryJournal`` is one process; several on one ``MemoryDisk`` are several processes with
one database.  ``close`` is the end of the process, orderly or by ``kill -9``: its leases are
free, what it committed stays.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.faults import passage
from dr.engine.core.ports import Clock, Lease, RunRecord
from dr.engine.core.states import RunState
from dr.engine.journal import refusals
from dr.engine.journal.index import Index
from dr.engine.journal.records import resolve, stamped
from dr.engine.journal.sealing import Head, moment, seal


@dataclass
class _Run:
    """One run on the disk."""

    record: RunRecord
    index: Index
    events: list[Event] = field(default_factory=list)

    @property
    def head(self) -> Head:
        if not self.events:
            return Head()
        last = self.events[-1]
        return Head(last.seq, last.hash, last.at)


@dataclass
class MemoryDisk:
    """What survives a process."""

    runs: dict[str, _Run] = field(default_factory=dict)
    held_by: dict[str, MemoryJournal] = field(default_factory=dict)
    mutex: threading.RLock = field(default_factory=threading.RLock)


class MemoryJournal:
    """Implements ``core.ports.Journal``; thread-safe; nothing survives the interpreter.

    Args:
        clock: where times come from; None is the machine's clock.
        disk: shared with the journals of other (pretended) processes; None is a new one.
    """

    def __init__(self, clock: Clock | None = None, disk: MemoryDisk | None = None) -> None:
        self.disk = disk if disk is not None else MemoryDisk()
        self._clock = clock

    def close(self) -> None:
        """End the pretended process: its leases are free, what it committed stays."""
        with self.disk.mutex:
            for run in [run for run, held in self.disk.held_by.items() if held is self]:
                del self.disk.held_by[run]

    def create(self, record: RunRecord, drafts: Sequence[Draft]) -> list[Event]:
        """Write a new run, take its locks and append its first events."""
        with self.disk.mutex:
            if record.id in self.disk.runs:
                raise refusals.run_exists(record.id)
            self._require_locks(record)
            index = Index(record.id)
            new = _Run(replace(record, epoch=0), index)
            return self._write(new, stamped(record, drafts), 0, None)

    def acquire(
        self, run: str, holder: str, drafts: Sequence[Draft] = (), *, above: int = 0
    ) -> Lease:
        """Take the run with an epoch higher than any before, and append RUN_LEASE."""
        with self.disk.mutex:
            found = self._find(run)
            if run in self.disk.held_by:
                raise refusals.run_held(run, found.index.holder)
            epoch = max(found.index.epoch, above) + 1
            draft = Draft(Kind.RUN_LEASE, data={"epoch": epoch, "holder": holder})
            self._write(found, [*drafts, draft], epoch, None)
            self.disk.held_by[run] = self
        passage("lease-taken")
        return Lease(run, holder, epoch)

    def release(self, lease: Lease) -> None:
        """Give the run back; harmless when the lease is already lost."""
        with self.disk.mutex:
            found = self.disk.runs.get(lease.run)
            mine = self.disk.held_by.get(lease.run) is self
            if mine and found is not None and found.index.epoch == lease.epoch:
                del self.disk.held_by[lease.run]

    def renew(self, lease: Lease) -> None:
        """Keep the lease, or raise HeldError when another engine took the run."""
        with self.disk.mutex:
            _require_newest(self._find(lease.run), lease)

    def append(
        self,
        run: str,
        drafts: Sequence[Draft],
        *,
        lease: Lease | None = None,
        open_question: str | None = None,
        after: int | None = None,
    ) -> list[Event]:
        """Append events in order; all of them or none."""
        with self.disk.mutex:
            found = self._find(run)
            if after is not None and after != found.head.seq:
                raise refusals.moved_on(run, after, found.head.seq)
            if lease is not None:
                _require_newest(found, lease)
            epoch = lease.epoch if lease is not None else found.index.epoch
            return self._write(found, drafts, epoch, open_question)

    def events(self, run: str, after: int = 0) -> list[Event]:
        """Return the events with ``seq`` greater than ``after``, in order."""
        with self.disk.mutex:
            return self._find(run).events[max(after, 0) :]

    def run(self, run: str) -> RunRecord:
        """Return a run by its id, a unique end or beginning of it, or ``last``."""
        with self.disk.mutex:
            ids = [record.id for record in self.runs()]
            return _as_of_now(self.disk.runs[resolve(run, ids)])

    def runs(self, *, unfinished: bool = False) -> list[RunRecord]:
        """List runs, newest first."""
        with self.disk.mutex:
            records = [_as_of_now(run) for run in self.disk.runs.values()]
        records.sort(key=lambda r: (r.created, r.id), reverse=True)
        return [r for r in records if not (unfinished and RunState(r.state).ended)]

    def _find(self, run: str) -> _Run:
        if run not in self.disk.runs:
            raise refusals.no_run(run)
        return self.disk.runs[run]

    def _write(
        self, found: _Run, drafts: Sequence[Draft], epoch: int, open_question: str | None
    ) -> list[Event]:
        passage("before-append")
        head, index = found.head, found.index.copied()
        if open_question is not None:
            index.require_open(open_question)
        at = moment(self._clock, head)
        events = [s.event for s in seal(found.record.id, drafts, head=head, epoch=epoch, at=at)]
        for event in events:
            before = index.locked
            index.follow(event)
            if index.locked and not before:
                self._require_locks(found.record)
        found.events.extend(events)
        found.index = index
        self.disk.runs[found.record.id] = found
        passage("after-append")
        return events

    def _require_locks(self, record: RunRecord) -> None:
        for other in self.disk.runs.values():
            if other.index.locked and other.record.id != record.id:
                for lock in record.locks:
                    if lock in other.record.locks:
                        raise refusals.lock_held(lock, other.record.id)


def _require_newest(found: _Run, lease: Lease) -> None:
    if lease.epoch != found.index.epoch:
        raise refusals.lease_lost(lease.run, lease.epoch, found.index.epoch)


def _as_of_now(found: _Run) -> RunRecord:
    return replace(found.record, state=found.index.state, epoch=found.index.epoch)
