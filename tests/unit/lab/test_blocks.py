"""Each branch writes on forms of its own stock, one after the other."""

from __future__ import annotations

import csv
import io
import itertools
from datetime import date

import pytest

from dr.lab.blocks import BUREAU, BlockKind, Stock, blocks_of, register, usable

BRANCHES = [f"branch-{n:02d}" for n in range(1, 51)]


def test_no_number_is_issued_to_two_branches() -> None:
    issued = [
        (block.first, block.last)
        for branch in BRANCHES
        for block in blocks_of(branch)
        if block.kind is BlockKind.ISSUED
    ]
    ordered = sorted(issued)
    assert all(last < first for (_, last), (first, _) in itertools.pairwise(ordered))


def test_a_branch_never_writes_on_a_void_or_stolen_form() -> None:
    blocks = blocks_of("branch-07")
    bad = [block for block in blocks if block.kind is not BlockKind.ISSUED]
    good = [block for block in blocks if block.kind is BlockKind.ISSUED]
    assert {block.kind for block in bad} == {BlockKind.VOID, BlockKind.STOLEN}
    for numbers in usable("branch-07"):
        assert not any(serial in block for serial in numbers for block in bad)
        assert all(any(serial in block for block in good) for serial in numbers)


def test_a_stock_goes_through_its_first_block_and_on_into_the_second() -> None:
    first, second = usable("branch-01")
    stock = Stock("branch-01", [first[-2]])
    taken = []
    for _ in range(3):
        taken.append(stock.next)
        stock.take()
    assert taken == [first[-1], second[0], second[1]]


def test_a_stock_goes_on_behind_what_the_book_says_was_used() -> None:
    _, second = usable("branch-02")
    foreign = 1_000_004
    assert Stock("branch-02", [2_000_003, foreign]).next == 2_000_004
    assert Stock("branch-02", [2_000_500, second[4]]).next == second[5]


def test_a_stock_ends() -> None:
    first, second = usable("branch-01")
    assert Stock("branch-01", [first[-1], second[-1]]).next is None


@pytest.mark.parametrize("before", [0, 20_000])
def test_the_register_lists_every_block_with_its_holder(before: int) -> None:
    rows = list(csv.DictReader(io.StringIO(register(["branch-03"], before, date(2026, 3, 1)))))
    assert [row["branch"] for row in rows].count(BUREAU) == (before > 0)
    own = [(int(r["first"]), int(r["last"]), r["kind"]) for r in rows if r["branch"] == "branch-03"]
    assert own == [(b.first, b.last, b.kind.value) for b in blocks_of("branch-03")]
