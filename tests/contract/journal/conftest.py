"""The doors to every journal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from dr.engine.core.ports import Journal
from dr.engine.journal.memory import MemoryDisk, MemoryJournal
from dr.engine.journal.sql import SqlJournal
from tests.contract.journal.sample import Door, SetClock
from tests.deadline import wait_for
from tests.integration.postgres_server import PostgresServer, postgres_server

__all__ = ["postgres_server"]


class MemoryDoor:
    """Processes in one interpreter on one pretended disk."""

    name = "memory"

    def __init__(self) -> None:
        self._disk = MemoryDisk()

    def open(self, clock: SetClock | None = None) -> Journal:
        """Return the journal of a new process."""
        return MemoryJournal(clock, self._disk)

    def kill(self, journal: Journal) -> None:
        """End the process of ``journal``."""
        assert isinstance(journal, MemoryJournal)
        journal.close()

    def close(self) -> None:
        """Nothing is open."""


class SqlDoor:
    """Journals on one database; closing one frees what the end of its process would."""

    def __init__(self, name: str, url: str, server: PostgresServer | None = None) -> None:
        self.name = name
        self.url = url
        self._server = server
        self._open: list[SqlJournal] = []

    def open(self, clock: SetClock | None = None) -> Journal:
        """Return the journal of a new process."""
        journal = SqlJournal(self.url, clock=clock)
        self._open.append(journal)
        return journal

    def kill(self, journal: Journal) -> None:
        """End the process of ``journal`` and let its leases lapse."""
        assert isinstance(journal, SqlJournal)
        journal.close()
        if self._server is not None:
            self._let_lapse(self._server)

    def close(self) -> None:
        """Close what the test left open."""
        for journal in self._open:
            journal.close()

    def _let_lapse(self, server: PostgresServer) -> None:
        # the lease's end on the database's clock is brought near; then it is waited for
        with contextlib.closing(server.connect(str(make_url(self.url).database))) as wire:
            wire.execute("UPDATE worker SET expires_at = clock_timestamp() + interval '50 ms'")
            wait_for(
                lambda: (
                    not wire.execute(
                        "SELECT 1 FROM worker WHERE expires_at > clock_timestamp()"
                    ).fetchone()
                )
            )


@pytest.fixture(
    params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
)
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    """A way to open journals on one database."""
    opened: MemoryDoor | SqlDoor
    if request.param == "memory":
        opened = MemoryDoor()
    elif request.param == "sqlite":
        opened = SqlDoor("sqlite", f"sqlite:///{tmp_path}/journal.sqlite3")
    else:
        server = request.getfixturevalue("postgres_server")
        opened = SqlDoor("postgresql", server.database(), server)
    yield opened
    opened.close()
