"""Durations that earlier runs measured, read from the journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from statistics import quantiles

from dr.engine.core.ports import Journal
from dr.engine.core.states import PROVEN
from dr.engine.core.view import fold

_RUNS = 50
_FEW = 2


class MeasuredDurations:
    """The :class:`~dr.engine.core.ports.Estimates` over one environment's ended runs."""

    def __init__(self, journal: Journal, environment: str) -> None:
        self._journal = journal
        self._environment = environment
        self._known: dict[str, dict[str, list[float]]] = {}

    def duration(self, runbook: str, step: str) -> tuple[timedelta, timedelta] | None:
        """Return P50 and P90 of how long the step took when it succeeded; None if never."""
        if runbook not in self._known:
            self._known[runbook] = self._read(runbook)
        return spread(self._known[runbook].get(step, ()))

    def _read(self, runbook: str) -> dict[str, list[float]]:
        found: dict[str, list[float]] = defaultdict(list)
        same = [
            record
            for record in self._journal.runs()
            if record.runbook == runbook and record.environment == self._environment
        ]
        for record in same[:_RUNS]:
            view = fold(record.id, self._journal.events(record.id))
            for seen in view.steps.values():
                unit = seen.latest
                acted = unit is not None and unit.intent is not None and unit.via != "simulated"
                if acted and seen.state in PROVEN and seen.started and seen.ended:
                    found[seen.id].append((seen.ended - seen.started).total_seconds())
        return found


def spread(seconds: Sequence[float]) -> tuple[timedelta, timedelta] | None:
    """Return P50 and P90 of measured durations; None when there are none."""
    if not seconds:
        return None
    if len(seconds) < _FEW:
        return timedelta(seconds=seconds[0]), timedelta(seconds=seconds[0])
    tenths = quantiles(seconds, n=10, method="inclusive")
    return timedelta(seconds=tenths[4]), timedelta(seconds=tenths[8])
