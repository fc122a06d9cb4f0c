"""What ``dr undo`` shows before it asks: which steps are taken back, how, and which are left."""

from __future__ import annotations

from dataclasses import dataclass

from dr.engine.core.errors import UserError
from dr.engine.core.model import Runbook, Step
from dr.engine.core.ports import ActionKind, Actions, RunRecord
from dr.engine.core.states import StepState
from dr.engine.core.takeback import units_to_take_back
from dr.engine.core.view import RunView
from dr.engine.loader.loading import load


@dataclass(frozen=True, slots=True)
class Undoing:
    """A step on a host as an undo would treat it.

    ``how``: undo, look (it is in doubt: that is settled first), none (it has no undo), hand (a
    person did it).
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
        UserError: there is no such step, it did nothing, or an undo is under way.
    """
    runbook = load(record.source, actions=actions, file=record.file)
    if back_to is not None and back_to not in runbook.by_id:
        known = ", ".join(runbook.by_id)
        raise UserError(f"run {record.id} has no step '{back_to}'", hint=f"Known: {known}.")
    if view.undo is not None:
        raise UserError(
            f"an undo of run {record.id} is under way",
            hint=f"Look at it with: dr status {record.id}",
        )
    found = [
        Undoing(step.id, unit.host or "", *_how(step, unit.state, actions))
        for step, unit in units_to_take_back(runbook, view, back_to)
    ]
    if not found:
        raise UserError(
            f"run {record.id} has done nothing that could be taken back",
            hint=f"Look at it with: dr status {record.id}",
        )
    return [*found, *_by_hand(runbook, view, actions)]


def _how(step: Step, state: StepState, actions: Actions) -> tuple[str, str, bool]:
    uses = step.undo.uses if step.undo else step.uses
    if step.undo is None and not actions.get(step.uses).spec.undoes:
        return "none", "", False
    asks = step.undo is not None and step.undo.gate is not None
    return ("look" if state is StepState.IN_DOUBT else "undo"), uses, asks


def _by_hand(runbook: Runbook, view: RunView, actions: Actions) -> list[Undoing]:
    """List tasks that people did: nobody but they can take them back."""
    return [
        Undoing(step.id, "", "hand")
        for step in runbook.walk()
        if step.uses
        and actions.get(step.uses).spec.kind is ActionKind.TASK
        and step.id in view.steps
        and view.steps[step.id].state is StepState.SUCCEEDED
    ]
