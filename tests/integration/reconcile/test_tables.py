"""Two tables on two databases, compared where they lie."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from dr.reconcile.breaks import Break
from dr.reconcile.relation import CentralError, Relation, snapshot
from dr.reconcile.row_hash import HashKind
from dr.reconcile.session import Session
from dr.reconcile.table_breaks import table_breaks
from dr.reconcile.tables import TableDifference, compare_tables
from tests.deadline import wait_for
from tests.integration.postgres_server import PostgresServer, launch
from tests.reconcile_corpus import (
    KINDS,
    OF_TABLES,
    QUERY,
    SHAPE,
    WINDOW,
    Bureau,
    Sower,
    bureau,
    load,
)

pytestmark = pytest.mark.postgres

Wire = psycopg.Connection[tuple[object, ...]]
SESSION = Session("tables", WINDOW)


@pytest.fixture
def wires(postgres_server: PostgresServer) -> Iterator[tuple[Wire, Wire]]:
    """Two databases; nothing can be written once they are loaded."""
    with ExitStack() as stack:
        names = [postgres_server.database().partition("@/")[2].partition("?")[0] for _ in "ab"]
        one, other = (stack.enter_context(postgres_server.connect(name)) for name in names)
        yield one, other


def fill(wires: tuple[Wire, Wire], made: Bureau) -> None:
    known: dict[str, int] = {}
    for wire, side in zip(wires, (made.ledger, made.central), strict=True):
        load(wire, (r for rows in side.values() for r in rows), known)
        wire.execute("SET default_transaction_read_only = on")


@contextmanager
def opened(wires: tuple[Wire, Wire], locator: str = "id") -> Iterator[tuple[Relation, Relation]]:
    with snapshot(wires[0]), snapshot(wires[1]):
        yield (
            Relation.open(wires[0], QUERY, SHAPE, locator),
            Relation.open(wires[1], QUERY, SHAPE, locator),
        )


def sown(seed: int, branches: int = 6, records: int = 300, each: int = 5) -> Bureau:
    made = bureau(seed, branches, records)
    Sower(made).sow(each, [kind for kind in KINDS if kind in OF_TABLES])
    return made


def named(
    wires: tuple[Wire, Wire], made: Bureau, locator: str, kind: HashKind | None
) -> tuple[TableDifference, tuple[Break, ...]]:
    with opened(wires, locator) as (left, right):
        difference = compare_tables(SESSION, left, right, windowed=False, kind=kind)
        return difference, table_breaks(
            SESSION, right, difference, register=made.register, windowed=False
        )


@pytest.mark.parametrize(
    ("locator", "kind"),
    [("id", None), ("", None), ("id", HashKind.PORTABLE)],
    ids=["by number", "by scan", "portable hash"],
)
def test_every_seeded_break_between_two_tables_is_named(
    wires: tuple[Wire, Wire], locator: str, kind: HashKind | None
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    made = sown(seed)
    fill(wires, made)
    difference, breaks = named(wires, made, locator, kind)
    seen = Counter((b.kind, b.branch, b.key) for b in breaks)
    wanted = Counter(made.expected)
    assert (seen - wanted, wanted - seen) == ({}, {}), f"seed {seed}"
    assert difference.hash is (kind or HashKind.TYPED)
    assert difference.rows_left == sum(map(len, made.ledger.values()))


def test_rows_that_both_sides_number_differently_are_found_all_the_same(
    wires: tuple[Wire, Wire],
) -> None:
    made = sown(7, each=2)
    known: dict[str, int] = {}
    for wire, side in zip(wires, (made.ledger, made.central), strict=True):
        load(wire, (r for rows in side.values() for r in rows), known)
    wires[1].execute("UPDATE registration SET id = id + 1000000")
    _, breaks = named(wires, made, "id", None)
    assert Counter((b.kind, b.branch, b.key) for b in breaks) == Counter(made.expected)


def test_a_sketch_that_is_too_small_is_seen_and_made_larger(wires: tuple[Wire, Wire]) -> None:
    made = sown(11)
    fill(wires, made)
    with opened(wires) as (left, right):
        small = compare_tables(SESSION, left, right, windowed=False, first_bits=3)
        ample = compare_tables(SESSION, left, right, windowed=False)
    assert small.tries > 1
    assert ample.tries == 1
    assert sorted(map(str, small.left)) == sorted(map(str, ample.left))
    assert sorted(map(str, small.right)) == sorted(map(str, ample.right))


def test_more_differences_than_the_largest_sketch_holds_are_an_error_and_no_answer(
    wires: tuple[Wire, Wire],
) -> None:
    fill(wires, sown(12))
    with (
        pytest.raises(CentralError, match="differ in more records than 48 cells"),
        opened(wires) as (left, right),
    ):
        compare_tables(SESSION, left, right, windowed=False, first_bits=3, largest_bits=4)


def test_databases_that_hash_differently_fall_back_to_the_portable_hash(
    wires: tuple[Wire, Wire],
) -> None:
    made = sown(13)
    fill(wires, made)
    wires[0].execute("SET default_transaction_read_only = off")
    # what another major version could do: the same function, another value
    wires[0].execute(
        "CREATE FUNCTION public.hashtextextended(text, bigint) RETURNS bigint LANGUAGE sql"
        " IMMUTABLE AS 'SELECT pg_catalog.hashtextextended($1, $2) # 1'"
    )
    wires[0].execute("SET search_path = public, pg_catalog")
    difference, breaks = named(wires, made, "id", None)
    assert difference.hash is HashKind.PORTABLE
    assert {(b.kind, b.branch, b.key) for b in breaks} == made.expected


def test_equal_tables_have_no_breaks(wires: tuple[Wire, Wire]) -> None:
    made = bureau(14, 3, 200)
    fill(wires, made)
    difference, breaks = named(wires, made, "id", None)
    assert (difference.left, difference.right, breaks) == ((), (), ())


def test_a_hot_standby_is_compared_with_its_primary(postgres_server: PostgresServer) -> None:
    made = sown(15, branches=3, records=150, each=1)
    name = postgres_server.database().partition("@/")[2].partition("?")[0]
    with postgres_server.connect(name) as primary, hot_standby(postgres_server) as standby:
        known: dict[str, int] = {}
        load(primary, (r for rows in made.ledger.values() for r in rows), known)
        end = primary.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        with standby.connect() as control:
            wait_for(lambda: _replayed(control, end), 30, "the standby")
            control.execute("SELECT pg_wal_replay_pause()")
            wait_for(lambda: _paused(control), 30, "the pause")
        primary.execute("DROP TABLE registration")
        load(primary, (r for rows in made.central.values() for r in rows), known)
        with standby.connect(name) as copy:
            assert copy.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
            _, breaks = named((copy, primary), made, "id", None)
            copy.execute("SELECT pg_wal_replay_resume()")
    assert {(b.kind, b.branch, b.key) for b in breaks} == made.expected


def _replayed(control: Wire, end: tuple[object, ...] | None) -> bool:
    asked = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    return control.execute(asked, end).fetchone() == (True,)


def _paused(control: Wire) -> bool:
    return control.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",)


@contextmanager
def hot_standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    """A copy that follows ``primary`` and only answers reading."""
    folder = Path(tempfile.mkdtemp(prefix="dr-sb-", dir="/tmp"))
    user = "postgres" if os.geteuid() == 0 else None
    try:
        folder.chmod(0o755)
        if user:
            shutil.chown(folder, user)
        subprocess.run(
            [f"{primary.binaries}/pg_basebackup", "-h", primary.folder, "-U", "postgres", "-D",
             folder / "data", "-R", "-X", "stream", "-c", "fast", "--no-sync"],
            check=True, user=user, cwd="/",
        )  # fmt: skip
        with (folder / "data/postgresql.conf").open("a") as settings:
            settings.write(f"unix_socket_directories = '{folder}'\nhot_standby = on\n")
        standby = PostgresServer(folder, primary.binaries, launch(folder, primary.binaries))
        try:
            wait_for(standby.answers, 60, "the standby")
            yield standby
        finally:
            standby.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
