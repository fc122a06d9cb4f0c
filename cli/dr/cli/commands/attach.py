"""``dr attach``."""

from __future__ import annotations

import click

from dr.cli.command import command, option
from dr.cli.completing import runs
from dr.cli.finding import run_id
from dr.cli.follow import follow
from dr.cli.session import current
from dr.cli.text import N_


@command(
    "attach",
    N_(
        "Follow a run that is under way.\n\n"
        "RUN may be left out when only one is not over. Ctrl-C leaves the view, the run goes on."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option("--no-wait", is_flag=True, help=N_("Leave with exit 3 when the run waits for people."))
def attach(run: str | None, no_wait: bool) -> int:
    """Follow a run."""
    session = current()
    return follow(session, run_id(session.desk, run, unfinished=False), wait=not no_wait)
