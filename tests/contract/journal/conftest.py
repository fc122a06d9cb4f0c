"""The doors to every journal."""

from __future__ import annotations

import pytest

from dr.engine.core.ports import Journal
from dr.engine.journal.memory import MemoryDisk, MemoryJournal
from tests.contract.journal.sample import Door, SetClock


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


@pytest.fixture
def door() -> Door:
    """A way to open journals on one database."""
    return MemoryDoor()
