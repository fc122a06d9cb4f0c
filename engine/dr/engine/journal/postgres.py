"""The journal's PostgreSQL: psycopg 3, the run's row locked by each write, leases that lapse."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from dr.engine.core.errors import JournalBusyError
from dr.engine.core.faults import passage
from dr.engine.core.ports import Lease
from dr.engine.journal import refusals, schema
from dr.engine.journal.compiling import statements
from dr.engine.journal.database import Audit, Living, Params, Row, Transaction, first
from dr.engine.journal.lease_setting import LEASE_S
from dr.engine.journal.postgres_errors import commit_unknown, journal_error
from dr.engine.journal.statements import Statement, Statements, by_name

Wire = psycopg.Connection[tuple[Any, ...]]

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
_DURABLE = """
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') IN ('off', 'local')
"""
_ONE_MIGRATES = "SELECT pg_advisory_xact_lock(hashtext('dr journal schema'))"
_LIVING = by_name(
    "SELECT holder, epoch, extract(epoch FROM expires_at - clock_timestamp())::float8, "
    "renewed_at::text FROM worker WHERE run = %(run)s AND expires_at > clock_timestamp()"
)
_ENTER = by_name("""
INSERT INTO worker (run, holder, epoch, renewed_at, expires_at)
VALUES (%(run)s, %(holder)s, %(epoch)s, clock_timestamp(),
        clock_timestamp() + make_interval(secs => %(lease_s)s))
ON CONFLICT (run) DO UPDATE SET
  holder = excluded.holder, epoch = excluded.epoch,
  renewed_at = excluded.renewed_at, expires_at = excluded.expires_at
""")
_RENEW = by_name("""
UPDATE worker SET renewed_at = clock_timestamp(),
                  expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE run = %(run)s AND epoch = %(epoch)s
""")


@cache
def _dialect() -> Dialect:
    return URL.create("postgresql+psycopg").get_dialect()()


@cache
def _statements() -> Statements:
    return statements(_dialect())


class _Transaction:
    """An open transaction."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.expected: tuple[str, int, str] | None = None

    def rows(self, statement: Statement, params: Params) -> list[Row]:
        return self._wire.execute(statement.sql.encode(), params).fetchall()

    def change(self, statement: Statement, params: Params) -> int:
        return self._wire.execute(statement.sql.encode(), params).rowcount

    def add(self, statement: Statement, params: Sequence[Params]) -> None:
        with self._wire.cursor() as cursor:
            cursor.executemany(statement.sql.encode(), params)

    def expect(self, run: str, seq: int, row_hash: str) -> None:
        self.expected = (run, seq, row_hash)


class _Audit:
    """A connection of its own in one snapshot."""

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire = wire
        self._name = name

    def damage(self) -> str:
        """PostgreSQL tells when a damaged page is read."""
        return ""

    def rows(self, statement: Statement, params: Params) -> Iterator[Row]:
        lockless = statement.sql.removesuffix(" FOR UPDATE")
        try:
            yield from self._wire.execute(lockless.encode(), params)
        except psycopg.Error as error:
            raise journal_error(error, self._name) from error


