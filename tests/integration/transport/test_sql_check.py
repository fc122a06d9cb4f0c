"""``sql.check`` against a real PostgreSQL."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from typing import Any

import pytest

from dr.engine.actions.conformance import RecordingWorld
from dr.engine.actions.sql_check import SqlCheck
from dr.engine.core.errors import FailedError, LostContactError, RefusedError, RetryableError
from dr.engine.core.model import Effect
from tests.integration.postgres_server import PostgresServer
from tests.integration.transport.test_jobs import an_attempt

pytestmark = pytest.mark.postgres

WRITE = "INSERT INTO proof VALUES (0, now()) ON CONFLICT (no) DO UPDATE SET at = now()"


@pytest.fixture
def name(postgres_server: PostgresServer) -> str:
    """A database with a table and two roles."""
    made = postgres_server.database().partition("@/")[2].partition("?")[0]
    with postgres_server.connect(made) as wire:
        for role in ("dr_reader", "app"):
            wire.execute(
                f"DO $$ BEGIN CREATE ROLE {role} LOGIN; "
                "EXCEPTION WHEN duplicate_object THEN NULL; END $$".encode()
            )
        wire.execute(b"CREATE TABLE proof (no integer PRIMARY KEY, at timestamptz)")
        wire.execute(b"GRANT SELECT, INSERT, UPDATE, DELETE ON proof TO app, dr_reader")
    return made


@pytest.fixture
def world(postgres_server: PostgresServer, name: str) -> RecordingWorld:
    """A world with the service ``registry``; its address is the server's socket."""
    return a_world(str(postgres_server.folder), name)


def a_world(address: str, name: str, port: int = 5432, **business: Any) -> RecordingWorld:
    """Return a world with one service at ``address``."""
    return RecordingWorld(
        {
            "hosts": {},
            "services": {
                "registry": {
                    "address": {"ip": address},
                    "database": {
                        "name": name,
                        "port": port,
                        "reader": {"user": "dr_reader", "password": {"secret": "env:P"}},
                        "writer": {"user": "app", "password": {"secret": "env:P"}},
                    },
                    "business": {"write_check": [WRITE], **business},
                }
            },
        },
        secrets={"env:P": "sesame"},
    )


def ask(world: RecordingWorld, effect: Effect = Effect.READ, **inputs: Any) -> Any:
    """Perform sql.check and return its outputs."""
    attempt = replace(an_attempt(effect=effect, input=inputs), host=None)
    return SqlCheck().perform(attempt, world).outputs


def test_a_query_gives_rows_and_its_first_value(world: RecordingWorld) -> None:
    seen = ask(world, query="SELECT n, 'a%' FROM generate_series(1, 3) n")

    assert (seen["value"], seen["count"]) == (1, 3)
    assert seen["rows"] == [[1, "a%"], [2, "a%"], [3, "a%"]]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM proof",
        "SELECT 1; COMMIT; BEGIN; DELETE FROM proof; COMMIT",
        "COMMIT; DELETE FROM proof",
        "WITH gone AS (DELETE FROM proof RETURNING 1) SELECT * FROM gone",
    ],
)
def test_a_query_can_not_write(world: RecordingWorld, query: str) -> None:
    ask(world, write=True)

    with pytest.raises(FailedError):
        ask(world, query=query)

    assert ask(world, query="SELECT count(*) FROM proof")["value"] == 1


def test_the_write_check_writes_as_the_application_and_can_be_repeated(
    world: RecordingWorld,
) -> None:
    ask(world, Effect.IDEMPOTENT, write=True)
    ask(world, Effect.IDEMPOTENT, write=True)

    assert ask(world, query="SELECT count(*) FROM proof")["value"] == 1


def test_a_database_that_takes_no_writes_says_so(
    world: RecordingWorld, postgres_server: PostgresServer, name: str
) -> None:
    with postgres_server.connect() as wire:
        wire.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())

    with pytest.raises(FailedError, match="takes no writes"):
        ask(world, write=True)


def test_a_slow_query_is_a_timeout(world: RecordingWorld) -> None:
    with pytest.raises(RetryableError) as late:
        ask(world, query="SELECT pg_sleep(60)", within="300ms")

    assert late.value.reason == "timeout"


def test_a_server_that_takes_the_connection_and_says_nothing_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world = a_world("127.0.0.1", "registry", silent.getsockname()[1])
        with pytest.raises(RetryableError) as late:
            ask(world, query="SELECT 1", within="300ms")

    assert late.value.reason == "timeout"


def test_a_closed_port_is_unreachable() -> None:
    with pytest.raises(RetryableError) as gone:
        ask(a_world("127.0.0.1", "registry", 1), query="SELECT 1", within="2s")

    assert gone.value.reason == "unreachable"


def test_a_server_that_dies_while_it_writes_is_lost_contact(
    world: RecordingWorld, postgres_server: PostgresServer
) -> None:
    services: Any = world.inventory["services"]
    services["registry"]["business"]["write_check"] = [WRITE, "SELECT pg_sleep(30)"]
    lost: list[BaseException] = []

    def write() -> None:
        try:
            ask(world, write=True)
        except LostContactError as error:
            lost.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    with postgres_server.connect() as wire:
        ended = False
        while not ended and thread.is_alive():
            rows = wire.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'dr' AND query LIKE '%pg_sleep(30)%'"
            ).fetchall()
            ended = bool(rows)
    thread.join(20)

    assert len(lost) == 1


def test_a_service_without_a_write_check_is_refused(
    postgres_server: PostgresServer, name: str
) -> None:
    with pytest.raises(RefusedError, match="declares no write check"):
        ask(a_world(str(postgres_server.folder), name, write_check=[]), write=True)
