"""How far a run is: what is left of the time, who is awaited, what to type next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dr.engine.core.amendment import amendments_first
from dr.engine.core.ports import Estimates, RunRecord
from dr.engine.core.questions import Option, QuestionKind
from dr.engine.core.states import ENDED
from dr.engine.core.values import Text
from dr.engine.core.view import QuestionView, RunView


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question and who is awaited; ``since`` is UTC."""

    question: str
    step: str
    awaited: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """Seconds left; None is unknown.  ``rto_left_s`` is negative once the RTO is missed.

    ``warning`` says when the running rung no longer fits what is left of the RTO.
    """

    eta_p50_s: float | None
    eta_p90_s: float | None
    rto_left_s: float | None
    waiting: tuple[Waiting, ...] = field(default_factory=tuple)
    next_command: str = ""
    warning: Text = Text()


def progress_of(record: RunRecord, view: RunView, estimates: Estimates, now: datetime) -> Progress:
    """Return how far the run is."""
    p50, p90 = _left(record, view, estimates, now)
    rto_left = _rto_left(view, now)
    return Progress(
        eta_p50_s=p50,
        eta_p90_s=p90,
        rto_left_s=rto_left,
        waiting=tuple(_waiting(asked, record.inventory) for asked in view.open_questions()),
        next_command=_next(record, view),
        warning=_warning(view, p90, rto_left),
    )


def _rto_left(view: RunView, now: datetime) -> float | None:
    rto = view.created.get("objectives", {}).get("rto_s")
    started = view.moments.detected
    if rto is None or started is None:
        return None
    until = view.moments.recovered or view.moments.ended or now
    return float(rto) - (until - started).total_seconds()


def _left(
    record: RunRecord, view: RunView, estimates: Estimates, now: datetime
) -> tuple[float | None, float | None]:
    """Add up the steps that have not ended; one unmeasured step makes the sum unknown."""
    total = [timedelta(), timedelta()]
    for step in view.created.get("outline", []):
        seen = view.steps.get(step["id"])
        if (seen is not None and seen.state in ENDED) or not _counts(step, view):
            continue
        spread = estimates.duration(record.runbook, step["id"])
        if spread is None and step.get("expect_s") is not None:
            spread = (timedelta(seconds=step["expect_s"]),) * 2
        if spread is None:
            return None, None
        spent = now - seen.started if seen is not None and seen.started else timedelta()
        for i in (0, 1):
            total[i] += max(timedelta(), spread[i] - spent)
    return total[0].total_seconds(), total[1].total_seconds()


def _counts(step: Mapping[str, Any], view: RunView) -> bool:
    """Whether a step adds to the time left: not people, not ladders, not rungs left aside."""
    if step["uses"] in {"gate.approve", "human.task", "reconcile.close", ""}:
        return False
    if step["ladder"] is None:
        return True
    ladder = view.steps.get(step["ladder"])
    return ladder is not None and ladder.rung == step["rung"]


def _waiting(asked: QuestionView, inventory: Mapping[str, Any]) -> Waiting:
    groups = [asked.question.approvers, *asked.escalated]
    people: list[str] = []
    for name in groups:
        members = inventory.get("people_groups", {}).get(name, {}).get("members", [])
        people.extend(m for m in members if m not in people)
    answered = {a.by for a in asked.answers}
    awaited = [p for p in people if p not in answered and p not in asked.question.distinct_from]
    return Waiting(asked.question.id, asked.question.step, tuple(awaited), asked.opened)


def _next(record: RunRecord, view: RunView) -> str:
    """Return the command that moves the run on; empty when it moves by itself."""
    again = "" if view.undo or not view.taken_back() else view.taken_back()[0].id
    for asked in amendments_first(view):
        question = asked.question
        match question.kind:
            case QuestionKind.TASK | QuestionKind.FAILURE if again:
                break
            case QuestionKind.GATE | QuestionKind.AMENDMENT:
                return f"dr approve {record.id} {question.step} --reason '…'"
            case QuestionKind.TASK:
                return f"dr answer {record.id} {question.step} done"
            case QuestionKind.DOUBT:
                return f"dr resolve {record.id} {question.step} --as done|not-done|failed"
            case QuestionKind.FAILURE:
                return f"dr retry {record.id} {question.step} --because '…'"
            case QuestionKind.FALLBACK:
                verdicts = "|".join(question.verdicts or ("go-on", "fail"))
                return f"dr answer {record.id} {question.id} {verdicts}"
            case QuestionKind.RECONCILIATION:
                return f"dr reconcile status {record.id}"
    if again:
        return f"dr retry {record.id} {again} --because '…'"
    if view.paused:
        return f"dr continue {record.id}"
    return ""


def _warning(view: RunView, p90: float | None, rto_left: float | None) -> Text:
    """Say that the running rung no longer fits the RTO, and which one is next."""
    if rto_left is None or p90 is None or p90 <= rto_left or view.moments.recovered:
        return Text()
    en = "the forecast passes what is left of the RTO"
    zh = "预计用时已超过剩余恢复时间目标"
    following = _next_rung(view)
    if following is None:
        return Text(en=en, zh=zh)
    name, title = following.name, following.title
    return Text(
        en=f"{en}; the next way would be {name} ({title.say('en')})",
        zh=f"{zh}；下一恢复方式：{title.say('zh')}（{name}）",
    )


def _next_rung(view: RunView) -> Option | None:
    """Return the first rung not tried yet that was available when its gate was asked."""
    for step in view.restless():
        if step.rung is None:
            continue
        for asked in reversed(list(view.questions.values())):
            if asked.question.chooses == step.id:
                options = asked.question.options
                return next((o for o in options if o.available and o.name not in step.rungs), None)
    return None
