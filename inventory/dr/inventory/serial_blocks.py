"""serial-blocks.csv: which numbered forms were issued to each branch, and which must not be used.

Columns ``branch,first,last,kind,on,note``; both ends included; kind is issued, void or stolen.
Numbers stand as they are printed, with letters before them and leading zeros.  The branch
``bureau`` stands for the bureau's own stock.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dr.engine.core.errors import Problem

FILE = "serial-blocks.csv"
COLUMNS = ("branch", "first", "last", "kind")
KINDS = frozenset({"issued", "void", "stolen"})
_MOST_BYTES = 16 << 20
_MOST_UNUSABLE = 1_000_000  # void and stolen forms are looked for one by one
_PRINTED = re.compile(r"((?:\S*[^\s\d])?)([0-9]{1,18})")  # digits of a 64-bit number


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
            blocks.append(dict(row))
    return blocks, problems


def _wrong(row: Mapping[str, str]) -> Iterator[str]:
    yield from _wrong_numbers(str(row.get("first") or ""), str(row.get("last") or ""), row)
    if row.get("kind") not in KINDS:
        yield f"'{row.get('kind')}' is none of {', '.join(sorted(KINDS))}"
    if not row.get("branch"):
        yield "it names no branch"


def _wrong_numbers(first: str, last: str, row: Mapping[str, str]) -> Iterator[str]:
    begins, ends = _PRINTED.fullmatch(first), _PRINTED.fullmatch(last)
    if begins is None or ends is None:
        yield f"'{first}' to '{last}' are no numbers of forms"
        return
    lengths = {len(digits) for digits in (begins[2], ends[2])}
    if begins[1] != ends[1]:
        yield f"'{first}' and '{last}' begin with different letters"
    elif len(lengths) > 1 and "0" in (begins[2][0], ends[2][0]):
        yield f"'{first}' and '{last}' have leading zeros and are not of one length"
    elif int(begins[2]) > int(ends[2]):
        yield f"the block ends at {last}, before it begins at {first}"
    elif row.get("kind") != "issued" and int(ends[2]) - int(begins[2]) >= _MOST_UNUSABLE:
        yield f"'{first}' to '{last}' are more than {_MOST_UNUSABLE} forms"


def _problem(shown: str, line: int, text: str) -> Problem:
    where = f"{shown}:{line}:1" if line else shown
    hint = "Columns are branch, first, last, kind, on, note."
    return Problem(text, where=where, hint=hint, rule="INV015")
