"""What a wish to take back is about: which units, in which order, and which are left alone.

Pure: the engine and the page that asks a person first read the same list.
"""

from __future__ import annotations

from datetime import UTC, datetime

from dr.engine.core.model import Effect, Runbook, Step
from dr.engine.core.states import StepState
from dr.engine.core.view import RunView, UnitView

_S = StepState
_LONG_AGO, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

Unit = tuple[Step, UnitView]


def units_to_take_back(runbook: Runbook, view: RunView, back_to: str | None) -> list[Unit]:
    """List the units that acted, the one that ended last first.

    What a probe found done before this run acted is somebody else's work and not among them, nor
    is what only read, nor ``finally``.  A unit in doubt counts as the latest.

    Args:
        back_to: the step to go back to, itself included; None goes back to the beginning.
    """
    found = [
        (step, unit)
        for step in runbook.walk()
        if not step.in_finally and step.uses and step.effect is not Effect.READ
        for unit in _units(view, step.id)
        if _acted(unit)
    ]
    named, begin = _beginning(runbook, view, back_to)
    late = [(step, unit) for step, unit in found if step.id in named or _ended(unit) >= begin]
    return sorted(late, key=lambda pair: _ended(pair[1]), reverse=True)


def _units(view: RunView, step: str) -> list[UnitView]:
    seen = view.steps.get(step)
    return list(seen.units.values()) if seen else []


def _acted(unit: UnitView) -> bool:
    if unit.state is _S.UNDONE:
        return False
    return unit.left or unit.intent is not None


def _beginning(runbook: Runbook, view: RunView, back_to: str | None) -> tuple[set[str], datetime]:
    """Return the steps to go back to, and the moment from which on everything else goes."""
    if back_to is None:
        return set(), _LONG_AGO
    rungs = runbook.by_id[back_to].rungs
    named = {back_to, *(step.id for rung in rungs for step in rung.steps)}
    ends = [_ended(unit) for one in named for unit in _units(view, one) if _acted(unit)]
    seen = view.steps.get(back_to)
    own = [seen.ended] if seen and seen.ended else []
    return named, min([*ends, *own], default=_NEVER)


def _ended(unit: UnitView) -> datetime:
    if unit.state in {_S.IN_DOUBT, _S.RUNNING} or unit.effect_ended is None:
        return _NEVER
    return unit.effect_ended


def may_be_left(unit: UnitView) -> bool:
    """Whether an effect of a unit that did not end well may be there."""
    if unit.left:
        return True
    if unit.error is None:
        return unit.state is _S.FAILED
    return unit.error.get("effect") != "none"
