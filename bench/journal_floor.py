"""Append to the journal against the bare fsynced SQLite commits of the same bytes.

    python bench/journal_floor.py [APPENDS]

Both write the same events one commit each, in turns within one run and in the same folder, so
that a disk that is slow for a moment is slow for both.  Prints medians in microseconds and
their ratio; the aim is 1.3.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import RunRecord
from dr.engine.journal.sql import SqlJournal

AIM = 1.3
ROUND = 50


def main(appends: int = 1000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        floor_s, journal_s = _interleaved(_floor(folder), _journal(folder), appends)
    floor_us, journal_us = (1e6 * statistics.median(t) for t in (floor_s, journal_s))
    print(f"appends        {appends} of one event, half of them claims")
    print(f"floor          {floor_us:7.0f} us  bare sqlite3, WAL, synchronous=FULL")
    print(f"journal        {journal_us:7.0f} us  append with lease, chain and index")
    print(f"ratio          {journal_us / floor_us:7.2f}     aim {AIM}")
    tenth = appends // 10
    early, late = (statistics.median(t) for t in (journal_s[:tenth], journal_s[-tenth:]))
    print(f"growth         {late / early:7.2f}     last tenth against the first")


def _interleaved(
    one: Callable[[int], None], other: Callable[[int], None], count: int
) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    for start in range(0, count, ROUND):
        for action, taken in zip((one, other), times, strict=True):
            for number in range(start, start + ROUND):
                began = time.perf_counter()
                action(number)
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


def _floor(folder: Path) -> Callable[[int], None]:
    import json

    wire = sqlite3.connect(folder / "floor.sqlite3", isolation_level=None)
    wire.execute("PRAGMA journal_mode=WAL")
    wire.execute("PRAGMA synchronous=FULL")
    wire.execute(
        "CREATE TABLE event (run TEXT, seq INTEGER, at TEXT, kind TEXT, step TEXT, host TEXT, "
        "attempt INTEGER, epoch INTEGER, data TEXT, hash TEXT, PRIMARY KEY (run, seq)) "
        "WITHOUT ROWID"
    )
    insert = "INSERT INTO event VALUES ('bench', ?, ?, ?, ?, 'db-a', 1, 1, ?, ?)"
    texts = [json.dumps(_draft(n).data, separators=(",", ":")) for n in (0, 1)]
    at, digest = "2026-11-01T12:00:00.000000Z", "ab" * 32

    def commit(number: int) -> None:
        wire.execute("BEGIN IMMEDIATE")
        step = f"step-{number // 2}"
        wire.execute(insert, (number, at, "attempt.intent", step, texts[number % 2], digest))
        wire.execute("COMMIT")

    return commit


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
