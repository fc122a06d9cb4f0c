"""A real central database for what compares with it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.integration.postgres_server import PostgresServer, postgres_server

__all__ = ["postgres_server", "wire"]


@pytest.fixture
def wire(postgres_server: PostgresServer) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to a database of its own."""
    name = postgres_server.database().partition("@/")[2].partition("?")[0]
    with postgres_server.connect(name) as wire:
        yield wire
