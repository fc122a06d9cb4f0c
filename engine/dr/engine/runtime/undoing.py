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
from dr.engine.core.ports import Found, Presence, Probe
from dr.engine.core.questions import QuestionKind
from dr.engine.core.states import PROVEN, StepState
from dr.engine.core.takeback import may_be_left, units_to_take_back
from dr.engine.core.values import Text
from dr.engine.core.view import UnitView
from dr.engine.runtime.attempts import Conductor, error_data
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.gates import Gatekeeper, authority_over, group_of
from dr.engine.runtime.recorder import StoppedError
from dr.engine.runtime.world import AttemptWorld

log = logging.getLogger("dr.runtime")

_S = StepState
_NOT_DONE = frozenset({_S.PENDING, _S.READY, _S.WAITING, _S.SKIPPED, _S.CANCELLED, _S.FAILED})


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

    def take_back(self) -> None:
        """Carry out an operator's wish: look first, undo, and stop at the first that fails.

        People are then asked; whatever was done before stays done, and the next engine goes on
        from the journal alone.
        """
        wish = self.context.view.undo
        if wish is None:
            return
        left: list[dict[str, str]] = []
        units = units_to_take_back(self.context.runbook, self.context.view, wish.get("from"))
        for step, unit in units:
            if self._must_ask(step):
                return
            if self._last_word(step, unit) == "fail":
                self.give_up()
                return
            because = self._leaves(step, unit)
            if because:
                left.append({"step": step.id, "host": unit.host or "", "because": because})
            elif not self._take_back_unit(step, unit):
                return
        self._finish(left, stopped=False)

    def give_up(self) -> None:
        """End an operator's wish where it stands: people said that it goes no further."""
        wish = self.context.view.undo or {}
        units = units_to_take_back(self.context.runbook, self.context.view, wish.get("from"))
        stands = "people stopped it"
        left = [{"step": s.id, "host": u.host or "", "because": stands} for s, u in units]
        self._finish(left, stopped=True)

    def _finish(self, left: list[dict[str, str]], *, stopped: bool) -> None:
        wish = self.context.view.undo or {}
        data = {"whole": wish.get("from") is None, "stopped": stopped, "left": left}
        drafts = [Draft(Kind.STEP_FINISHED, step, data=end) for step, end in self._sums()]
        passage("before-undone")
        self.context.recorder.write(*drafts, Draft(Kind.RUN_UNDONE, data=data))
        passage("after-undone")

    def _sums(self) -> list[tuple[str, dict[str, object]]]:
        """List the ladders and fan-outs of which something was taken back, with what they are."""
        view = self.context.view
        found: list[tuple[str, dict[str, object]]] = []
        for step in self.context.runbook.walk():
            seen = view.steps.get(step.id)
            if seen is None or not (step.is_ladder or seen.fan_out) or seen.state not in PROVEN:
                continue
            inner = [s.id for r in step.rungs for s in r.steps] if step.is_ladder else [step.id]
            states = {unit.state for one in inner for unit in self._units_of(one)}
            failed = _S.UNDO_FAILED in states
            if failed or _S.UNDONE in states:
                state = _S.UNDO_FAILED if failed else _S.UNDONE
                found.append((step.id, {"state": state, "outputs": dict(seen.outputs)}))
        return found

    def _units_of(self, step_id: str) -> Sequence[UnitView]:
        seen = self.context.view.steps.get(step_id)
        return list(seen.units.values()) if seen else []

    def _leaves(self, step: Step, unit: UnitView) -> str:
        """Return why a unit is left as it is; empty when it is to be taken back."""
        if unit.state in _NOT_DONE and not may_be_left(unit):
            return ""
        if unit.state in _NOT_DONE - {_S.FAILED}:
            return "an earlier attempt may have left something"
        if not self._can_undo(step):
            return "this step has no undo"
        if self._decision(step) == "fail":
            return "people decided against it"
        if self._last_word(step, unit) == "go-on":
            return "its undo failed and people went on"
        return ""

    def _take_back_unit(self, step: Step, unit: UnitView) -> bool:
        """Look, undo, write down; False when people must say how it goes on."""
        if unit.state in _NOT_DONE and not may_be_left(unit):
            return True
        if unit.state is not _S.UNDOING:
            seen = self._look(step, unit)
            if seen.presence is Presence.ABSENT:
                self._found_gone(step, unit, seen)
                return True
            unclear = seen.presence is Presence.PARTIAL or self._is_blind(step, seen)
            if unclear and self._last_word(step, unit) != "retry":
                self._ask_how_to_go_on(step, unit, f"a probe said {seen.presence}: {seen.detail}")
                return False
        if self._carry_out(step, unit):
            return True
        message = str((unit.error or {}).get("message", "its undo failed"))
        self._ask_how_to_go_on(step, unit, message)
        return False

    def _look(self, step: Step, unit: UnitView) -> Probe:
        passage("before-undo-look")
        attempt = self.context.attempt(step, unit.host, unit.attempt, late=True)
        try:
            seen = self.conductor.look(step, attempt, self.context.ports.actions.get(step.uses))
        except StoppedError:
            raise
        except DrError as error:
            seen = Probe(Presence.UNKNOWN, error.message)
        return seen

    def _is_blind(self, step: Step, seen: Probe) -> bool:
        """Whether a step that can be looked at was not seen now."""
        probes = step.probe is not None or self.context.ports.actions.get(step.uses).spec.probes
        return probes and seen.presence is Presence.UNKNOWN

    def _found_gone(self, step: Step, unit: UnitView, seen: Probe) -> None:
        """Write down that there is nothing to take back, as one act that needed no hand."""
        intent: dict[str, object] = {"describes": [], "number": self._number(unit)}
        finished: dict[str, object] = {"state": "undone", "via": "probe", "detail": seen.detail}
        for kind, data in ((Kind.UNDO_INTENT, intent), (Kind.UNDO_FINISHED, finished)):
            self._write(kind, step, unit, data)

    def _ask_how_to_go_on(self, step: Step, unit: UnitView, because: str) -> None:
        where = f" on {unit.host}" if unit.host else ""
        self.gates.ask(
            QuestionKind.FALLBACK,
            step,
            Text(
                en=f"Step '{step.id}'{where} could not be taken back: {because}. Try again, leave "
                "it and go on with the steps before it, or stop and let the run fail?",
                zh=f"步骤“{step.id}”{where} 未能撤销：{because}。"
                "重试、保留并继续撤销前面的步骤，还是停止并让本次运行失败？",
            ),
            ("retry", "go-on", "fail"),
            approvers=authority_over(self.context, step),
            undo_failed=step.id,
            host=unit.host or "",
            because=because,
            wish=(self.context.view.undo or {}).get("seq"),
        )

    def _last_word(self, step: Step, unit: UnitView) -> str:
        """Return what people last said about a unit whose undo failed; empty when nothing."""
        wish = self.context.view.undo or {}
        for asked in reversed(self.context.view.questions_of(step.id)):
            card = asked.question.card
            if "undo_failed" in card and card.get("host", "") == (unit.host or ""):
                return asked.outcome if card.get("wish") == wish.get("seq") else ""
        return ""

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
        return not may_be_left(unit)

    def _can_undo(self, step: Step) -> bool:
        if step.undo is not None:
            return True
        return self.context.ports.actions.get(step.uses).spec.undoes

    def _carry_out(self, step: Step, unit: UnitView) -> bool:
        base = self.context.attempt(step, unit.host, unit.attempt, late=True)
        number = self._number(unit)
        uses, attempt = step.uses, replace(base, step=f"{step.id}.undo", number=number)
        if step.undo is not None:
            uses = step.undo.uses
            attempt = self.context.call_attempt(step, step.undo, base, "undo")
            attempt = replace(attempt, number=number, timeout=step.undo.timeout or step.timeout)
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
        if unit.state is _S.UNDOING:
            # looking for the try that was cut off has withdrawn its number for good
            number += 1
            attempt = replace(attempt, number=number)
            world = AttemptWorld(self.context, attempt, Kind.UNDO_HANDLE)
        describes = list(action.describe(attempt))
        data = {"describes": describes, "number": number}
        self._write(Kind.UNDO_INTENT, step, unit, data)
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

    def _number(self, unit: UnitView) -> int:
        """Return the number of this try: that of one under way, else one never used before.

        A host starts a job once for each number, so a second try under the first one's would only
        find the first again.
        """
        if unit.state is _S.UNDOING:
            return unit.undo_number
        return max(unit.attempt, unit.undo_number + 1)

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
