"""The journal's SQLite: WAL, synchronous=FULL, one writing and one reading connection."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any

from dr.engine.core.errors import JournalBusyError
from dr.engine.core.faults import passage
from dr.engine.core.ports import Lease
from dr.engine.journal import refusals, schema
from dr.engine.journal.database import Audit, Params, Row, Transaction, first
from dr.engine.journal.run_holds import RunHolds
from dr.engine.journal.sqlite_errors import damaged, journal_error, unreadable, unwritable
from dr.engine.journal.sqlite_looking import look, read_only
from dr.engine.journal.sqlite_texts import TABLES, TEXTS
from dr.engine.journal.statements import VERSION, Statement, Statements, by_name, in_order_of

BUSY_S = 10.0
"""How long a write waits for another process's write."""

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
_LENIENT = partial(str, encoding="utf-8", errors="replace")
"""Reads text that somebody may have damaged; a function of Python's own would cost a frame each."""
_ENTER = by_name("""
INSERT INTO worker (run, holder, epoch, renewed_at, expires_at)
VALUES (:run, :holder, :epoch, CURRENT_TIMESTAMP, NULL)
ON CONFLICT (run) DO UPDATE SET
  holder = excluded.holder, epoch = excluded.epoch, renewed_at = excluded.renewed_at
""")


@cache
def _statements() -> Statements:
    texts = {name: in_order_of(sql, names) for name, (sql, names) in TEXTS.items()}
    return Statements(**texts, version=by_name(VERSION), tables=TABLES)


class _Transaction:
    """An open ``BEGIN IMMEDIATE``."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: Statement, params: Params) -> list[Row]:
        return self._connection.execute(statement.sql, statement.bind(params)).fetchall()

    def change(self, statement: Statement, params: Params) -> int:
        return self._connection.execute(statement.sql, statement.bind(params)).rowcount

    def add(self, statement: Statement, params: Sequence[Params]) -> None:
        if len(params) == 1:
            self._connection.execute(statement.sql, statement.bind(params[0]))
        else:
            self._connection.executemany(statement.sql, [statement.bind(p) for p in params])

    def expect(self, run: str, seq: int, row_hash: str) -> None:
        """Nothing to do: a local commit answers or the process is gone."""


class _Write:
    """``with`` around a transaction; a generator would cost as much as a statement does."""

    __slots__ = ("_connection", "_database")

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def __enter__(self) -> Transaction:
        self._connection = self._database.begin()
        return _Transaction(self._connection)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._connection.execute("COMMIT")
                return
        except sqlite3.Error as failure:
            error = failure
        finally:
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            self._database.done()
        if isinstance(error, sqlite3.Error):
            raise journal_error(error, self._database.path) from error


class _Audit:
    """A connection of its own that takes text as it is."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def damage(self) -> str:
        try:
            found = [str(row[0]) for row in self._connection.execute("PRAGMA quick_check(3)")]
        except sqlite3.Error as error:
            return str(error)
        return "" if found == ["ok"] else "; ".join(" ".join(line.split()) for line in found)

    def rows(self, statement: Statement, params: Params) -> Iterator[Row]:
        try:
            yield from self._connection.execute(statement.sql, statement.bind(params))
        except sqlite3.Error as error:
            raise journal_error(error, self._path) from error


