"""Runs of numbers, gaps between them, and overlaps of branches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dr.reconcile.breaks import SerialRange
from dr.reconcile.serial_ranges import (
    SerialBlock,
    gaps_between,
    of_blocks,
    outside_of_blocks,
    overlaps,
    parse_serial,
    texts_of,
    without,
)
from dr.reconcile.shape import SerialScope


def runs(numbers: set[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for n in sorted(numbers):
        if found and found[-1][1] == n - 1:
            found[-1] = (found[-1][0], n)
        else:
            found.append((n, n))
    return found


@given(st.sets(st.integers(0, 50), min_size=1), st.sets(st.integers(0, 50)))
def test_gaps_are_what_lies_between_and_strangers_alone_open_none(
    used: set[int], strangers: set[int]
) -> None:
    gaps = gaps_between(runs(used), sorted(strangers), "A", 3)
    own = [run for run in runs(used) if not set(range(run[0], run[1] + 1)) <= strangers]
    missing = {n for gap in gaps for n in range(gap.first, gap.last + 1)}
    if own:
        assert missing == set(range(own[0][0], own[-1][1] + 1)) - {
            n for first, last in own for n in range(first, last + 1)
        }
    else:
        assert gaps == []


@given(st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=2, max_size=4))
def test_overlaps_hold_every_number_that_two_branches_used(branches: list[set[int]]) -> None:
    shared = overlaps({(str(b), "A"): runs(used) for b, used in enumerate(branches)})
    inside = {n for r in shared for n in range(r.first, r.last + 1)}
    twice = {n for used in branches for n in used if sum(n in other for other in branches) > 1}
    assert twice <= inside


def test_branches_with_other_prefixes_share_no_number() -> None:
    assert overlaps({("a", "A"): [(1, 9)], ("b", "B"): [(1, 9)]}) == []


def test_a_gap_is_what_was_issued_of_it_where_blocks_are_known() -> None:
    gaps = [("b1", SerialRange("A", 10, 5_000_000, 7)), ("b2", SerialRange("A", 1, 2, 7))]
    blocks = [SerialBlock("b1", "A", 1, 20), SerialBlock("b1", "Z", 1, 99)]
    assert of_blocks(gaps, blocks, SerialScope.BRANCH) == [
        ("b1", SerialRange("A", 10, 20, 7)), ("b2", SerialRange("A", 1, 2, 7)),
    ]  # fmt: skip


@given(
    st.sets(st.integers(0, 40), min_size=1),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=3),
)
def test_what_is_outside_of_the_blocks_is_what_no_block_has(
    used: set[int], given_blocks: list[tuple[int, int]]
) -> None:
    blocks = [SerialBlock("b", "A", first, first + more) for first, more in given_blocks]
    outside = outside_of_blocks({("b", "A"): runs(used)}, [*blocks, SerialBlock("b", "Z", 1, 9)])
    found = [n for _, r in outside for n in range(r.first, r.last + 1)]
    issued = {n for first, more in given_blocks for n in range(first, first + more + 1)}
    assert sorted(found) == sorted(used - issued)
    assert outside_of_blocks({("other", "A"): runs(used)}, blocks) == []


def test_numbers_that_are_accounted_for_part_a_gap() -> None:
    gap = ("", SerialRange("A", 1, 9, 2))
    left = without([gap], ["A03", "A09", "B05", "nonsense"])
    assert [str(r) for _, r in left] == ["A01-A02", "A04-A08"]


def test_a_serial_is_prefix_and_number() -> None:
    assert parse_serial("赣2026-007") == ("赣2026-", 7, 3)
    assert parse_serial("七") is None
    assert parse_serial("") is None
    assert texts_of(SerialRange("A", 9, 10, 3)) == ["A009", "A010"]
