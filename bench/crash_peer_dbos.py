"""The five steps in DBOS: ``begin`` starts the workflow, ``resume`` only launches DBOS."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import crash_effect
from dbos import DBOS, DBOSClient, SetWorkflowID

_STORE = f"sqlite:///{os.environ['CRASH_FOLDER']}/dbos.sqlite"
_DAYS = 7 * 86400.0


@DBOS.step()
def look() -> str:
    return crash_effect.look()


@DBOS.step()
def effect(name: str) -> str:
    return crash_effect.effect(name)


@DBOS.workflow()
def book() -> str:
    look()
    effect("settle")
    effect("move")
    print(crash_effect.ASKS, flush=True)
    if DBOS.recv("agree", timeout_seconds=_DAYS) != "yes":
        return "rejected"
    try:
        effect("reopen")
    except RuntimeError:
        effect("unmove")
        return "undone"
    return "succeeded"


def main(verb: str) -> None:
    if verb == "approve":
        DBOSClient(system_database_url=_STORE).send("crash", "yes", topic="agree")
        return
    DBOS(
        config={
            "name": "crash",
            "system_database_url": _STORE,
            "application_version": "1",
            "run_admin_server": False,
        }
    )
    DBOS.launch()
    if verb == "begin":
        with SetWorkflowID("crash"):
            DBOS.start_workflow(book)
    print("ended", DBOS.retrieve_workflow("crash").get_result(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
