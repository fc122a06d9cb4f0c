"""DBOS on steps that do nothing: a worker for ``engine_cost``, run in the peers' environment.

Its SQLite is as DBOS opens it: rollback journal, synchronous=FULL.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from dbos import DBOS
from samples import SCRATCH, serve

logging.disable(logging.CRITICAL)
_FOLDER = SCRATCH / "dbos"
shutil.rmtree(_FOLDER, ignore_errors=True)
_FOLDER.mkdir(parents=True)
DBOS(
    config={
        "name": "bench",
        "system_database_url": f"sqlite:///{_FOLDER}/dbos.sqlite",
        "log_level": "CRITICAL",
        "run_admin_server": False,
    }
)


@DBOS.step()
def noop(number: int) -> int:
    return number


@DBOS.step()
async def noop_in_parallel(number: int) -> int:
    return number


@DBOS.workflow()
def chain(steps: int) -> None:
    for number in range(steps):
        noop(number)


@DBOS.workflow()
async def parallel(steps: int) -> None:
    await asyncio.gather(*(noop_in_parallel(number) for number in range(steps)))


def measure(steps: int, shape: str) -> dict[str, Any]:
    """Carry a workflow out and return how long that took."""
    began = time.perf_counter()
    if shape == "chain":
        chain(steps)
    else:
        asyncio.run(parallel(steps))
    return {"seconds": time.perf_counter() - began}


if __name__ == "__main__":
    DBOS.launch()
    serve(measure)
