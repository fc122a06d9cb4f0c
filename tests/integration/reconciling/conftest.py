"""An office with a session that is open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.approvals.bureau import make_inventory
from tests.integration.reconciling.office import Office


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a workspace with keys, made once, and its inventory."""
    workspace = tmp_path_factory.mktemp("office")
    return workspace, make_inventory(workspace)


@pytest.fixture
def office(keyed: tuple[Path, dict[str, Any]]) -> Office:
    """Return an office whose session is open."""
    made = Office(*keyed)
    made.begin()
    return made
