"""The reconciliation with the branches as a step: opened, kept on its clock, closed by its rule.

The engine only keeps the clock and the rule.  What branches hand in and what people decide comes
into the journal through the service, from any machine, whether an engine is alive or not.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dr.engine.core.errors import LockHeldError, UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.model import OnFailure, Step
from dr.engine.core.questions import Question, QuestionKind
from dr.engine.core.reconciled import may_close, open_cases, overdue, totals, totals_data
from dr.engine.core.reconciliation import Rule, Session
from dr.engine.core.reconciling import closing_drafts, first_drafts
from dr.engine.core.reminders import round_of
from dr.engine.core.states import ENDED, StepState
from dr.engine.core.values import parse_utc, utc_text
from dr.engine.core.view import QuestionView, StepView
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.gates import Gatekeeper, group_of, seconds
from dr.engine.runtime.nonces import nonce
from dr.engine.runtime.reminding import Reminding

log = logging.getLogger("dr.runtime")

_LOCK_PAUSE = timedelta(seconds=30)
"""How long after a lock was another run's it is asked for again."""

_LETTERS_PAUSE = timedelta(seconds=30)
"""How long after the letters of the last reminder were still being sent it is asked again."""

_REMIND = timedelta(hours=4)
"""How long after the branches' time is over they are reminded again, unless the step says."""


