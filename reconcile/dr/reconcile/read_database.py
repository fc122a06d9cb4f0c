"""A branch's own database by SQL, read only: PostgreSQL, MySQL or MariaDB, SQLite.

What a server answers is written down first, one JSON list a line, and those bytes are the
evidence: the branch's database goes on changing, they do not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import psycopg
import pymysql
from psycopg import sql

from dr.reconcile.branch_type import BranchType, Source
from dr.reconcile.evidence import EvidenceError
from dr.reconcile.reading import MAX_BYTES, Reading, find_heading
from dr.reconcile.rows_in import Gatherer
from dr.reconcile.shape import RecordShape

_AT_ONCE = 5_000
_LOOK_S = 120
_STEPS = 1_000
_MOST_STEPS = 100_000


def export(
    branch: str, branch_type: BranchType, login: Mapping[str, Any], parameters: Mapping[str, Any]
) -> bytes:
    """Ask the database of a branch and return its answer as bytes to keep.

    Args:
        login: of PostgreSQL what libpq takes, of MySQL what PyMySQL takes.
        parameters: of the query, such as ``since`` and ``until``.

    Raises:
        EvidenceError: it can not be reached, refuses, or answers too much.
    """
    try:
        if branch_type.source is Source.POSTGRESQL:
            return _postgresql(branch, branch_type.query, login, parameters)
        return _mysql(branch, branch_type.query, login, parameters)
    except (psycopg.Error, pymysql.Error, OSError) as error:
        raise EvidenceError(
            f"the database of {branch} does not answer: {str(error).strip()}",
            hint="Check address, login and query in ledgers.yaml, or take a file instead.",
        ) from None


def _postgresql(
    branch: str, query: str, login: Mapping[str, Any], parameters: Mapping[str, Any]
) -> bytes:
    with psycopg.connect(**{"connect_timeout": 10, **login}) as wire:
        wire.read_only = True
        wire.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(_LOOK_S * 1000)))
        with wire.cursor(name="evidence") as cursor:
            cursor.execute(query.encode(), parameters)
            names = [column.name for column in cursor.description or ()]
            return as_answer(branch, names, iter(lambda: cursor.fetchmany(_AT_ONCE), []))


def _mysql(
    branch: str, query: str, login: Mapping[str, Any], parameters: Mapping[str, Any]
) -> bytes:
    given = {"connect_timeout": 10, "read_timeout": _LOOK_S, "charset": "utf8mb4", **login}
    wire = pymysql.connect(**given, cursorclass=pymysql.cursors.SSCursor)
    try:
        with wire.cursor() as cursor:
            cursor.execute("START TRANSACTION READ ONLY")
            cursor.execute(query, dict(parameters))
            names = [str(column[0]) for column in cursor.description or ()]
            return as_answer(branch, names, iter(lambda: list(cursor.fetchmany(_AT_ONCE)), []))
    finally:
        wire.close()


def as_answer(branch: str, names: Sequence[str], parts: Iterable[Sequence[Sequence[Any]]]) -> bytes:
    """Return the bytes by which an answer is kept: a JSON list a line, the names first.

    Raises:
        EvidenceError: it is too much.
    """
    lines, size = [_line(names)], 0
    for part in parts:
        for row in part:
            lines.append(_line([_text(value) for value in row]))
            size += len(lines[-1])
        if size > MAX_BYTES:
            raise EvidenceError(
                f"the database of {branch} answers more than {MAX_BYTES >> 20} MiB",
                hint="Let its query take the window only, or compare the tables where they lie.",
            )
    return b"".join(lines)


def _line(values: Sequence[str | None]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value)


def read_export(
    branch: str,
    data: bytes,
    branch_type: BranchType,
    shape: RecordShape,
    known_as: Iterable[str] = (),
) -> Reading:
    """Read the kept answer of a database.

    Raises:
        EvidenceError: it is no such answer, or lacks a column that is declared.
    """
    try:
        rows = [json.loads(line) for line in data.splitlines()]
    except ValueError:
        raise EvidenceError(
            f"the evidence of {branch} is no answer of a database",
            hint="Ask its database again.",
        ) from None
    return _reading(branch, data, rows, branch_type, shape, known_as)


def read_sqlite(
    branch: str,
    data: bytes,
    branch_type: BranchType,
    shape: RecordShape,
    parameters: Mapping[str, Any] | None = None,
    known_as: Iterable[str] = (),
) -> Reading:
    """Read a ledger that is an SQLite file; it is opened as a copy, read only, and may not write.

    Raises:
        EvidenceError: it is no such file, its query fails, or it lacks a column that is declared.
    """
    if len(data) > MAX_BYTES:
        raise EvidenceError(
            f"the evidence of {branch} is larger than {MAX_BYTES >> 20} MiB",
            hint="Ask the branch for the days of the window only.",
        )
    with tempfile.TemporaryDirectory(prefix="dr-evidence-") as folder:
        path = Path(folder) / "ledger.sqlite3"
        path.write_bytes(data)
        try:
            rows = _sqlite_rows(path, branch_type.query, parameters or {})
        except sqlite3.Error as error:
            raise EvidenceError(
                f"the SQLite file of {branch} can not be read: {error}",
                hint="Correct the query in ledgers.yaml, or ask the branch for the file again.",
            ) from None
    return _reading(branch, data, rows, branch_type, shape, known_as)


def _sqlite_rows(
    path: Path, query: str, parameters: Mapping[str, Any]
) -> list[Sequence[str | None]]:
    wire = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    with contextlib.closing(wire):
        wire.execute("PRAGMA query_only = ON")
        wire.execute("PRAGMA trusted_schema = OFF")
        steps = iter(range(_MOST_STEPS))
        # a view in a file made to hurt may run for ever
        wire.set_progress_handler(lambda: next(steps, None) is None, _STEPS)
        cursor = wire.execute(query, dict(parameters))
        names: list[str | None] = [column[0] for column in cursor.description or ()]
        return [names, *([_text(value) for value in row] for row in cursor)]


def _reading(
    branch: str,
    data: bytes,
    rows: Sequence[Sequence[str | None]],
    branch_type: BranchType,
    shape: RecordShape,
    known_as: Iterable[str],
) -> Reading:
    heading = find_heading(rows[:1], branch_type, shape, branch)
    gatherer = Gatherer(shape, branch_type, heading)
    for line, cells in enumerate(rows[1:], 2):
        gatherer.take(line, cells)
    return gatherer.reading(branch, hashlib.sha256(data).hexdigest(), "utf-8", known_as)
