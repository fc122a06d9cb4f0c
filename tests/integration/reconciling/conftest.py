"""An office with a session that is open; and one about databases that are really there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.approvals.bureau import make_inventory
from tests.integration.postgres_server import PostgresServer, own_server, postgres_server
from tests.integration.reconciling.office import Office
from tests.integration.reconciling.sides import Sides, two_sides

__all__ = ["postgres_server"]


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


@pytest.fixture(scope="module")
def other() -> Iterator[PostgresServer]:
    """Another server than the central one."""
    with own_server() as server:
        yield server


@pytest.fixture
def sides(
    keyed: tuple[Path, dict[str, Any]],
    postgres_server: PostgresServer,
    other: PostgresServer,
    tmp_path: Path,
) -> Iterator[Sides]:
    """A recovered database, another one, and the session about them."""
    with two_sides(keyed, postgres_server, other, tmp_path / "store") as made:
        yield made
