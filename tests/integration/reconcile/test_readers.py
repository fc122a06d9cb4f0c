"""Evidence looked at by several processes: the same answer, whatever becomes of them."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from dr.reconcile.branch_type import BranchType, Source
from dr.reconcile.first_look import Eye, Look, Submission
from dr.reconcile.readers import look_at_all
from dr.reconcile.session import Session
from tests.deadline import wait_for
from tests.reconcile_corpus import SHAPE, WINDOW, seeded, write_ledgers

CUT = tuple(19 if name == "at" else 0 for name in SHAPE.names)
LIMIT_S = 20


@pytest.fixture
def eye() -> Eye:
    return Eye(Session("s1", WINDOW, "salt"), SHAPE, CUT)


@pytest.fixture
def submissions(tmp_path: Path) -> list[Submission]:
    made = seeded(7, branches=12, records=100, each=2)
    found = [Submission(n, kind, path) for n, kind, path in write_ledgers(made, tmp_path)]
    gone = Submission("gone", found[0].branch_type, tmp_path / "none.csv")
    told = Submission("told", BranchType("told", Source.TOTALS), tmp_path / "told.json")
    told.path.write_text("no totals", "utf-8")
    return [gone, *found, told]


def without_lines(looks: list[Look]) -> list[Look]:
    return [replace(look, reading=None) for look in looks]


def readers_of(pid: int) -> list[int]:
    """Return the readers that a process has started."""
    done = subprocess.run(
        ["pgrep", "-P", str(pid), "-f", "dr.reconcile.readers"],
        capture_output=True,
        check=False,
        text=True,
    )
    return [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize("readers", [2, 3, 20])
def test_several_readers_see_what_one_process_sees(
    eye: Eye, submissions: list[Submission], readers: int
) -> None:
    alone = look_at_all(eye, submissions, readers=1)
    assert [look.submission.branch for look in alone] == [s.branch for s in submissions]
    assert sum(bool(look.rejected) for look in alone) == 2
    assert without_lines(look_at_all(eye, submissions, readers=readers)) == without_lines(alone)


@pytest.fixture
def blocked(tmp_path: Path, submissions: list[Submission]) -> Iterator[list[Path]]:
    """Two ledgers, one for each reader, that whoever opens them waits for."""
    fifos = [tmp_path / f"blocked-{number}.csv" for number in range(2)]
    for fifo in fifos:
        os.mkfifo(fifo)
        submissions.append(replace(submissions[1], path=fifo))
    yield fifos
    for fifo in fifos:
        with os.fdopen(os.open(fifo, os.O_RDWR | os.O_NONBLOCK), "wb"):
            """Whoever still waits goes on."""


def fill(blocked: list[Path], submissions: list[Submission]) -> None:
    """Give the blocked ledgers the first one's bytes."""
    for fifo in blocked:
        fifo.write_bytes(submissions[1].path.read_bytes())


def test_what_killed_readers_did_not_look_at_is_looked_at_all_the_same(
    eye: Eye, submissions: list[Submission], blocked: list[Path]
) -> None:
    alone = look_at_all(eye, submissions[:-2], readers=1)
    looks: list[Look] = []
    asked = threading.Thread(
        target=lambda: looks.extend(look_at_all(eye, submissions, readers=2)), daemon=True
    )
    asked.start()
    wait_for(lambda: len(readers_of(os.getpid())) == 2, LIMIT_S, "both readers")
    for pid in readers_of(os.getpid()):
        os.kill(pid, signal.SIGKILL)
    fill(blocked, submissions)  # for this process, which reads them now
    asked.join(LIMIT_S)
    assert without_lines(looks[:-2]) == without_lines(alone)
    assert [look.fingerprint for look in looks[-2:]] == [alone[1].fingerprint] * 2


_STARTER = """
import pickle, sys
from dr.reconcile.readers import look_at_all
eye, submissions = pickle.load(sys.stdin.buffer)
look_at_all(eye, submissions, readers=2)
"""


def test_a_reader_does_not_outlive_whoever_started_it(
    eye: Eye, submissions: list[Submission], blocked: list[Path]
) -> None:
    with subprocess.Popen([sys.executable, "-c", _STARTER], stdin=subprocess.PIPE) as starter:
        assert starter.stdin is not None
        starter.stdin.write(pickle.dumps((eye, submissions)))
        starter.stdin.close()
        wait_for(lambda: len(readers_of(starter.pid)) == 2, LIMIT_S, "both readers")
        pids = readers_of(starter.pid)
        starter.kill()
    content = submissions[1].path.read_bytes()

    def gone() -> bool:
        for fifo in blocked:
            with suppress(OSError):  # nobody waits there, yet or any more
                place = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
                os.write(place, content)
                os.close(place)
        return not any(Path(f"/proc/{pid}").exists() for pid in pids)

    wait_for(gone, LIMIT_S, "the readers' end")
