"""``dr show``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from dr.cli.command import command, option
from dr.cli.completing import runs_then_steps
from dr.cli.details import amendment_data, run_lines, step_data, step_lines
from dr.cli.finding import is_run, known_step, run_id
from dr.cli.gate_screen import GatePage, draw_gate
from dr.cli.jobs import jobs_data
from dr.cli.lines import Line, painted
from dr.cli.outline import outline_of
from dr.cli.screen import Frame
from dr.cli.session import Session, current, marks_ascii
from dr.cli.terminal import width
from dr.cli.text import N_, _
from dr.cli.width import cells, pad
from dr.cli.words import say
from dr.engine.core.canonical import plain
from dr.engine.core.errors import UserError
from dr.engine.core.questions import QuestionKind
from dr.engine.core.view import RunView


@command(
    "show",
    N_(
        "Show everything known of a run, or of one of its steps.\n\n"
        "Attempts, hosts, outputs, proofs, questions with their answers and signatures. Without "
        "RUN the one that is not over, else the newest. --report writes the reports again and "
        "prints where they are. 'dr show runbooks' lists what can be run."
    ),
)
@click.argument("words", nargs=-1, metavar="[RUN] [STEP]", shell_complete=runs_then_steps)
@option("--report", is_flag=True, help=N_("Write the reports from the journal."))
def show(words: tuple[str, ...], report: bool) -> None:
    """Show what is known."""
    session = current()
    if words == ("runbooks",):
        _runbooks(session)
        return
    named = words[0] if words and is_run(session.desk, words[0]) else None
    run = run_id(session.desk, named, unfinished=False)
    rest = words[1:] if named else words
    if len(rest) > 1:
        raise UserError(_("unexpected argument: {word}").format(word=rest[1]))
    if report:
        _report(session, run)
        return
    view = session.desk.view(run)
    if rest:
        _step(session, view, rest[0])
    elif session.json:
        session.result({"v": 1, "run": run, **_data(view)})
    else:
        frame = _frame(session, view)
        click.echo(painted(run_lines(frame), colour=session.colour))


def _frame(session: Session, view: RunView) -> Frame:
    return Frame(
        view=view,
        outline=outline_of(view),
        now=datetime.now(UTC),
        progress=None if view.state.ended else session.desk.progress(view.id),
        width=width(),
        ascii_marks=marks_ascii(),
    )


def _data(view: RunView) -> Mapping[str, Any]:
    return {
        "state": str(view.state),
        "because": view.because,
        "created": plain(view.created),
        "moments": plain(view.moments),
        "facts": plain(view.facts),
        "steps": {name: step_data(step) for name, step in view.steps.items()},
        "questions": {
            name: {
                "question": asked.question.to_data(),
                "answers": [answer.to_data() for answer in asked.answers],
                "outcome": asked.outcome,
            }
            for name, asked in view.questions.items()
        },
        "jobs_left": jobs_data(view),
        "undone": plain(view.undone),
        "amendments": [amendment_data(event) for event in view.amendments],
        "head": view.head,
    }


def _step(session: Session, view: RunView, named: str) -> None:
    known_step(view, named)
    seen = view.steps.get(named) or view.step(named)
    if session.json:
        session.result({"v": 1, "run": view.id, "id": named, **step_data(seen)})
        return
    frame = _frame(session, view)
    click.echo(painted(_gate(frame, named) or step_lines(frame, seen), colour=session.colour))


def _gate(frame: Frame, step: str) -> list[Line]:
    """Return the page that an approver reads; nothing where no gate of the step is open."""
    for asked in frame.view.open_questions():
        if asked.question.kind is QuestionKind.GATE and asked.question.step == step:
            page = GatePage(
                view=frame.view,
                outline=frame.outline,
                asked=asked,
                now=frame.now,
                progress=frame.progress,
                width=frame.width,
                ascii_marks=frame.ascii_marks,
            )
            return draw_gate(page)
    return []


def _runbooks(session: Session) -> None:
    entries = session.desk.runbooks()
    if session.json:
        rows = [
            {
                "name": entry.name,
                "title": entry.title.plain(),
                "file": str(entry.file),
                "shipped": entry.shipped,
                "problem": entry.problem,
            }
            for entry in entries
        ]
        session.result({"v": 1, "runbooks": rows})
        return
    names = max((cells(entry.name) for entry in entries), default=0)
    for entry in entries:
        origin = _("shipped") if entry.shipped else str(entry.file)
        words = entry.problem or f"{say(entry.title)} ({origin})"
        session.tell(f"{pad(entry.name, names)}  {words}")


def _report(session: Session, run: str) -> None:
    paths = [str(path) for path in session.desk.report(run)]
    if session.json:
        session.result({"v": 1, "run": run, "reports": paths})
        return
    for path in paths:
        click.echo(path)
