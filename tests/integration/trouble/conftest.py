"""A workspace with two hosts for every test of runs in trouble."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.trouble.place import Place, a_place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return a workspace of the test's own."""
    with a_place(tmp_path) as made:
        yield made
