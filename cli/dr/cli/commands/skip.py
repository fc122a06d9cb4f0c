"""``dr skip``."""

from __future__ import annotations

import click

from dr.cli.asking import reason_for
from dr.cli.command import command, option
from dr.cli.completing import people, runs_then_steps
from dr.cli.finding import person, run_and_rest
from dr.cli.session import current
from dr.cli.text import N_, _


@command(
    "skip",
    N_(
        "Let the run go on without a step.\n\n"
        "The report names who skipped it and why. A skip never stands in for a proof. RUN "
        "may be left out when only one is not over."
    ),
)
@click.argument(
    "words", nargs=-1, required=True, metavar="[RUN] STEP", shell_complete=runs_then_steps
)
@option("--because", metavar="TEXT", help=N_("Why; goes into the journal and the report."))
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
def skip(words: tuple[str, ...], because: str | None, by: str | None) -> None:
    """Let the run go on without a step."""
    session = current()
    run, rest = run_and_rest(session.desk, words, 1)
    if not rest:
        raise click.UsageError(_("Name the step."))
    session.desk.skip(run, rest[0], person(by), reason_for(session, because, "--because"))
    if session.json:
        session.result({"v": 1, "run": run, "step": rest[0]})
    else:
        session.say(_("{step} of run {run} is to be skipped").format(step=rest[0], run=run))
