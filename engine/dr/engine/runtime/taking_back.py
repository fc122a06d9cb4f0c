"""Carry out an operator's wish to take steps back: look first, undo, ask at the first failure."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.model import Step
from dr.engine.core.ports import Presence, Probe
from dr.engine.core.questions import QuestionKind
from dr.engine.core.states import PROVEN, StepState
from dr.engine.core.takeback import Unit, is_left, units_to_take_back
from dr.engine.core.values import Text
from dr.engine.core.view import UnitView
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.gates import Gatekeeper, authority_over
from dr.engine.runtime.recorder import StoppedError
from dr.engine.runtime.undoing import Undoer

log = logging.getLogger("dr.runtime")

_S = StepState


@dataclass(frozen=True)
class TakingBack:
    """Takes back what ``RunView.undo`` wishes; runs in a worker thread."""

    context: RunContext
    gates: Gatekeeper
    undoer: Undoer

    def go_on(self) -> None:
        """Take back what is not taken back yet, and stop at the first unit that fails.

        People are then asked; whatever was done before stays done, and the next engine goes on
        from the journal alone.
        """
        left: list[Unit] = []
        for step, unit in self._units():
            if self.context.view.undo_is_given_up:
                self._give_up("the run was aborted")
                return
            if self._last_word(step, unit) == "fail":
                self._give_up("people stopped it")
                return
            if not is_left(unit):
                continue
            if self._why_left(step, unit):
                left.append((step, unit))
            elif self.undoer.must_ask(step) or not self._taken_back(step, unit):
                return
        self._finish([(s, u, self._why_left(s, u)) for s, u in left], stopped=False)

    def _units(self) -> list[Unit]:
        wish = self.context.view.undo or {}
        return units_to_take_back(self.context.runbook, self.context.view, wish.get("from"))

    # -- its end

    def _give_up(self, because: str) -> None:
        """End it where it stands; nobody is asked about it any more."""
        for asked in self.context.view.open_questions():
            if asked.is_about_undo:
                self.gates.close_only(asked, "cancelled", because)
        left = [(step, unit, because) for step, unit in self._units() if is_left(unit)]
        self._finish(left, stopped=True)

    def _finish(self, left: list[tuple[Step, UnitView, str]], *, stopped: bool) -> None:
        wish = self.context.view.undo or {}
        data = {
            "whole": wish.get("from") is None,
            "stopped": stopped,
            "left": [{"step": s.id, "host": u.host or "", "because": why} for s, u, why in left],
        }
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

    def _units_of(self, step_id: str) -> list[UnitView]:
        seen = self.context.view.steps.get(step_id)
        return list(seen.units.values()) if seen else []

    # -- one unit

    def _why_left(self, step: Step, unit: UnitView) -> str:
        """Return why a unit is left as it is; empty when it is to be taken back."""
        if not self.undoer.can_undo(step):
            return "this step has no undo"
        if self.undoer.decision(step) == "fail":
            return "people decided against it"
        if self._last_word(step, unit) == "go-on":
            return "its undo failed and people went on"
        return ""

    def _taken_back(self, step: Step, unit: UnitView) -> bool:
        """Take a unit back; what breaks down is put to people like any other failure."""
        try:
            return self._take_back(step, unit)
        except StoppedError:
            raise
        except Exception as error:
            log.exception("step %s could not be taken back", step.id)
            self._ask(step, unit, f"{type(error).__name__}: {error}")
            return False

    def _take_back(self, step: Step, unit: UnitView) -> bool:
        """Look, undo, write down; False when people must say how it goes on."""
        may_act = self._last_word(step, unit) == "retry"
        if unit.state is _S.UNDO_FAILED and self._failed_now(unit) and not may_act:
            self._ask(step, unit, _message(unit))  # the engine died before it could ask
            return False
        if unit.state is not _S.UNDOING:
            seen = self.undoer.look(step, unit)
            if seen.presence is Presence.ABSENT:
                self.undoer.found_gone(step, unit, seen)
                return True
            unclear = seen.presence is Presence.PARTIAL or self._is_blind(step, seen)
            if unclear and not may_act:
                self._ask(step, unit, f"a probe said {seen.presence}: {seen.detail}")
                return False
        if self.undoer.carry_out(step, unit):
            return True
        self._ask(step, unit, _message(unit))
        return False

    def _failed_now(self, unit: UnitView) -> bool:
        """Whether it was this wish that failed, and no undo before it."""
        return unit.undo_wish is not None and unit.undo_wish == self.undoer.wish

    def _is_blind(self, step: Step, seen: Probe) -> bool:
        """Whether a step that can be looked at was not seen now."""
        return self.undoer.conductor.probes(step) and seen.presence is Presence.UNKNOWN

    # -- people

    def _ask(self, step: Step, unit: UnitView, because: str) -> None:
        where_en = f" on {unit.host}" if unit.host else ""
        where_zh = f"（{unit.host}）" if unit.host else ""
        self.gates.ask(
            QuestionKind.FALLBACK,
            step,
            Text(
                en=f"Step '{step.id}'{where_en} could not be taken back: {because}. Try again, "
                "leave it and go on with the steps before it, or stop and let the run fail?",
                zh=f"步骤“{step.id}”{where_zh}未能撤销：{because}。"
                "重试、保留并继续撤销前面的步骤，还是停止并让本次运行失败？",
            ),
            ("retry", "go-on", "fail"),
            approvers=authority_over(self.context, step),
            undo_failed=step.id,
            host=unit.host or "",
            because=because,
            wish=self.undoer.wish,
            number=unit.undo_number,
        )

    def _last_word(self, step: Step, unit: UnitView) -> str:
        """Return what people said about the last try to take a unit back; empty when nothing."""
        for asked in reversed(self.context.view.questions_of(step.id)):
            card = asked.question.card
            if "undo_failed" in card and card.get("host", "") == (unit.host or ""):
                same = (self.undoer.wish, unit.undo_number)
                return asked.outcome if (card.get("wish"), card.get("number")) == same else ""
        return ""


def _message(unit: UnitView) -> str:
    return str((unit.error or {}).get("message", "its undo failed"))
