"""An engine is killed in the middle of its appends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dr.engine.core.errors import HeldError
from dr.engine.core.events import Kind
from dr.engine.core.ports import Lease
from dr.engine.journal.sql import SqlJournal
from tests.contract.journal.sample import created, intent, record
from tests.deadline import wait_for

RUN = "r-20261101-0001"
APPENDER = Path(__file__).with_name("appender.py")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with one run."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path}/journal.sqlite3"
    else:
        address = request.getfixturevalue("postgres_server").database()
    with SqlJournal(address) as journal:
        journal.create(record(), created())
    return address


@pytest.mark.parametrize("appends", [1, 7, 60])
def test_what_was_acknowledged_survives_kill_9(url: str, tmp_path: Path, appends: int) -> None:
    said = tmp_path / "said"
    with said.open("wb") as stdout:
        engine = subprocess.Popen([sys.executable, APPENDER, url, RUN], stdout=stdout)
    try:
        wait_for(lambda: said.read_bytes().count(b"\n") >= appends, 30, "appends")
        with SqlJournal(url) as other, pytest.raises(HeldError, match=f"held by pid {engine.pid}"):
            other.acquire(RUN, "second")
    finally:
        os.kill(engine.pid, signal.SIGKILL)
        engine.wait(10)

    acknowledged = [line.split() for line in said.read_text().splitlines() if line.count(" ") == 1]
    with SqlJournal(url) as journal:
        events = {e.seq: e for e in journal.events(RUN)}
        assert sorted(events) == list(range(1, len(events) + 1))
        for seq, row_hash in acknowledged:
            assert events[int(seq)].hash == row_hash
        assert len(events) <= int(acknowledged[-1][0]) + 1  # at most one nobody heard of
        assert journal.verify(RUN).ok

        lease = _acquired(journal)
        assert lease.epoch == 2
        journal.append(RUN, [intent("s", "db-a", 10**6)], lease=lease)
        assert journal.verify(RUN).ok


@pytest.mark.parametrize("point", ["before-append", "after-append", "lease-taken"])
def test_the_power_may_go_at_any_named_point(url: str, tmp_path: Path, point: str) -> None:
    environment = {**os.environ, "DR_FAULT": f"{point}:1" if "lease" in point else f"{point}:4"}
    engine = subprocess.run(
        [sys.executable, APPENDER, url, RUN],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert engine.returncode == -signal.SIGKILL, engine.stderr

    heard = [int(line.split()[0]) for line in engine.stdout.decode().splitlines()]
    with SqlJournal(url) as journal:
        written = len(journal.events(RUN))
        wanted = {"before-append": 4, "after-append": 5, "lease-taken": 2}[point]
        assert written == wanted
        assert max(heard, default=2) <= written
        assert journal.verify(RUN).ok
        assert journal.events(RUN)[1].kind is Kind.RUN_LEASE


def _acquired(journal: SqlJournal) -> Lease:
    def take() -> Lease | None:
        try:
            return journal.acquire(RUN, "second")
        except HeldError:
            return None

    lease = wait_for(take, 10, "the dead engine's lease to lapse")
    assert lease is not None
    return lease
