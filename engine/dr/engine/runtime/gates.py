"""Questions to people: gates and human tasks are opened, kept on their clock, and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dr.engine.core.approval import envelope, plan_hash
from dr.engine.core.canonical import digest
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.model import Step
from dr.engine.core.questions import Answer, Option, Question, QuestionKind, Standing, tally
from dr.engine.core.states import ENDED
from dr.engine.core.values import CLOCKS_DIFFER, Text, parse_duration, parse_utc, utc_text
from dr.engine.core.view import QuestionView
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.forecasts import Forecaster
from dr.engine.runtime.nonces import nonce
from dr.engine.runtime.validity import IN_CHINESE, approved, approved_until


@dataclass(frozen=True)
class Gatekeeper:
    """Opens questions and judges the answers that the journal accepted."""

    context: RunContext
    forecaster: Forecaster

    # -- opening

    def open_gate(self, step: Step, because: str = "") -> None:
        """Put the gate to its approvers, with every rung's forecast of now."""
        said = self.context.render(dict(step.with_))
        ladder = self.context.runbook.by_id.get(str(said.get("chooses", "")))
        options = self.forecaster.options(ladder) if ladder else ()
        proposed = next((o for o in options if o.proposed), None)
        opened = self.context.now()
        view = self.context.view.steps.get(step.id)
        question = Question(
            id=f"{step.id}#{(view.visit if view else 0) + 1}",
            kind=QuestionKind.GATE,
            step=step.id,
            asks=_asked(Text.of(said.get("ask")) or step.title, because),
            nonce=nonce(),
            opened=utc_text(opened),
            approvers=group_of(said.get("approvers")),
            quorum=int(said.get("quorum", 1)),
            distinct_from=self._distinct(said.get("distinct_from", ["requester"])),
            plan_hash=self._plan_hash(step, options, proposed),
            options=options,
            chooses=ladder.id if ladder else None,
            decide_by=_later(self._clock_began(step) or opened, said.get("decide_within")),
            expires=_later(opened, said.get("expires")) if said.get("expires") else None,
            escalate=_escalations(said.get("on_timeout", {}), self._waited(step, opened)),
            on_timeout=_then(said.get("on_timeout", {})),
            standing=said.get("standing") == "allowed",
            max_loss_s=proposed.loss_s if proposed and proposed.loss_known else None,
            verdicts=("approve", "reject"),
        )
        self._open(question)
        if question.standing:
            self._stand_in(question)

    def _clock_began(self, gate: Step) -> datetime | None:
        """Return when a gate that is asked again only because it lapsed was first opened."""
        began = None
        for asked in list(self.context.view.questions.values()):
            if asked.question.step == gate.id:
                lapsed = asked.outcome == "expired"
                began = (began or parse_utc(asked.question.opened)) if lapsed else None
        return began

    def _waited(self, gate: Step, now: datetime) -> float:
        began = self._clock_began(gate)
        return (now - began).total_seconds() if began else 0.0

    def open_task(self, step: Step) -> None:
        """Give a person something to do."""
        said = self.context.render(dict(step.with_))
        opened = self.context.now()
        view = self.context.view.steps.get(step.id)
        self._open(
            Question(
                id=f"{step.id}#{(view.visit if view else 0) + 1}",
                kind=QuestionKind.TASK,
                step=step.id,
                asks=Text.of(said.get("instructions")) or step.title,
                nonce=nonce(),
                opened=utc_text(opened),
                approvers=group_of(said.get("group")),
                decide_by=_later(opened, step.deadline),
                on_timeout="wait",
                verdicts=("done", "failed"),
                evidence=tuple(said.get("evidence", ())),
                checklist=tuple(Text.of(t) for t in said.get("checklist", ())),
            )
        )

    def ask(
        self,
        kind: QuestionKind,
        step: Step,
        asks: Text,
        verdicts: Sequence[str],
        *,
        approvers: str = "",
        **card: Any,
    ) -> None:
        """Ask what to do about a failure, a rung or an undo, once; ``approvers`` or an operator."""
        for asked in self.context.view.open_questions():
            if asked.question.step == step.id and asked.question.kind is kind:
                return
        self._open(
            Question(
                id=f"{step.id}?{len(self.context.view.questions) + 1}",
                kind=kind,
                step=step.id,
                asks=asks,
                nonce=nonce(),
                opened=utc_text(self.context.now()),
                approvers=approvers,
                verdicts=tuple(verdicts),
                card=card,
            )
        )

    def _open(self, question: Question) -> None:
        passage("before-question")
        self.context.recorder.write(
            Draft(
                Kind.QUESTION_OPENED,
                question.step,
                question.host,
                None,
                {"question": question.to_data()},
            )
        )
        passage("after-question")

    def _distinct(self, names: Any) -> tuple[str, ...]:
        found = [
            self.context.record.requester if name == "requester" else str(name)
            for name in (names if isinstance(names, list) else [names])
        ]
        return tuple(dict.fromkeys(found))

    def _plan_hash(self, gate: Step, options: Sequence[Option], proposed: Option | None) -> str:
        view = self.context.view
        remaining = [
            step
            for step in (*self.context.runbook.steps, *self.context.runbook.finally_)
            if step.id != gate.id and not _is_over(view.steps.get(step.id))
        ]
        covered = envelope(
            self.context.record,
            remaining,
            choice=proposed.name if proposed else None,
            fallbacks=[o.name for o in options if o.available and o is not proposed],
            max_loss_s=proposed.loss_s if proposed and proposed.loss_known else None,
            inventory_sha256=digest(self.context.record.inventory),
        )
        known = view.steps.get(gate.id)
        visit = (known.visit if known else 0) + 1
        return plan_hash({**covered, "shown": list(options), "visit": visit})

    def _stand_in(self, question: Question) -> None:
        """Let standing authorisations answer inside their bounds."""
        record = self.context.record
        answers = self.context.ports.authority.standing(
            question, record, record.inventory, self.context.now()
        )
        if answers:
            self.context.recorder.write(
                *(
                    Draft(
                        Kind.QUESTION_ANSWERED,
                        question.step,
                        None,
                        None,
                        {"question": question.id, "answer": answer.to_data()},
                    )
                    for answer in answers
                )
            )

    # -- judging

    def judge(self, asked: QuestionView) -> None:
        """Close a gate or task when its answers decide it, and keep its clock."""
        if asked.question.kind is QuestionKind.GATE:
            self._judge_gate(asked)
        elif asked.question.kind is QuestionKind.TASK:
            self._judge_task(asked)

    def _judge_gate(self, asked: QuestionView) -> None:
        question = asked.question
        now = self.context.now()
        result = tally(question, asked.answers, now=now)
        if result.standing is Standing.APPROVED:
            self._close(
                asked,
                "approved",
                "",
                {"state": "succeeded", "outputs": _approved(question, result.counted)},
            )
        elif result.standing is Standing.REJECTED:
            because = f"rejected by {result.counted[0].by}: {result.because}"
            self._close(asked, "rejected", because, {"state": "failed", "because": because})
        else:
            self._keep_clock(asked, now)

    def _keep_clock(self, asked: QuestionView, now: datetime) -> None:
        """Escalate when nobody decided in time; in the end the gate fails, never opens."""
        question = asked.question
        if question.expires and now >= parse_utc(question.expires):
            self._ask_anew(asked)
            return
        if question.decide_by is None:
            return
        decide_by = parse_utc(question.decide_by)
        self.escalate(asked, now)
        last = max([decide_by, *(_due(question, after) for _, after in question.escalate)])
        if question.on_timeout == "fail" and now >= last:
            because = "nobody decided in time; a time-out never approves"
            self._close(asked, "timed_out", because, {"state": "failed", "because": because})

    def escalate(self, asked: QuestionView, now: datetime) -> None:
        """Ask the next groups too, once their time has come."""
        question = asked.question
        if question.decide_by is None:
            return
        decide_by = parse_utc(question.decide_by)
        for group, after in question.escalate:
            due = decide_by if after <= 0 else parse_utc(question.opened) + timedelta(seconds=after)
            if now >= due and group not in asked.escalated:
                data = {"question": question.id, "to": group}
                self.context.recorder.write(
                    Draft(Kind.QUESTION_ESCALATED, question.step, data=data)
                )

    def _ask_anew(self, asked: QuestionView) -> None:
        """What is shown is too old to be approved: ask again, on the same decision clock."""
        because = "nobody decided while the forecast was fresh enough to be approved"
        question = asked.question
        closing = {"question": question.id, "outcome": "expired", "because": because}
        reopened = {"because": because, "rungs": False}
        self.context.recorder.write(
            Draft(Kind.QUESTION_CLOSED, question.step, question.host, None, closing),
            Draft(Kind.STEP_REOPENED, question.step, data=reopened),
        )

    def next_moment(self, asked: QuestionView) -> datetime | None:
        """Return when the clock of an open gate next has something to say."""
        question = asked.question
        if question.decide_by is None or question.kind is QuestionKind.TASK:
            return None
        moments = [parse_utc(question.decide_by)]
        moments += [_due(question, after) for _, after in question.escalate]
        return min((m for m in moments if m > self.context.now()), default=None)

    def _judge_task(self, asked: QuestionView) -> None:
        final = [a for a in asked.answers if a.verdict in {"done", "failed"}]
        if not final:
            return
        answer = final[0]
        if answer.verdict == "done":
            outputs = {**answer.evidence, "by": answer.by}
            self._close(asked, "done", answer.reason, {"state": "succeeded", "outputs": outputs})
        else:
            because = f"{answer.by}: {answer.reason}"
            self._close(asked, "failed", because, {"state": "failed", "because": because})

    def _close(
        self, asked: QuestionView, outcome: str, because: str, end: Mapping[str, Any]
    ) -> None:
        question = asked.question
        closing = {
            "question": question.id,
            "outcome": outcome,
            "because": because,
            "answers": [a.by for a in asked.answers],
        }
        passage("before-decision")
        self.context.recorder.write(
            Draft(Kind.QUESTION_CLOSED, question.step, question.host, None, closing),
            Draft(Kind.STEP_FINISHED, question.step, None, None, end),
        )
        passage("after-decision")

    def close_only(self, asked: QuestionView, outcome: str, because: str) -> None:
        """Close a question whose step is moved on by somebody else."""
        closing = {"question": asked.question.id, "outcome": outcome, "because": because}
        step, host = asked.question.step, asked.question.host
        self.context.recorder.write(Draft(Kind.QUESTION_CLOSED, step, host, None, closing))

    # -- the envelope

    def gate_of(self, ladder: Step) -> Step | None:
        """Return the gate that chooses for ``ladder``."""
        for step in self.context.runbook.steps:
            if step.with_.get("chooses") == ladder.id:
                return step
        return None

    def lapsed_gate(self, step: Step) -> Step | None:
        """Return an approved gate before ``step`` whose approval lapsed before anything acted."""
        gate, until = approved_until(self.context, step) or (None, None)
        return gate if until is not None and until <= self.context.now() else None

    def covers(self, gate: Step, now: Option) -> bool:
        """Whether the approval of ``gate`` covers a rung as it is forecast ``now``.

        The chosen rung must not lose more than was accepted; whoever accepted an unknown loss
        accepted any.  A fallback must have been shown within the loss accepted as well.
        """
        asked = approved(self.context, gate)
        if asked is None:
            return False
        outputs = self.context.view.steps[gate.id].outputs
        accepted = outputs.get("max_loss_s")
        lost = now.loss_s if now.loss_known else None
        if outputs.get("choice") == now.name:
            limit = None if accepted is None else float(accepted) + CLOCKS_DIFFER.total_seconds()
            return limit is None or (lost is not None and lost <= limit)
        shown = next((o for o in asked.question.options if o.name == now.name), None)
        if shown is None or not shown.available or accepted is None:
            return False
        losses = [shown.loss_s if shown.loss_known else None, lost]
        return all(loss is not None and loss <= float(accepted) for loss in losses)


