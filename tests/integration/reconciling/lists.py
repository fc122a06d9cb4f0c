"""Fills work-lists in as a clerk does, with a spreadsheet program's library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openpyxl

from dr.reconcile.case_sheet import COLUMNS, SHEET

PLACES = {column.key: index for index, column in enumerate(COLUMNS, 1)}


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a list as a reader sees them."""
    sheet = openpyxl.load_workbook(path)[SHEET]
    keys = [column.key for column in COLUMNS]
    return [
        dict(zip(keys, (cell.value for cell in row), strict=False))
        for row in sheet.iter_rows(min_row=2)
    ]


def fill(path: Path, answers: Mapping[int, Mapping[str, Any]], to: Path | None = None) -> Path:
    """Write answers into rows, counted from 2 as spreadsheets do."""
    book = openpyxl.load_workbook(path)
    sheet = book[SHEET]
    for row, values in answers.items():
        for key, value in values.items():
            sheet.cell(row, PLACES[key]).value = value
    book.save(to or path)
    return to or path
