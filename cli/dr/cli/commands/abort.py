"""``dr abort``."""

from __future__ import annotations

import click

from dr.cli.asking import reason_for, typed_run
from dr.cli.command import command, option
from dr.cli.completing import people, runs
from dr.cli.finding import person, run_id
from dr.cli.jobs import delicate_jobs
from dr.cli.session import Session, current
from dr.cli.text import N_, _


@command(
    "abort",
    N_(
        "Give a run up; its closing steps still run.\n\n"
        "Commands that the run started on hosts are ended, each with all its processes; nothing is "
        "undone. Those of once and irreversible steps, such as a promotion or a restore, are "
        "left to come to their end unless --kill-jobs is given. 'dr show' lists what was left and "
        "what could not be ended. The run ends as aborted once nothing is in doubt."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option("--because", metavar="TEXT", help=N_("Why; goes into the journal and the report."))
@option(
    "--kill-jobs",
    is_flag=True,
    help=N_("End the commands of once and irreversible steps too, half-way through."),
)
@option("--confirm", metavar="RUN", help=N_("The id of the run, in place of typing it."))
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
def abort(
    run: str | None, because: str | None, kill_jobs: bool, confirm: str | None, by: str | None
) -> None:
    """Give a run up."""
    session = current()
    found = run_id(session.desk, run)
    why = reason_for(session, because, "--because")
    asks = _("type the id of the run to abort it")
    typed_run(session, found, confirm, asks, _("aborted"), is_needed=kill_jobs)
    left = [] if kill_jobs else delicate_jobs(session.desk.view(found))
    if left and session.asks:
        kill_jobs = _kill(left)
        left = [] if kill_jobs else left
    session.desk.abort(found, person(by), why, kill_jobs=kill_jobs)
    _say(session, found, left)


def _kill(left: list[str]) -> bool:
    """Ask whether the commands that would be left are to be ended as well."""
    for job in left:
        click.echo(_("still running: {job}").format(job=job), err=True)
    asks = _("end these half-way through as well? Else they come to their end")
    return click.confirm(asks, default=False, err=True)


def _say(session: Session, run: str, left: list[str]) -> None:
    if session.json:
        session.result({"v": 1, "run": run, "left": left})
        return
    session.say(_("run {run} is to be aborted").format(run=run))
    for job in left:
        session.say(_("left to come to its end: {job}").format(job=job))
    if left:
        words = _("to end it as well: {command}")
        session.say(words.format(command=f"dr abort {run} --kill-jobs --because …"))
