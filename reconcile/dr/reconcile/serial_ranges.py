"""Ranges of serial numbers: runs that are used, gaps between them, overlaps of branches.  Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dr.reconcile.breaks import SerialRange
from dr.reconcile.shape import SerialScope

Scope = tuple[str, str]
"""Within what numbers have no gap: the branch, or "" for the bureau; and the prefix."""
Gap = tuple[str, SerialRange]
"""The branch, or "" for the bureau, and what is missing."""


@dataclass(frozen=True, slots=True)
class SerialBlock:
    """Forms that were issued to a branch, both ends included."""

    branch: str
    prefix: str
    first: int
    last: int


def parse_serial(text: str) -> tuple[str, int, int] | None:
    """Return prefix, number and width of a serial; None when it does not end with digits."""
    prefix = text.rstrip("0123456789")
    digits = text[len(prefix) :]
    return (prefix, int(digits), len(digits)) if digits.isascii() and digits else None


def printed_range(first: str, last: str) -> SerialRange:
    """Return the range of two serials as they are printed; the second has the prefix of the first.

    Raises:
        ValueError: one of them does not end with digits.
    """
    one, other = parse_serial(first), parse_serial(last)
    if one is None or other is None:
        raise ValueError(first, last)
    return SerialRange(one[0], one[1], other[1], one[2] if one[2] == other[2] else 0)


def joined(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return runs in order, those that touch or overlap made one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(runs):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def gaps_between(
    runs: Sequence[tuple[int, int]], strangers: Sequence[int], prefix: str, width: int
) -> list[SerialRange]:
    """Return the gaps between runs, after runs of nothing but strangers are taken out.

    A record at the wrong branch, or a number of another's forms, opens no gap up to it.

    Args:
        strangers: numbers that do not belong here, sorted.
    """
    own = [
        (first, last)
        for first, last in runs
        if bisect_right(strangers, last) - bisect_left(strangers, first) < last - first + 1
    ]
    return [SerialRange(prefix, one[1] + 1, other[0] - 1, width) for one, other in pairwise(own)]


def overlaps(runs: Mapping[Scope, Sequence[tuple[int, int]]]) -> list[SerialRange]:
    """Return the ranges that runs of several scopes with one prefix share."""
    by_prefix: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for (_, prefix), found in runs.items():
        by_prefix[prefix] += found
    shared = []
    for prefix, found in by_prefix.items():
        highest = None
        for first, last in sorted(found):
            if highest is not None and first <= highest:
                shared.append(SerialRange(prefix, first, min(last, highest)))
            highest = last if highest is None else max(highest, last)
    return shared


def of_blocks(gaps: Iterable[Gap], blocks: Sequence[SerialBlock], scope: SerialScope) -> list[Gap]:
    """Return the parts of gaps that were issued; all of a gap where no blocks are known."""
    issued: dict[str, list[SerialBlock]] = defaultdict(list)
    for block in blocks:
        issued[block.branch if scope is SerialScope.BRANCH else ""].append(block)
    found: list[Gap] = []
    for branch, gap in gaps:
        if branch not in issued:
            found.append((branch, gap))
        for block in issued.get(branch, ()):
            if block.prefix != gap.prefix:
                continue
            first, last = max(gap.first, block.first), min(gap.last, block.last)
            if first <= last:
                found.append((branch, SerialRange(gap.prefix, first, last, gap.width)))
    return found


def outside_of_blocks(
    runs: Mapping[Scope, Sequence[tuple[int, int]]], blocks: Sequence[SerialBlock]
) -> list[Gap]:
    """Return the parts of runs that were not issued to their branch; none of branches without."""
    issued: dict[str, list[SerialBlock]] = defaultdict(list)
    for block in blocks:
        issued[block.branch].append(block)
    found: list[Gap] = []
    for (branch, prefix), each in runs.items():
        own = sorted((b.first, b.last) for b in issued.get(branch, ()) if b.prefix == prefix)
        for first, last in each if branch in issued else ():
            start = first
            for begin, end in own:
                if begin > start and start <= last:
                    found.append((branch, SerialRange(prefix, start, min(begin - 1, last))))
                start = max(start, end + 1)
            if start <= last:
                found.append((branch, SerialRange(prefix, start, last)))
    return found


def without(gaps: Iterable[Gap], known: Iterable[str]) -> list[Gap]:
    """Return what is left of gaps when numbers that are accounted for are taken out."""
    numbers = numbers_of(known)
    return [(s, left) for s, gap in gaps for left in _without(gap, numbers.get(gap.prefix, []))]


def numbers_of(serials: Iterable[str]) -> Mapping[str, list[int]]:
    """Return the numbers of serials by prefix, sorted, each once."""
    found: dict[str, set[int]] = defaultdict(set)
    for text in serials:
        parsed = parse_serial(text)
        if parsed:
            found[parsed[0]].add(parsed[1])
    return {prefix: sorted(numbers) for prefix, numbers in found.items()}


def texts_of(serials: SerialRange) -> list[str]:
    """Return the serial numbers of a range as they are printed."""
    return [
        f"{serials.prefix}{n:0{serials.width}d}" for n in range(serials.first, serials.last + 1)
    ]


def _without(gap: SerialRange, numbers: Sequence[int]) -> list[SerialRange]:
    left, start = [], gap.first
    for number in numbers[bisect_left(numbers, gap.first) : bisect_right(numbers, gap.last)]:
        if number > start:
            left.append(SerialRange(gap.prefix, start, number - 1, gap.width))
        start = number + 1
    if start <= gap.last:
        left.append(SerialRange(gap.prefix, start, gap.last, gap.width))
    return left
