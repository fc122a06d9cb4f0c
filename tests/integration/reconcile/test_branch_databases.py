"""A branch's own database as evidence: PostgreSQL, MariaDB, SQLite, and nothing written to it."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from dr.reconcile.branch_type import BranchType, Source
from dr.reconcile.evidence import EvidenceError
from dr.reconcile.intake import read_evidence
from dr.reconcile.read_database import export
from dr.reconcile.shape import RecordShape
from tests.integration.reconcile.mariadb_server import mariadb_server

SHAPE = RecordShape.of(
    {
        "columns": {
            "receipt": {"kind": "code"},
            "holder": {"kind": "owners"},
            "amount": {"kind": "number"},
            "at": {"kind": "moment"},
        },
        "key": "receipt",
        "moment": "at",
    }
)
COLUMNS = {"receipt": "receipt_no", "holder": "holder", "amount": "amount", "at": "accepted_at"}
MOMENT = datetime(2026, 11, 25, 8, 30)  # noqa: DTZ001 - a branch's clock
ROWS = [("R-1", "李㐱、王𠅤", Decimal("12.50"), MOMENT), ("R-2", None, None, MOMENT)]
READ = [
    ("R-1", "李㐱、王𠅤", "12.50", "2026-11-25 08:30:00"),
    ("R-2", None, None, "2026-11-25 08:30:00"),
]
TABLE = (
    "CREATE TABLE ledger (receipt_no varchar(40), holder varchar(200), amount decimal(14, 2),"
    " accepted_at {moment})"
)
QUERY = "SELECT * FROM ledger WHERE accepted_at >= %(since)s ORDER BY receipt_no"
SINCE = {"since": "2026-11-25 00:00:00"}


@pytest.mark.postgres
def test_a_branch_on_postgresql_answers_and_is_not_written_to(
    wire: psycopg.Connection[tuple[object, ...]],
) -> None:
    wire.execute(TABLE.format(moment="timestamp").encode())
    wire.cursor().executemany("INSERT INTO ledger VALUES (%s, %s, %s, %s)", ROWS)
    login = {"host": wire.info.host, "user": "postgres", "dbname": wire.info.dbname}
    kind = BranchType("t", Source.POSTGRESQL, COLUMNS, query=QUERY)
    data = export("b1", kind, login, SINCE)
    assert read_evidence("b1", data, kind, SHAPE).rows == READ
    insert = "INSERT INTO ledger (receipt_no) VALUES ('x') RETURNING *"
    writes = BranchType("t", Source.POSTGRESQL, COLUMNS, query=insert)
    with pytest.raises(EvidenceError, match="does not answer"):
        export("b1", writes, login, {})
    with pytest.raises(EvidenceError, match="does not answer"):
        export("b1", kind, {**login, "dbname": "nowhere"}, SINCE)


def test_a_branch_on_mariadb_answers_and_is_not_written_to() -> None:
    with mariadb_server() as socket:
        login: dict[str, Any] = {"unix_socket": str(socket), "user": "root"}
        wire = pymysql.connect(**login, charset="utf8mb4", autocommit=True)
        with wire, wire.cursor() as cursor:
            cursor.execute("CREATE DATABASE branch CHARACTER SET utf8mb4")
            cursor.execute("USE branch")
            cursor.execute(TABLE.format(moment="datetime"))
            cursor.executemany("INSERT INTO ledger VALUES (%s, %s, %s, %s)", ROWS)
        login["database"] = "branch"
        kind = BranchType("t", Source.MYSQL, COLUMNS, query=QUERY)
        assert read_evidence("b1", export("b1", kind, login, SINCE), kind, SHAPE).rows == READ
        writes = BranchType("t", Source.MYSQL, COLUMNS, query="DELETE FROM ledger")
        with pytest.raises(EvidenceError, match=r"does not answer.*READ ONLY"):
            export("b1", writes, login, {})
        with pytest.raises(EvidenceError, match="does not answer"):
            export("b1", kind, {**login, "database": "nowhere"}, SINCE)


def sqlite_file(path: Path, *statements: str) -> bytes:
    wire = sqlite3.connect(path)
    with wire:
        wire.execute(TABLE.format(moment="text"))
        for receipt, holder, amount, at in ROWS:
            cells = (receipt, holder, None if amount is None else str(amount), str(at))
            wire.execute("INSERT INTO ledger VALUES (?, ?, ?, ?)", cells)
        for statement in statements:
            wire.execute(statement)
    wire.close()
    return path.read_bytes()


def test_an_sqlite_file_is_a_ledger(tmp_path: Path) -> None:
    query = "SELECT receipt_no, holder, amount, accepted_at FROM ledger WHERE accepted_at >= :since"
    kind = BranchType("t", Source.SQLITE, COLUMNS, query=query)
    reading = read_evidence(
        "b1", sqlite_file(tmp_path / "l"), kind, SHAPE, parameters={**SINCE, "until": "9999"}
    )
    assert [row[0] for row in reading.rows] == ["R-1", "R-2"]
    assert reading.rows[0][2] == "12.5"


def test_an_sqlite_file_that_was_made_to_hurt_ends_in_an_error(tmp_path: Path) -> None:
    endless = (
        "CREATE VIEW trap AS WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
        " SELECT max(n) AS receipt_no, 1 AS holder, 1 AS amount, 1 AS accepted_at FROM r"
    )
    data = sqlite_file(tmp_path / "l", endless)
    for query in ("SELECT * FROM trap", "DELETE FROM ledger", "SELECT nonsense FROM ledger"):
        kind = BranchType("t", Source.SQLITE, COLUMNS, query=query)
        with pytest.raises(EvidenceError, match="can not be read"):
            read_evidence("b1", data, kind, SHAPE)
    kind = BranchType("t", Source.SQLITE, COLUMNS, query="SELECT * FROM ledger")
    with pytest.raises(EvidenceError, match="can not be read"):
        read_evidence("b1", b"no database", kind, SHAPE)
