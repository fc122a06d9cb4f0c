"""Fixtures that every room of tests may use."""

from __future__ import annotations

import pytest

from tests.deadline import WaitFor
from tests.deadline import wait_for as _wait_for


@pytest.fixture
def wait_for() -> WaitFor:
    """Wait for a condition with a deadline: ``wait_for(lambda: path.exists(), 5)``."""
    return _wait_for
