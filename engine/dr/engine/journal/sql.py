"""The journal over SQL: one set of transactions for SQLite and PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dr.engine.core.errors import JournalError
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.faults import passage
from dr.engine.core.ports import Clock, Lease, RunRecord
from dr.engine.core.states import RunState
from dr.engine.journal import refusals
from dr.engine.journal.database import Database, Living, Row, Transaction, first
from dr.engine.journal.index_tables import IndexTables
from dr.engine.journal.lease_setting import lease_setting
from dr.engine.journal.projection import SetState, changes
from dr.engine.journal.records import NEW, resolve, stamped
from dr.engine.journal.rows import (
    event_of,
    event_values,
    head_of,
    record_of,
    run_values,
    snapshot_values,
)
from dr.engine.journal.sealing import Head, moment, seal
from dr.engine.journal.statements import Statement
from dr.engine.journal.verdict import Verdict, Walk


@dataclass(frozen=True, slots=True)
class End:
    """Where a run stood after its last event."""

    head: Head
    epoch: int
    state: str


Rows = Callable[[Statement, Mapping[str, Any]], list[Row]]

_START = End(Head(), epoch=0, state=NEW)


class SqlJournal:
    """Implements ``core.ports.Journal`` on SQLite or PostgreSQL; thread-safe.

    Nothing is touched before the first call (or ``open``).  ``close`` ends what a process
    holds: on SQLite its leases are free at once, on PostgreSQL they lapse.

    Args:
        url: ``sqlite:///PATH`` (see ``sqlite_url``) or ``postgresql+psycopg://...``.
        clock: where the times of events come from; None is the machine's clock.
        lock_dir: SQLite only: where the locks of runs lie; None is beside the database.
        lease_s: PostgreSQL only: how long a lease lasts without ``renew``, in seconds; None is
            what DR_LEASE_S says, else 15.
        busy_s: SQLite only: how long a write waits for another process's write, in seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        lock_dir: Path | None = None,
        lease_s: float | None = None,
        busy_s: float = 10.0,
    ) -> None:
        self._clock = clock
        self._db = _database(url, lock_dir, lease_s, busy_s)
        self._sql = self._db.statements
        self._ends: dict[str, End] = {}  # remembered, and proven within each transaction

    def open(self) -> Self:
        """Connect now, and bring a new database to the newest schema.

        Raises:
            JournalError: it cannot be used, or a newer dr wrote it.
        """
        self._db.open()
        return self

    def close(self) -> None:
        """Let go of connections, and on SQLite of every run held."""
        self._db.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def create(self, record: RunRecord, drafts: Sequence[Draft]) -> list[Event]:
        """Write a new run, take its locks and append its first events."""
        passage("before-append")
        with self._db.write() as tx:
            if not tx.change(self._sql.add_run, run_values(record)):
                raise refusals.run_exists(record.id)
            tx.add(self._sql.add_snapshot, [snapshot_values(record)])
            IndexTables(tx, self._sql, record.id).take_locks(record.locks)
            chained = self._chain(tx, record.id, stamped(record, drafts), _START, trusted=True)
        passage("after-append")
        return chained[1] if chained is not None else []

    @property
    def shared(self) -> bool:
        """Whether engines on other machines may take over the runs of this journal."""
        return self._db.shared

    def living(self, run: str) -> Living | None:
        """Return the lease that somebody has of ``run`` now; None when nobody has."""
        return self._db.living(run)

    def acquire(
        self, run: str, holder: str, drafts: Sequence[Draft] = (), *, above: int = 0
    ) -> Lease:
        """Take the run with an epoch higher than any before, and append RUN_LEASE."""
        if not self._db.read(self._sql.is_run, {"run": run})[0][0]:
            raise refusals.no_run(run)
        self._db.hold(run)
        try:
            lease = self._take(run, holder, drafts, above)
        except BaseException:
            self._db.drop(run)
            raise
        passage("lease-taken")
        return lease

    def release(self, lease: Lease) -> None:
        """Give the run back; harmless when the lease is already lost."""
        with self._db.write() as tx:
            mine = tx.change(self._sql.drop_worker, {"run": lease.run, "epoch": lease.epoch})
        if mine:
            self._db.drop(lease.run)

    def renew(self, lease: Lease) -> None:
        """Keep the lease, or raise HeldError when it was lost to another engine.

        Raises:
            JournalError: the journal has lost events that this process saw kept.
        """
        self._db.renew(lease)
        known = self._ends.get(lease.run)
        if known is not None:
            self._require_kept(lease.run, known)

    def append(
        self,
        run: str,
        drafts: Sequence[Draft],
        *,
        lease: Lease | None = None,
        open_question: str | None = None,
        after: int | None = None,
    ) -> list[Event]:
        """Append events in order, and bring the index tables into line, in one transaction."""
        passage("before-append")
        with self._db.write() as tx:
            end, events = self._append(tx, run, drafts, lease, open_question, after)
        self._ends[run] = end
        passage("after-append")
        return events

    def events(self, run: str, after: int = 0) -> list[Event]:
        """Return the events with ``seq`` greater than ``after``, in order."""
        rows = self._db.read(self._sql.events, {"run": run, "after": after})
        if not rows and not self._db.read(self._sql.is_run, {"run": run})[0][0]:
            raise refusals.no_run(run)
        return [event_of(row) for row in rows]

    def ids(self) -> list[str]:
        """List the ids of all runs, whatever else their rows hold."""
        return [str(row[0]) for row in self._db.read(self._sql.ids, {})]

    def run(self, run: str) -> RunRecord:
        """Return a run by its id, a unique end or beginning of it, or ``last``."""
        found = resolve(run, self.ids())
        row = first(self._db.read(self._sql.record, {"run": found}))
        if row is None:
            raise refusals.no_snapshot(found)
        return record_of(row)

    def runs(self, *, unfinished: bool = False) -> list[RunRecord]:
        """List runs, newest first."""
        records = [record_of(row) for row in self._db.read(self._sql.records, {})]
        return [r for r in records if not (unfinished and RunState(r.state).ended)]

    def rows(self, run: str) -> list[Row]:
        """Return the rows of a run's events as they are on disk, in order, undecoded."""
        return list(self._db.read(self._sql.all_events, {"run": run}))

    def verify(self, run: str) -> Verdict:
        """Check every row of ``run`` against the chain, and the index against the rows.

        Reads what is on disk; never raises for a damaged file but says so in the verdict.

        Raises:
            UserError: there is no such run.
            JournalError: the database cannot be reached.
        """
        from dr.engine.journal.auditing import audited

        try:
            with self._db.audit() as audit:
                return audited(audit, self._sql, run)
        except JournalError as error:
            if error.code != "journal_damaged":
                raise
            return Walk(run).bad(error.message)

    def _take(self, run: str, holder: str, why: Sequence[Draft], above: int) -> Lease:
        passage("before-append")
        with self._db.write() as tx:
            end = self._end(tx, run)
            lease = Lease(run, holder, max(end.epoch, above) + 1, self._db.lease_s)
            self._db.enter(tx, lease)
            data = {"epoch": lease.epoch, "holder": holder}
            drafts = [*why, Draft(Kind.RUN_LEASE, data=data)]
            self._require_seen(tx.rows, run, end)
            chained = self._chain(tx, run, drafts, replace(end, epoch=lease.epoch), trusted=True)
        assert chained is not None  # noqa: S101 - read in this transaction
        self._ends[run] = chained[0]
        passage("after-append")
        return lease

    def _append(
        self,
        tx: Transaction,
        run: str,
        drafts: Sequence[Draft],
        lease: Lease | None,
        open_question: str | None,
        after: int | None,
    ) -> tuple[End, list[Event]]:
        trusting = bool(drafts) and open_question is None and after is None
        end = self._ends.get(run) if trusting else None
        if end is not None and (lease is None or lease.epoch == end.epoch):
            chained = self._chain(tx, run, drafts, end, trusted=False)
            if chained is not None:
                return chained
        end = self._end(tx, run)
        self._require_seen(tx.rows, run, end)
        if lease is not None and lease.epoch != end.epoch:
            raise refusals.lease_lost(run, lease.epoch, end.epoch)
        if after is not None and after != end.head.seq:
            raise refusals.moved_on(run, after, end.head.seq)
        if open_question is not None:  # only now is the run's row locked against its closing
            IndexTables(tx, self._sql, run).require_open(open_question)
        chained = self._chain(tx, run, drafts, end, trusted=True)
        assert chained is not None  # noqa: S101 - read in this transaction
        return chained

    def _require_kept(self, run: str, known: End) -> None:
        """Refuse to go on when what this process saw kept is not there any more."""
        found = first(self._db.read(self._sql.last_event, {"run": run, "seq": known.head.seq}))
        if found is None or found[0] != known.head.hash:
            raise refusals.events_lost(run, known.head.seq)

    def _require_seen(self, rows: Rows, run: str, end: End) -> None:
        """The same within a transaction that has found the end of the chain elsewhere."""
        known = self._ends.get(run)
        if known is None or known.head == end.head:
            return
        found = first(rows(self._sql.last_event, {"run": run, "seq": known.head.seq}))
        if found is None or found[0] != known.head.hash:
            raise refusals.events_lost(run, known.head.seq)

    def _end(self, tx: Transaction, run: str) -> End:
        found = first(tx.rows(self._sql.head, {"run": run}))
        if found is None:
            raise refusals.no_run(run)
        return End(head_of(found), epoch=found[0], state=found[1])

    def _chain(
        self, tx: Transaction, run: str, drafts: Sequence[Draft], end: End, *, trusted: bool
    ) -> tuple[End, list[Event]] | None:
        """Write the events; None when ``end``, remembered and not ``trusted``, is an old one.

        The update of the run's row proves that nobody appended since: state and epoch move
        by events only, so they are as remembered when the end of the chain is.
        """
        if not drafts:
            return end, []
        head = end.head
        at = moment(self._clock, head)
        sealed = seal(run, drafts, head=head, epoch=end.epoch, at=at)
        newest = sealed[-1]
        last = Head(newest.event.seq, newest.event.hash, at)
        moved = {
            "run": run,
            "s": last.seq,
            "h": last.hash,
            "t": newest.at_text,
            "seq": head.seq,
            "hash": head.hash,
        }
        if not tx.change(self._sql.advance if trusted else self._sql.advance_from, moved):
            return None
        tx.add(self._sql.add_event, [event_values(s) for s in sealed])
        tx.expect(run, last.seq, last.hash)
        index, state, epoch = IndexTables(tx, self._sql, run), end.state, end.epoch
        for one in sealed:
            for change in changes(one.event, state):
                index.apply(change)
                if isinstance(change, SetState):
                    state = change.state
        return End(last, epoch, state), [s.event for s in sealed]


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite journal at ``path``, whatever characters are in it."""
    from sqlalchemy.engine import URL

    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


_PLAIN = re.compile(r"sqlite:///([\w./+-]+)", re.ASCII)
"""A URL that is read without SQLAlchemy: nothing in it is quoted."""


_WHO = re.compile(r"//.*@", re.DOTALL)
"""Who logs in, perhaps with a password."""


def _database(url: str, lock_dir: Path | None, lease_s: float | None, busy_s: float) -> Database:
    if plain := _PLAIN.fullmatch(url):
        from dr.engine.journal.sqlite import SqliteDatabase

        return SqliteDatabase(Path(plain[1]), lock_dir, busy_s=busy_s)
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        wanted = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        raise _unknown(_WHO.sub("//***@", url)) from None
    if wanted.get_backend_name() == "sqlite" and wanted.database not in {None, "", ":memory:"}:
        from dr.engine.journal.sqlite import SqliteDatabase

        return SqliteDatabase(Path(str(wanted.database)), lock_dir, busy_s=busy_s)
    if wanted.get_backend_name() == "postgresql":
        from dr.engine.journal.postgres import PostgresDatabase

        return PostgresDatabase(wanted, lease_s=lease_s or lease_setting())
    raise _unknown(wanted.render_as_string(hide_password=True))


def _unknown(url: str) -> JournalError:
    return JournalError(
        f"'{url}' names no database that a journal can live in",
        hint="Use sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME in DR_DATABASE_URL.",
        code="journal_unreachable",
    )
