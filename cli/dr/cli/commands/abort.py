"""``dr abort``."""

from __future__ import annotations

import click

from dr.cli.asking import reason_for
from dr.cli.command import command, option
from dr.cli.completing import people, runs
from dr.cli.finding import person, run_id
from dr.cli.session import current
from dr.cli.text import N_, _
from dr.engine.core.errors import UserError


@command(
    "abort",
    N_(
        "Give a run up; its closing steps still run.\n\n"
        "Steps under way are asked to stop; nothing is undone by it. The run ends as aborted."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option("--because", metavar="TEXT", help=N_("Why; goes into the journal and the report."))
@option("--confirm", metavar="RUN", help=N_("The id of the run, in place of typing it."))
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
def abort(run: str | None, because: str | None, confirm: str | None, by: str | None) -> None:
    """Give a run up."""
    session = current()
    found = run_id(session.desk, run)
    why = reason_for(session, because, "--because")
    if confirm is None and session.asks:
        confirm = click.prompt(_("type the id of the run to abort it"), err=True, default="")
    if confirm is not None and confirm != found:
        raise UserError(
            _("'{given}' is not the id of the run; nothing was aborted").format(given=confirm),
            hint=_("The id is {run}.").format(run=found),
        )
    session.desk.abort(found, person(by), why)
    if session.json:
        session.result({"v": 1, "run": found})
    else:
        session.say(_("run {run} is to be aborted").format(run=found))
