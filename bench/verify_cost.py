"""Check a long journal and its bundle: processor time and wall time for 100,000 events.

    python bench/verify_cost.py [EVENTS]

The events are half claims, half ends, as ``journal_floor`` writes them, 1,000 a commit.  Prints
the fastest of three checks of each kind, as ``dr journal verify`` makes them within the process;
the aim is 2 s for 100,000 events.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from journal_floor import _draft

from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import RunRecord
from dr.engine.journal.sql import SqlJournal
from dr.engine.service.bundles import check_bundle, export

AIM_S = 2.0
RUN = "bench"
BATCH = 1000


def main(events: int = 100_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        journal = _written(Path(folder), events)
        _print("journal", events, lambda: journal.verify(RUN).ok)
        bundle = Path(folder) / "bundle"
        began = time.perf_counter()
        export(journal, RUN, bundle, now=datetime.now(UTC))
        written_s, size = time.perf_counter() - began, bundle.stat().st_size
        _print("bundle", events, lambda: check_bundle(bundle).ok)
        print(f"writing the bundle took {written_s:.2f} s; it has {size / 1e6:.0f} MB")
        journal.close()


def _print(subject: str, events: int, check: Callable[[], bool]) -> None:
    best = min(_taken_s(check) for _ in range(3))
    size = f"{events:,} events"
    print(f"{subject:<8} {size}  {best:6.2f} s   aim {AIM_S} s for 100,000")


def _taken_s(check: Callable[[], bool]) -> float:
    began = time.perf_counter()
    assert check()
    return time.perf_counter() - began


def _written(folder: Path, events: int) -> SqlJournal:
    journal = SqlJournal(f"sqlite:///{folder}/journal.sqlite3").open()
    record = RunRecord(
        id=RUN,
        runbook="bench",
        runbook_sha256="",
        source="",
        file="",
        environment="lab",
        mode="drill",
        requester="bench",
        inputs={},
        inventory={},
        created=datetime.now(UTC),
    )
    journal.create(record, [Draft(Kind.RUN_CREATED)])
    for start in range(1, events, BATCH):
        last = min(start + BATCH, events)
        journal.append(RUN, [_draft(number - 1) for number in range(start, last)])
    return journal


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
