"""The five steps for doit: a task each, one after the other, each done once for all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import crash_effect
from doit.tools import run_once

DOIT_CONFIG = {"backend": "sqlite3", "dep_file": f"{os.environ['CRASH_FOLDER']}/doit.db"}


def _done(name: str) -> Callable[[], bool]:
    def action() -> bool:
        crash_effect.effect(name)
        return True

    return action


def _agree() -> bool:
    print(crash_effect.ASKS, flush=True)
    return input() == "yes"


def _reopen() -> bool:
    try:
        crash_effect.effect("reopen")
    except RuntimeError:
        crash_effect.effect("unmove")
        return False
    return True


def _task(action: Callable[[], Any], *needs: str) -> dict[str, Any]:
    return {"actions": [action], "uptodate": [run_once], "task_dep": list(needs), "verbosity": 2}


def task_look() -> dict[str, Any]:
    return _task(lambda: bool(crash_effect.look()))


def task_settle() -> dict[str, Any]:
    return _task(_done("settle"), "look")


def task_move() -> dict[str, Any]:
    return _task(_done("move"), "settle")


def task_agree() -> dict[str, Any]:
    return _task(_agree, "move")


def task_reopen() -> dict[str, Any]:
    return _task(_reopen, "agree")
