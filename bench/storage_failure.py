"""The whole runbook ``storage-failure`` against a shell script that does the same by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from samples import ROOT, Row, SkippedError, in_turns

DR = ROOT / ".venv/bin/dr"
BY_HAND = Path(__file__).with_name("by_hand.sh")
AIM = 1.3
MOST_ROUNDS = 5
_BUSINESS = 5
"""Cases that every branch has registered before the storage breaks."""
_LIMIT_S = 180


def rows(rounds: int) -> list[Row]:
    """Return the rows; every sample has a lab of its own."""
    subjects = {"by hand": lambda: _in_a_lab(_by_hand), "dr": lambda: _in_a_lab(_by_dr)}
    measured = in_turns(min(rounds, MOST_ROUNDS), subjects)
    notes = {
        "by hand": "bench/by_hand.sh: the same commands, no journal, no gate",
        "dr": "dr run to its end, the time at the gate taken off",
    }
    return [
        Row(
            "storage-failure as a whole",
            subject,
            measured.median(subject),
            "s",
            ratio=measured.ratio("dr", "by hand") if subject == "dr" else None,
            against="by hand" if subject == "dr" else "",
            aim=AIM if subject == "dr" else None,
            note=f"skipped: {measured.skipped[subject]}"
            if subject in measured.skipped
            else notes[subject],
            samples=measured.samples[subject],
        )
        for subject in subjects
    ]


def _in_a_lab(recover: Callable[[Path], float]) -> float:
    """Bring a lab up, let branches work, break the storage, and return what ``recover`` took."""
    from dr.engine.core.errors import DrError
    from dr.lab.api import LabOptions, break_, down, status, up

    directory = Path(f"/var/tmp/dr-lab-bench-{os.getpid()}")  # noqa: S108 - as every lab's
    try:
        up(LabOptions(directory=directory, staging=False, tie_pid=os.getpid()))
    except DrError as error:
        raise SkippedError(f"no lab: {error.message}") from error
    try:
        end = time.monotonic() + 60
        while any(b["acknowledged"] < _BUSINESS for b in status(directory).branches):
            if time.monotonic() > end:
                raise SkippedError("the branches register nothing")
            time.sleep(0.2)
        break_(directory, "storage-killed")
        return recover(directory)
    except subprocess.TimeoutExpired as error:
        raise SkippedError(f"{Path(error.cmd[0]).name} took more than {_LIMIT_S} s") from error
    finally:
        down(directory)


def _by_hand(directory: Path) -> float:
    words = [sys.executable, "-m", "dr.lab", "--dir", directory, "run", "--", BY_HAND, directory]
    done = subprocess.run(words, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("seconds "):
            return float(line.split()[1])
    said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
    raise SkippedError(f"by_hand.sh left with {done.returncode}: {said[0]}")


def _by_dr(directory: Path) -> float:
    env = {**os.environ, "DR_WORKSPACE": str(directory / "workspace"), "LANG": "C.UTF-8"}
    began = time.monotonic()
    run = subprocess.Popen(
        [DR, "run", "storage-failure", "-i", "closing=later", "--requester", "liu.yang", "--json"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    asked: datetime | None = None
    answered: datetime | None = None
    state = ""
    assert run.stdout is not None
    assert run.stderr is not None
    for line in run.stdout:
        try:
            said = json.loads(line)
        except ValueError:  # no event: the words of an error, over several lines
            said = {}
            state = f"{state} {line.strip()}".strip()
        event = said.get("event", {})
        if event.get("kind") == "question.opened" and asked is None:
            asked = _at(event)
            _approve(directory, event["run"], event["data"]["question"]["step"], env)
        elif event.get("kind") == "question.answered" and answered is None:
            answered = _at(event)
        state = said.get("state", state)
    run.wait(_LIMIT_S)
    took = time.monotonic() - began
    if run.returncode or asked is None or answered is None:
        last = [state[:300]] if state else run.stderr.read().strip().splitlines()[-1:]
        raise SkippedError(f"dr run left with {run.returncode}: {last[0]}")
    return took - (answered - asked).total_seconds()


def _at(event: dict[str, str]) -> datetime:
    return datetime.fromisoformat(event["at"])


def _approve(directory: Path, run: str, step: str, env: dict[str, str]) -> None:
    key = directory / "workspace/keys/people/chen.wei"
    words = [DR, "approve", run, step, "--by", "chen.wei", "--key", key, "--reason", "bench"]
    subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
