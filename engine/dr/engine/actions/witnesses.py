"""Ask the hosts what they keep of a run: the guard's epoch, and the jobs they were sent."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from dr.engine.actions.hosts import STATE_ROOT, Connections
from dr.engine.actions.observations import JOBS_OF_RUN
from dr.engine.actions.wrapper.request import file_name
from dr.engine.core.behind import Sighting
from dr.engine.core.errors import ActionError

log = logging.getLogger("dr.actions")

_MOST_AT_ONCE = 16
_JOB = re.compile(r"job [^+/]+\+([^+/]+)\+[^/]*/([0-9]+)")


def sightings(
    connections: Connections, inventory: Mapping[str, Any], run: str, *, within_s: float
) -> list[Sighting]:
    """Return what each host of the inventory keeps of ``run``; looks only.

    A host that does not answer within ``within_s`` seconds is left out: its own guard still
    refuses an engine with an epoch lower than the one that it has obeyed.
    """
    hosts = inventory.get("hosts") or {}
    pool = ThreadPoolExecutor(min(_MOST_AT_ONCE, max(1, len(hosts))), thread_name_prefix="witness")
    asked = [pool.submit(_look, connections, n, h, run, within_s) for n, h in hosts.items()]
    done, _ = wait(asked, within_s)
    pool.shutdown(wait=False, cancel_futures=True)
    return [seen for future in done for seen in future.result()]


def _look(
    connections: Connections, host: str, declared: Any, run: str, within_s: float
) -> list[Sighting]:
    root = str(((declared or {}).get("vars") or {}).get("dr_state_dir") or STATE_ROOT)
    limit = timedelta(seconds=within_s)
    try:
        observer = connections.observer(host)
        found = observer.observe(JOBS_OF_RUN, timeout=limit, root=root, run=file_name(run))
    except (ActionError, OSError) as error:
        log.info("%s was not asked what it knows of the run: %s", host, error)
        return []
    return [_read(host, found.stdout.splitlines())]


def _read(host: str, lines: Sequence[str]) -> Sighting:
    return Sighting(host, max(_epochs(lines), default=0), tuple(_jobs(lines)))


def _epochs(lines: Iterable[str]) -> Iterable[int]:
    for line in lines:
        word, _, number = line.partition(" ")
        if word == "guard" and number.isdigit():
            yield int(number)


def _jobs(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    for line in lines:
        if match := _JOB.fullmatch(line):
            yield unquote(match[1]), int(match[2])
