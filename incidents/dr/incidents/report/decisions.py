"""Who was asked, who answered, what was in doubt, what failed and what operators wished."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dr.engine.core.amendment import in_brief
from dr.engine.core.events import Event, Kind
from dr.engine.core.questions import Answer, Option
from dr.engine.core.values import UNKNOWN, Text
from dr.engine.core.view import QuestionView, RunView
from dr.incidents.report.chronicle import Chronicle, Doubt, Failure
from dr.incidents.report.data import (
    AnswerFacts,
    DoubtFacts,
    FailureFacts,
    JobFacts,
    LadderFacts,
    OperatorFacts,
    QuestionFacts,
    RungFacts,
    StepFacts,
)
from dr.incidents.report.found import Names, length, mapping, moment, seconds
from dr.incidents.report.steps import Outlined


def questions(view: RunView, names: Names) -> tuple[QuestionFacts, ...]:
    """Return every question in the order it was put."""
    return tuple(_question(asked, names) for asked in view.questions.values())


def _question(asked: QuestionView, names: Names) -> QuestionFacts:
    question = asked.question
    return QuestionFacts(
        id=question.id,
        kind="undo" if asked.is_about_undo else str(question.kind),
        step=question.step,
        host=question.host or "",
        asks=question.asks,
        group=names.group(question.approvers) if question.approvers else Text(),
        quorum=question.quorum,
        opened=asked.opened,
        closed=asked.closed,
        outcome=asked.outcome,
        because=asked.because,
        plan_hash=question.plan_hash,
        answers=tuple(_answer(answer, names) for answer in asked.answers),
        escalated=tuple(asked.escalated),
    )


def _answer(answer: Answer, names: Names) -> AnswerFacts:
    return AnswerFacts(
        by=names.person(answer.by),
        verdict=answer.verdict,
        means=answer.means,
        at=moment(answer.at),
        reason=answer.reason,
        choice=answer.choice or "",
        max_loss_s=seconds(answer.max_loss_s),
        witnesses=tuple(names.person(witness) for witness in answer.witnesses),
        evidence=answer.evidence,
    )


def doubts(told: Chronicle, names: Names) -> tuple[DoubtFacts, ...]:
    """Return every doubt with how it was settled."""
    return tuple(_doubt(doubt, names) for doubt in told.doubts)


def _doubt(doubt: Doubt, names: Names) -> DoubtFacts:
    return DoubtFacts(
        step=doubt.step,
        host=doubt.host,
        attempt=doubt.attempt,
        since=doubt.since,
        because=doubt.because,
        settled=doubt.settled,
        at=doubt.at,
        by=tuple(names.person(answer.get("by")) for answer in doubt.answers),
        verdict=str(doubt.answers[-1].get("verdict", "")) if doubt.answers else "",
        saw=doubt.saw,
    )


def failures(told: Chronicle, steps: tuple[StepFacts, ...]) -> tuple[FailureFacts, ...]:
    """Return every failed attempt and rung with what the run did then."""
    by_id = {step.id: step for step in steps}
    found = [_failure(failure, by_id.get(failure.step)) for failure in told.failures]
    return tuple(sorted(found, key=lambda failure: failure.at))


def _failure(failure: Failure, step: StepFacts | None) -> FailureFacts:
    then = "retried" if failure.retried else ""
    if not then and step is not None:
        then = "passed" if step.passed else "failed" if step.state == "failed" else ""
    return FailureFacts(
        failure.step,
        failure.host,
        failure.attempt,
        failure.at,
        failure.message,
        failure.code,
        then,
    )


def operators(told: Chronicle, names: Names) -> tuple[OperatorFacts, ...]:
    """Return what operators wished and noted."""
    return tuple(
        OperatorFacts(
            at=event.at,
            what=str(event.kind).rpartition(".")[2],
            by=names.person(event.data.get("by")),
            step=event.step or "",
            text=_told(event),
        )
        for event in told.wishes
    )


def jobs(view: RunView) -> tuple[JobFacts, ...]:
    """Return the commands of which nobody saw that an abort ended them."""
    return tuple(
        JobFacts(
            step.id,
            unit.host or "",
            str((unit.stop or {}).get("outcome", "")),
            str((unit.stop or {}).get("detail", "")),
        )
        for step, unit in view.jobs_left()
    )


def _told(event: Event) -> str:
    text = str(event.data.get("text") or event.data.get("because") or "")
    diff = event.data.get("diff")
    return f"{text} [{in_brief(diff)}]" if diff else text


def ladders(view: RunView, lines: list[Outlined], told: Chronicle) -> tuple[LadderFacts, ...]:
    """Return every ladder: the rungs of its gate's forecast, and those that only ran."""
    gates = {
        asked.question.chooses: asked
        for asked in view.questions.values()
        if asked.question.chooses and asked.question.options
    }
    steps = [line for line in lines if _is_ladder(line, lines, view, gates)]
    return tuple(_ladder(line, view, lines, told, gates.get(line.id)) for line in steps)


def _is_ladder(
    line: Outlined, lines: list[Outlined], view: RunView, gates: Mapping[str, QuestionView]
) -> bool:
    ran = line.id in view.steps and bool(view.steps[line.id].rungs)
    return ran or line.id in gates or any(other.ladder == line.id for other in lines)


def _ladder(
    line: Outlined,
    view: RunView,
    lines: list[Outlined],
    told: Chronicle,
    gate: QuestionView | None,
) -> LadderFacts:
    forecast = {option.name: option for option in gate.question.options} if gate else {}
    step = view.steps.get(line.id)
    ran = dict(step.rungs) if step else {}
    outlined = [other.rung for other in lines if other.ladder == line.id]
    order = dict.fromkeys([*forecast, *outlined, *ran])
    chosen = next((a.choice for a in gate.answers if a.choice), None) if gate else None
    return LadderFacts(
        line.id,
        line.title,
        tuple(
            _rung(
                name,
                forecast.get(name),
                ran.get(name, ""),
                told.rungs.get((line.id, name), []),
                note=step.rung_notes.get(name, "") if step else "",
                chosen=name == chosen,
                ended=step.ended if step else None,
            )
            for name in order
        ),
    )


def _rung(
    name: str,
    option: Option | None,
    fate: str,
    events: list[Any],
    *,
    note: str,
    chosen: bool,
    ended: Any,
) -> RungFacts:
    started = next((e for e in events if e.kind is Kind.RUNG_STARTED), None)
    failed = next((e for e in events if e.kind is Kind.RUNG_FAILED), None)
    then = mapping(started.data.get("forecast")) if started else {}
    end = failed.at if failed else ended if fate == "succeeded" else None
    available = option.available if option else True
    reason = Text(en=note, zh=note) if note else option.because if option else Text()
    return RungFacts(
        name=name,
        title=(option.title if option else Text()) or Text(en=name, zh=name),
        fate=fate or ("not_tried" if available else "unavailable"),
        proposed=bool(option and option.proposed),
        chosen=chosen,
        because=reason,
        p50_s=seconds(option.p50_s if option else then.get("p50_s")),
        p90_s=seconds(option.p90_s if option else then.get("p90_s")),
        loss_s=seconds(option.loss_s) if option and option.loss_known else UNKNOWN,
        basis=option.basis if option else Text(),
        took_s=length(started.at if started else None, end),
    )
