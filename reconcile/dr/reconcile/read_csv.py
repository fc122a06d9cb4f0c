"""A ledger as text: byte-order mark, else strict UTF-8, else strict GB18030, never replaced."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from dr.reconcile.branch_type import BranchType
from dr.reconcile.evidence import EvidenceError
from dr.reconcile.ledger import LedgerError, decode
from dr.reconcile.reading import MAX_BYTES, Heading, Reading, find_heading
from dr.reconcile.rows_in import Gatherer
from dr.reconcile.shape import RecordShape

_DELIMITERS = (",", "\t", ";", "|")
_HEAD = 30


def read_csv(
    branch: str,
    data: bytes,
    branch_type: BranchType,
    shape: RecordShape,
    known_as: Iterable[str] = (),
) -> Reading:
    """Read a ledger that is a CSV file.

    Raises:
        EvidenceError: it is no text that may be read, or lacks a column that is declared.
    """
    text, encoding = text_of(branch, data)
    delimiter, heading = _heading(branch, text, branch_type, shape)
    gatherer = Gatherer(shape, branch_type, heading)
    gatherer.may_be_rounded = "E+" in text or "e+" in text
    reader = _reader(text, delimiter)
    for _ in range(heading.line):
        next(reader)
    first = reader.line_num + 1
    if '"' in text:  # a line may go over several
        with _wrong_line(reader, gatherer.problems):
            for cells in reader:
                gatherer.take(reader.line_num, cells)
    else:
        rows: list[list[str]] = []
        with _wrong_line(reader, gatherer.problems):
            rows.extend(reader)
        if not gatherer.take_all(first, rows):
            for line, cells in enumerate(rows, first):
                gatherer.take(line, cells)
    return gatherer.reading(branch, hashlib.sha256(data).hexdigest(), encoding, known_as)


@contextmanager
def _wrong_line(reader: Any, problems: list[str]) -> Iterator[None]:
    """Stop at a line that is none: those before it count, and the rest is a problem."""
    try:
        yield
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: {error}; what follows was not read")


def text_of(branch: str, data: bytes) -> tuple[str, str]:
    """Return the text of a file and its encoding.

    Raises:
        EvidenceError: it is too large, binary, or in none of the encodings.
    """
    if len(data) > MAX_BYTES:
        raise EvidenceError(
            f"the evidence of {branch} is larger than {MAX_BYTES >> 20} MiB",
            hint="Ask the branch for the days of the window only.",
        )
    try:
        text, encoding = decode(data)
    except LedgerError as error:
        raise EvidenceError(
            f"the evidence of {branch} can not be read: {error.message}", hint=error.hint
        ) from None
    if "\0" in text:
        raise EvidenceError(
            f"the evidence of {branch} is no text: it has zero bytes",
            hint="Ask the branch for a CSV file; one that is XLSX inside keeps the ending .xlsx.",
        )
    return text, encoding


def _heading(
    branch: str, text: str, branch_type: BranchType, shape: RecordShape
) -> tuple[str, Heading]:
    first: EvidenceError | None = None
    for delimiter in _DELIMITERS:
        try:
            rows = _first_rows(text, delimiter)
            return delimiter, find_heading(rows, branch_type, shape, branch)
        except EvidenceError as error:
            first = first or error
    raise first or EvidenceError(f"the evidence of {branch} is empty")


def _first_rows(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        rows.extend(islice(_reader(text, delimiter), _HEAD))
    except csv.Error:
        return rows
    return rows


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
