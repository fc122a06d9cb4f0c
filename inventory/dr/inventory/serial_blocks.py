"""serial-blocks.csv: which numbered forms were issued to each branch, and which must not be used.

Columns ``branch,first,last,kind,on,note``; both ends included; kind is issued, void or stolen.  The
branch ``bureau`` stands for the bureau's own stock.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dr.engine.core.errors import Problem

FILE = "serial-blocks.csv"
COLUMNS = ("branch", "first", "last", "kind")
KINDS = frozenset({"issued", "void", "stolen"})
_MOST_BYTES = 16 << 20


def read_serial_blocks(path: Path, shown: str) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the blocks as data, and what is wrong with the file; nothing when there is none."""
    if not path.is_file():
        return [], []
    try:
        if path.stat().st_size > _MOST_BYTES:
            return [], [_problem(shown, 0, f"the file is larger than {_MOST_BYTES >> 20} MiB")]
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                return [], [_problem(shown, 1, f"the register has no column '{missing[0]}'")]
            return _read(reader, shown)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return [], [_problem(shown, 0, f"the register can not be read: {error}")]


def _read(reader: csv.DictReader[str], shown: str) -> tuple[list[dict[str, Any]], list[Problem]]:
    blocks: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for row in reader:
        found = list(_wrong(row))
        problems += [_problem(shown, reader.line_num, text) for text in found]
        if not found:
            blocks.append({**row, "first": int(row["first"]), "last": int(row["last"])})
    return blocks, problems


def _wrong(row: Mapping[str, str]) -> Iterator[str]:
    numbers = [str(row.get(name) or "") for name in ("first", "last")]
    if not all(number.isascii() and number.isdigit() and len(number) <= 18 for number in numbers):  # noqa: PLR2004 - digits of a 64-bit number
        yield f"'{numbers[0]}' to '{numbers[1]}' are no numbers of forms"
    elif int(numbers[0]) > int(numbers[1]):
        yield f"the block ends at {numbers[1]}, before it begins at {numbers[0]}"
    if row.get("kind") not in KINDS:
        yield f"'{row.get('kind')}' is none of {', '.join(sorted(KINDS))}"
    if not row.get("branch"):
        yield "it names no branch"


def _problem(shown: str, line: int, text: str) -> Problem:
    where = f"{shown}:{line}:1" if line else shown
    hint = "Columns are branch, first, last, kind, on, note."
    return Problem(text, where=where, hint=hint, rule="INV015")
