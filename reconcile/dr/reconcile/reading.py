"""Evidence read into rows of the record shape: nothing guessed, nothing dropped silently."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from dr.reconcile.branch_type import BranchType
from dr.reconcile.canon import canoniser
from dr.reconcile.evidence import EvidenceError
from dr.reconcile.ledger import Told
from dr.reconcile.shape import Column, Kind, RecordShape

Cells = Sequence[str | None]
Values = tuple[str | None, ...]

MAX_BYTES: Final = 256 << 20
_LOOK_FOR_HEADER = 30
_FEW = 5
_ROUNDED = re.compile(r"[+-]?\d(\.\d+)?E\+\d+", re.IGNORECASE)
_header_text = canoniser(Column("header"), RecordShape((), "").zone)


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A line whose number a spreadsheet has damaged: its digits are gone, it can not be compared.

    ``values`` has what is left of the line, the damaged cell as None.
    """

    line: int
    column: str
    shown: str
    values: Values


@dataclass(frozen=True)
class Reading:
    """What a piece of evidence says.

    Attributes:
        rows: raw values in the order of the shape; None where the branch has nothing.
        lines: of each row, its line in the evidence, from 1.
        told: of rows by index that the centre did not acknowledge, what the branch was told.
        refused: lines with a damaged number.
        problems: what could not be read, in words, with line numbers.
        absent: columns of the shape that this branch does not have; they are not compared.
        undeclared: words of the outcome column that nobody declared, with the lines where they
            stand first; such a line counts as one without an answer.
        totals_left_out: lines of totals.
    """

    branch: str
    evidence: str
    rows: Sequence[Values] = ()
    lines: Sequence[int] = ()
    told: Mapping[int, Told] = field(default_factory=dict)
    refused: tuple[RefusedRow, ...] = ()
    problems: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()
    undeclared: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    encoding: str = ""
    totals_left_out: int = 0

    @property
    def complete(self) -> bool:
        """Whether every line was understood."""
        return not self.problems and not self.refused


@dataclass(frozen=True, slots=True)
class Heading:
    """Where the header is and which cell is which column; ``places`` is -1 for absent ones."""

    line: int
    width: int
    places: tuple[int, ...]
    outcome: int = -1
    branch: int = -1


def find_heading(
    first_rows: Iterable[Cells], branch_type: BranchType, shape: RecordShape, branch: str
) -> Heading:
    """Find the header among the first rows; titles may stand above it.

    Raises:
        EvidenceError: no row has all the columns that the branch type declares.
    """
    wanted = {name: _plain(header) for name, header in branch_type.columns.items()}
    wanted |= {f"\0{h}": _plain(h) for h in (branch_type.outcome, branch_type.branch) if h}
    best: tuple[int, list[str]] = (-1, [])
    for number, cells in enumerate(first_rows, 1):
        if number > _LOOK_FOR_HEADER:
            break
        header = [_plain(cell) for cell in cells]
        found = sum(1 for name in wanted.values() if name in header)
        if found == len(wanted):
            return _heading(number, header, wanted, branch_type, shape, branch)
        if found > best[0]:
            best = (found, header)
    missing = [h for n, h in branch_type.columns.items() if wanted[n] not in best[1]]
    missing += [h for h in (branch_type.outcome, branch_type.branch) if _plain(h) not in best[1]]
    raise _no_column(branch, missing[0], [h for h in best[1] if h])


def _heading(
    number: int,
    header: list[str],
    wanted: Mapping[str, str],
    branch_type: BranchType,
    shape: RecordShape,
    branch: str,
) -> Heading:
    twice = [name for name in wanted.values() if header.count(name) > 1]
    if twice:
        raise EvidenceError(
            f"the evidence of {branch} has two columns '{twice[0]}' in line {number}",
            hint="Ask the branch to take one of them out, and to hand the file in again.",
        )
    return Heading(
        line=number,
        width=len(header),
        places=tuple(header.index(wanted[n]) if n in wanted else -1 for n in shape.names),
        outcome=header.index(_plain(branch_type.outcome)) if branch_type.outcome else -1,
        branch=header.index(_plain(branch_type.branch)) if branch_type.branch else -1,
    )


def _no_column(branch: str, missing: str, header: Sequence[str]) -> EvidenceError:
    near = get_close_matches(_plain(missing), header, n=1)
    seen = f"Did you mean '{near[0]}'?" if near else f"It has: {', '.join(header[:20]) or 'none'}."
    return EvidenceError(
        f"the evidence of {branch} has no column '{missing}'",
        hint=f"{seen} Correct the columns of its type in ledgers.yaml, or ask for the right file.",
    )


def _plain(cell: str | None) -> str:
    return (_header_text(cell) or "") if cell else ""


def check_branch(named: Collection[str], branch: str, known_as: Collection[str]) -> None:
    """Refuse a file that says it is another branch's.

    Raises:
        EvidenceError: it names another branch.
    """
    mine = {_plain(name) for name in (branch, *known_as)}
    others = sorted({name for name in named if name and _plain(name) not in mine})
    if others:
        raise EvidenceError(
            f"this is not the evidence of {branch}: it names {', '.join(others[:_FEW])}",
            hint="Hand it in for the branch that it names, and ask this one for its own.",
        )


def told_by(word: str | None, branch_type: BranchType) -> Told:
    """Return what the outcome column says; a word that is not declared is no answer."""
    said = (word or "").strip().lower()
    if said in branch_type.acknowledged:
        return Told.ACKNOWLEDGED
    return Told.FAILED if said in branch_type.failed else Told.UNKNOWN


def damage(column: Column, text: str | None) -> bool:
    """Say whether the text of a code is a number that a spreadsheet has rounded."""
    return column.kind is Kind.CODE and bool(text) and bool(_ROUNDED.fullmatch(str(text).strip()))


def is_total(cells: Cells, branch_type: BranchType) -> bool:
    """Say whether a line is one of totals: its first cell with text says so."""
    first = next((cell for cell in cells if cell), "") or ""
    return _plain(first).lower().startswith(tuple(w.lower() for w in branch_type.total_words))
