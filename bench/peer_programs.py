"""Peers that are programs: one call does all the steps, start-up and end taken off.

The time of a file with no step but one is subtracted, so that what is left is the cost of steps.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from samples import ROOT, SCRATCH, SkippedError

_LIMIT_S = 900


def ansible_playbook(steps: int) -> Callable[[], float]:
    """Return what measures one ``ansible-playbook`` of ``steps`` tasks on a local connection."""
    folder = SCRATCH / "ansible"
    folder.mkdir(parents=True, exist_ok=True)
    many, one = (_playbook(folder, count) for count in (steps + 1, 1))
    program = ROOT / ".venv/bin/ansible-playbook"
    env = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1"}

    def seconds() -> float:
        return _taken([program, many], env=env) - _taken([program, one], env=env)

    return seconds


def _playbook(folder: Path, tasks: int) -> Path:
    # debug does nothing and stays in the controller: the cheapest task that ansible has
    lines = ["- hosts: localhost", "  connection: local", "  gather_facts: false", "  tasks:"]
    lines += [f"    - debug: {{ msg: '{number}' }}" for number in range(tasks)]
    path = folder / f"{tasks}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def doit(steps: int, python: Callable[[], Path]) -> Callable[[], float]:
    """Return what measures doit on a chain of ``steps`` tasks; it saves its state at the end."""
    folder = SCRATCH / "doit"

    def seconds() -> float:
        program = python().with_name("doit")
        return _taken([program, "-f", _dodo(folder, steps + 1)], cwd=folder) - _taken(
            [program, "-f", _dodo(folder, 1)], cwd=folder
        )

    return seconds


def _dodo(folder: Path, tasks: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"dodo{tasks}.py"
    path.write_text(
        "def nothing():\n    return True\n\n"
        "def task_s():\n"
        f"    for n in range({tasks}):\n"
        "        needs = [f's:{n - 1}'] if n else []\n"
        "        yield {'name': str(n), 'actions': [nothing], 'task_dep': needs}\n"
    )
    return path


def _taken(
    words: Sequence[str | Path], *, env: dict[str, str] | None = None, cwd: Path | None = None
) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        words, env=env, cwd=cwd, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"]
        raise SkippedError(f"{Path(words[0]).name} failed: {last[0]}")
    return time.perf_counter() - began
