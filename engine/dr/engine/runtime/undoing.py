"""Take effects back, in reverse order, written down like any other act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dr.engine.core.errors import ActionError, DrError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.model import Effect, Step
from dr.engine.core.ports import Found
from dr.engine.core.states import StepState
from dr.engine.core.view import UnitView
from dr.engine.runtime.attempts import error_data
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.world import AttemptWorld

_S = StepState


@dataclass(frozen=True)
class Undoer:
    """Undoes steps; runs in a worker thread."""

    context: RunContext

    def undo(self, steps: Sequence[Step]) -> bool:
        """Undo what is undoable of ``steps``, last first; return whether no effect is left.

        An effect is left where a step that acted has no undo, where its undo failed, or where
        it failed in a way that may have left something behind.
        """
        clean = True
        for step in reversed(steps):
            for unit in list(self._units(step)):
                clean = self._undo_unit(step, unit) and clean
        return clean

    def _units(self, step: Step) -> Sequence[UnitView]:
        seen = self.context.view.steps.get(step.id)
        return list(seen.units.values()) if seen else []

    def _undo_unit(self, step: Step, unit: UnitView) -> bool:
        if step.effect is Effect.READ or unit.intent is None:
            return True
        if unit.state in {_S.UNDONE, _S.ALREADY_DONE, _S.SKIPPED}:
            return True
        if unit.state is _S.FAILED:
            return self._left_nothing(unit)
        if unit.state not in {_S.SUCCEEDED, _S.UNDOING, _S.UNDO_FAILED}:
            return False
        if not self._can_undo(step):
            return False
        return self._carry_out(step, unit)

    def _left_nothing(self, unit: UnitView) -> bool:
        return (unit.error or {}).get("effect") == "none"

    def _can_undo(self, step: Step) -> bool:
        if step.undo is not None:
            return True
        return self.context.ports.actions.get(step.uses).spec.undoes

    def _carry_out(self, step: Step, unit: UnitView) -> bool:
        base = self.context.attempt(step, unit.host, unit.attempt)
        uses, attempt = step.uses, replace(base, step=f"{step.id}.undo")
        if step.undo is not None:
            uses = step.undo.uses
            attempt = self.context.call_attempt(step, step.undo, base, "undo")
            attempt = replace(attempt, timeout=step.undo.timeout or step.timeout)
        action = self.context.ports.actions.get(uses)
        world = AttemptWorld(self.context, attempt, Kind.UNDO_HANDLE)
        if unit.state is _S.UNDOING and action.spec.attaches:
            found = action.attach(replace(attempt, handle=unit.handle), world)
            if found.found is Found.ENDED and found.error is None:
                return self._end(step, unit, None)
            if found.found is Found.UNKNOWN:
                return self._end(step, unit, DrError(f"undo is in doubt: {found.detail}"))
        describes = list(action.describe(attempt))
        self._write(Kind.UNDO_INTENT, step, unit, {"describes": describes})
        passage("before-undo")
        try:
            own = step.undo is None
            _ = action.undo(attempt, world) if own else action.perform(attempt, world)
        except ActionError as error:
            return self._end(step, unit, error)
        passage("after-undo")
        return self._end(step, unit, None)

    def _end(self, step: Step, unit: UnitView, error: DrError | None) -> bool:
        data: dict[str, object] = {"state": "undo_failed" if error else "undone"}
        if error is not None:
            data["error"] = error_data(error)
        self._write(Kind.UNDO_FINISHED, step, unit, data)
        return error is None

    def _write(self, kind: Kind, step: Step, unit: UnitView, data: dict[str, object]) -> None:
        self.context.recorder.write(Draft(kind, step.id, unit.host, unit.attempt, data))
