"""``dr resume``."""

from __future__ import annotations

import click

from dr.cli.asking import reason_for
from dr.cli.command import command, option
from dr.cli.completing import people, runs
from dr.cli.finding import person, run_id
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
@option(
    "--as-it-is",
    is_flag=True,
    help=N_("Go on although hosts know of the run what the journal has lost; needs --because."),
)
@option("--because", metavar="TEXT", help=N_("Why; goes into the journal and the report."))
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
@option("--detach", is_flag=True, help=N_("Do not follow the run."))
def resume(
    run: str | None,
    no_wait: bool,
    as_it_is: bool,
    because: str | None,
    by: str | None,
    detach: bool,
) -> int | None:
    """Go on with a run."""
    session = current()
    enter_lab(session)
    found = run_id(session.desk, run)
    accept = (person(by), reason_for(session, because, "--because")) if as_it_is else None
    record = session.desk.resume(found, accept=accept)
    session.say(_("run {run} is resumed").format(run=record.id))
    if detach:
        if session.json:
            session.result({"v": 1, "run": record.id})
        return None
    return follow(session, record.id, wait=not no_wait, starting=True)
