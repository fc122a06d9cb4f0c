"""What a wish to take back is about: which units, in which order, and which are left alone.

Pure: the engine and the page that asks a person first read the same list.
"""

from __future__ import annotations

from dr.engine.core.model import Effect, Runbook, Step
from dr.engine.core.states import ENDED, StepState
from dr.engine.core.view import RunView, UnitView

_S = StepState
_NEVER = 2**63
"""Later than every event: what has not come to its end is the latest."""

NOT_DONE = frozenset({_S.PENDING, _S.READY, _S.WAITING, _S.SKIPPED, _S.CANCELLED, _S.FAILED})
"""States of a unit that did not end well."""

Unit = tuple[Step, UnitView]


def units_to_take_back(runbook: Runbook, view: RunView, back_to: str | None) -> list[Unit]:
    """List the units that acted, the one that ended last first.

    What a probe found done before this run acted is somebody else's work and not among them, nor
    is what only read, nor ``finally``.  A unit in doubt counts as the latest.

    Args:
        back_to: the step to go back to, itself included; None goes back to the beginning.  A step
            of a ladder that has ended stands for its ladder: another rung may be chosen then, and
            nothing of the first one may be left.
    """
    found = [
        (step, unit)
        for step in runbook.walk()
        if not step.in_finally and step.uses and step.effect is not Effect.READ
        for unit in _units(view, step.id)
        if acted(unit)
    ]
    named = _named(runbook, view, back_to)
    begin = beginning(runbook, view, back_to)
    late = [(step, unit) for step, unit in found if step.id in named or _ended(unit) >= begin]
    return sorted(late, key=lambda pair: _ended(pair[1]), reverse=True)


def _units(view: RunView, step: str) -> list[UnitView]:
    seen = view.steps.get(step)
    return list(seen.units.values()) if seen else []


def acted(unit: UnitView) -> bool:
    """Whether an effect of this run may be there: what a probe found before it acted is not."""
    if unit.state is _S.UNDONE:
        return False
    if unit.left:
        return True
    found_before = unit.state is _S.ALREADY_DONE and unit.begun != unit.attempt
    return unit.intent is not None and not found_before


def _named(runbook: Runbook, view: RunView, back_to: str | None) -> frozenset[str]:
    if back_to is None:
        return frozenset()
    step = runbook.by_id[back_to]
    above = view.steps.get(step.ladder or "")
    if step.ladder is not None and above is not None and above.state in ENDED:
        step = runbook.by_id[step.ladder]
    return frozenset({step.id, *(inner.id for rung in step.rungs for inner in rung.steps)})


def beginning(runbook: Runbook, view: RunView, back_to: str | None) -> int:
    """Return the number of the event from which on everything is taken back."""
    if back_to is None:
        return 0
    named = _named(runbook, view, back_to)
    ends = [_ended(unit) for one in named for unit in _units(view, one) if unit.effect_ended]
    own = [view.steps[one].end_seq for one in named if one in view.steps]
    return min([*ends, *(seq for seq in own if seq)], default=_NEVER)


def _ended(unit: UnitView) -> int:
    if unit.state in {_S.IN_DOUBT, _S.RUNNING}:
        return _NEVER
    return unit.effect_ended or _NEVER


def may_be_left(unit: UnitView) -> bool:
    """Whether an effect of a unit that did not end well may be there."""
    if unit.left:
        return True
    if unit.error is None:
        return unit.state is _S.FAILED
    return unit.error.get("effect") != "none"


def is_left(unit: UnitView) -> bool:
    """Whether something of a unit that acted may be there to be taken back."""
    return unit.state not in NOT_DONE or may_be_left(unit)
