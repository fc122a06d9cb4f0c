"""A run on one screen: a pure function from a view to lines, for the live view and ``status``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dr.cli.jobs import job_lines
from dr.cli.lines import Line, Span, fitted, line
from dr.cli.outline import PHASES, Outline, OutlineStep
from dr.cli.reasons import run_reason, say_reason
from dr.cli.reconciled import sum_lines as session_lines
from dr.cli.sayings import say_error
from dr.cli.text import _
from dr.cli.width import cells, column, cut, wrap
from dr.cli.words import (
    PHASE_WORDS,
    STYLES,
    WAIT_WORDS,
    clock,
    environment_word,
    known,
    loss,
    mark,
    mode_word,
    run_word,
    say,
    seconds,
    span,
    state_word,
    step_word,
)
from dr.engine.core.amendment import amendments_first
from dr.engine.core.questions import SIGNED, QuestionKind
from dr.engine.core.states import ENDED, StepState
from dr.engine.core.view import QuestionView, RunView, StepView

_MIN_HOST_ROWS = 4
_OUTPUT_LINES = 5
_STATE_CELLS = 14
_TIME_CELLS = 7
_QUIET = frozenset({StepState.PENDING, StepState.READY})


@dataclass(frozen=True)
class Frame:
    """All that one picture of a run needs; nothing is looked up while it is drawn.

    ``progress`` is the service's forecast of the rest (None when there is none), ``output``
    the last lines of the steps that run.  ``height`` is in rows; None draws everything.
    """

    view: RunView
    outline: Outline
    now: datetime
    progress: Any = None
    output: Sequence[str] = ()
    width: int = 80
    height: int | None = None
    ascii_marks: bool = False
    next_command: str = ""
    engine_is_gone: bool = False
    lease_has_lapsed: bool = False


def draw(frame: Frame) -> list[Line]:
    """Return the lines of the screen, each within the width, together within the height."""
    head = [*_head(frame), (), *_phases(frame), ()]
    foot = [
        *_questions(frame),
        *_doubts(frame),
        *job_lines(frame.view),
        *_output(frame),
        *_next(frame),
    ]
    room = None if frame.height is None else frame.height - len(head) - len(foot) - 1
    body = [*_steps(frame, room), *_hosts(frame, room)]
    if room is not None and len(body) > room:
        body = [*body[: max(0, room - 1)], line(("…" if not frame.ascii_marks else "...", "dim"))]
    lines = [*head, *body, (), *foot] if foot else [*head, *body]
    lines = [fitted(one, frame.width) for one in lines]
    return lines if frame.height is None else lines[: frame.height]


def _head(frame: Frame) -> list[Line]:
    view, outline = frame.view, frame.outline
    word, style = environment_word(outline.kind, outline.environment)
    first: list[Span] = [Span(f" {word} ", style)]
    if outline.mode == "drill":
        first += [Span(" "), Span(f" {mode_word('drill')} ", "warn")]
    first += [Span(f" {outline.runbook}  ", "strong"), Span(view.id)]
    state, state_style = run_word(view.state)
    ended = view.moments.ended
    took = span(view.moments.created, ended or frame.now)
    second = [Span(state, state_style), Span("  " + _("elapsed {time}").format(time=took))]
    second += _clocks(frame)
    lines: list[Line] = [tuple(first), tuple(second)]
    because = run_reason(view)
    if because:
        lines += [line((part, "dim")) for part in wrap(because, frame.width, first="  ", rest="  ")]
    gone = without_engine(view, gone=frame.engine_is_gone, lapsed=frame.lease_has_lapsed)
    if gone:
        lines += [line((part, "bad")) for part in wrap(gone, frame.width, first="  ", rest="  ")]
    warning = say(getattr(frame.progress, "warning", None))
    if warning:
        lines.append(line(("  " + warning, "bad")))
    if view.moments.recovered:
        lines.append(
            line(
                (
                    _("service recovered {time}").format(time=clock(view.moments.recovered)),
                    "good",
                )
            )
        )
    return lines


def without_engine(view: RunView, *, gone: bool, lapsed: bool) -> str:
    """Return that nobody drives a run any more, in words; empty when somebody may.

    Args:
        gone: its engine was on this machine and has ended.
        lapsed: its engine was on another machine, and the lease is over.
    """
    if gone:
        return _("the engine of run {run} is gone; the run is not over").format(run=view.id)
    if lapsed:
        return _(
            "the lease of run {run} on {machine} has lapsed; no engine has the run, and it is "
            "not over"
        ).format(run=view.id, machine=view.holder.split()[0])
    return ""


def _clocks(frame: Frame) -> list[Span]:
    """What is left of the RTO, and when it will be over: a range, never one number."""
    if frame.view.moments.ended:
        return []
    spans: list[Span] = []
    left = _rto_left(frame)
    if left is not None and not frame.view.moments.recovered:
        text = _("RTO left {time}") if left >= 0 else _("RTO MISSED by {time}")
        spans.append(
            Span("  " + text.format(time=seconds(abs(left))), "bad" if left < 0 else "strong")
        )
    if frame.progress is not None:
        p50, p90 = frame.progress.eta_p50_s, frame.progress.eta_p90_s
        eta = _("ETA {p50} (P50), {p90} (P90)").format(p50=seconds(p50), p90=seconds(p90))
        spans.append(Span("  " + eta))
    return spans


def _rto_left(frame: Frame) -> float | None:
    if frame.progress is not None:
        left: float | None = frame.progress.rto_left_s
        return left
    start = frame.view.moments.detected
    if frame.outline.rto_s is None or start is None:
        return None
    return frame.outline.rto_s - (frame.now - start).total_seconds()


def _state_of(view: RunView, step: str) -> StepState:
    seen = view.steps.get(step)
    return seen.state if seen else StepState.PENDING


def _phases(frame: Frame) -> list[Line]:
    """The phases as columns: their name, and how many of their steps are over."""
    used = [p for p in PHASES if any(s.phase == p for s in frame.outline.steps.values())]
    if not used:
        return []
    width = frame.width // len(used)
    names, counts = [], []
    for phase in used:
        states = [
            _state_of(frame.view, s.id)
            for s in frame.outline.steps.values()
            if s.phase == phase and not s.rung
        ]
        over = sum(state in ENDED for state in states)
        style = _phase_style(states)
        names.append(Span(column(known(PHASE_WORDS, phase), width), style))
        bar = _bar(states, plain=frame.ascii_marks)
        counts.append(Span(column(f"{over}/{len(states)} {bar}", width), style))
    return [tuple(names), tuple(counts)]


def _phase_style(states: Sequence[StepState]) -> str:
    for state in (StepState.IN_DOUBT, StepState.FAILED, StepState.WAITING, StepState.RUNNING):
        if state in states:
            return STYLES[state]
    return "good" if states and all(state in ENDED for state in states) else "dim"


def _bar(states: Sequence[StepState], *, plain: bool) -> str:
    return "".join(mark(state, plain=plain) for state in states)


def _steps(frame: Frame, room: int | None) -> list[Line]:
    """The steps, grouped by phase; when there is no room only those that matter now."""
    steps = list(frame.outline.walk(frame.view))
    if room is not None and len(steps) > room:
        steps = _nearest(frame.view, steps, room)
    name_cells = min(max((cells(_label(s)) for s in steps), default=0), frame.width // 3)
    return [_step(frame, step, name_cells) for step in steps]


def _nearest(view: RunView, steps: list[OutlineStep], room: int) -> list[OutlineStep]:
    """Keep the steps around what happens now, so that the screen scrolls along."""
    moving = [
        i
        for i, s in enumerate(steps)
        if _state_of(view, s.id) not in ENDED and _state_of(view, s.id) not in _QUIET
    ]
    over = [i for i, s in enumerate(steps) if _state_of(view, s.id) in ENDED]
    centre = moving[0] if moving else (over[-1] if over else 0)
    start = max(0, min(centre - room // 3, len(steps) - room))
    return steps[start : start + max(room, 0)]


def _label(step: OutlineStep) -> str:
    return ("  " if step.rung else "") + step.id


def _step(frame: Frame, step: OutlineStep, name_cells: int) -> Line:
    seen = frame.view.steps.get(step.id)
    state = seen.state if seen else StepState.PENDING
    style = STYLES[state]
    not_tried = frame.outline.is_not_tried(frame.view, step.id)
    shown = StepState.SKIPPED if not_tried else state
    word = f"{mark(shown, plain=frame.ascii_marks)} {step_word(state, not_tried=not_tried)}"
    took = span(seen.started, seen.ended or frame.now) if seen and seen.started else ""
    fixed = 1 + _STATE_CELLS + 1 + name_cells + 2 + _TIME_CELLS
    room = max(10, frame.width - fixed - 1)
    remark = _remark(frame, step, seen, room)
    return line(
        " ",
        (column(word, _STATE_CELLS), style),
        " ",
        (column(_label(step), name_cells), "strong" if style != "dim" else "dim"),
        "  ",
        (column(remark, room), "" if seen else "dim"),
        " ",
        took,
    )


def _remark(frame: Frame, step: OutlineStep, seen: StepView | None, room: int) -> str:
    """The title, and the one thing more that matters in this state; a short one stays whole."""
    title = frame.outline.title(step.id) if step.title else ""
    extra = ""
    if seen is not None:
        if seen.rung and seen.state not in ENDED:
            extra = _("rung {rung}").format(rung=seen.rung)
        elif seen.state is StepState.WAITING and seen.waiting_for:
            extra = _("for {what}").format(what=known(WAIT_WORDS, seen.waiting_for))
        elif seen.because and seen.state not in {StepState.SUCCEEDED}:
            extra = say_reason(seen.because)
        elif seen.fan_out:
            over = sum(unit.state in ENDED for unit in seen.units.values())
            extra = _("{done} of {all} hosts").format(done=over, all=len(seen.units))
    if title and extra and cells(extra) <= room // 2:
        return f"{cut(title, room - cells(extra) - 2)}: {extra}"
    return f"{title}: {extra}" if title and extra else title or extra


def _hosts(frame: Frame, room: int | None) -> list[Line]:
    """Hosts by steps for the fan-outs that are not over."""
    fans = [s for s in frame.view.steps.values() if s.fan_out and s.state not in ENDED]
    if not fans:
        return []
    fans = fans[:4]
    hosts = list(dict.fromkeys(h for s in fans for h in s.units if h is not None))
    host_cells = min(max(map(cells, hosts), default=4), 20) + 2
    width = max(_STATE_CELLS + 1, (frame.width - host_cells - 1) // len(fans))
    limit = len(hosts) if room is None else max(_MIN_HOST_ROWS, room // 2)
    lines: list[Line] = [
        (),
        line(" ", column("", host_cells), *[(column(s.id, width), "strong") for s in fans]),
    ]
    for host in _most_telling(fans, hosts)[:limit]:
        lines.append(
            line(" ", column(host, host_cells), *[_cell(frame, s, host, width) for s in fans])
        )
    if len(hosts) > limit:
        lines.append(line((" " + _("and {n} more hosts").format(n=len(hosts) - limit), "dim")))
    return lines


def _most_telling(fans: Sequence[StepView], hosts: list[str]) -> list[str]:
    """Hosts with trouble first, then those at work; otherwise in their order."""
    weight = {StepState.IN_DOUBT: 0, StepState.FAILED: 1, StepState.UNDO_FAILED: 1}
    weight |= {StepState.RUNNING: 2, StepState.WAITING: 2, StepState.UNDOING: 2}

    def rank(host: str) -> int:
        states = [s.units[host].state for s in fans if host in s.units]
        return min((weight.get(state, 3) for state in states), default=4)

    return sorted(hosts, key=rank)


def _cell(frame: Frame, step: StepView, host: str, width: int) -> Span:
    unit = step.units.get(host)
    if unit is None:
        return Span(column("", width))
    again = f" #{unit.attempt}" if unit.attempt > 1 else ""
    text = f"{mark(unit.state, plain=frame.ascii_marks)} {state_word(unit.state)}{again}"
    return Span(column(text, width), STYLES[unit.state])


def _questions(frame: Frame) -> list[Line]:
    lines: list[Line] = []
    for asked in frame.view.open_questions():
        lines += _question(frame, asked)
    return lines


def _question(frame: Frame, asked: QuestionView) -> list[Line]:
    question = asked.question
    waited = span(asked.opened, frame.now)
    lines: list[Line] = [
        line(("@ ", "warn"), (f"{question.id}", "strong")),
        *(line(part) for part in wrap(say(question.asks), frame.width, first="  ", rest="  ")),
    ]
    if question.kind is QuestionKind.RECONCILIATION and frame.view.session is not None:
        return [*lines, *session_lines(frame.view.session, frame.now)]
    who = ", ".join(_awaited(frame, question.id)) or question.approvers or _("anyone")
    text = "  " + _("awaits {who} since {time} ({length})").format(
        who=who, time=clock(asked.opened), length=waited
    )
    if question.quorum > 1:
        text += "  " + _("{given} of {wanted}").format(
            given=len(asked.answers), wanted=question.quorum
        )
    if question.decide_by:
        text += "  " + _("decide by {time}").format(time=clock(question.decide_by))
    lines.append(line(text))
    if question.kind is QuestionKind.GATE and question.options:
        proposed = next((o for o in question.options if o.proposed), None)
        if proposed:
            lost = loss(proposed.loss_s, is_known=proposed.loss_known)
            rung = say(proposed.title) or proposed.name
            words = _("proposed: {rung}, data loss {loss}").format(rung=rung, loss=lost)
            lines.append(line("  ", (words, "strong")))
    return lines


def _awaited(frame: Frame, question: str) -> list[str]:
    for waiting in getattr(frame.progress, "waiting", None) or ():
        if waiting.question == question:
            return [str(name) for name in waiting.awaited]
    return []


def _doubts(frame: Frame) -> list[Line]:
    lines: list[Line] = []
    for step, unit in frame.view.in_doubt():
        place = f" @ {unit.host}" if unit.host else ""
        message = say_error(str((unit.error or {}).get("message", ""))) or say_reason(step.because)
        lines.append(line((f"? {step.id}{place} ", "alarm"), " " + message))
    return lines


def _output(frame: Frame) -> list[Line]:
    shown = [text for text in frame.output if text.strip()][-_OUTPUT_LINES:]
    bar = "|" if frame.ascii_marks else "│"
    return [line((f" {bar} {cut(text, frame.width - 4)}", "dim")) for text in shown]


def _next(frame: Frame) -> list[Line]:
    command = frame.next_command or str(getattr(frame.progress, "next_command", "") or "")
    command = command or next_command(frame.view)
    return [line((_("next: "), "strong"), command)] if command else []


def next_command(view: RunView) -> str:
    """Return what a person would type next, as far as the journal alone can tell."""
    if view.is_behind:
        return f"dr resume {view.id} --as-it-is --because …"
    for asked in amendments_first(view):
        question = asked.question
        if question.kind in SIGNED:
            return f"dr approve {view.id} {question.step}"
        if question.kind is QuestionKind.DOUBT:
            return f"dr resolve {view.id} {question.step} --as done|not-done|failed --because …"
        if not asked.is_about_undo and _to_retry(view):
            break
        if question.kind is QuestionKind.RECONCILIATION:
            return f"dr reconcile status {view.id}"
        verdicts = "|".join(question.verdicts or ("done", "failed"))
        return f"dr answer {view.id} {question.step} {verdicts}"
    if view.state.ended:
        return f"dr show {view.id}"
    if _to_retry(view):
        return f"dr retry {view.id} {_to_retry(view)} --because …"
    return f"dr continue {view.id}" if view.paused else ""


def _to_retry(view: RunView) -> str:
    """Return the first step that was taken back and on which the rest of the run waits."""
    steps = [] if view.undo else view.taken_back()
    return steps[0].id if steps else ""
