"""What hosts know of a run and the journal does not: a journal that lost its last commits.

A database that fails over to a standby may come back without the newest events.  What the engine
did then did happen, and nothing in the journal says so; the hosts' guards and jobs do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dr.engine.core.view import RunView


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one host keeps of a run.

    ``epoch`` is the highest that its guard has obeyed, 0 when none; ``jobs`` holds the step and
    the number of each attempt that was sent to it.
    """

    host: str
    epoch: int = 0
    jobs: tuple[tuple[str, int], ...] = ()


def unknown_to(view: RunView, sightings: Sequence[Sighting], epoch: int) -> list[dict[str, Any]]:
    """List what the hosts saw and the journal does not know, host by host; empty when nothing.

    Args:
        view: the run as the journal has it.
        epoch: that of the engine that asks, which no host can have seen: it has sent nothing yet.

    Returns:
        One item a host: ``host``, ``epoch`` (0 when the journal knows it), ``jobs`` as
        ``STEP#ATTEMPT``.  Empty also when a person accepted all of it before (OP_ACCEPT).
    """
    found = []
    for one in sightings:
        above = one.epoch if one.epoch >= epoch else 0
        jobs = [f"{step}#{n}" for step, n in one.jobs if not _is_known(view, step, n)]
        if above or jobs:
            found.append({"host": one.host, "epoch": above, "jobs": jobs})
    return [] if view.accepted and all(_was_accepted(view, item) for item in found) else found


def _was_accepted(view: RunView, item: Mapping[str, Any]) -> bool:
    before = [old for old in view.behind if old["host"] == item["host"]]
    jobs = {name for old in before for name in old["jobs"]}
    return bool(before) and not item["epoch"] and jobs.issuperset(item["jobs"])


def _is_known(view: RunView, step: str, number: int) -> bool:
    # the jobs of probes, checks and undos are called STEP.WHAT
    seen = view.steps.get(step) or view.steps.get(step.rpartition(".")[0])
    if seen is None:
        return False
    return any(unit.attempt >= number for unit in list(seen.units.values()))


def highest_epoch(view: RunView) -> int:
    """Return the highest epoch that a host was seen to know and the journal did not; 0 if none."""
    return max((int(item.get("epoch", 0)) for item in view.behind), default=0)


def in_words(behind: Sequence[Mapping[str, Any]]) -> str:
    """Return what was seen as a part of a sentence: ``db-b (epoch 3, promote#1)``."""
    return ", ".join(_one(item) for item in behind)


def _one(item: Mapping[str, Any]) -> str:
    epoch = [f"epoch {item['epoch']}"] if item.get("epoch") else []
    return f"{item['host']} ({', '.join([*epoch, *item.get('jobs', ())])})"