class SqliteDatabase:
    """Implements ``database.Database``.

    Args:
        path: the file; it and its folder are created, readable by their owner only.
        lock_dir: where the locks of runs lie; beside the file when None.
        busy_s: how long a write waits for another process's write, in seconds.
    """

    shared = False
    lease_s = None

    def __init__(self, path: Path, lock_dir: Path | None = None, *, busy_s: float = BUSY_S) -> None:
        self.path = path
        self.statements = _statements()
        self._busy_s = busy_s
        self._holds = RunHolds(lock_dir or path.with_name(path.name + ".locks"))
        self._mutex = threading.RLock()  # guards the writing connection and the holds
        self._reading = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        os.register_at_fork(after_in_child=self._holds.forget)

    def open(self) -> None:
        """Connect, and bring a new database to the newest schema; where nothing can be written,
        what is there can be read and every write is refused."""
        with self._mutex:
            if self._reader is not None:
                return
            with self._said():
                if read_only(self.path):
                    self._reader = self._looked()
                    return
                self._create_file()
                writer = self._ready(self._connect())
                self._writer, self._reader = writer, self._connect()

    def close(self) -> None:
        """Let go of connections and locks."""
        with self._mutex, self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None
            self._holds.drop_all()

    def write(self) -> AbstractContextManager[Transaction]:
        """Run a block in ``BEGIN IMMEDIATE``."""
        return _Write(self)

    def begin(self) -> sqlite3.Connection:
        """Begin on the writing connection and keep it; ``done`` gives it back."""
        self._mutex.acquire()
        try:
            self.open()
            if self._writer is None:
                raise unwritable(self.path)
            self._writer.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            self._mutex.release()
            if isinstance(error, sqlite3.Error):
                raise journal_error(error, self.path) from error
            raise
        return self._writer

    def done(self) -> None:
        """Let the next transaction begin."""
        self._mutex.release()

    def read(self, statement: Statement, params: Params) -> list[Row]:
        """Return what a query finds."""
        try:
            return self._read(statement, params)
        except JournalBusyError:
            from dr.engine.journal.patience import patiently

            return patiently(lambda: self._read(statement, params))

    @contextmanager
    def audit(self) -> Iterator[Audit]:
        """Open the file for a look of its own."""
        with self._said(), closing(look(self.path, self._busy_s)) as connection:
            connection.text_factory = _LENIENT
            yield _Audit(connection, self.path)

    def hold(self, run: str) -> None:
        """Take the run's lock."""
        with self._mutex, self._said():
            if self._holds.take(run):
                return
        holder = first(self.read(self.statements.holder, {"run": run}))
        raise refusals.run_held(run, holder[0] if holder else "")

    def living(self, run: str) -> None:
        """Leases here are locks of the operating system."""

    def enter(self, tx: Transaction, lease: Lease) -> None:
        """Write the holder's name down; the lock decided already."""
        tx.change(_ENTER, {"run": lease.run, "holder": lease.holder, "epoch": lease.epoch})

    def drop(self, run: str) -> None:
        """Let the run's lock go."""
        with self._mutex:
            self._holds.drop(run)

    def renew(self, lease: Lease) -> None:
        """Look whether a newer engine has come; the lock needs no renewal."""
        found = first(self.read(self.statements.head, {"run": lease.run}))
        newest = found[0] if found else 0
        if newest != lease.epoch:
            raise refusals.lease_lost(lease.run, lease.epoch, newest)

    def _read(self, statement: Statement, params: Params) -> list[Row]:
        if self._reader is None:
            self.open()
        with self._reading, self._said():
            assert self._reader is not None  # noqa: S101 - open() connected
            return self._reader.execute(statement.sql, statement.bind(params)).fetchall()

    def _create_file(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=self._busy_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _looked(self) -> sqlite3.Connection:
        connection = look(self.path, self._busy_s)
        try:
            if not self._is_current(connection):
                raise unwritable(self.path)  # nothing in it yet, or it wants a migration
        except BaseException:
            connection.close()
            raise
        return connection

    def _ready(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            if not self._is_current(connection):
                self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_current(self, connection: sqlite3.Connection) -> bool:
        tables = [str(row[0]) for row in connection.execute(_TABLES)]
        version = None
        if "alembic_version" in tables:
            found = connection.execute(self.statements.version.sql).fetchone()
            version = found[0] if found else None
        return schema.is_current(version, tables if version is None else (), str(self.path))

    def _migrate(self, connection: sqlite3.Connection) -> None:
        # a new journal is rare; every other command does without SQLAlchemy
        from sqlalchemy import create_engine, event
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.pool import StaticPool

        self._holds.take(" schema", wait=True)
        try:
            if self._is_current(connection):  # another process was first
                return
            connection.execute("PRAGMA journal_mode=WAL")
            engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
            event.listen(engine, "begin", _begin)
            with engine.begin() as migrating:
                schema.upgrade(migrating)
            passage("after-migration")
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error):
                raise error.orig from error
            raise
        finally:
            self._holds.drop(" schema")

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise journal_error(error, self.path) from error
        except UnicodeDecodeError as error:
            raise damaged(self.path, f"text in it is no UTF-8: {error.reason}") from error
        except OSError as error:
            raise unreadable(error, self.path) from error


def _begin(connection: Any) -> None:
    # the driver's own BEGIN comes too late for DDL: half a schema could be left behind
    connection.exec_driver_sql("BEGIN IMMEDIATE")
