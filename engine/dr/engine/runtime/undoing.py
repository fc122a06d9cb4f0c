"""Take effects back, in reverse order, written down like any other act."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from dr.engine.core.errors import DrError, LostContactError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.model import Effect, Step
from dr.engine.core.ports import Found
from dr.engine.core.questions import QuestionKind
from dr.engine.core.states import StepState
from dr.engine.core.values import Text
from dr.engine.core.view import UnitView
from dr.engine.runtime.attempts import error_data
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.gates import Gatekeeper, group_of
from dr.engine.runtime.recorder import StoppedError
from dr.engine.runtime.world import AttemptWorld

log = logging.getLogger("dr.runtime")

_S = StepState


class Left(Enum):
    """What is left after an undo."""

    NOTHING = "nothing"
    SOMETHING = "something"
    WAITS = "waits"  # people are asked before it goes on


@dataclass(frozen=True)
class Undoer:
    """Undoes steps; runs in a worker thread."""

    context: RunContext
    gates: Gatekeeper

    def undo(self, steps: Sequence[Step]) -> Left:
        """Undo what is undoable of ``steps``, the one that ended last first.

        An effect is left where a step that acted has no undo, where its undo failed or was
        refused by people, or where it failed in a way that may have left something behind.
        """
        clean = True
        for step in sorted(steps, key=self._ended, reverse=True):
            if self._must_ask(step):
                return Left.WAITS
            for unit in list(self._units(step)):
                clean = self._undo_unit(step, unit) and clean
        return Left.NOTHING if clean else Left.SOMETHING

    def _ended(self, step: Step) -> float:
        seen = self.context.view.steps.get(step.id)
        return seen.ended.timestamp() if seen and seen.ended else 0.0

    def _must_ask(self, step: Step) -> bool:
        """Ask the undo's own gate where it has one; return whether it is not decided."""
        if step.undo is None or step.undo.gate is None:
            return False
        acted = {_S.SUCCEEDED, _S.ALREADY_DONE}
        if not any(u.state in acted and u.intent for u in self._units(step)):
            return False
        if self._decision(step):
            return False
        asks = Text.of(step.undo.gate.get("ask")) or Text(
            en=f"Take step '{step.id}' back?", zh=f"是否撤销步骤“{step.id}”？"
        )
        self.gates.ask(
            QuestionKind.FALLBACK,
            step,
            asks,
            ("go-on", "fail"),
            approvers=group_of(step.undo.gate.get("approvers")),
            undo=step.id,
        )
        return True

    def _decision(self, step: Step) -> str:
        """Return what people decided about the undo; empty while they have not."""
        for asked in list(self.context.view.questions.values()):
            if asked.question.step == step.id and "undo" in asked.question.card:
                return asked.outcome
        return ""

    def _units(self, step: Step) -> Sequence[UnitView]:
        seen = self.context.view.steps.get(step.id)
        return list(seen.units.values()) if seen else []

    def _undo_unit(self, step: Step, unit: UnitView) -> bool:
        if step.effect is Effect.READ or unit.state is _S.UNDONE:
            return True
        if unit.intent is None and not unit.left:
            return True  # this run never acted: what a probe found was there before
        if unit.state in {_S.PENDING, _S.READY, _S.WAITING, _S.SKIPPED, _S.CANCELLED, _S.FAILED}:
            return self._left_nothing(unit)
        if unit.state not in {_S.SUCCEEDED, _S.ALREADY_DONE, _S.UNDOING, _S.UNDO_FAILED}:
            return False
        if not self._can_undo(step) or self._decision(step) == "fail":
            return False
        return self._carry_out(step, unit)

    def _left_nothing(self, unit: UnitView) -> bool:
        if unit.left:
            return False
        if unit.error is None:
            return unit.state is not _S.FAILED
        return unit.error.get("effect") == "none"

    def _can_undo(self, step: Step) -> bool:
        if step.undo is not None:
            return True
        return self.context.ports.actions.get(step.uses).spec.undoes

    def _carry_out(self, step: Step, unit: UnitView) -> bool:
        base = self.context.attempt(step, unit.host, unit.attempt, late=True)
        uses, attempt = step.uses, replace(base, step=f"{step.id}.undo")
        if step.undo is not None:
            uses = step.undo.uses
            attempt = self.context.call_attempt(step, step.undo, base, "undo")
            attempt = replace(attempt, timeout=step.undo.timeout or step.timeout)
        action = self.context.ports.actions.get(uses)
        world = AttemptWorld(self.context, attempt, Kind.UNDO_HANDLE)
        if unit.state is _S.UNDOING and action.spec.attaches:
            found = action.attach(replace(attempt, handle=unit.handle), world)
            if found.found is Found.ENDED:
                return self._end(step, unit, found.error)
            if found.found is not Found.NEVER_STARTED and not self._may_repeat(step, found.found):
                error = LostContactError(f"undo is in doubt: {found.detail}")
                return self._end(step, unit, error)
        elif unit.state is _S.UNDOING and not self._may_repeat(step, Found.GONE):
            error = LostContactError("undo is in doubt: the engine died before it wrote the end")
            return self._end(step, unit, error)
        describes = list(action.describe(attempt))
        self._write(Kind.UNDO_INTENT, step, unit, {"describes": describes})
        passage("before-undo")
        self.context.recorder.require_lease()
        try:
            own = step.undo is None
            _ = action.undo(attempt, world) if own else action.perform(attempt, world)
        except StoppedError:
            raise
        except DrError as error:
            return self._end(step, unit, error)
        except Exception as error:
            log.exception("the undo of step %s broke down", step.id)
            wrapped = LostContactError(f"undo broke down: {type(error).__name__}: {error}")
            return self._end(step, unit, wrapped)
        passage("after-undo")
        return self._end(step, unit, None)

    def _may_repeat(self, step: Step, found: Found) -> bool:
        """Whether an interrupted undo, found so, may be begun again; an action's own always can."""
        effect = step.undo.effect if step.undo else Effect.IDEMPOTENT
        return found is Found.GONE and effect not in {Effect.ONCE, Effect.IRREVERSIBLE}

    def _end(self, step: Step, unit: UnitView, error: DrError | None) -> bool:
        data: dict[str, object] = {"state": "undo_failed" if error else "undone"}
        if error is not None:
            data["error"] = error_data(error)
        self._write(Kind.UNDO_FINISHED, step, unit, data)
        return error is None

    def _write(self, kind: Kind, step: Step, unit: UnitView, data: dict[str, object]) -> None:
        self.context.recorder.write(Draft(kind, step.id, unit.host, unit.attempt, data))
