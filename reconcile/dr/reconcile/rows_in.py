"""Rows of cells, from whatever source, made into a Reading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from dr.reconcile.branch_type import BranchType
from dr.reconcile.ledger import Told
from dr.reconcile.reading import (
    Cells,
    Heading,
    Reading,
    RefusedRow,
    Values,
    check_branch,
    damage,
    is_total,
    told_by,
)
from dr.reconcile.shape import Kind, RecordShape

Damaged = frozenset[tuple[int, int]]
"""Line and place of cells that their source knows to be damaged."""

_MOST_PROBLEMS = 200
_MOST_WORDS, _MOST_LINES = 20, 10


class Gatherer:
    """Takes the lines of one piece of evidence, one after the other.

    ``may_be_rounded`` is set to False by a source that has looked: no number is written as 3.1E+20.
    """

    def __init__(self, shape: RecordShape, branch_type: BranchType, heading: Heading) -> None:
        self._shape = shape
        self._type = branch_type
        self._heading = heading
        self._key = heading.places[shape.place(shape.key)]
        self._pick = picker(heading.places, heading.width)
        self._codes = [i for i, c in enumerate(shape.columns) if c.kind is Kind.CODE]
        self.may_be_rounded = True
        self._totals = frozenset(w[0] for w in branch_type.total_words if w)
        self._totals |= {w.swapcase() for w in self._totals}
        self.rows: list[Values] = []
        self._numbers: list[int] = []
        self.lines: Sequence[int] = self._numbers
        self.told: dict[int, Told] = {}
        self._undeclared: dict[str, list[int]] = {}
        self.refused: list[RefusedRow] = []
        self.problems: list[str] = []
        self.branches: set[str] = set()
        self.totals = 0

    def take(self, line: int, cells: Cells, damaged: Sequence[int] = ()) -> None:
        """Take one line; ``damaged`` are cells that the source knows to have lost digits."""
        heading = self._heading
        if len(cells) != heading.width:
            if any(cells):
                self._uneven(line, cells)
            return
        key = cells[self._key]
        if not key or not cells[0] or cells[0][0] in self._totals:
            if not any(cells):
                return
            if is_total(cells, self._type):
                self.totals += 1
                return
            if not key:
                self._problem(f"line {line}: it has no key")
                return
        values = self._pick(cells)
        if heading.branch >= 0:
            self.branches.add(cells[heading.branch] or "")
        bad = self._damage(values, damaged)
        if bad is not None:
            self._refuse(line, values, bad)
            return
        if heading.outcome >= 0:
            word = cells[heading.outcome]
            told = told_by(word, self._type)
            if told is Told.UNKNOWN and word and word.strip():
                self._note_word(word.strip(), line)
            if told is not Told.ACKNOWLEDGED:
                self.told[len(self.rows)] = told
        self.rows.append(values)
        self._numbers.append(line)

    def take_all(self, first_line: int, rows: Sequence[Sequence[str]]) -> bool:
        """Take lines that follow one another when all are ordinary; say whether they were."""
        heading = self._heading
        ordinary = (
            not self.may_be_rounded
            and heading.outcome < 0
            and heading.branch < 0
            and set(map(len, rows)) <= {heading.width}
            and all(map(itemgetter(self._key), rows))
            and all(firsts := list(map(itemgetter(0), rows)))
            and self._totals.isdisjoint({text[0] for text in firsts})
        )
        if ordinary:
            self.rows = list(map(self._pick, rows))
            self.lines = range(first_line, first_line + len(rows))
        return ordinary

    def reading(
        self, branch: str, evidence: str, encoding: str = "", known_as: Iterable[str] = ()
    ) -> Reading:
        """Return what was taken.

        Raises:
            EvidenceError: the lines name another branch.
        """
        check_branch(self.branches, branch, tuple(known_as))
        absent = (n for n, p in zip(self._shape.names, self._heading.places, strict=True) if p < 0)
        return Reading(
            branch=branch,
            evidence=evidence,
            rows=self.rows,
            lines=self.lines,
            told=self.told,
            refused=tuple(self.refused),
            problems=tuple(self.problems),
            absent=frozenset(absent),
            undeclared={word: tuple(lines) for word, lines in self._undeclared.items()},
            encoding=encoding,
            totals_left_out=self.totals,
        )

    def _note_word(self, word: str, line: int) -> None:
        if word in self._undeclared or len(self._undeclared) < _MOST_WORDS:
            lines = self._undeclared.setdefault(word, [])
            if len(lines) < _MOST_LINES:
                lines.append(line)

    def _damage(self, values: Values, damaged: Sequence[int]) -> int | None:
        if not (damaged or self.may_be_rounded):
            return None
        places = self._heading.places
        for place in self._codes:
            if places[place] >= 0 and (
                places[place] in damaged or damage(self._shape.columns[place], values[place])
            ):
                return place
        return None

    def _refuse(self, line: int, values: Values, place: int) -> None:
        left = tuple(None if i == place else v for i, v in enumerate(values))
        name = self._shape.columns[place].name
        self.refused.append(RefusedRow(line, name, values[place] or "", left))

    def _uneven(self, line: int, cells: Cells) -> None:
        if is_total(cells, self._type):
            self.totals += 1
            return
        wanted = self._heading.width
        self._problem(f"line {line}: it has {len(cells)} fields and the header has {wanted}")

    def _problem(self, text: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(text)


def picker(places: Sequence[int], width: int = 0) -> Callable[[Any], Values]:
    """Return what takes the columns of the shape out of a line of ``width`` cells."""
    if list(places) == list(range(width)):
        return tuple
    if all(place >= 0 for place in places) and len(places) > 1:
        return itemgetter(*places)
    return lambda cells: tuple(cells[p] if p >= 0 else None for p in places)
