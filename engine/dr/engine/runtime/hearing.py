"""What people say: answers to questions, operators' wishes, and what a failure asks of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Effect, OnFailure, Step
from dr.engine.core.ports import ActionKind
from dr.engine.core.questions import QuestionKind
from dr.engine.core.states import TAKEN_BACK, StepState
from dr.engine.core.values import Text
from dr.engine.core.view import QuestionView
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.course import Course
from dr.engine.runtime.crew import Crew, Key
from dr.engine.runtime.doubt import Settler
from dr.engine.runtime.gates import Gatekeeper
from dr.engine.runtime.ladder import Ladders
from dr.engine.runtime.sessions import Sessions
from dr.engine.runtime.taking_back import TakingBack
from dr.engine.runtime.undoing import Left, Undoer

log = logging.getLogger("dr.runtime")

_S = StepState
_MAY_BE_MOVED = TAKEN_BACK | {_S.FAILED, _S.PENDING}
_UNDER_WAY = frozenset({_S.RUNNING, _S.IN_DOUBT})
_UNDO: Key = ("*undo*", None)
"""What a worker is busy with who takes back; no step can be called so."""


@dataclass(frozen=True)
class Hearing:
    """Acts on what people say; runs in the main loop."""

    context: RunContext
    course: Course
    crew: Crew
    gates: Gatekeeper
    ladders: Ladders
    settler: Settler
    undoer: Undoer
    taking_back: TakingBack
    sessions: Sessions

    # -- wishes

    def obey(self) -> None:
        """Carry out operators' wishes; a wish that fits no more is dropped by the fold."""
        for event in self.context.recorder.wishes():
            self._obey(event.kind, event.step or "", event.data)
        if self.context.view.abort is not None and not self.crew.is_busy(_UNDO):
            self.context.stopping.set()

    def _obey(self, kind: Kind, step_id: str, data: Mapping[str, Any]) -> None:
        step = self.context.runbook.by_id.get(step_id)
        seen = self.context.view.steps.get(step_id)
        if step is None or (seen.state if seen else _S.PENDING) not in _MAY_BE_MOVED:
            return
        if kind is Kind.OP_SKIP and self.context.is_gate(step):
            return  # the right to run is not the right to approve
        because = f"{data.get('by', '')}: {data.get('because', '')}"
        self.close_questions(step_id, "retry" if kind is Kind.OP_RETRY else "skip", because)
        if kind is Kind.OP_RETRY:
            self._reopen(step, because)
        else:
            self._skip(step, because, str(data.get("by", "")))
        self.course.derive()

    def _reopen(self, step: Step, because: str) -> None:
        """Let a step begin anew; one that was taken back waits for its gates, asked once more."""
        data: dict[str, Any] = {"because": because, "keep_done": True, "rungs": step.is_ladder}
        inner = [s.id for r in step.rungs for s in r.steps if s.id in self.context.view.steps]
        gates = self._approved_before(step) if self._is_taken_back(step) else []
        own = {**data, "guards": gates} if gates else data
        again = [*gates, *self._built_upon(step)]
        self.context.recorder.write(
            *(Draft(Kind.STEP_REOPENED, one, data=data) for one in (*again, *inner)),
            Draft(Kind.STEP_REOPENED, step.id, data=own),
        )

    def _is_taken_back(self, step: Step) -> bool:
        seen = self.context.view.steps.get(step.id)
        return seen is not None and seen.state in TAKEN_BACK

    def _approved_before(self, step: Step) -> list[str]:
        """List the gates before a step that people approved before it was taken back."""
        before = self.context.runbook.before(step.id)
        gates = [s for s in self.context.runbook.steps if s.id in before]
        return [s.id for s in gates if self.context.is_gate(s) and self._is_old(s)]

    def _built_upon(self, step: Step) -> list[str]:
        """List what was looked at or asked after a step that was taken back: it holds no more."""
        if not self._is_taken_back(step):
            return []
        people = {ActionKind.GATE, ActionKind.TASK}
        return [
            one.id
            for one in self.context.runbook.steps
            if one.uses
            and step.id in self.context.runbook.before(one.id)
            and (
                one.effect is Effect.READ
                or self.context.ports.actions.get(one.uses).spec.kind in people
            )
            and self._is_old(one)
        ]

    def _is_old(self, step: Step) -> bool:
        """Whether a step ended well before the last steps were taken back."""
        view = self.context.view
        seen = view.steps.get(step.id)
        if seen is None or seen.state is not _S.SUCCEEDED or not view.undone:
            return False
        ends = [seen.end_seq, *(unit.effect_ended for unit in list(seen.units.values()))]
        return max(ends) < int(view.undone[-1]["seq"])

    def _skip(self, step: Step, because: str, by: str) -> None:
        again = {"because": because}
        data = {"because": because, "by": by}
        self.context.recorder.write(
            *(Draft(Kind.STEP_REOPENED, one, data=again) for one in self._built_upon(step)),
            Draft(Kind.STEP_SKIPPED, step.id, data=data),
        )

    def close_questions(self, step_id: str, outcome: str, because: str) -> None:
        """Close every open question about a step that moves on otherwise."""
        for asked in self.context.view.open_questions():
            if asked.question.step == step_id:
                self.gates.close_only(asked, outcome, because)

    # -- answers

    def hear(self, asked: QuestionView) -> None:
        """Act on the answers to an open question."""
        kind = asked.question.kind
        if kind in {QuestionKind.GATE, QuestionKind.TASK}:
            self.gates.judge(asked)
        elif kind is QuestionKind.RECONCILIATION:
            self.sessions.judge(asked)
        elif kind is QuestionKind.DOUBT:
            self._hear_about_doubt(asked)
        elif kind is QuestionKind.AMENDMENT:
            return  # see amending
        elif asked.answers and not self._is_being_asked(asked):
            self._take(asked)

    def _is_being_asked(self, asked: QuestionView) -> bool:
        """Whether the worker who asked has not put it down: what it asked for could not be done."""
        if asked.question.kind is not QuestionKind.FALLBACK:
            return False
        step = self.context.runbook.by_id[asked.question.step]
        return self.crew.is_busy((step.ladder or step.id, None))

    def _hear_about_doubt(self, asked: QuestionView) -> None:
        """Take a verdict; a late truthful result goes before it, a look under way is awaited."""
        step, host = asked.question.step, asked.question.host
        unit = self.context.view.steps[step].units.get(host)
        if unit is not None and unit.state is not _S.IN_DOUBT:
            self.gates.close_only(asked, "settled", "its end was found without an answer")
        elif asked.answers and not self.crew.is_busy((step, host)):
            self._take(asked)

    def _take(self, asked: QuestionView) -> None:
        answer, question = asked.answers[0], asked.question
        step = self.context.runbook.by_id[question.step]
        because = f"{answer.by}: {answer.reason}"
        self.gates.close_only(asked, answer.verdict, because)
        match question.kind, answer.verdict:
            case QuestionKind.DOUBT, _:
                self.settler.take_verdict(step, question.host, answer)
            case QuestionKind.FAILURE, "retry":
                self._reopen(step, because)
            case QuestionKind.FAILURE, "skip" if not self.context.is_gate(step):
                self._skip(step, because, answer.by)
            case QuestionKind.FALLBACK, _ if "undo_failed" in question.card:
                pass  # the next turn goes on with the undo, as was said
            case QuestionKind.FALLBACK, _ if "undo" in question.card:
                self._go_on_undoing(step)
            case QuestionKind.FALLBACK, "go-on":
                rung = str(question.card.get("rung", ""))
                work = lambda: self.ladders.fall_back(step, rung, "person")  # noqa: E731
                self.crew.do((step.id, None), work)
            case _:
                self.course.failing = because
                self._fail_ladder(step, because)

    def _go_on_undoing(self, step: Step) -> None:
        """People decided about an undo: go on with what it belongs to."""
        if self.context.view.undo is not None:
            return  # the next turn goes on with it
        if step.ladder is not None:
            self.resume_ladder(self.context.runbook.by_id[step.ladder])
        else:
            self.undo_all()

    def _fail_ladder(self, step: Step, because: str) -> None:
        seen = self.context.view.steps.get(step.id)
        if step.is_ladder and seen is not None and seen.state is not _S.FAILED:
            data = {"state": "failed", "because": because}
            self.context.recorder.write(Draft(Kind.STEP_FINISHED, step.id, data=data))

    def resume_ladder(self, ladder: Step) -> None:
        """Go on with a ladder that stands between two rungs."""
        self.crew.do((ladder.id, None), lambda: self.ladders.resume(ladder))

    # -- failures

    def failed(self, step: Step) -> None:
        """Follow the policy of a step that failed outside a rung."""
        if step.in_finally:
            return
        if self.course.failing:
            self.course.hold(step)  # people may take back what made the run fail
            return
        if self.course.ends:
            return
        because = f"step '{step.id}' failed: {self.context.view.steps[step.id].because}"
        asked = self.course.last_question(step.id)
        if asked and asked.outcome in {"rejected", "timed_out"}:
            self.course.turn_down(asked)
        elif step.on_failure is OnFailure.FAIL:
            self.course.failing = because
        elif step.on_failure is OnFailure.UNDO:
            self.course.failing = because
            self.undo_all()
        else:
            self._ask_about(step, because)

    def _ask_about(self, step: Step, because: str) -> None:
        seen = self.context.view.steps[step.id]
        asks = Text(
            en=f"Step '{step.id}' failed. Try it again, go on without it, or let the run fail?",
            zh=f"步骤“{step.id}”失败。重试、跳过，还是让本次运行失败？",
        )
        error = seen.latest.error if seen.latest else None
        verdicts = ("retry", "fail") if self.context.is_gate(step) else ("retry", "skip", "fail")
        self.gates.ask(QuestionKind.FAILURE, step, asks, verdicts, because=because, error=error)

    def undo_all(self) -> None:
        """Have taken back what the run did, once nothing of it is under way or in doubt."""
        self.course.undo_due = True

    def undo_what_is_due(self) -> None:
        """Take back what the run did, the newest first, when it is time to."""
        if not self.course.undo_due or not self.crew.idle or self.context.view.in_doubt():
            return
        self.course.undo_due = False
        if not self.course.undoes_all():
            return  # the step that failed is tried again
        steps = [s for s in self.context.runbook.walk() if not s.in_finally and s.uses]
        self.crew.do(_UNDO, lambda: _say(self.undoer.undo(steps)))

    def take_back(self) -> None:
        """Go on with an operator's wish to take back, once nothing is under way or in doubt."""
        view = self.context.view
        if not self.course.failing and any(result.get("stopped") for result in view.undone):
            self.course.derive()
        if view.undo is None:
            return
        main = {s.id for s in self.context.runbook.walk() if not s.in_finally}
        if self.crew.is_busy(_UNDO) or self.crew.is_busy_inside(main):
            return
        if not view.undo_is_given_up:
            if any(asked.is_about_undo for asked in view.open_questions()):
                return
            if any(s.id in main and s.hosts_in(*_UNDER_WAY) for s in view.restless()):
                return
            self.context.stopping.clear()  # an abort before the wish has stopped what it was to
        self.crew.do(_UNDO, self.taking_back.go_on)

    def break_rung(self, ladder: Step, rung: str, step: Step) -> None:
        """Leave a rung of which a step failed, once nothing of it is under way or in doubt."""
        inside = {s.id for r in ladder.rungs if r.name == rung for s in r.steps}
        in_doubt = {s.id for s, _ in self.context.view.in_doubt()}
        if inside & in_doubt or self.crew.is_busy_inside(inside):
            return
        if self.context.view.undo is not None:
            self.course.hold(ladder)
            return
        because = f"step '{step.id}': {self.context.view.steps[step.id].because}"
        self.crew.do((ladder.id, None), lambda: self.ladders.broken(ladder, rung, because))


def _say(left: Left) -> None:
    if left is Left.SOMETHING:
        log.warning("not every effect could be taken back")