class PostgresDatabase:
    """Implements ``database.Database``.

    Args:
        url: SQLAlchemy's form of the address; a password in it is never shown.
        lease_s: how long a lease lasts without ``renew``, in seconds.
    """

    shared = True

    def __init__(self, url: URL, *, lease_s: float = LEASE_S) -> None:
        self.name = url.render_as_string(hide_password=True)
        self.statements = _statements()
        self._url = url
        self.lease_s = lease_s
        self._writing = threading.RLock()
        self._reading = threading.RLock()
        self._writer: Wire | None = None
        self._reader: Wire | None = None
        self._checked = False

    def open(self) -> None:
        """Connect, and bring a new database to the newest schema."""
        with self._writing, self._reading:
            if self._is_open():
                return
            try:
                with self._said():
                    self._open()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Let go of the connections; leases lapse by themselves."""
        with self._writing, self._reading:
            for wire in (self._writer, self._reader):
                if wire is not None:
                    wire.close()
            self._writer = self._reader = None

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Run a block in a transaction."""
        with self._writing:
            wire = self._rested()
            tx = _Transaction(wire)
            try:
                yield tx
            except BaseException as error:
                self._roll_back(wire)
                if isinstance(error, psycopg.Error):
                    raise journal_error(error, self.name) from error
                raise
            self._commit(wire, tx)

    def read(self, statement: Statement, params: Params) -> list[Row]:
        """Return what a query finds; a broken connection is made anew."""
        try:
            return self._read(statement, params)
        except JournalBusyError:
            from dr.engine.journal.patience import patiently

            return patiently(lambda: self._read(statement, params))

    @contextmanager
    def audit(self) -> Iterator[Audit]:
        """Open a connection in one read-only snapshot."""
        self.open()
        with self._said():
            wire = self._connect()
            try:
                wire.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                wire.read_only = True
                yield _Audit(wire, self.name)
            finally:
                wire.close()

    def hold(self, run: str) -> None:
        """Nothing to do: the row in ``worker`` decides, on the database's clock."""

    def enter(self, tx: Transaction, lease: Lease) -> None:
        """Take the lease unless it is somebody's; the run's row is locked already."""
        living = first(tx.rows(_LIVING, {"run": lease.run}))
        if living is not None:
            raise refusals.run_held(lease.run, living[0])
        values = {"run": lease.run, "holder": lease.holder, "epoch": lease.epoch}
        tx.change(_ENTER, {**values, "lease_s": self.lease_s})

    def living(self, run: str) -> Living | None:
        """Return the lease of ``run`` that has not lapsed on the database's clock."""
        found = first(self.read(_LIVING, {"run": run}))
        return Living(found[0], found[1], found[2], found[3]) if found else None

    def drop(self, run: str) -> None:
        """Nothing to do: ``release`` removed the row."""

    def renew(self, lease: Lease) -> None:
        """Prolong the lease."""
        values = {"run": lease.run, "epoch": lease.epoch, "lease_s": self.lease_s}
        with self.write() as tx:
            found = first(tx.rows(self.statements.head, {"run": lease.run}))
            newest = found[0] if found else 0
            if newest != lease.epoch or not tx.change(_RENEW, values):
                raise refusals.lease_lost(lease.run, lease.epoch, newest)

    def _rested(self) -> Wire:
        """Return the writer's connection; one that was cut while it rested is made anew.

        Nothing was sent on it yet, so nothing can be lost: a server that was restarted, or that
        drops connections which say nothing for long, costs no run its engine.
        """
        self.open()
        assert self._writer is not None  # noqa: S101 - open() connected
        if select.select([self._writer.fileno()], [], [], 0)[0]:  # the server said something
            try:
                self._writer.execute("SELECT 1")
            except psycopg.OperationalError:
                self._writer.close()
                self.open()
        return self._writer

    def _is_open(self) -> bool:
        return not any(wire is None or wire.closed for wire in (self._writer, self._reader))

    def _open(self) -> None:
        if self._writer is None or self._writer.closed:
            self._writer = self._connect()
        if self._reader is None or self._reader.closed:
            self._reader = self._connect(autocommit=True)
        if not self._checked:
            self._migrate_if_needed(self._reader)
            self._checked = True

    def _read(self, statement: Statement, params: Params) -> list[Row]:
        with self._reading, self._said():
            if self._reader is None or self._reader.closed:
                self.open()
            assert self._reader is not None  # noqa: S101 - open() connected
            return self._reader.execute(
                statement.sql.removesuffix(" FOR UPDATE").encode(), params
            ).fetchall()

    def _commit(self, wire: Wire, tx: _Transaction) -> None:
        try:
            wire.commit()
        except psycopg.Error as error:
            if not wire.broken:
                self._roll_back(wire)
                raise journal_error(error, self.name) from error
            if not self._was_kept(tx):
                raise journal_error(error, self.name) from error

    def _was_kept(self, tx: _Transaction) -> bool:
        """Ask a new connection whether a commit whose answer was lost took place."""
        if tx.expected is None:
            raise commit_unknown(self.name)
        run, seq, row_hash = tx.expected
        try:
            found = self.read(self.statements.last_event, {"run": run, "seq": seq})
        except JournalBusyError as error:
            raise commit_unknown(self.name) from error
        return [row[0] for row in found] == [row_hash]

    def _roll_back(self, wire: Wire) -> None:
        try:
            wire.rollback()
        except psycopg.Error:
            wire.close()  # the server rolls back what it had; the next call connects anew

    def _connect(self, *, autocommit: bool = False) -> Wire:
        positional, named = _dialect().create_connect_args(self._url)
        named.setdefault("connect_timeout", 10)
        named.setdefault("application_name", "dr journal")
        wire: Wire = psycopg.connect(*positional, autocommit=True, **named)
        wire.execute(_DURABLE)
        wire.autocommit = autocommit
        return wire

    def _migrate_if_needed(self, wire: Wire) -> None:
        if self._is_current(wire):
            return
        migrating = self._connect()
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: migrating, poolclass=StaticPool
        )
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(_ONE_MIGRATES)
                if not self._is_current(migrating):
                    schema.upgrade(connection)
            passage("after-migration")
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.Error):
                raise error.orig from error
            raise
        finally:
            engine.dispose()
            migrating.close()

    def _is_current(self, wire: Wire) -> bool:
        tables = [str(row[0]) for row in wire.execute(_TABLES)]
        version = None
        if "alembic_version" in tables:
            found = wire.execute(self.statements.version.sql.encode()).fetchone()
            version = found[0] if found else None
        ours = [name for name in tables if name in self.statements.tables]
        return schema.is_current(version, ours if version is None else (), self.name)

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise journal_error(error, self.name) from error
