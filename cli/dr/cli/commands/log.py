"""``dr log``."""

from __future__ import annotations

import click

from dr.cli.command import command, option
from dr.cli.completing import runs_then_steps
from dr.cli.finding import known_step, run_and_rest
from dr.cli.outline import outline_of
from dr.cli.sentences import plain_line
from dr.cli.session import Session, current
from dr.cli.text import N_
from dr.cli.width import printable
from dr.engine.core.canonical import plain
from dr.engine.core.view import RunView


@command(
    "log",
    N_(
        "Print what happened in a run, or what a step wrote.\n\n"
        "With STEP: the output of its last attempt. Without: every event of the run as a sentence. "
        "RUN may be left out when only one is not over; 'last' is the newest."
    ),
)
@click.argument("words", nargs=-1, metavar="[RUN] [STEP]", shell_complete=runs_then_steps)
@option("--host", metavar="HOST", help=N_("The host of a step that runs on several."))
@option(
    "-n",
    "--tail",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help=N_("How many lines of the output."),
)
def log(words: tuple[str, ...], host: str | None, tail: int) -> None:
    """Print what happened."""
    session = current()
    run, rest = run_and_rest(session.desk, words, 1)
    if rest:
        view = session.desk.view(run)
        known_step(view, rest[0])
        where = host or _last_host(view, rest[0])
        text = session.desk.output(run, rest[0], host=where, tail=tail)
        if session.json:
            session.result({"v": 1, "run": run, "step": rest[0], "output": text})
        else:
            click.echo(printable(text), nl=not text.endswith("\n"))
        return
    _events(session, run)


def _last_host(view: RunView, step: str) -> str | None:
    """Return the host that the step moved on last; None for the engine itself."""
    seen = view.steps.get(step)
    unit = seen.latest if seen else None
    return unit.host if unit else None


def _events(session: Session, run: str) -> None:
    view = RunView(run)
    for event in session.desk.journal.events(run):
        view.apply_all([event])
        if session.json:
            session.row({"v": 1, "event": plain(event)})
            continue
        text = plain_line(event, view, outline_of(view))
        if text:
            click.echo(text)
