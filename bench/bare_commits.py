"""The floor: the commits of a run that the engine carried out, done again and nothing else.

Reads the rows of a journal, makes a file with the same tables and indexes, and commits the same
bytes in the same number of fsynced transactions.  Two floors: all the rows that the invariants
demand (the event, the end of the chain, the claim of the attempt), and the event's row alone.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from samples import SCRATCH, serve

_EVENT = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADVANCE = "UPDATE run SET seq = ?, hash = ?, at = ? WHERE id = ?"
_STATE = "UPDATE run SET state = ? WHERE id = ?"
_MOVE = "UPDATE attempt SET state = ? WHERE run = ? AND step = ? AND host = ? AND number = ?"
_ENDS = {"attempt.finished": "ended", "attempt.lost": "in_doubt"}

Statement = tuple[str, tuple[Any, ...]]


def measure(journal: str, index: bool) -> dict[str, Any]:
    """Do the commits of ``journal`` again; ``index`` asks for the rows beside the events too."""
    source = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    commits = list(_commits(source, index=index))
    wire = _like(source, SCRATCH / "floor.sqlite3")
    began = time.perf_counter()
    for statements in commits:
        wire.execute("BEGIN IMMEDIATE")
        for sql, values in statements:
            wire.execute(sql, values)
        wire.execute("COMMIT")
    seconds = time.perf_counter() - began
    wire.close()
    source.close()
    return {"seconds": seconds, "commits": len(commits)}


def _like(source: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Return a new file with the tables and the run of ``source``, in WAL and FULL."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    wire = sqlite3.connect(path, isolation_level=None)
    wire.execute("PRAGMA journal_mode=WAL")
    wire.execute("PRAGMA synchronous=FULL")
    for (sql,) in source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"):
        wire.execute(sql)
    run = source.execute("SELECT * FROM run").fetchone()
    wire.execute(f"INSERT INTO run VALUES ({','.join('?' * len(run))})", run)  # noqa: S608
    return wire


def _commits(source: sqlite3.Connection, *, index: bool) -> Iterator[list[Statement]]:
    """Yield the statements of each transaction that the promises demand.

    Events about one step at one moment were written together.  What dr wrote together for
    different steps is a commit each here: the floor does not profit from dr's own savings.
    """
    claims = {
        (row[1], row[2], row[3]): row for row in source.execute("SELECT * FROM attempt").fetchall()
    }
    rows = source.execute(
        "SELECT run, seq, at, kind, step, host, attempt, epoch, data, hash FROM event ORDER BY seq"
    ).fetchall()
    for _unit, together in itertools.groupby(rows, key=lambda row: (row[2], row[4], row[5])):
        statements: list[Statement] = []
        for row in together:
            statements.append((_EVENT, row))
            if index:
                statements.extend(_beside(row, claims))
        if index:
            run, seq, at, digest = row[0], row[1], row[2], row[9]
            statements.append((_ADVANCE, (seq, digest, at, run)))
        yield statements


def _beside(row: tuple[Any, ...], claims: dict[Any, tuple[Any, ...]]) -> Iterator[Statement]:
    run, _seq, _at, kind, step, host, attempt, _epoch, data, _hash = row
    unit = (step or "", host or "", attempt or 1)
    if kind == "attempt.intent":
        claim = claims[unit]
        yield f"INSERT INTO attempt VALUES ({','.join('?' * len(claim))})", claim  # noqa: S608
    elif kind in _ENDS:
        yield _MOVE, (_ENDS[kind], run, *unit)
    elif kind in {"run.state", "run.ended"}:
        yield _STATE, (json.loads(data)["state"], run)


if __name__ == "__main__":
    serve(measure)
