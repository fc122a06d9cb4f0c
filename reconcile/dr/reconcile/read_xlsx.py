"""A ledger as a workbook: damaged numbers are refused with their line, bombs before they open."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from dr.reconcile.branch_type import BranchType
from dr.reconcile.evidence import EvidenceError
from dr.reconcile.reading import MAX_BYTES, Heading, Reading, find_heading
from dr.reconcile.rows_in import Gatherer
from dr.reconcile.shape import Column, Kind, RecordShape

_MOST_UNPACKED = 1 << 30
_MOST_TIMES = 200
_EXACT = 10**15
"""A spreadsheet keeps 15 digits; a number cell with more has lost some."""
_EPOCH_1900, _EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001
_DAYS = (20_000.0, 90_000.0)
_HEAD = 30


def read_xlsx(
    branch: str,
    data: bytes,
    branch_type: BranchType,
    shape: RecordShape,
    known_as: Iterable[str] = (),
) -> Reading:
    """Read a ledger that is a workbook (.xlsx, .xls, .ods).

    Raises:
        EvidenceError: it is no workbook, too large inside, or lacks a column that is declared.
    """
    rows, epoch = cells_of(branch, data, branch_type.sheet)
    texts = [[_text(cell) for cell in row] for row in rows[:_HEAD]]
    heading = find_heading(texts, branch_type, shape, branch)
    moments = _places(heading, shape, {Kind.MOMENT, Kind.DAY})
    codes = {heading.places[i]: c for i, c in enumerate(shape.columns) if c.kind is Kind.CODE}
    gatherer = Gatherer(shape, branch_type, heading)
    body = rows[heading.line :]
    gatherer.may_be_rounded = not _is_template(body)
    if not gatherer.may_be_rounded and gatherer.take_all(heading.line + 1, body):
        body = []
    for line, row in enumerate(body, heading.line + 1):
        damaged = [p for p, column in codes.items() if p >= 0 and _is_damaged(row[p], column)]
        for place in moments:
            row[place] = _moment(row[place], epoch)
        gatherer.take(line, [_text(cell) for cell in row], damaged)
    return gatherer.reading(branch, hashlib.sha256(data).hexdigest(), "xlsx", known_as)


def _is_template(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether every cell is text, as in a template, and none a rounded number as text."""
    return all(
        set(map(type, row)) == {str} and "E+" not in (line := "".join(row)) and "e+" not in line
        for row in rows
    )


def cells_of(branch: str, data: bytes, sheet: str = "") -> tuple[list[list[Any]], datetime]:
    """Return the cells of a worksheet and the day from which it counts days.

    Raises:
        EvidenceError: it is no workbook that may be opened, or has no such worksheet.
    """
    epoch = _check(branch, data)
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            names = book.sheet_names
            if sheet and sheet not in names:
                raise EvidenceError(
                    f"the workbook of {branch} has no worksheet '{sheet}'",
                    hint=f"It has: {', '.join(names)}. Correct sheet in ledgers.yaml.",
                )
            chosen = book.get_sheet_by_name(sheet) if sheet else book.get_sheet_by_index(0)
            return chosen.to_python(skip_empty_area=False), epoch
    except (CalamineError, OSError, ValueError, IndexError) as error:
        raise EvidenceError(
            f"the workbook of {branch} can not be opened: {str(error).lower()}",
            hint="Ask the branch to save it again as .xlsx without a password.",
        ) from None


def _check(branch: str, data: bytes) -> datetime:
    """Refuse what would fill the memory; return the day from which the workbook counts days."""
    if len(data) > MAX_BYTES:
        raise EvidenceError(
            f"the evidence of {branch} is larger than {MAX_BYTES >> 20} MiB",
            hint="Ask the branch for the days of the window only.",
        )
    if not data.startswith(b"PK"):
        return _EPOCH_1900  # .xls is not packed
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = sum(part.file_size for part in packed.infolist())
            if size > _MOST_UNPACKED or size > _MOST_TIMES * len(data) + (8 << 20):
                raise EvidenceError(
                    f"the workbook of {branch} unpacks to {size >> 20} MiB",
                    hint="It was made to hurt, or holds empty rows: ask for a CSV file.",
                )
            if "xl/workbook.xml" in packed.namelist():
                head = packed.read("xl/workbook.xml")
                if b'date1904="1"' in head or b'date1904="true"' in head:
                    return _EPOCH_1904
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        raise EvidenceError(
            f"the workbook of {branch} can not be opened: {str(error).lower()}",
            hint="Ask the branch to save it again as .xlsx without a password.",
        ) from None
    return _EPOCH_1900


def _is_damaged(cell: Any, column: Column) -> bool:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return False
    if abs(cell) >= _EXACT or cell != int(cell):
        return True
    return bool(column.length) and len(str(int(cell))) != column.length


def _places(heading: Heading, shape: RecordShape, kinds: set[Kind]) -> Sequence[int]:
    return [
        place
        for place, column in zip(heading.places, shape.columns, strict=True)
        if place >= 0 and column.kind in kinds
    ]


def _moment(cell: Any, epoch: datetime) -> Any:
    """Return a count of days, which a cell without a date format shows, as a moment."""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return cell
    if not _DAYS[0] <= cell <= _DAYS[1]:
        return cell
    return epoch + timedelta(seconds=round(cell * 86_400))


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell == int(cell) and abs(cell) < _EXACT else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="auto")
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell)
