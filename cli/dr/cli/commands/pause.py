"""``dr pause``."""

from __future__ import annotations

import click

from dr.cli.command import command, option
from dr.cli.completing import people, runs
from dr.cli.finding import person, run_id
from dr.cli.session import current
from dr.cli.text import N_, _


@command(
    "pause",
    N_(
        "Start nothing new in a run.\n\n"
        "What is under way goes on to its end. 'dr continue' takes it back."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
def pause(run: str | None, by: str | None) -> None:
    """Start nothing new in a run."""
    session = current()
    found = run_id(session.desk, run)
    session.desk.pause(found, person(by))
    if session.json:
        session.result({"v": 1, "run": found})
    else:
        session.say(_("run {run} is to pause").format(run=found))