@dataclass
class Sessions:
    """Opens a session, reminds, escalates, and closes it when its rule is met."""

    context: RunContext
    gates: Gatekeeper
    reminding: Reminding
    _judged: tuple[int, datetime | None] = (0, None)

    # -- opening

    def open(self, step: Step) -> None:
        """Open the session with what has been compared already, in one transaction."""
        if self.context.view.session is not None:
            raise UserError(
                "the run has a reconciliation already, and a second one would take its place",
                hint=f"Look at it with: dr reconcile status {self.context.record.id}",
            )
        said = self.context.render(dict(step.with_))
        question = self._question(step, said)
        compared: Mapping[str, Any] = said.get("compared") or {}
        rule = dict(said.get("close_when") or {})
        Rule.of(rule)  # what could not be folded in must not be written
        opening = Draft(
            Kind.RECONCILE_OPENED,
            step.id,
            data={
                "session": f"{self.context.record.id}/{question.id}",
                **_start(said),
                "to": utc_text(self.context.view.moments.recovered or self.context.now()),
                "due": question.decide_by,
                "rule": rule,
                "branches": sorted(compared),
                "service": str(said.get("service") or self.context.service_name() or ""),
                "host": str(said.get("host") or ""),
                "frees_locks": self._frees_locks(step),
            },
        )
        passage("before-question")
        self.context.recorder.write(
            Draft(Kind.QUESTION_OPENED, step.id, data={"question": question.to_data()}),
            opening,
            *first_drafts(step.id, compared),
        )
        passage("after-question")

    def _question(self, step: Step, said: Mapping[str, Any]) -> Question:
        now = self.context.now()
        seen = self.context.view.steps.get(step.id)
        due = now + timedelta(seconds=seconds(said["due"])) if said.get("due") else None
        return Question(
            id=f"{step.id}#{(seen.visit if seen else 0) + 1}",
            kind=QuestionKind.RECONCILIATION,
            step=step.id,
            asks=step.title,
            nonce=nonce(),
            opened=utc_text(now),
            approvers=group_of(said.get("waiver")),
            decide_by=utc_text(due) if due else None,
            escalate=tuple(
                (str(each["group"]), seconds(each.get("after", "0s")))
                for each in said.get("escalate") or ()
            ),
            on_timeout="wait",
            card={"remind_s": seconds(said["remind"]) if said.get("remind") else None},
        )

    def _frees_locks(self, step: Step) -> bool:
        """Whether nothing can act before it closes: another incident may come meanwhile."""
        steps, view = self.context.runbook.steps, self.context.view
        behind = {step.id}
        for other in steps:  # what needs a step stands after it on the page
            if behind & set(other.needs):
                behind.add(other.id)
        return all(other.id in behind or _rests(other, view.steps.get(other.id)) for other in steps)

    # -- its clock and its rule

    def judge(self, asked: QuestionView) -> None:
        """Close the session when its rule is met, else remind and escalate on its clock."""
        with self.context.recorder.lock:  # workers fold in what branches say meanwhile
            self._judge(asked)

    def _judge(self, asked: QuestionView) -> None:
        session, now = self.context.view.session, self.context.now()
        if session is None or not self._is_due(session, now):
            return
        if session.closed is not None:
            self._close(asked, session, now)
            return
        how, _ = may_close(session, now)
        if how:
            self._close(asked, session, now, how)
            return
        self.gates.escalate(asked, now)
        looks_again = self._remind(asked, session, now) or self._next(asked, session, now)
        self._judged = (session.changed, looks_again)

    def _is_due(self, session: Session, now: datetime) -> bool:
        """Whether anything can have changed: a session of thousands of branches lasts for days."""
        seq, moment = self._judged
        return session.changed != seq or moment is None or now >= moment

    def _next(self, asked: QuestionView, session: Session, now: datetime) -> datetime:
        moments = [self.gates.next_moment(asked), session.due, self._remind_at(asked, session)]
        lapses = [
            parse_utc(str(branch.waiver["expires"]))
            for branch in session.branches.values()
            if branch.waiver and branch.waiver.get("expires")
        ]
        coming = [m for m in (*moments, *lapses) if m is not None and m > now]
        return min(coming, default=now + _REMIND)

    def _remind_at(self, asked: QuestionView, session: Session) -> datetime | None:
        """Return when branches that handed nothing in are reminded next."""
        if session.due is None:
            return None
        if session.reminded is None:
            return session.due
        # from the last one on: an engine that was away for days sends one letter, not one for each
        pause = asked.question.card.get("remind_s") or _REMIND.total_seconds()
        return session.reminded + timedelta(seconds=pause)

    def _remind(self, asked: QuestionView, session: Session, now: datetime) -> datetime | None:
        """Remind late branches when it is time to, by mail too; return when to look again, if so.

        Whom it goes to is written before the first letter: an engine that dies sends none twice.
        """
        at, late = self._remind_at(asked, session), overdue(session, now)
        if not late or session.due is None or at is None or now < at:
            return None
        if self.reminding.is_under_way:
            return now + _LETTERS_PAUSE
        again = bool(asked.escalated) or session.reminders > 0
        groups = [asked.question.approvers, *asked.escalated] if again else []
        told = round_of(late, session.due, self.context.record.inventory, groups)
        people = [letter.person for letter in told.letters]
        data = {"branches": late, "people": people, "nobodys": list(told.nobodys)}
        self.context.recorder.write(Draft(Kind.RECONCILE_REMINDED, asked.question.step, data=data))
        self.reminding.send(asked, session.reminders, told)
        return None

    def _close(self, asked: QuestionView, session: Session, now: datetime, how: str = "") -> None:
        """Write the close of the session, of the run's business and of the step together."""
        step, stand = asked.question.step, totals_data(totals(session, now))
        drafts: list[Draft] = []
        if how:
            drafts += closing_drafts(session, how, stand)
        closing = {"question": asked.question.id, "outcome": how or session.how}
        held = sorted({case.found.parcel for case in open_cases(session)} - {""})
        outputs = {"how": how or session.how, **stand, "still_held": held}
        end = {"state": "succeeded", "outputs": outputs}
        passage("before-decision")
        try:
            self.context.recorder.write(
                *drafts,
                Draft(Kind.QUESTION_CLOSED, step, data=closing),
                Draft(Kind.STEP_FINISHED, step, data=end),
            )
        except LockHeldError as error:  # another incident of the service goes first
            log.info("the reconciliation waits to close: %s", error)
            self._judged = (session.changed, now + _LOCK_PAUSE)
        passage("after-decision")


def _rests(step: Step, seen: StepView | None) -> bool:
    """Whether a step acts no more unless an operator wishes it: of a failure people are asked."""
    if seen is None or seen.state not in ENDED:
        return False
    return seen.state is not StepState.FAILED or step.on_failure is OnFailure.CONTINUE


def _start(said: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the recovery point and where the window begins, as the journal has them."""
    since = said.get("since")
    if not isinstance(since, str) or since in {"", "unknown"}:
        return {"from": None, "recovery_point": None}
    overlap = timedelta(seconds=seconds(said.get("overlap", "1h")))
    return {"from": utc_text(parse_utc(since) - overlap), "recovery_point": since}
