"""What ``dr undo`` shows before it asks: which steps are taken back, how, and which are left."""

from __future__ import annotations

from dataclasses import dataclass

from dr.engine.core.amendment import as_amended
from dr.engine.core.errors import HeldError, UserError
from dr.engine.core.model import Runbook, Step
from dr.engine.core.ports import ActionKind, Actions, RunRecord
from dr.engine.core.states import StepState
from dr.engine.core.takeback import beginning, is_left, units_to_take_back
from dr.engine.core.view import RunView

_FIRST = {StepState.IN_DOUBT: "look", StepState.RUNNING: "wait"}
"""What happens before the undo of a step that has not come to its end."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """A step on a host as an undo would treat it.

    ``how``: undo, wait (it is under way and comes to its end first), look (it is in doubt: that is
    settled first), none (it has no undo), hand (a person did it).
    """

    step: str
    host: str
    how: str
    uses: str = ""
    asks: bool = False  # people decide about this undo first


def undoing(
    record: RunRecord, view: RunView, back_to: str | None, actions: Actions
) -> list[Undoing]:
    """List what an undo would come to, in its order.

    Raises:
        UserError: there is no such step, or nothing was done.
        HeldError: an undo is under way.
    """
    from dr.engine.loader.loading import load

    now = as_amended(record, view)
    runbook = load(now.source, actions=actions, file=now.file)
    if back_to is not None and back_to not in runbook.by_id:
        known = ", ".join(runbook.by_id)
        raise UserError(f"run {record.id} has no step '{back_to}'", hint=f"Known: {known}.")
    if view.undo is not None:
        raise under_way(record.id)
    found = [
        Undoing(step.id, unit.host or "", *_how(step, unit.state, actions))
        for step, unit in units_to_take_back(runbook, view, back_to)
        if is_left(unit) or unit.state in _FIRST
    ]
    if not found:
        raise UserError(
            f"run {record.id} has done nothing that could be taken back",
            hint=f"Look at it with: dr status {record.id}",
        )
    begin = beginning(runbook, view, back_to)
    return [*found, *_by_hand(runbook, view, actions, begin)]


def under_way(run: str) -> HeldError:
    """Return what is said to who wishes a second undo at the same time."""
    return HeldError(
        f"an undo of run {run} is under way already", hint=f"Follow it with: dr attach {run}"
    )


def _how(step: Step, state: StepState, actions: Actions) -> tuple[str, str, bool]:
    uses = step.undo.uses if step.undo else step.uses
    if step.undo is None and not actions.get(step.uses).spec.undoes:
        return "none", "", False
    asks = step.undo is not None and step.undo.gate is not None
    return _FIRST.get(state, "undo"), uses, asks


def _by_hand(runbook: Runbook, view: RunView, actions: Actions, begin: int) -> list[Undoing]:
    """List tasks that people did: nobody but they can take them back."""
    return [
        Undoing(step.id, "", "hand")
        for step in runbook.walk()
        if step.uses
        and actions.get(step.uses).spec.kind is ActionKind.TASK
        and step.id in view.steps
        and view.steps[step.id].state is StepState.SUCCEEDED
        and view.steps[step.id].end_seq >= begin
    ]
