"""Fixtures that every room of tests may use."""

from __future__ import annotations

import signal

import pytest

from tests.deadline import WaitFor
from tests.deadline import wait_for as _wait_for


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start, however the tests were started.

    A shell starts what it puts in the background with SIGINT ignored, and so does all that comes
    of it; then a test that types Ctrl-C would wait for ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = (
    "test_soak.py",
    "test_soak_on_a_server.py",
    "test_two_engines.py",
    "test_demo.py",
    "test_journal_server_in_trouble.py",
    "test_stopped_standby_story.py",
    "test_canaries.py",
    "test_amended_runs.py",
)
"""Files that take longest: begun first, so that none of them is all that is left to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.fixture
def wait_for() -> WaitFor:
    """Wait for a condition with a deadline: ``wait_for(lambda: path.exists(), 5)``."""
    return _wait_for
