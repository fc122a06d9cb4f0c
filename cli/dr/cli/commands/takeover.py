"""``dr takeover``."""

from __future__ import annotations

import click

from dr.cli.asking import reason_for
from dr.cli.command import command, option
from dr.cli.completing import people, runs
from dr.cli.finding import person, run_id
from dr.cli.follow import follow
from dr.cli.network import enter_lab
from dr.cli.session import Session, current
from dr.cli.text import N_, _


@command(
    "takeover",
    N_(
        "Take a run over whose engine on another machine is dead or frozen.\n\n"
        "Needs the journal on PostgreSQL (DR_DATABASE_URL). What was under way is put in doubt "
        "and looked for first. The other engine can write and act no more, even if it wakes up "
        "later. Exit 7 while the lease of the other engine lasts."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option("--because", metavar="TEXT", help=N_("Why; goes into the journal and the report."))
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
@option("--wait", is_flag=True, help=N_("Wait for the lease of the other engine to lapse."))
@option("--no-wait", is_flag=True, help=N_("Leave with exit 3 when the run waits for people."))
@option("--detach", is_flag=True, help=N_("Do not follow the run."))
def takeover(
    run: str | None,
    because: str | None,
    by: str | None,
    wait: bool,
    no_wait: bool,
    detach: bool,
) -> int | None:
    """Take a run over."""
    session = current()
    enter_lab(session)
    why = reason_for(session, because, "--because")
    session.desk.require_shared()
    found = run_id(session.desk, run)
    watch = _Watch(session) if wait else None
    record = session.desk.take_over(found, person(by), why, watch)
    session.say(_("run {run} is being taken over").format(run=record.id))
    if detach:
        if session.json:
            session.result({"v": 1, "run": record.id})
        return None
    return follow(session, record.id, wait=not no_wait, starting=True)


class _Watch:
    """Says once how long the lease still lasts."""

    def __init__(self, session: Session) -> None:
        self._session, self._said = session, False

    def __call__(self, left_s: float) -> None:
        if not self._said:
            self._session.say(
                _("waiting for the lease of the other engine to lapse: {left} s").format(
                    left=f"{left_s:.1f}"
                )
            )
            self._said = True
