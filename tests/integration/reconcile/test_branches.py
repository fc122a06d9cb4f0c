"""All branches against a real central database: what was seeded is found, and nothing else."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from dr.reconcile.branches import Comparison, Submission, compare_branches
from dr.reconcile.breaks import BreakClass
from dr.reconcile.relation import Relation, snapshot
from dr.reconcile.session import Session
from tests.reconcile_corpus import (
    QUERY,
    SHAPE,
    WINDOW,
    Bureau,
    load,
    seeded,
    write_ledgers,
)

pytestmark = pytest.mark.postgres

Wire = psycopg.Connection[tuple[object, ...]]


def compared(wire: Wire, made: Bureau, folder: Path, session: Session | None = None) -> Comparison:
    """Load the centre, write the ledgers, compare with a session that can not write."""
    load(wire, (r for rows in made.central.values() for r in rows))
    return again(wire, made, folder, session)


def again(wire: Wire, made: Bureau, folder: Path, session: Session | None = None) -> Comparison:
    wire.execute("SET default_transaction_read_only = on")
    submissions = [Submission(n, kind, path) for n, kind, path in write_ledgers(made, folder)]
    with snapshot(wire) as name:
        relation = Relation.open(wire, QUERY, SHAPE, "id")
        return compare_branches(
            session or Session("s1", WINDOW),
            relation,
            submissions,
            expected=made.central,
            register=made.register,
            snapshot=name,
        )


def found(comparison: Comparison) -> Counter[tuple[BreakClass, str, str]]:
    return Counter((b.kind, b.branch, b.key) for b in comparison.breaks)


@pytest.mark.parametrize("draw", range(3))
def test_every_seeded_break_is_named_and_nothing_else(
    wire: Wire, tmp_path: Path, draw: int
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    made = seeded(seed, branches=12, records=150, each=5)
    comparison = compared(wire, made, tmp_path)
    assert_found(comparison, made, seed)


def assert_found(comparison: Comparison, made: Bureau, seed: int = 0) -> None:
    seen, wanted = found(comparison), Counter(made.expected)
    assert (seen - wanted, wanted - seen) == ({}, {}), f"seed {seed}"
