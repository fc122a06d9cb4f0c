"""The five steps in Prefect: tasks that keep their results, and a pause for the person."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import crash_effect
from prefect import flow, task
from prefect.context import get_run_context
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput

_ID = Path(os.environ["CRASH_FOLDER"]) / "prefect-run"
_DAYS = 7 * 86400


class Answer(RunInput):
    yes: bool


@task(persist_result=True)
def look() -> str:
    return crash_effect.look()


@task(persist_result=True)
def effect(name: str) -> str:
    return crash_effect.effect(name)


@flow(name="crash", persist_result=True)
def book() -> str:
    _ID.write_text(str(get_run_context().flow_run.id))
    look()
    effect("settle")
    effect("move")
    print(crash_effect.ASKS, flush=True)
    if not pause_flow_run(wait_for_input=Answer, timeout=_DAYS, poll_interval=1).yes:
        return "rejected"
    try:
        effect("reopen")
    except RuntimeError:
        effect("unmove")
        print("ended undone", flush=True)
        return "undone"
    print("ended succeeded", flush=True)
    return "succeeded"


if __name__ == "__main__":
    book()
