"""Take effects back, in reverse order, written down like any other act."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NoReturn

from dr.engine.core.errors import DrError, FencedError, HeldError, LostContactError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.model import Effect, Step
from dr.engine.core.ports import Action, Attached, Attempt, Found, Presence, Probe
from dr.engine.core.questions import QuestionKind
from dr.engine.core.states import StepState
from dr.engine.core.takeback import NOT_DONE, acted, is_left, may_be_left
from dr.engine.core.values import Text
from dr.engine.core.view import UnitView
from dr.engine.runtime.attempts import Conductor, error_data
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
    conductor: Conductor

    def undo(self, steps: Sequence[Step]) -> Left:
        """Undo what is undoable of ``steps``, the one that ended last first.

        An effect is left where a step that acted has no undo, where its undo failed or was
        refused by people, or where it failed in a way that may have left something behind.
        """
        clean = True
        for step in sorted(steps, key=self._ended, reverse=True):
            if self.must_ask(step):
                return Left.WAITS
            for unit in self._units(step):
                clean = self._undo_unit(step, unit) and clean
        return Left.NOTHING if clean else Left.SOMETHING

    def _ended(self, step: Step) -> int:
        seen = self.context.view.steps.get(step.id)
        ends = [unit.effect_ended for unit in self._units(step)]
        return max([*ends, seen.end_seq if seen else 0])

    @property
    def wish(self) -> int | None:
        """The number of the event by which a person wished it; None when the runbook says so."""
        wish = self.context.view.undo
        return None if wish is None else int(wish["seq"])

    def must_ask(self, step: Step) -> bool:
        """Ask the undo's own gate where it has one; return whether it is not decided."""
        if step.undo is None or step.undo.gate is None:
            return False
        if not any(self._would_act(unit) for unit in self._units(step)):
            return False
        if self.decision(step):
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
            wish=self.wish,
        )
        return True

    def _would_act(self, unit: UnitView) -> bool:
        if not acted(unit):
            return False
        if self.wish is not None:
            return is_left(unit)
        return unit.state in {_S.SUCCEEDED, _S.ALREADY_DONE}

    def decision(self, step: Step) -> str:
        """Return what people decided about this undo; empty while they have not."""
        for asked in reversed(self.context.view.questions_of(step.id)):
            card = asked.question.card
            if "undo" in card and card.get("wish") == self.wish:
                return asked.outcome
        return ""

    def _units(self, step: Step) -> Sequence[UnitView]:
        seen = self.context.view.steps.get(step.id)
        return list(seen.units.values()) if seen else []

    def _undo_unit(self, step: Step, unit: UnitView) -> bool:
        if step.effect is Effect.READ or not acted(unit):
            return True  # this run never acted: what a probe found was there before
        if unit.state in NOT_DONE:
            return not may_be_left(unit)
        if unit.state not in {_S.SUCCEEDED, _S.ALREADY_DONE, _S.UNDOING, _S.UNDO_FAILED}:
            return False
        if not self.can_undo(step) or self.decision(step) == "fail":
            return False
        return self.carry_out(step, unit)

    def can_undo(self, step: Step) -> bool:
        """Whether the step or its action has an undo."""
        if step.undo is not None:
            return True
        return self.context.ports.actions.get(step.uses).spec.undoes

    # -- one unit

    def carry_out(self, step: Step, unit: UnitView) -> bool:
        """Take one unit back and write down how that ended; an undo that was cut off goes on."""
        number = self._number(unit)
        try:
            action, attempt = self._prepared(step, unit, number)
            if unit.state is _S.UNDOING:
                ended = self._cut_off(step, unit, action, attempt)
                if ended is not None:
                    return ended
                # looking for the try that was cut off has withdrawn its number for good
                attempt = replace(attempt, number=number + 1)
            describes = list(action.describe(attempt))
        except StoppedError:
            raise
        except FencedError as error:
            self._stop(error)
        except DrError as error:
            if unit.state is not _S.UNDOING:
                self.begin(step, unit, number, [])
            return self._end(step, unit, error)
        self.begin(step, unit, attempt.number, describes)
        passage("before-undo")
        self.context.recorder.require_lease()
        return self._acted(step, unit, action, attempt)

    def _prepared(self, step: Step, unit: UnitView, number: int) -> tuple[Action, Attempt]:
        base = self.context.attempt(step, unit.host, unit.attempt, late=True)
        uses, attempt = step.uses, replace(base, step=f"{step.id}.undo", number=number)
        if step.undo is not None:
            uses = step.undo.uses
            attempt = self.context.call_attempt(step, step.undo, base, "undo")
            attempt = replace(attempt, number=number, timeout=step.undo.timeout or step.timeout)
        return self.context.ports.actions.get(uses), attempt

    def _acted(self, step: Step, unit: UnitView, action: Action, attempt: Attempt) -> bool:
        world = AttemptWorld(self.context, attempt, Kind.UNDO_HANDLE)
        try:
            own = step.undo is None
            _ = action.undo(attempt, world) if own else action.perform(attempt, world)
        except StoppedError:
            raise
        except FencedError as error:
            self._stop(error)
        except DrError as error:
            return self._end(step, unit, error)
        except Exception as error:
            log.exception("the undo of step %s broke down", step.id)
            wrapped = LostContactError(f"undo broke down: {type(error).__name__}: {error}")
            return self._end(step, unit, wrapped)
        passage("after-undo")
        return self._end(step, unit, None)

    def _cut_off(self, step: Step, unit: UnitView, action: Action, attempt: Attempt) -> bool | None:
        """Find the try that an engine left under way; None when another may begin.

        Its own end counts first, then what can be seen: what is gone is not taken back twice.
        """
        found = self._found(unit, action, attempt)
        if found.found is Found.ENDED:
            return self._end(step, unit, found.error)
        if found.found is not Found.UNKNOWN:
            seen = self.look(step, unit)
            if seen.presence is Presence.ABSENT:
                self._found_gone(step, unit, seen)
                return True
            if found.found is Found.NEVER_STARTED or self._may_repeat(step):
                return None
        error = LostContactError(f"undo is in doubt: {found.detail}")
        return self._end(step, unit, error)

    def _found(self, unit: UnitView, action: Action, attempt: Attempt) -> Attached:
        if not action.spec.attaches:
            return Attached(Found.GONE, "the engine died before it wrote the end")
        world = AttemptWorld(self.context, attempt, Kind.UNDO_HANDLE)
        return action.attach(replace(attempt, handle=unit.handle), world)

    def _may_repeat(self, step: Step) -> bool:
        """Whether an undo that was cut off may be begun again; an action's own always can."""
        effect = step.undo.effect if step.undo else Effect.IDEMPOTENT
        return effect not in {Effect.ONCE, Effect.IRREVERSIBLE}

    def _number(self, unit: UnitView) -> int:
        """Return the number of this try: that of one under way, else one never used before.

        A host starts a job once for each number, so a second try under the first one's would only
        find the first again.
        """
        if unit.state is _S.UNDOING:
            return unit.undo_number
        return max(unit.attempt, unit.undo_number + 1)

    # -- looking

    def look(self, step: Step, unit: UnitView) -> Probe:
        """Return whether the effect is there; what can not be looked at is UNKNOWN."""
        passage("before-undo-look")
        try:
            attempt = self.context.attempt(step, unit.host, unit.attempt, late=True)
            return self.conductor.look(step, attempt, self.context.ports.actions.get(step.uses))
        except StoppedError:
            raise
        except DrError as error:
            return Probe(Presence.UNKNOWN, error.message)

    def found_gone(self, step: Step, unit: UnitView, seen: Probe) -> None:
        """Write down that there is nothing to take back, as one act that needed no hand."""
        self.begin(step, unit, self._number(unit), [])
        self._found_gone(step, unit, seen)

    def _found_gone(self, step: Step, unit: UnitView, seen: Probe) -> None:
        data: dict[str, object] = {"state": "undone", "via": "probe", "detail": seen.detail}
        self._write(Kind.UNDO_FINISHED, step, unit, data)

    # -- writing

    def begin(self, step: Step, unit: UnitView, number: int, describes: list[str]) -> None:
        """Write the intent to take a unit back."""
        data: dict[str, object] = {"describes": describes, "number": number, "wish": self.wish}
        self._write(Kind.UNDO_INTENT, step, unit, data)

    def _end(self, step: Step, unit: UnitView, error: DrError | None) -> bool:
        data: dict[str, object] = {"state": "undo_failed" if error else "undone"}
        if error is not None:
            data["error"] = error_data(error)
        self._write(Kind.UNDO_FINISHED, step, unit, data)
        return error is None

    def _write(self, kind: Kind, step: Step, unit: UnitView, data: dict[str, object]) -> None:
        self.context.recorder.write(Draft(kind, step.id, unit.host, unit.attempt, data))

    def _stop(self, error: FencedError) -> NoReturn:
        """Another engine has the run: this one writes and does nothing more."""
        self.context.recorder.stop(HeldError(error.message, hint=error.hint))
        raise StoppedError(error.message, hint=error.hint) from error
