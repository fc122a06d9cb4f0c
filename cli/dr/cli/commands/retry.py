"""``dr retry``."""

from __future__ import annotations

import click

from dr.cli.asking import reason_for
from dr.cli.command import command, option
from dr.cli.completing import people, runs_then_steps
from dr.cli.finding import person, run_and_rest
from dr.cli.session import current
from dr.cli.text import N_, _


@command(
    "retry",
    N_(
        "Let a failed step try again.\n\n"
        "The attempt is recorded beside the earlier ones; hosts where it succeeded are "
        "left alone. RUN may be left out when only one is not over."
    ),
)
@click.argument(
    "words", nargs=-1, required=True, metavar="[RUN] STEP", shell_complete=runs_then_steps
)
@option("--because", metavar="TEXT", help=N_("Why; goes into the journal and the report."))
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
def retry(words: tuple[str, ...], because: str | None, by: str | None) -> None:
    """Let a failed step try again."""
    session = current()
    run, rest = run_and_rest(session.desk, words, 1)
    if not rest:
        raise click.UsageError(_("Name the step."))
    session.desk.retry(run, rest[0], person(by), reason_for(session, because, "--because"))
    if session.json:
        session.result({"v": 1, "run": run, "step": rest[0]})
    else:
        session.say(_("{step} of run {run} is to be tried again").format(step=rest[0], run=run))
