"""The gate page in a terminal: what an approver must have read, the gravest things first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dr.cli.lines import Line, line
from dr.cli.outline import Outline
from dr.cli.reasons import say_reason
from dr.cli.text import _
from dr.cli.width import cells, wrap
from dr.cli.words import (
    VERDICT_WORDS,
    clock,
    environment_word,
    known,
    loss,
    mode_word,
    say,
    seconds,
)
from dr.engine.core.approval import plan_code
from dr.engine.core.questions import Option, Question
from dr.engine.core.states import ENDED, StepState
from dr.engine.core.values import parse_utc
from dr.engine.core.view import QuestionView, RunView


@dataclass(frozen=True)
class GatePage:
    """All that the page shows."""

    view: RunView
    outline: Outline
    asked: QuestionView
    now: datetime
    progress: Any = None
    width: int = 80
    ascii_marks: bool = False


def draw_gate(page: GatePage) -> list[Line]:
    """Return the lines of the gate page."""
    question = page.asked.question
    lines = [*where_lines(page), (), *_sentence(page, question), ()]
    lines += [*_loss(page, question), (), *_options(page, question)]
    lines += [*_cannot_be_undone(page, question), *_otherwise(page, question), ()]
    lines += [*_steps(page), *answer_lines(page), *code_lines(question)]
    return lines


def _wrapped(page: GatePage, text: str, style: str = "", indent: str = "  ") -> list[Line]:
    return [line((part, style)) for part in wrap(text, page.width, first=indent, rest=indent)]


def where_lines(page: GatePage) -> list[Line]:
    """Return the line that says where one is, and that it is real."""
    word, style = environment_word(page.outline.kind, page.outline.environment)
    drill = mode_word(page.outline.mode) or _("real, no drill")
    return [
        line(
            (f" {word} ", style),
            (f" {drill} ", "warn" if page.outline.mode == "drill" else "strong"),
            f" {page.outline.runbook}  {page.view.id}  {page.asked.question.id}",
        )
    ]


def _sentence(page: GatePage, question: Question) -> list[Line]:
    return _wrapped(page, say(question.asks), "strong", indent="")


def _loss(page: GatePage, question: Question) -> list[Line]:
    """Data loss, the biggest text: a box of its own, with basis."""
    proposed = next((o for o in question.options if o.proposed), None)
    if proposed is not None:
        amount, basis = loss(proposed.loss_s, is_known=proposed.loss_known), say(proposed.basis)
    else:
        amount = loss(question.max_loss_s, is_known=question.max_loss_s is not None)
        basis = ""
    shown = amount.upper() if amount == _("unknown") else amount
    words = "  " + _("DATA LOSS: {loss}").format(loss=shown) + "  "
    edge = "=" * cells(words)
    style = "alarm" if amount != _("none") else "good"
    lines: list[Line] = [line((edge, style)), line((words, style)), line((edge, style))]
    if basis:
        lines += _wrapped(page, _("basis: {basis}").format(basis=basis))
    return lines


def _options(page: GatePage, question: Question) -> list[Line]:
    if not question.options:
        return []
    lines: list[Line] = [line((_("ways to go on"), "strong"))]
    for option in question.options:
        lines += option_lines(option, page.width)
    return lines


def option_lines(option: Option, width: int) -> list[Line]:
    """Return a rung of the ladder with its forecast, or with why it is not available."""
    sign, style = ("*", "strong") if option.proposed else ("-", "")
    if not option.available:
        sign, style = "!", "dim"
    title = say(option.title)
    head = f"  {sign} {option.name}" + (f"  {title}" if title else "")
    if option.proposed:
        head += "  " + _("(proposed)")
    lines: list[Line] = [line((head, style))]
    if not option.available:
        text = _("not available: {because}").format(
            because=say_reason(option.because.plain()) or _("unknown")
        )
        return lines + [line((part, "dim")) for part in _indented(text, width)]
    text = _("data loss {loss}, time {p50} (P50) / {p90} (P90)").format(
        loss=loss(option.loss_s, is_known=option.loss_known),
        p50=seconds(option.p50_s),
        p90=seconds(option.p90_s),
    )
    lines += [line(part) for part in _indented(text, width)]
    if say(option.basis) and not option.proposed:
        basis = _("basis: {basis}").format(basis=say(option.basis))
        lines += [line((part, "dim")) for part in _indented(basis, width)]
    return lines


def _indented(text: str, width: int) -> list[str]:
    return wrap(text, width, first="      ", rest="      ")


def _cannot_be_undone(page: GatePage, question: Question) -> list[Line]:
    """What approving would do for good: of the rung in question, not of those nobody can take."""
    if question.options:
        proposed = next((o for o in question.options if o.proposed), None)
        steps = list(proposed.irreversible) if proposed else []
    else:
        steps = [
            step.id
            for step in page.outline.steps.values()
            if step.effect == "irreversible" and step.id not in page.view.steps and not step.rung
        ]
    if not steps:
        return []
    titles = ", ".join(f"{page.outline.title(s)} [{s}]" for s in steps)
    return _wrapped(page, _("can not be undone: {steps}").format(steps=titles), "warn", indent="")


def _otherwise(page: GatePage, question: Question) -> list[Line]:
    lines = _wrapped(
        page,
        _("If you reject: the step fails and the run stops here; nothing is undone by it."),
        indent="",
    )
    if question.decide_by:
        left = (parse_utc(question.decide_by) - page.now).total_seconds()
        text = _("If nobody decides by {time} ({left} left): {then}; silence never approves.")
        then = (
            _("the gate fails") if question.on_timeout == "fail" else _("the run goes on waiting")
        )
        shown = seconds(max(0.0, left))
        lines += _wrapped(
            page, text.format(time=clock(question.decide_by), left=shown, then=then), indent=""
        )
    left_s = getattr(page.progress, "rto_left_s", None)
    if left_s is not None:
        lines += _wrapped(
            page, _("RTO left: {time}").format(time=seconds(left_s)), "strong", indent=""
        )
    return lines


def _steps(page: GatePage) -> list[Line]:
    """What would be carried out."""
    rest = []
    for step in page.outline.steps.values():
        seen = page.view.steps.get(step.id)
        state = seen.state if seen else StepState.PENDING
        if step.id != page.asked.question.step and state not in ENDED:
            rest.append(step)
    if not rest:
        return []
    lines: list[Line] = [line((_("what would be done"), "strong"))]
    for step in rest:
        sign = "!" if step.effect == "irreversible" else "+"
        place = f" [{step.rung}]" if step.rung else ""
        lines.append(line(f"  {sign} {step.id}{place}  ", (page.outline.title(step.id), "dim")))
    return [*lines, ()]


def answer_lines(page: GatePage) -> list[Line]:
    """Return who has answered and who is still wanted."""
    question = page.asked.question
    lines: list[Line] = []
    for answer in page.asked.answers:
        words = known(VERDICT_WORDS, answer.verdict)
        reason = f": {answer.reason}" if answer.reason else ""
        lines.append(line(f"  {clock(answer.at)} {answer.by} {words} ({answer.means}){reason}"))
    wanted = _("{given} of {wanted} approvals, from {who}").format(
        given=len(page.asked.answers), wanted=question.quorum, who=question.approvers or "?"
    )
    if question.distinct_from:
        wanted += "; " + _("does not count: {who}").format(who=", ".join(question.distinct_from))
    return [line(wanted), *lines]


def code_lines(question: Question) -> list[Line]:
    """Return the line with the plan code."""
    if not question.plan_hash:
        return []
    code = plan_code(question.plan_hash, question.nonce)
    return [line(_("plan code: "), (code, "strong"))]
