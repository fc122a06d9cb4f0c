"""``dr undo``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from dr.cli.asking import reason_for, typed_run
from dr.cli.command import command, option
from dr.cli.completing import people, runs
from dr.cli.finding import person, run_id
from dr.cli.following_undo import follow_undo
from dr.cli.session import Session, current
from dr.cli.text import N_, _
from dr.cli.words import UNDO_WORDS, known


@command(
    "undo",
    N_(
        "Take finished steps of a run back, the last one first.\n\n"
        "Each step is looked at before its undo acts; a step in doubt is settled first, and one "
        "under way comes to its end. What was done already when the run came to it is never taken "
        "back. Nothing new starts meanwhile. When an undo fails it stops and asks. Without --from "
        "the run then ends as aborted; with --from it pauses: 'dr retry STEP' and 'dr continue' go "
        "on from there, after its gates are approved again. 'dr abort' gives it up.\n\n"
        "Exit 0: all of it is taken back; 1: something is left; 3: people are asked; 7: an undo "
        "is under way already."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option(
    "--from",
    "back_to",
    metavar="STEP",
    help=N_(
        "Go back to this step, itself included; for a step of a ladder that has ended, to the "
        "ladder."
    ),
)
@option("--because", metavar="TEXT", help=N_("Why; goes into the journal and the report."))
@option("--confirm", metavar="RUN", help=N_("The id of the run, in place of typing it."))
@option("--no-wait", is_flag=True, help=N_("Do not follow it."))
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
def undo(
    run: str | None,
    back_to: str | None,
    because: str | None,
    confirm: str | None,
    no_wait: bool,
    by: str | None,
) -> int:
    """Take finished steps back."""
    session = current()
    found = run_id(session.desk, run)
    plan = session.desk.undoing(found, back_to)
    if not session.json:
        _show(plan)
    why = reason_for(session, because, "--because")
    asks = _("type the id of the run to take this back")
    is_needed = session.desk.is_production(found)
    typed_run(session, found, confirm, asks, _("taken back"), is_needed=is_needed)
    seq = session.desk.undo(found, person(by), why, back_to)
    if no_wait:
        return _begun(session, found)
    return follow_undo(session, found, seq)


def _begun(session: Session, run: str) -> int:
    if session.json:
        session.result({"v": 1, "run": run})
    else:
        session.say(_("run {run} is to be taken back").format(run=run))
    return 0


def _show(plan: Sequence[Any]) -> None:
    for number, item in enumerate(plan, 1):
        place = f"{item.step} @ {item.host}" if item.host else item.step
        uses = f" ({item.uses})" if item.uses else ""
        asks = "  " + _("people decide first") if item.asks else ""
        click.echo(f"{number:3}. {place}: {known(UNDO_WORDS, item.how)}{uses}{asks}", err=True)
