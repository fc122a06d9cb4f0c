"""Put another plan in the place of the run's, once people approved it and nobody is at work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dr.engine.core.amendment import begun, closing, in_the_way, open_amendment
from dr.engine.core.canonical import digest
from dr.engine.core.errors import LockHeldError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.questions import Standing, Tally, tally
from dr.engine.core.states import StepState
from dr.engine.core.values import parse_utc
from dr.engine.core.view import QuestionView
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.course import Course
from dr.engine.runtime.crew import Crew
from dr.engine.runtime.validity import AMENDED


@dataclass
class Amending:
    """Judges the open amendment in every turn; ``done``: the engine must begin anew with the plan.

    Nothing of the old plan may begin beside the new one, so it waits until no worker is busy; while
    it waits nothing further begins.
    """

    context: RunContext
    course: Course
    crew: Crew
    done: bool = False

    def take_up(self) -> bool:
        """Write the amendment down if it is due; return whether the run has another plan now."""
        self.course.amends = False
        if not open_amendment(self.context.view):
            return False
        self.context.recorder.poll()  # what people said last counts
        asked = open_amendment(self.context.view)
        if not asked or self.course.ends or self.context.view.undo is not None:
            return False  # what is being taken back goes by the plan that it was done by
        now = self.context.now()
        results = [tally(q.question, q.answers, now=now) for q in asked]
        rejected = next((r for r in results if r.standing is Standing.REJECTED), None)
        if rejected is not None:
            because = f"rejected by {rejected.counted[0].by}: {rejected.because}"
            self._close(asked, "rejected", because)
        elif any(a.expires and parse_utc(a.expires) <= now for q in asked for a in q.answers):
            self._close(asked, "expired", "an approval lapsed before all had decided")
        elif all(result.standing is Standing.APPROVED for result in results):
            self.course.amends = True
            if self.crew.idle:
                self.done = self._amend(asked, results)
        return self.done

    def _amend(self, asked: Sequence[QuestionView], results: Sequence[Tally]) -> bool:
        proposal = self.context.view.proposal or {}
        late = in_the_way(self.context.view, proposal)
        if late:
            self._close(asked, "void", f"step '{late[0]}' has begun since it was proposed")
            return False
        again = self._asked_again(proposal)
        names = ("number", "old", "new", "diff", "by", "because")
        data = {
            **{name: proposal[name] for name in names},
            "plan_sha256": digest(proposal["plan"]),
            "approved_by": [a.by for result in results for a in result.counted],
            "asked_again": again,
            "takes_locks": self._acts_again(),
        }
        drafts = [closing(q, "approved", "") for q in asked]
        drafts.append(Draft(Kind.RUN_AMENDED, data=data))
        for gate in again:
            drafts += self._reopen(gate)
        passage("before-amend")
        try:
            written = self.context.recorder.write_while_open(asked[0].question.id, *drafts)
        except LockHeldError as error:  # another incident came while branches were awaited
            self._close(asked, "void", error.message)
            return False
        passage("after-amend")
        return written

    def _acts_again(self) -> bool:
        """Whether locks were free while only branches were awaited: a new step may act now."""
        session = self.context.view.session
        return session is not None and session.frees_locks

    def _close(self, asked: Sequence[QuestionView], outcome: str, because: str) -> None:
        self.course.amends = False
        drafts = [closing(q, outcome, because) for q in asked]
        self.context.recorder.write_while_open(asked[0].question.id, *drafts)

    def _asked_again(self, proposal: Mapping[str, Any]) -> list[str]:
        """List the gates whose approval, given or under way, was for another plan.

        An approved one only where something behind it has yet to begin, and its ladder has not
        begun: a rung under way was chosen, and stays as it is.
        """
        steps, found = self.context.view.steps, []
        for gate, behind in proposal["plan"]["gates"].items():
            seen, step = steps.get(gate), self.context.runbook.by_id.get(gate)
            if seen is None or step is None:
                continue
            ladder = str(step.with_.get("chooses", ""))
            rest = any(not begun(steps.get(name)) for name in behind)
            stands = seen.state is StepState.SUCCEEDED and (not rest or begun(steps.get(ladder)))
            if seen.state in {StepState.WAITING, StepState.SUCCEEDED} and not stands:
                found.append(gate)
        return found

    def _reopen(self, gate: str) -> list[Draft]:
        view = self.context.view
        open_ones = [q for q in view.open_questions() if q.question.step == gate]
        data = {"because": AMENDED, "rungs": False}
        closed = [closing(asked, "void", AMENDED) for asked in open_ones]
        return [*closed, Draft(Kind.STEP_REOPENED, gate, data=data)]
