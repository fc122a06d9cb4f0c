"""What the command line costs: processor time against a bare click program; time to resume."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from samples import ROOT, SCRATCH, Row, SkippedError, in_turns

DR = ROOT / ".venv/bin/dr"
AIMS_RESUME_S = {200: 1.0, 2000: 2.0}
_LIMIT_S = 60
_BARE = """\
import click


@click.group()
def main():
    '''A program.'''


for name in ("init", "run", "status", "resume", "approve"):
    main.command(name, help="Do it.")(lambda: None)

main()
"""
# tcp.check does nothing lasting and needs no host; nobody listens on the port and that is an answer
_STEP = (
    "  - {{ id: s{n}, uses: tcp.check, with: {{ address: 127.0.0.1, port: 9 }}, effect: read }}\n"
)


def cost(python: str, rounds: int) -> list[Row]:
    """Return the rows of ``dr --help`` and ``dr status``."""
    workspace = _workspace("commands", steps=5)
    for _ in range(3):
        _dr(workspace, "run", "bench", "--yes")
    program = SCRATCH / "bare.py"
    program.write_text(_BARE)
    env = _env(workspace)

    def cpu(*words: str | Path) -> Callable[[], float]:
        return lambda: 1e3 * _cpu_s(words, env)

    measured = in_turns(
        rounds * 3,
        {
            "python alone": cpu(python, "-c", ""),
            "bare click": cpu(python, program, "--help"),
            "dr --help": cpu(DR, "--help"),
            "dr status": cpu(DR, "status"),
            "dr --version": cpu(DR, "--version"),
        },
    )
    heading = "processor time of a command"
    return [
        Row(
            heading,
            subject,
            measured.median(subject),
            ratio=measured.ratio(subject, "bare click") if subject.startswith("dr") else None,
            against="bare click" if subject.startswith("dr") else "",
            samples=measured.samples[subject],
        )
        for subject in measured.samples
    ]


def _cpu_s(words: Sequence[str | Path], env: Mapping[str, str]) -> float:
    process = subprocess.Popen(
        [str(word) for word in words],
        env=dict(env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SkippedError(f"'{' '.join(map(str, words))}' left with {process.returncode}")
    return used.ru_utime + used.ru_stime


def resume(rounds: int) -> list[Row]:
    """Return the rows of ``dr resume`` after ``kill -9`` in the middle of 200 and 2,000 steps."""
    return [_resumed(steps, aim, rounds) for steps, aim in AIMS_RESUME_S.items()]


def _resumed(steps: int, aim: float, rounds: int) -> Row:
    samples: list[float] = []
    note = "from the command to the first intent of the new engine"
    workspace = _workspace("resume", steps=steps)
    try:
        samples += [_resumed_after_s(workspace, steps) for _ in range(rounds)]
    except SkippedError as error:
        note = f"skipped: {error}"
    heading = f"acting again after kill -9 in a run of {steps:,}"
    value = sorted(samples)[len(samples) // 2] if samples else None
    return Row(heading, "dr resume", value, "s", aim=aim, note=note, samples=samples)


def _resumed_after_s(workspace: Path, steps: int) -> float:
    """Let a run be killed in its middle, resume it, and return when it acted."""
    # a real kill -9 of the engine by itself, at a moment that is the same every time
    _dr(workspace, "run", "bench", "--yes", fault=f"after-append:{steps}", ends_well=False)
    runs = _dr(workspace, "status", "--json")
    run = next(r for r in _listed(runs) if r["state"] not in {"succeeded", "failed", "aborted"})
    began = datetime.now(UTC)
    _dr(workspace, "resume", run["id"])
    return (_first_intent(workspace, run["id"]) - began).total_seconds()


def _listed(said: str) -> list[dict[str, str]]:
    data = json.loads(said)
    found: list[dict[str, str]] = data["runs"] if isinstance(data, dict) else data
    return found


def _first_intent(workspace: Path, run: str) -> datetime:
    """Return when the second engine wrote its first intent."""
    import sqlite3

    with sqlite3.connect(f"file:{workspace}/.dr/journal.sqlite3?mode=ro", uri=True) as wire:
        (at,) = wire.execute(
            "SELECT min(at) FROM event WHERE run = ? AND epoch = 2 AND kind = 'attempt.intent'",
            (run,),
        ).fetchone()
    if at is None:
        raise SkippedError("the resumed run did not act again")
    return datetime.fromisoformat(at)


def _workspace(name: str, *, steps: int) -> Path:
    """Return a new workspace with a runbook of ``steps`` looks at this machine."""
    workspace = SCRATCH / name
    shutil.rmtree(workspace, ignore_errors=True)
    (workspace / "runbooks").mkdir(parents=True)
    (workspace / "inventory/lab").mkdir(parents=True)
    (workspace / "dr.yaml").write_text(
        "format: 1\nbureau: { en: Bench, zh: 测量 }\ndefault_environment: lab\n"
        "environments:\n  lab: { kind: lab, inventory: inventory/lab }\n"
        "runbooks: [runbooks]\nstate: .dr\n"
    )
    (workspace / "inventory/lab/hosts.yaml").write_text("all: { hosts: {} }\n")
    (workspace / "inventory/lab/services.yaml").write_text("format: 1\nservices: {}\n")
    (workspace / "inventory/lab/people.yaml").write_text("format: 1\ngroups: {}\npeople: {}\n")
    (workspace / "runbooks/bench.yaml").write_text(
        "format: 1\nname: bench\ntitle: { en: Bench, zh: 测量 }\nowner: bench\nsteps:\n"
        + "".join(_STEP.format(n=n) for n in range(steps))
    )
    return workspace


def _env(workspace: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DR_", "LC_", "LANG"))}
    return {**kept, "DR_WORKSPACE": str(workspace), "LANG": "C.UTF-8", **more}


def _dr(workspace: Path, *words: str, fault: str = "", ends_well: bool = True) -> str:
    env = _env(workspace, **({"DR_FAULT": fault} if fault else {}))
    began = time.monotonic()
    done = subprocess.run(
        [DR, *words], env=env, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    if ends_well and done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-2:] or ["no reason given"]
        took = time.monotonic() - began
        raise SkippedError(
            f"'dr {' '.join(words)}' left with {done.returncode} after {took:.1f} s: {last}"
        )
    return done.stdout
