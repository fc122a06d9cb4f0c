"""Append to the journal against the bare fsynced SQLite commits of the same bytes.

    python bench/journal_floor.py [APPENDS]

All write the same events one commit each, in turns within one run and in the same folder, so
that a disk that is slow for a moment is slow for all.  Prints medians in microseconds; the aim
is at most 1.3 times the bare commit of the same rows.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import RunRecord
from dr.engine.journal.sql import SqlJournal

AIM = 1.3
ROUND = 50

_SCHEMA = """
CREATE TABLE run (id TEXT PRIMARY KEY, seq INTEGER, hash TEXT, at TEXT);
CREATE TABLE event (run TEXT, seq INTEGER, at TEXT, kind TEXT, step TEXT, host TEXT,
  attempt INTEGER, epoch INTEGER, data TEXT, hash TEXT, PRIMARY KEY (run, seq)) WITHOUT ROWID;
CREATE TABLE attempt (run TEXT, step TEXT, host TEXT, number INTEGER, state TEXT, epoch INTEGER,
  key TEXT, PRIMARY KEY (run, step, host, number)) WITHOUT ROWID;
"""
_EVENT = "INSERT INTO event VALUES ('bench', ?, ?, ?, ?, 'db-a', 1, 1, ?, ?)"
_ADVANCE = "UPDATE run SET seq = ?, hash = ?, at = ? WHERE id = 'bench'"
_CLAIM = "INSERT INTO attempt VALUES ('bench', ?, 'db-a', 1, 'running', 1, ?)"
_END = (
    "UPDATE attempt SET state = 'ended' "
    "WHERE run = 'bench' AND step = ? AND host = 'db-a' AND number = 1"
)


def main(appends: int = 1000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        writers = (_bare(folder, index=False), _bare(folder, index=True), _journal(folder))
        taken = _interleaved(writers, appends)
    event_us, rows_us, journal_us = (1e6 * statistics.median(t) for t in taken)
    print(f"appends        {appends} of one event, half of them claims, half of them ends")
    print(
        f"floor          {event_us:7.0f} us  bare sqlite3, WAL, synchronous=FULL: the event's row"
    )
    print(f"floor, rows    {rows_us:7.0f} us  the same with the rows of run and attempt")
    print(f"journal        {journal_us:7.0f} us  append with lease, chain and index")
    print(f"ratio          {journal_us / event_us:7.2f}     to the event's row alone")
    print(f"ratio, rows    {journal_us / rows_us:7.2f}     to the same rows; aim {AIM}")
    tenth = appends // 10
    early, late = (statistics.median(t) for t in (taken[2][:tenth], taken[2][-tenth:]))
    print(f"growth         {late / early:7.2f}     last tenth against the first")


def _interleaved(writers: Sequence[Callable[[int], None]], count: int) -> list[list[float]]:
    times: list[list[float]] = [[] for _ in writers]
    for start in range(0, count, ROUND):
        for write, taken in zip(writers, times, strict=True):
            for number in range(start, start + ROUND):
                began = time.perf_counter()
                write(number)
                taken.append(time.perf_counter() - began)
    return times


def _draft(number: int) -> Draft:
    unit = number // 2
    if number % 2:
        data: dict[str, Any] = {"state": "succeeded", "outputs": {"rows": 1}, "error": None}
        return Draft(Kind.FINISHED, f"step-{unit}", "db-a", 1, data)
    data = {
        "epoch": 1,
        "input_sha256": "ab" * 32,
        "effect": "once",
        "describes": ["promote the standby on db-a to primary", "wait until it takes writes"],
        "input": {"service": "registry", "host": "db-a", "timeout": 180.0},
    }
    return Draft(Kind.INTENT, f"step-{unit}", "db-a", 1, data)


def _journal(folder: Path) -> Callable[[int], None]:
    journal = SqlJournal(f"sqlite:///{folder}/journal.sqlite3").open()
    record = RunRecord(
        id="bench",
        runbook="bench",
        runbook_sha256="",
        source="",
        file="",
        environment="lab",
        mode="drill",
        requester="bench",
        inputs={},
        inventory={"hosts": {f"h{n}": {"address": "198.18.1.1"} for n in range(200)}},
        created=datetime.now(UTC),
    )
    journal.create(record, [Draft(Kind.RUN_CREATED)])
    lease = journal.acquire("bench", "bench")

    def append(number: int) -> None:
        journal.append("bench", [_draft(number)], lease=lease)

    return append


def _bare(folder: Path, *, index: bool) -> Callable[[int], None]:
    wire = sqlite3.connect(folder / f"floor-{index}.sqlite3", isolation_level=None)
    wire.execute("PRAGMA journal_mode=WAL")
    wire.execute("PRAGMA synchronous=FULL")
    wire.executescript(_SCHEMA)
    texts = [json.dumps(_draft(n).data, separators=(",", ":")) for n in (0, 1)]
    at, digest = "2026-11-01T12:00:00.000000Z", "ab" * 32
    wire.execute("INSERT INTO run VALUES ('bench', 0, ?, ?)", (digest, at))

    def commit(number: int) -> None:
        wire.execute("BEGIN IMMEDIATE")
        step = f"step-{number // 2}"
        wire.execute(_EVENT, (number, at, "attempt.intent", step, texts[number % 2], digest))
        if index:
            wire.execute(_ADVANCE, (number, digest, at))
            if number % 2:
                wire.execute(_END, (step,))
            else:
                wire.execute(_CLAIM, (step, f"bench/{step}/db-a"))
        wire.execute("COMMIT")

    return commit


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