def _approved(question: Question, counted: Sequence[Answer]) -> dict[str, Any]:
    first = counted[0]
    proposed = next((o.name for o in question.options if o.proposed), None)
    choice = first.choice or proposed
    unknown = any(o.name == choice and not o.loss_known for o in question.options)
    losses = [a.max_loss_s for a in counted if a.max_loss_s is not None]
    expiries = [a.expires for a in counted if a.expires]
    return {
        "choice": choice,
        "max_loss_s": min(losses) if losses else None if unknown else question.max_loss_s,
        "approved_by": [a.by for a in counted],
        "means": [a.means for a in counted],
        "reasons": [a.reason for a in counted],
        "expires": min(expiries) if expiries else question.expires,
    }


def _is_over(step: Any) -> bool:
    return step is not None and step.state in ENDED


def group_of(value: Any) -> str:
    """Return the group that an ``approvers`` value names."""
    return str(value.get("group", "")) if isinstance(value, Mapping) else str(value or "")


def authority_over(context: RunContext, step: Step) -> str:
    """Return the group whose verdict counts: the gate's where a gate guards the ladder."""
    for gate in context.runbook.walk():
        if gate.with_.get("chooses") == (step.ladder or step.id):
            return group_of(context.render(gate.with_.get("approvers")))
    return ""


