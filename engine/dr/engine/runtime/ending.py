"""What the run's state becomes: running, waiting, in doubt, recovered, over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Phase, Step
from dr.engine.core.planner import Planner
from dr.engine.core.states import ENDED, ENDED_WELL, TAKEN_BACK, RunState
from dr.engine.core.values import utc_text
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.course import Course
from dr.engine.runtime.hearing import Hearing

_THROUGH_PROOF = frozenset({Phase.ASSESS, Phase.DECIDE, Phase.ISOLATE, Phase.RECOVER, Phase.PROVE})


@dataclass
class Ending:
    """Writes the run's state; runs in the main loop when nobody is busy."""

    context: RunContext
    course: Course
    planner: Planner
    hearing: Hearing
    _recovered_up_to: int = 0

    def settle(self) -> None:
        """Write what the state becomes now that nothing is under way."""
        view = self.context.view
        doubts = view.in_doubt()
        if self.is_over() and not doubts:
            self._wind_up()
        elif doubts:
            self.announce(RunState.IN_DOUBT, f"step '{doubts[0][0].id}' is in doubt")
            self._report_provisionally()
        elif view.paused:
            self.announce(RunState.PAUSED, "paused by an operator")
        elif view.open_questions():
            first = view.open_questions()[0]
            kind = "undo" if first.is_about_undo else first.question.kind
            because = f"{kind} '{first.question.step}' waits for people"
            self.announce(RunState.WAITING, because)
        elif view.undo is None and self._taken_back():
            self.announce(RunState.WAITING, f"step '{self._taken_back()[0]}' is taken back")
        else:
            self.announce(RunState.RUNNING)

    def is_over(self) -> bool:
        """Whether nothing but ``finally`` is left."""
        open_questions = self.context.view.open_questions()
        if self.context.view.undo is not None:
            return False
        if self.course.ends:
            return not any("undo" in q.question.card for q in open_questions)
        return self.planner.main_over and not open_questions and not self._taken_back()

    def _taken_back(self) -> list[str]:
        """List the steps that were taken back and neither begun again nor skipped."""
        views = self.context.view.steps
        return [
            s.id
            for s in self.context.runbook.walk()
            if s.id in views and views[s.id].state in TAKEN_BACK and self.context.stands(s)
        ]

    def announce(self, state: RunState, because: str = "") -> None:
        """Write the state if it is another than before, and the recovery once it is there."""
        view = self.context.view
        if (view.state, view.because) != (state, because):
            data = {"state": state, "because": because}
            self.context.recorder.write(Draft(Kind.RUN_STATE, data=data))
        self._mark_recovered()

    # -- the technical recovery

    def _mark_recovered(self) -> None:
        view, steps = self.context.view, self._recovery_steps
        if view.moments.recovered is not None or not steps:
            return
        while self._recovered_up_to < len(steps) and self._well(steps[self._recovered_up_to]):
            self._recovered_up_to += 1
        if self._recovered_up_to == len(steps):
            detected = view.moments.detected or self.context.record.created
            down = (self.context.now() - detected).total_seconds()
            data = {"down_s": down, "detected_at": utc_text(detected)}
            self.context.recorder.write(Draft(Kind.RUN_RECOVERED, data=data))

    @cached_property
    def _recovery_steps(self) -> list[Step]:
        """Steps whose good end is the technical recovery: through ``prove``, without closing."""
        steps = self.context.runbook.steps
        if not any(s.phase is Phase.RECOVER for s in steps):
            return []
        return [s for s in steps if s.phase in _THROUGH_PROOF and not self._closes(s)]

    def _closes(self, step: Step) -> bool:
        return bool(step.uses) and self.context.ports.actions.get(step.uses).spec.closes

    def _well(self, step: Step) -> bool:
        seen = self.context.view.steps.get(step.id)
        return seen is not None and seen.state in ENDED_WELL

    # -- the end

    def _report_provisionally(self) -> None:
        """Run ``finally`` while something is in doubt; at the true end it runs again."""
        if self.context.provisional or self.course.ends:
            return
        self.context.provisional = True
        self.planner.open_finally()
        self.context.recorder.wake()

    def _wind_up(self) -> None:
        """Cancel what will not start, run ``finally``, end the run."""
        for step in self.planner.open_steps():
            self._cancel(step)
        for asked in self.context.view.open_questions():
            self.hearing.gates.close_only(asked, "cancelled", "the run is ending")
        if self.context.provisional:
            self._reopen_finally()
        if not self.planner.finally_open:
            self.planner.open_finally()
            self.context.recorder.wake()
        elif self.planner.finally_over():
            self._end()

    def _cancel(self, step: Step) -> None:
        self.hearing.close_questions(step.id, "cancelled", "the run is ending")
        because = self.course.failing or "the run was aborted"
        for inner in (step, *(s for r in step.rungs for s in r.steps)):
            seen = self.context.view.steps.get(inner.id)
            if seen is None or seen.state not in ENDED:
                data = {"because": because}
                self.context.recorder.write(Draft(Kind.STEP_CANCELLED, inner.id, data=data))

    def _reopen_finally(self) -> None:
        self.context.provisional = False
        for step in self.context.runbook.finally_:
            if step.id in self.context.view.steps:
                data = {"because": "what was in doubt is settled", "keep_done": False}
                self.context.recorder.write(Draft(Kind.STEP_REOPENED, step.id, data=data))

    def _end(self) -> None:
        view = self.context.view
        state, because = RunState.SUCCEEDED, ""
        if view.abort is not None:
            state, because = RunState.ABORTED, str(view.abort.get("because", ""))
        elif self.course.is_taken_back and not self.course.failing:
            state, because = RunState.ABORTED, f"taken back: {view.undone[-1].get('because', '')}"
        elif self.course.failing:
            state, because = RunState.FAILED, self.course.failing
        data = {"state": state, "because": because, "rejected": self.course.rejected}
        self.context.recorder.write(Draft(Kind.RUN_ENDED, data=data))
