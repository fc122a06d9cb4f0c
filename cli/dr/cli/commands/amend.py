"""``dr amend``."""

from __future__ import annotations

import click

from dr.cli.amendment_screen import diff_lines
from dr.cli.asking import reason_for
from dr.cli.command import command, option, pairs
from dr.cli.completing import people, runs
from dr.cli.finding import person, run_id
from dr.cli.lines import painted
from dr.cli.session import Session, current
from dr.cli.terminal import width
from dr.cli.text import N_, _


@command(
    "amend",
    N_(
        "Change what has not begun of a run, with an approval.\n\n"
        "Takes the runbook and the inventory as they are on disk now, shows what would differ, and "
        "puts it to the people who guard the gates of the run: they sign with 'dr approve RUN "
        "@amendment'. What has begun, people and rules of approval never change. The run goes on "
        "with its old plan until all have signed, and then with the new one as a whole."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option("--because", metavar="TEXT", help=N_("Why; goes into the journal and the report."))
@option(
    "-i",
    "--plan-input",
    "inputs",
    multiple=True,
    metavar="KEY=VALUE",
    help=N_("An input with another value; the others stay."),
)
@option("--dry-run", is_flag=True, help=N_("Only show what would differ; ask nobody."))
@option("--withdraw", is_flag=True, help=N_("Take the amendment back that is being decided."))
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
def amend(
    run: str | None,
    because: str | None,
    inputs: tuple[str, ...],
    dry_run: bool,
    withdraw: bool,
    by: str | None,
) -> None:
    """Change what has not begun of a run."""
    session = current()
    given = pairs(inputs, "--plan-input")
    if withdraw and (given or dry_run):
        raise click.UsageError(_("--withdraw takes neither --plan-input nor --dry-run"))
    found = run_id(session.desk, run)
    if withdraw:
        _withdraw(session, found, person(by), reason_for(session, because, "--because"))
        return
    why = (because or "") if dry_run else reason_for(session, because, "--because")
    amendment = session.desk.amend(found, given, person(by), why, dry_run=dry_run)
    if session.json:
        session.result(amendment.to_data())
        return
    click.echo(painted(diff_lines(amendment.diff, width()), colour=session.colour))
    for question, ask in zip(amendment.questions, amendment.asks, strict=False):
        session.say(
            _("asked: {group}, {quorum} needed").format(group=ask["group"], quorum=ask["quorum"])
        )
        session.say(_("next: ") + f"dr approve {found} {question} --reason '…'")


def _withdraw(session: Session, run: str, by: str, because: str) -> None:
    question = session.desk.withdraw(run, by, because)
    if session.json:
        session.result({"v": 1, "run": run, "question": question, "withdrawn": True})
    else:
        session.say(_("'{question}' is taken back").format(question=question))
