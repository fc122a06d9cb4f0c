"""A set-reconciliation sketch (IBLT): the difference of two multisets from two small tables.

Each element, a 64-bit hash with an integer that locates it, is added into one cell of each of
three tables.  Cells are sums, so one table subtracted from the other holds only what differs,
whatever the size of the sets; a cell in which one element is left gives it away, and taking it
out frees others.  When too much differs cells stay, which is seen: the sketch is then made larger.

Eppstein, Goodrich, Uyeda, Varghese: What's the difference?, SIGCOMM 2011.  Here sums take the
place of xor, so that elements that come several times are found too, and the check is a product
of two parts of the hash, which SQL can sum as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TABLES: Final = 3
_SHIFT: Final = 20
_HALF: Final = (1 << 31) - 1
_INT64: Final = 1 << 63
LARGEST_BITS: Final = 18
_MOST_TURNS: Final = 16

Place = tuple[int, int]
"""Table and index of a cell."""


@dataclass(slots=True)
class Cell:
    """Sums over the elements in a cell: how many, their checks, their hashes, their locators."""

    count: int = 0
    check: int = 0
    hashes: int = 0
    locators: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is left in it.

        Locators may be left: of a record that both sides have under different row numbers.
        """
        return not (self.count or self.check or self.hashes)


@dataclass(frozen=True, slots=True)
class Element:
    """What one side has more often: ``times`` above 0 is the left side, below the right.

    ``locator`` is where it should be.  It is wrong where both sides number the same records
    differently, or where one side has the record twice; None when that can be seen.
    """

    hash: int
    locator: int | None
    times: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was found; not ``complete`` when cells are left, and then it is not to be used."""

    elements: tuple[Element, ...]
    complete: bool


Sketch = Mapping[Place, Cell]


def check_of(value: int) -> int:
    """Return the check of a hash; SQL computes the same with & and >>."""
    return (value & _HALF) * ((value >> 32) & _HALF)


def index_of(value: int, table: int, bits: int) -> int:
    """Return in which cell of a table a hash lies."""
    return (value >> (_SHIFT * table)) & ((1 << bits) - 1)


def difference(left: Sketch, right: Sketch) -> dict[Place, Cell]:
    """Return left less right, cell by cell; cells in which nothing is left are left out."""
    found: dict[Place, Cell] = {}
    nothing = Cell()
    for place in left.keys() | right.keys():
        one, other = left.get(place, nothing), right.get(place, nothing)
        cell = Cell(
            one.count - other.count,
            one.check - other.check,
            one.hashes - other.hashes,
            one.locators - other.locators,
        )
        if not cell.empty or cell.locators:
            found[place] = cell
    return found


def decode(cells: Mapping[Place, Cell], bits: int) -> Decoded:
    """Take the elements out of a difference, one after the other."""
    left = {p: Cell(c.count, c.check, c.hashes, c.locators) for p, c in cells.items()}
    found: dict[int, tuple[int, int]] = {}
    waiting = deque(left)
    turns = _MOST_TURNS * (len(left) + 1)  # a value that looks alone and is not could come for ever
    while waiting and turns:
        turns -= 1
        place = waiting.popleft()
        cell = left.get(place)
        value = _alone(cell, place, bits)
        if cell is None or value is None:
            continue
        times, locators = cell.count, cell.locators
        _add(left, value, -locators, -times, bits)
        before = found.get(value, (0, 0))
        found[value] = (before[0] + times, before[1] + locators)
        waiting.extend((t, index_of(value, t, bits)) for t in range(TABLES))
    elements = tuple(
        Element(h, sum_ // times if sum_ % times == 0 else None, times)
        for h, (times, sum_) in found.items()
        if times
    )
    return Decoded(elements, complete=all(cell.empty for cell in left.values()))


def _alone(cell: Cell | None, place: Place, bits: int) -> int | None:
    """Return the only hash in a cell, however often it is there; None when there are others."""
    if cell is None or not cell.count or cell.hashes % cell.count:
        return None
    value = cell.hashes // cell.count
    if not -_INT64 <= value < _INT64 or cell.check != cell.count * check_of(value):
        return None
    return value if index_of(value, place[0], bits) == place[1] else None


def _add(cells: dict[Place, Cell], value: int, locators: int, times: int, bits: int) -> None:
    """Add ``times`` elements with one hash; ``locators`` is the sum of theirs."""
    for table in range(TABLES):
        cell = cells.setdefault((table, index_of(value, table, bits)), Cell())
        cell.count += times
        cell.check += times * check_of(value)
        cell.hashes += times * value
        cell.locators += locators
