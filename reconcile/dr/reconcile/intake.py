"""The one door for evidence: bytes of any source become a Reading; a preview shows the first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dr.reconcile.branch_type import BranchType, Source
from dr.reconcile.by_hand import read_typed
from dr.reconcile.canon import Canon, is_read
from dr.reconcile.evidence import EvidenceError
from dr.reconcile.ledger import Told
from dr.reconcile.read_csv import read_csv
from dr.reconcile.read_database import read_export, read_sqlite
from dr.reconcile.read_xlsx import read_xlsx
from dr.reconcile.reading import Reading, Values
from dr.reconcile.shape import RecordShape

_WORKBOOK = b"PK\x03\x04"
"""How a workbook begins, and no text does."""


def read_evidence(
    branch: str,
    data: bytes,
    branch_type: BranchType,
    shape: RecordShape,
    *,
    known_as: Iterable[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> Reading:
    """Read evidence as its branch's type says.

    Args:
        known_as: names by which a file may call the branch, besides its own.
        parameters: of the query of an SQLite file.

    Raises:
        EvidenceError: it can not be used; the branch counts as one that nobody has heard of.
    """
    reading = _read(branch, data, branch_type, shape, tuple(known_as), parameters)
    if branch_type.unsent:
        return replace(reading, told=dict.fromkeys(range(len(reading.rows)), Told.UNSENT))
    return reading


def _read(
    branch: str,
    data: bytes,
    branch_type: BranchType,
    shape: RecordShape,
    known_as: tuple[str, ...],
    parameters: Mapping[str, Any] | None,
) -> Reading:
    source = branch_type.source
    if source is Source.CSV and data.startswith(_WORKBOOK):
        source = Source.XLSX  # saved by a spreadsheet; its columns are called alike
    match source:
        case Source.CSV:
            return read_csv(branch, data, branch_type, shape, known_as)
        case Source.XLSX:
            return read_xlsx(branch, data, branch_type, shape, known_as)
        case Source.SQLITE:
            return read_sqlite(branch, data, branch_type, shape, parameters, known_as)
        case Source.POSTGRESQL | Source.MYSQL:
            return read_export(branch, data, branch_type, shape, known_as)
        case Source.TYPED:
            return read_typed(branch, data, shape)
        case Source.TOTALS:
            raise EvidenceError(
                f"{branch} gave totals only; they have no lines",
                hint="Compare its totals, or ask for a ledger.",
            )


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A line as it was written and as it is compared."""

    line: int
    raw: Values
    canonical: Values


@dataclass(frozen=True, slots=True)
class Preview:
    """What a person looks at before evidence counts.

    ``unread`` are values of moments and numbers, by column, that were not understood.
    """

    reading: Reading
    columns: tuple[str, ...]
    rows: tuple[PreviewRow, ...]
    unread: Mapping[str, int]


def preview(
    reading: Reading, branch_type: BranchType, shape: RecordShape, rows: int = 10
) -> Preview:
    """Show the first rows, and count the values that stay as they are since nobody reads them."""
    canon = Canon(shape, branch_type.zone, branch_type.ten_thousands)
    first = [
        PreviewRow(line, values, canon.row(values))
        for line, values in zip(reading.lines[:rows], reading.rows[:rows], strict=True)
    ]
    return Preview(reading, shape.names, tuple(first), _unread(reading, canon))


def _unread(reading: Reading, canon: Canon) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, column in enumerate(canon.shape.columns):
        count = sum(not is_read(column, canon.value(place, row[place])) for row in reading.rows)
        if count:
            found[column.name] = count
    return found
