"""Everything known of a run or a step, as lines and as JSON data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dr.cli.amendment_screen import diff_lines
from dr.cli.lines import Line, line
from dr.cli.reasons import say_reason
from dr.cli.sayings import say_error
from dr.cli.screen import Frame, draw
from dr.cli.text import _
from dr.cli.width import wrap
from dr.cli.words import (
    OUTCOME_WORDS,
    RUNG_WORDS,
    STYLES,
    VERDICT_WORDS,
    amount,
    known,
    mark,
    say,
    span,
    stamp,
    state_word,
    step_word,
)
from dr.engine.core.canonical import plain
from dr.engine.core.events import Event
from dr.engine.core.view import QuestionView, StepView, UnitView

_MOST_CHARS = 2000
"""How much of one value is shown."""


def step_data(step: StepView) -> dict[str, Any]:
    """Return a step as JSON data."""
    return {
        "state": str(step.state),
        "because": step.because,
        "waiting_for": step.waiting_for,
        "outputs": plain(step.outputs),
        "rung": step.rung,
        "rungs": dict(step.rungs),
        "started": plain(step.started),
        "ended": plain(step.ended),
        "units": [unit_data(unit) for unit in step.units.values()],
    }


def unit_data(unit: UnitView) -> dict[str, Any]:
    """Return a step on one host as JSON data."""
    return {
        "host": unit.host,
        "state": str(unit.state),
        "attempt": unit.attempt,
        "epoch": unit.epoch,
        "outputs": plain(unit.outputs),
        "facts": plain(unit.facts),
        "error": plain(unit.error),
        "handle": plain(unit.handle),
        "presence": plain(unit.presence),
        "job": plain(unit.stop),
        "via": unit.via,
        "started": plain(unit.started),
        "ended": plain(unit.ended),
    }


def amendment_data(event: Event) -> dict[str, Any]:
    """Return an amendment that was carried out as JSON data."""
    return {"at": plain(event.at), **plain(event.data)}


def _amendment(frame: Frame, event: Event) -> list[Line]:
    data = event.data
    text = _("amended by {by}, approved by {who}: {because}").format(
        by=data["by"], who=", ".join(data["approved_by"]), because=data["because"]
    )
    head = wrap(f"{stamp(event.at)} {text}", frame.width, rest="    ")
    return [*(line((part, "strong")) for part in head), *diff_lines(data["diff"], frame.width)]


def run_lines(frame: Frame) -> list[Line]:
    """Return the run's screen, its facts, its questions and notes."""
    view = frame.view
    lines = [*draw(frame), ()]
    for name, facts in view.facts.items():
        lines.append(line((_("seen {name}").format(name=name), "strong")))
        lines += _pairs(facts.get("facts"), frame.width)
    for asked in view.questions.values():
        lines += _question(frame, asked)
    for event in view.amendments:
        lines += _amendment(frame, event)
    for note in view.notes:
        lines.append(line(f"{stamp(note.at)} {note.data.get('by')}: {note.data.get('text')}"))
    lines.append(
        line((_("journal: {n} events, head {head}").format(n=view.seq, head=view.head), "dim"))
    )
    return lines


def _pairs(values: object, width: int) -> list[Line]:
    if not isinstance(values, Mapping):
        return []
    lines: list[Line] = []
    for name, value in values.items():
        shown = (
            json.dumps(plain(value), ensure_ascii=False)
            if isinstance(value, Mapping | list | tuple) and not _unknown(value)
            else _shortened(str(amount(value)))
        )
        lines += [
            line(part) for part in wrap(f"{name}: {shown}", width, first="    ", rest="      ")
        ]
    return lines


def _shortened(text: str) -> str:
    """Return the end of a long text: an output of a megabyte is for ``dr log`` or ``--json``."""
    return text if len(text) <= _MOST_CHARS else f"… {text[-_MOST_CHARS:]}"


def _unknown(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value.get("unknown"))


def _question(frame: Frame, asked: QuestionView) -> list[Line]:
    question = asked.question
    outcome = known(OUTCOME_WORDS, asked.outcome) if asked.outcome else _("open")
    lines: list[Line] = [line((f"@ {question.id} ", "strong"), outcome)]
    asks = wrap(say(question.asks), frame.width, first="    ", rest="    ")
    lines += [line(part) for part in asks]
    for answer in asked.answers:
        words = known(VERDICT_WORDS, answer.verdict)
        choice = f" [{answer.choice}]" if answer.choice else ""
        text = f"{answer.at} {answer.by} {words}{choice} ({answer.means}): {answer.reason}"
        lines += [line(part) for part in wrap(text, frame.width, first="    ", rest="      ")]
        if answer.witnesses:
            who = ", ".join(answer.witnesses)
            lines.append(line("      " + _("witnesses: {who}").format(who=who)))
        lines += _pairs(answer.evidence, frame.width)
    return lines


def step_lines(frame: Frame, step: StepView) -> list[Line]:
    """Return all that is known of a step."""
    known_step = frame.outline.steps.get(step.id)
    not_tried = frame.outline.is_not_tried(frame.view, step.id)
    words = step_word(step.state, not_tried=not_tried)
    word = f"{mark(step.state, plain=frame.ascii_marks)} {words}"
    took = span(step.started, step.ended or frame.now)
    lines: list[Line] = [
        line((word, STYLES[step.state]), f"  {step.id}  {frame.outline.title(step.id)}  {took}")
    ]
    if known_step and known_step.uses:
        lines.append(line(f"  {known_step.uses}  {known_step.effect}"))
    if step.because:
        lines += [
            line(part)
            for part in wrap(say_reason(step.because), frame.width, first="  ", rest="  ")
        ]
    for rung, how in step.rungs.items():
        note = say_reason(step.rung_notes.get(rung, ""))
        words = f"{rung}: {known(RUNG_WORDS, how)}" + (f": {note}" if note else "")
        lines += [line(part) for part in wrap(words, frame.width, first="  ", rest="    ")]
    lines += _pairs(step.outputs, frame.width)
    for unit in step.units.values():
        lines += _unit(frame, unit)
    for asked in frame.view.questions.values():
        if asked.question.step == step.id:
            lines += _question(frame, asked)
    return lines


def _unit(frame: Frame, unit: UnitView) -> list[Line]:
    word = f"{mark(unit.state, plain=frame.ascii_marks)} {state_word(unit.state)}"
    place = unit.host or _("engine")
    took = span(unit.started, unit.ended)
    tried = _("attempt {n}").format(n=unit.attempt)
    lines: list[Line] = [line("  ", (word, STYLES[unit.state]), f"  {place}  {tried}  {took}")]
    if unit.error:
        text = say_error(str(unit.error.get("message", "")))
        lines += [line((p, "bad")) for p in wrap(text, frame.width, first="    ", rest="    ")]
    for said in (unit.intent or {}).get("describes") or ():
        lines.append(line((f"    $ {said}", "dim")))
    lines += _pairs(unit.outputs, frame.width)
    lines += _pairs(unit.facts, frame.width)
    return lines
