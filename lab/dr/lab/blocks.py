"""Blank certificates: which numbers each branch was issued, and which of them may not be used.

Forms are printed with their numbers long before anybody writes on them.  A branch takes the next
one of its own stock; the bureau's register says whose each number is.  Pure: numbers only.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

BUREAU = "bureau"
"""Holder of the forms that were used before branches had stocks of their own."""
COLUMNS = ("branch", "first", "last", "kind", "on", "note")
_VOID, _STOLEN = 3, 10
_SPAN = 1_000_000
_BLOCKS = ((1, 500), (10_001, 60_000))
"""Of each branch, from its own million on: a small first one, so that labs outlive it."""


class BlockKind(StrEnum):
    """What the register says of a range."""

    ISSUED = "issued"
    VOID = "void"
    """Spoilt before anything was written on it."""
    STOLEN = "stolen"


@dataclass(frozen=True, slots=True)
class Block:
    """A range of numbers, both ends included.  A void or stolen one lies in an issued one."""

    branch: str
    first: int
    last: int
    kind: BlockKind
    note: str = ""

    def __contains__(self, serial: int) -> bool:
        return self.first <= serial <= self.last


def number_of(branch: str) -> int:
    """Return the number in a branch's name: 3 of ``branch-03``."""
    return int(branch.rpartition("-")[2])


def blocks_of(branch: str) -> tuple[Block, ...]:
    """Return everything that the register says of ``branch``."""
    start = number_of(branch) * _SPAN
    issued = [Block(branch, start + a, start + b, BlockKind.ISSUED) for a, b in _BLOCKS]
    first, last = issued[0].first, issued[-1].last
    void = Block(branch, first, first + _VOID - 1, BlockKind.VOID, "spoilt in test printing")
    stolen = Block(branch, last - _STOLEN + 1, last, BlockKind.STOLEN, "reported to the police")
    return (*issued, void, stolen)


def usable(branch: str) -> tuple[range, ...]:
    """Return the numbers that ``branch`` may write on, in the order of use."""
    *issued, void, stolen = blocks_of(branch)
    first, second = issued
    return range(void.last + 1, first.last + 1), range(second.first, stolen.first)


class Stock:
    """The blank forms of a branch."""

    def __init__(self, branch: str, used: Iterable[int]) -> None:
        """Go on behind the forms that are ``used``."""
        taken = set(used)
        self._left = [_behind(block, taken) for block in usable(branch)]

    @property
    def next(self) -> int | None:
        """The form on top; None when the stock is used up."""
        return next((block.start for block in self._left if block), None)

    def take(self) -> None:
        """Put the form on top aside: it is used, or spoilt."""
        for number, block in enumerate(self._left):
            if block:
                self._left[number] = block[1:]
                return


def _behind(block: range, taken: set[int]) -> range:
    return range(max((s + 1 for s in taken if s in block), default=block.start), block.stop)


def register(branches: Iterable[str], before: int, today: date) -> str:
    """Return the bureau's register as CSV.

    Args:
        before: how many forms were used before branches had stocks of their own.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for block in _all(branches, before):
        on = today - timedelta(days=90 if block.kind is BlockKind.ISSUED else 30)
        writer.writerow(
            (block.branch, block.first, block.last, block.kind, on.isoformat(), block.note)
        )
    return out.getvalue()


def _all(branches: Iterable[str], before: int) -> Iterator[Block]:
    if before > 0:
        yield Block(BUREAU, 1, before, BlockKind.ISSUED)
    for branch in branches:
        yield from blocks_of(branch)
