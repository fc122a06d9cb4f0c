"""What ``SqlJournal`` needs of a database; ``sqlite`` and ``postgres`` provide it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dr.engine.core.ports import Lease

if TYPE_CHECKING:  # ``quick`` reads rows without SQLAlchemy
    from dr.engine.journal.statements import Statement, Statements

Params = Mapping[str, Any]
Row = tuple[Any, ...]


class Transaction(Protocol):
    """An open transaction that may write; it ends with the block that opened it."""

    def rows(self, statement: Statement, params: Params) -> list[Row]:
        """Return what a query finds."""

    def change(self, statement: Statement, params: Params) -> int:
        """Carry out a statement and return how many rows it touched."""

    def add(self, statement: Statement, params: Sequence[Params]) -> None:
        """Carry out an insert for each of ``params``."""

    def expect(self, run: str, seq: int, row_hash: str) -> None:
        """Say what will be the newest event, for a commit whose answer is lost."""


@dataclass(frozen=True, slots=True)
class Living:
    """A lease that has not lapsed, on the database's clock.

    ``left_s`` is how long it lasts unless it is renewed, in seconds; ``renewed`` is only good for
    seeing that it was.
    """

    holder: str
    epoch: int
    left_s: float
    renewed: str


class Database(Protocol):
    """One database.  Every error leaves as a JournalError with a hint; thread-safe."""

    statements: Statements

    @property
    def shared(self) -> bool:
        """Whether other machines may use it at the same time."""

    @property
    def lease_s(self) -> float | None:
        """How long a lease lasts without ``renew``, in seconds; None: as long as the process."""

    def living(self, run: str) -> Living | None:
        """Return the lease of ``run`` that has not lapsed; None when a process has to be asked."""

    def open(self) -> None:
        """Connect, and bring a new database to the newest schema.

        Raises:
            JournalError: it cannot be used, or a newer dr wrote it.
        """

    def close(self) -> None:
        """Let go of connections and of whatever dies with the process."""

    def write(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction that writes; commit at the end of the block, durably.

        Any exception out of the block, PowerCut among them, rolls back.
        """

    def read(self, statement: Statement, params: Params) -> list[Row]:
        """Return what a query finds; a busy database is asked again for a while."""

    def audit(self) -> AbstractContextManager[Audit]:
        """Open a look at what is on disk, apart from every cache of this process."""

    def hold(self, run: str) -> None:
        """Reserve a run for this process before the transaction of ``acquire``.

        Raises:
            HeldError: a living engine has it.
        """

    def enter(self, tx: Transaction, lease: Lease) -> None:
        """Write the holder down within the transaction of ``acquire``.

        Raises:
            HeldError: a living engine has it.
        """

    def drop(self, run: str) -> None:
        """Take back ``hold``."""

    def renew(self, lease: Lease) -> None:
        """Keep the lease.

        Raises:
            HeldError: it was lost.
        """


class Audit(Protocol):
    """A look at the rows as they are, undecodable bytes included."""

    def damage(self) -> str:
        """Say what the database itself finds wrong with its files; empty when nothing."""

    def rows(self, statement: Statement, params: Params) -> Iterator[Row]:
        """Yield what a query finds, one by one."""


def first(rows: Iterable[Row]) -> Row | None:
    """Return the first row, None when there is none."""
    return next(iter(rows), None)