def seconds(value: Any) -> float:
    """Return a duration, rendered or as text, in seconds."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    return parse_duration(str(value)).total_seconds()


def _later(start: datetime, length: Any) -> str | None:
    if length is None:
        return None
    return utc_text(start + timedelta(seconds=seconds(length)))


def _due(question: Question, after: float) -> datetime:
    return parse_utc(question.opened) + timedelta(seconds=after)


def _escalations(on_timeout: Any, waited_s: float) -> tuple[tuple[str, float], ...]:
    if not isinstance(on_timeout, Mapping):
        return ()
    return tuple(
        (str(item["group"]), _left(seconds(item.get("after", "0s")), waited_s))
        for item in on_timeout.get("escalate", ())
    )


def _left(after_s: float, waited_s: float) -> float:
    """Return what is left of a delay that began ``waited_s`` ago; 0 means the decision time."""
    return max(after_s - waited_s, 0.001) if after_s > 0 else after_s


def _then(on_timeout: Any) -> str:
    return str(on_timeout.get("then", "fail")) if isinstance(on_timeout, Mapping) else "fail"


def _asked(ask: Text, because: str) -> Text:
    if not because:
        return ask
    return Text(
        en=f"{ask.say('en')} (asked again: {because})",
        zh=f"{ask.say('zh')}（再次请示：{IN_CHINESE.get(because, because)}）",
    )
