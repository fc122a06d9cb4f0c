"""When steps could run, worked out from the runbook alone: waves, batches, critical path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import floor
from typing import TypeVar

from dr.engine.core.model import Step

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Path:
    """The chain of steps that decides how long a run takes at least.

    ``p50`` and ``p90`` add up the steps that have a measurement; ``unmeasured`` names the others,
    so that a sum without them is never taken for the whole.  The sum of the P90 is careful: not
    every step is slow in the same run.
    """

    steps: tuple[str, ...] = ()
    p50: timedelta = timedelta()
    p90: timedelta = timedelta()
    unmeasured: tuple[str, ...] = ()


def waves(steps: Sequence[Step]) -> list[tuple[Step, ...]]:
    """Group steps into waves: each starts when what it needs, in earlier waves, has ended.

    Steps keep their order on the page within a wave.  A ladder stands as one step.

    Raises:
        ValueError: steps wait for one another.  Needs outside ``steps`` count as ended.
    """
    level: dict[str, int] = {}
    for step in _in_order(steps):
        level[step.id] = 1 + max((level[need] for need in step.needs if need in level), default=-1)
    found: list[list[Step]] = [[] for _ in range(1 + max(level.values(), default=-1))]
    for step in steps:
        found[level[step.id]].append(step)
    return [tuple(wave) for wave in found]


def batches(hosts: Sequence[T], sizes: Iterable[int | str]) -> list[list[T]]:
    """Cut a fan-out into batches, as Ansible's ``serial`` does.

    Args:
        sizes: counts, or percentages of all hosts (``"25%"``), rounded down but at least one
            host; used in order, the last one repeats until every host has had its turn.

    Raises:
        ValueError: there is no size, or one that is neither a count above 0 nor a percentage.
    """
    counts = [_count(size, len(hosts)) for size in sizes]
    if not counts:
        raise ValueError("a strategy needs at least one batch")
    cut: list[list[T]] = []
    at = 0
    while at < len(hosts):
        count = counts[min(len(cut), len(counts) - 1)]
        cut.append(list(hosts[at : at + count]))
        at += count
    return cut


def allowed_failures(limit: int | str, hosts: int) -> int:
    """Return how many of ``hosts`` may fail; a percentage is rounded down."""
    if isinstance(limit, str):
        return floor(_percent(limit) * hosts / 100 + _ROUNDING)
    return limit


def critical_path(
    steps: Sequence[Step], durations: Mapping[str, tuple[timedelta, timedelta]]
) -> Path:
    """Return the longest chain of steps by P90; of two equal ones that with more steps.

    Args:
        durations: P50 and P90 of a step by its id; a step that is not in it is unmeasured and
            counts nothing.

    Raises:
        ValueError: steps wait for one another.
    """
    nothing = timedelta()
    ends: dict[str, tuple[timedelta, int]] = {}  # when it ends, and how many steps that took
    before: dict[str, str | None] = {}
    for step in _in_order(steps):
        known = [need for need in step.needs if need in ends]
        last = max(known, key=lambda need: ends[need], default=None)
        before[step.id] = last
        own = durations.get(step.id, (nothing, nothing))[1]
        start, count = ends[last] if last is not None else (nothing, 0)
        ends[step.id] = start + own, count + 1
    chain: list[str] = []
    current = max(ends, key=lambda id_: ends[id_], default=None)
    while current is not None:
        chain.append(current)
        current = before[current]
    chain.reverse()
    measured = [durations[id_] for id_ in chain if id_ in durations]
    return Path(
        steps=tuple(chain),
        p50=sum((p50 for p50, _ in measured), nothing),
        p90=sum((p90 for _, p90 in measured), nothing),
        unmeasured=tuple(id_ for id_ in chain if id_ not in durations),
    )


def _in_order(steps: Sequence[Step]) -> list[Step]:
    """Return the steps so that each comes after what it needs (Kahn), stable on the page."""
    inside = {step.id for step in steps}
    missing = {step.id: len(set(step.needs) & inside) for step in steps}
    followers: dict[str, list[Step]] = {step.id: [] for step in steps}
    for step in steps:
        for need in set(step.needs) & inside:
            followers[need].append(step)
    ready = [step for step in steps if not missing[step.id]]
    for step in ready:  # grows while it is walked
        for follower in followers[step.id]:
            missing[follower.id] -= 1
            if not missing[follower.id]:
                ready.append(follower)
    if len(ready) != len(steps):
        waiting = ", ".join(step.id for step in steps if missing[step.id])
        raise ValueError(f"these steps wait for one another: {waiting}")
    return ready


_ROUNDING = 1e-9  # 29% of 100 is 28.999999999999996 to a computer


def _count(size: int | str, hosts: int) -> int:
    if isinstance(size, str):
        return max(1, floor(_percent(size) * hosts / 100 + _ROUNDING))
    if size < 1:
        raise ValueError(f"a batch of {size} hosts never ends")
    return size


def _percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%")) if text.endswith("%") else -1.0
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:  # noqa: PLR2004 - per cent
        raise ValueError(f"'{text}' is not a percentage such as 25%")
    return value
