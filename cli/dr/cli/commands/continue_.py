"""``dr continue``."""

from __future__ import annotations

import click

from dr.cli.command import command, option
from dr.cli.completing import people, runs
from dr.cli.finding import person, run_id
from dr.cli.session import current
from dr.cli.text import N_, _


@command("continue", N_("Take the pause of a run back.\n\nSteps that were held back start again."))
@click.argument("run", required=False, shell_complete=runs)
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
def continue_(run: str | None, by: str | None) -> None:
    """Take the pause of a run back."""
    session = current()
    found = run_id(session.desk, run)
    session.desk.continue_(found, person(by))
    if session.json:
        session.result({"v": 1, "run": found})
    else:
        session.say(_("run {run} is to continue").format(run=found))
