"""Whether a run is on its way to failing, and what is held back meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field

from dr.engine.core.model import OnFailure, Step
from dr.engine.core.states import TAKEN_BACK, StepState
from dr.engine.core.view import QuestionView
from dr.engine.runtime.context import RunContext


@dataclass
class Course:
    """Derived from the journal at the start, then kept by the main loop.

    ``failing`` says why nothing further starts; ``held`` are steps that were released and wait
    for a pause to end, a fact to be fresh or a gate to be asked again.  ``amends``: another plan
    is approved and waits for what is under way to end.
    """

    context: RunContext
    failing: str = ""
    rejected: bool = False
    undo_due: bool = False
    amends: bool = False
    held: dict[str, None] = field(default_factory=dict)

    def derive(self) -> None:
        """Read from the view whether the run is failing."""
        self.failing, self.rejected = "", False
        for step in self.context.runbook.steps:
            seen = self.context.view.steps.get(step.id)
            if seen is None or seen.state is not StepState.FAILED:
                continue
            because = f"step '{step.id}' failed: {seen.because}"
            asked = self.last_question(step.id)
            if asked and asked.outcome in {"rejected", "timed_out"}:
                self.turn_down(asked)
            elif step.on_failure in {OnFailure.FAIL, OnFailure.UNDO}:
                self.failing = because
            elif asked and asked.outcome == "fail":
                self.failing = f"step '{step.id}' failed: {asked.because}"
        if any(result.get("stopped") for result in self.context.view.undone):
            self.failing = self.failing or "what the run did was not taken back to the end"

    def turn_down(self, asked: QuestionView) -> None:
        """People rejected, or nobody decided."""
        self.failing, self.rejected = asked.because, asked.outcome == "rejected"

    def last_question(self, step_id: str) -> QuestionView | None:
        """Return the newest question about a step."""
        found = self.context.view.questions_of(step_id)
        return found[-1] if found else None

    @property
    def ends(self) -> bool:
        """Whether the run is ending before its last step."""
        view = self.context.view
        return bool(self.failing) or view.abort is not None or self.is_taken_back

    @property
    def is_taken_back(self) -> bool:
        """Whether all that the run did was taken back because somebody said so."""
        return any(result.get("whole") for result in self.context.view.undone)

    def stops(self, step: Step) -> bool:
        """Whether ``step`` may not start now; ``finally`` always may."""
        view = self.context.view
        is_held = view.paused or view.undo is not None or self.amends
        return not step.in_finally and (is_held or self.ends)

    def lacks_ground(self, step: Step) -> bool:
        """Whether something that ``step`` stands on was taken back and not done again."""
        view = self.context.view
        if not view.undone or step.in_finally:
            return False
        below = (view.steps.get(one) for one in self.context.runbook.before(step.id))
        return any(seen is not None and seen.state in TAKEN_BACK for seen in below)

    def hold(self, step: Step) -> None:
        """Look at ``step`` again in the next turn."""
        self.held[step.id] = None

    def release(self) -> list[str]:
        """Return the steps to look at again."""
        view = self.context.view
        if view.paused or view.undo is not None or self.failing:
            return []
        held = list(self.held)
        self.held.clear()
        return held

    def undoes_all(self) -> bool:
        """Whether a failed step's policy is to take back what the run did."""
        policies = (s for s in self.context.runbook.steps if s.on_failure is OnFailure.UNDO)
        views = (self.context.view.steps.get(s.id) for s in policies)
        return any(v is not None and v.state is StepState.FAILED for v in views)
