"""``dr resume``."""

from __future__ import annotations

import click

from dr.cli.command import command, option
from dr.cli.completing import runs
from dr.cli.finding import run_id
from dr.cli.follow import follow
from dr.cli.network import enter_lab
from dr.cli.session import current
from dr.cli.text import N_, _


@command(
    "resume",
    N_(
        "Go on with a run whose engine died.\n\n"
        "What was under way then is looked for first; nothing that may have taken effect is "
        "repeated. Exit 7 when an engine already has the run."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option("--no-wait", is_flag=True, help=N_("Leave with exit 3 when the run waits for people."))
@option("--detach", is_flag=True, help=N_("Do not follow the run."))
def resume(run: str | None, no_wait: bool, detach: bool) -> int | None:
    """Go on with a run."""
    session = current()
    enter_lab(session)
    found = run_id(session.desk, run)
    record = session.desk.resume(found)
    session.say(_("run {run} is resumed").format(run=record.id))
    if detach:
        if session.json:
            session.result({"v": 1, "run": record.id})
        return None
    return follow(session, record.id, wait=not no_wait, starting=True)
