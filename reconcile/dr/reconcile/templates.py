"""Empty ledgers for branches to fill in: CSV with a byte-order mark, XLSX whose cells are text.

Text cells keep a spreadsheet from rounding long numbers and from eating leading zeros.
"""

from __future__ import annotations

import csv
import io

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from dr.reconcile.branch_type import BranchType
from dr.reconcile.shape import Column, Kind, RecordShape

_TEXT = "@"
_READY_ROWS = 500
_WIDTH = 24
_HOW = {
    Kind.TEXT: ("as on the paper", "按原件填写"),
    Kind.CODE: ("every digit, with leading zeros", "完整编号，保留前导零"),
    Kind.NUMBER: ("in yuan: 1234.50", "单位：元，如 1234.50"),
    Kind.MOMENT: (
        "2026-11-25 08:30:00, this office's clock",
        "如 2026-11-25 08:30:00，以本网点时钟为准",
    ),
    Kind.DAY: ("2026-11-25", "如 2026-11-25"),
    Kind.OWNERS: ("names with 、 between them", "多人以顿号“、”分隔"),
    Kind.CHOICE: ("one of", "任选其一"),
}


def headers(branch_type: BranchType, shape: RecordShape) -> list[str]:
    """Return the headers that a branch of this type fills in, in the order of the shape."""
    found = [branch_type.columns[name] for name in shape.names if name in branch_type.columns]
    return [*found, *(h for h in (branch_type.outcome, branch_type.branch) if h)]


def csv_template(branch_type: BranchType, shape: RecordShape) -> bytes:
    """Return an empty CSV file; with its byte-order mark a spreadsheet reads it as UTF-8."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(headers(branch_type, shape))
    return ("\ufeff" + out.getvalue()).encode()


def xlsx_template(branch_type: BranchType, shape: RecordShape) -> bytes:
    """Return an empty workbook: all cells are text, a second sheet says how to fill it in."""
    book = Workbook()
    for unused in book.worksheets:
        book.remove(unused)
    sheet = book.create_sheet(branch_type.sheet or "业务台账")
    names = headers(branch_type, shape)
    for number, name in enumerate(names, 1):
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].number_format = _TEXT
        sheet.column_dimensions[letter].width = _WIDTH
        for row in range(1, _READY_ROWS + 2):
            sheet.cell(row, number).number_format = _TEXT
        sheet.cell(1, number, name).font = Font(bold=True)
    sheet.freeze_panes = "A2"
    _explain(book, branch_type, shape)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _explain(book: Workbook, branch_type: BranchType, shape: RecordShape) -> None:
    notes = book.create_sheet("填写说明 notes")
    notes.append(["列 column", "怎么填", "how"])
    for column in shape.columns:
        if column.name in branch_type.columns:
            english, chinese = _how(column, branch_type)
            notes.append([branch_type.columns[column.name], chinese, english])
    for letter in "ABC":
        notes.column_dimensions[letter].width = 2 * _WIDTH


def _how(column: Column, branch_type: BranchType) -> tuple[str, str]:
    english, chinese = _HOW[column.kind]
    if column.kind is Kind.CHOICE:
        words = ", ".join(column.words)
        return f"{english}: {words}", f"{chinese}：{words}"
    if column.name in branch_type.ten_thousands:
        return "in 10,000 yuan", "单位：万元"
    return english, chinese
