"""A sketch's difference is the exact one, or it says that it does not know."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from dr.reconcile.sketch import TABLES, Cell, Place, check_of, decode, difference, index_of


def mixed(number: int) -> int:
    """Return a hash of a small number: cells tell elements apart by bits that look random."""
    return int.from_bytes(sha256(b"%d" % number).digest()[:8], "big", signed=True)


def sketch_of(elements: Iterable[tuple[int, int]], bits: int) -> dict[Place, Cell]:
    """Return the sketch of hashes with their locators, as a SELECT makes it on a database."""
    cells: dict[Place, Cell] = {}
    for value, locator in elements:
        for table in range(TABLES):
            cell = cells.setdefault((table, index_of(value, table, bits)), Cell())
            cell.count += 1
            cell.check += check_of(value)
            cell.hashes += value
            cell.locators += locator
    return cells


_INT64 = st.integers(0, 2**32).map(mixed)
_ELEMENT = st.tuples(_INT64, st.integers(0, 2**40))
_BITS = 6


def exact(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> dict[int, int]:
    found = Counter(h for h, _ in left)
    found.subtract(h for h, _ in right)
    return {h: n for h, n in found.items() if n}


@given(st.lists(_ELEMENT, max_size=40), st.lists(_ELEMENT, max_size=40), st.data())
def test_what_is_decoded_is_the_difference_of_the_multisets(
    left: list[tuple[int, int]], right: list[tuple[int, int]], data: st.DataObject
) -> None:
    pool = left + right
    if pool:  # elements that come several times, on both sides
        left = left + data.draw(st.lists(st.sampled_from(pool), max_size=10))
        right = right + data.draw(st.lists(st.sampled_from(pool), max_size=10))
    found = decode(difference(sketch_of(left, _BITS), sketch_of(right, _BITS)), _BITS)
    if found.complete:
        assert {e.hash: e.times for e in found.elements} == exact(left, right)


def test_a_full_sketch_never_gives_a_wrong_answer_and_a_roomy_one_always_an_answer() -> None:
    chance = random.Random()  # noqa: S311 - another draw each time
    complete = 0
    for trial in range(60):
        many = trial % 2
        size = chance.randrange(300, 600) if many else chance.randrange(1, 90)
        one = [(chance.randrange(-(2**63), 2**63), n) for n in range(size)]
        common = [(chance.randrange(-(2**63), 2**63), n) for n in range(500)]
        left, right = [*common, *one[: size // 2]], [*common, *one[size // 2 :]]
        found = decode(difference(sketch_of(left, _BITS), sketch_of(right, _BITS)), _BITS)
        if many:
            assert not found.complete
            continue
        complete += found.complete
        if found.complete:
            assert {e.hash: e.times for e in found.elements} == exact(left, right)
            assert {(e.hash, e.locator) for e in found.elements} == set(one)
    assert complete >= 28  # 90 elements in 3 × 64 cells fail once in a few hundred times


@given(st.lists(_ELEMENT, max_size=60), st.permutations(range(60)))
def test_the_order_of_the_elements_does_not_count(
    elements: list[tuple[int, int]], order: list[int]
) -> None:
    shuffled = [elements[i] for i in order if i < len(elements)]
    assert sketch_of(elements, _BITS) == sketch_of(shuffled, _BITS)


def test_records_that_both_sides_number_differently_are_no_difference() -> None:
    left, right = [(mixed(1), 1), (mixed(2), 2)], [(mixed(1), 5)]
    found = decode(difference(sketch_of(left, _BITS), sketch_of(right, _BITS)), _BITS)
    assert found.complete
    assert {(e.hash, e.times) for e in found.elements} == {(mixed(2), 1)}


def test_hashes_that_were_made_to_confuse_end_in_an_answer_in_bounded_time() -> None:
    small = [(n, n) for n in range(200)]  # their checks are all nought
    decode(sketch_of(small, _BITS), _BITS)


def test_an_xor_that_pairs_cancel_is_not_what_cells_hold() -> None:
    twice = decode(difference(sketch_of([(5, 3), (5, 3)], _BITS), {}), _BITS)
    assert [(e.hash, e.locator, e.times) for e in twice.elements] == [(5, 3, 2)]


def test_a_cell_that_is_damaged_is_told_apart_from_a_lone_element() -> None:
    cells = sketch_of([(5, 3)], _BITS)
    cells[0, index_of(5, 0, _BITS)] = Cell(1, check_of(5) + 1, 5, 3)
    assert not decode(cells, _BITS).complete
