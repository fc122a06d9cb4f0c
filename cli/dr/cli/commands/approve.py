"""``dr approve``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from dr.cli.amendment_screen import draw_amendment
from dr.cli.asking import reason_for
from dr.cli.command import command, option
from dr.cli.completing import people, runs_then_gates
from dr.cli.deciding import Decision, decided, said_by, signed_text
from dr.cli.finding import open_question, run_and_rest
from dr.cli.gate_screen import GatePage, draw_gate
from dr.cli.lines import painted
from dr.cli.outline import outline_of
from dr.cli.session import Session, current, marks_ascii
from dr.cli.terminal import width
from dr.cli.text import N_, _
from dr.engine.core.errors import UserError
from dr.engine.core.questions import SIGNED, Question, QuestionKind
from dr.engine.core.values import parse_duration
from dr.engine.core.view import QuestionView, RunView


@command(
    "approve",
    N_(
        "Approve a gate with your own key.\n\n"
        "Shows what would be lost and done, asks for the reason, and signs exactly that with your "
        "SSH key. RUN and GATE may be left out when there is only one.\n\n"
        "On another machine: --print-statement there, sign it with "
        "'ssh-keygen -Y sign -n NAMESPACE -f KEY FILE', and hand both in with --statement and "
        "--signature. As the last resort, by voice: the approver reads the plan code aloud and "
        "two witnesses record it with --voice."
    ),
)
@click.argument("words", nargs=-1, metavar="[RUN] [GATE]", shell_complete=runs_then_gates)
@option("--reason", metavar="TEXT", help=N_("Why; required, goes into the journal."))
@option(
    "--choice", "--choose", metavar="RUNG", help=N_("Another way to go on than the one proposed.")
)
@option("--max-loss", metavar="TIME", help=N_("The greatest data loss you accept, such as 5m."))
@option(
    "--by",
    metavar="PERSON",
    shell_complete=people,
    help=N_("Who approves; else $DR_PERSON, else whose key it is."),
)
@option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="DR_KEY",
    help=N_("Your private SSH key; else $DR_KEY, else the SSH agent."),
)
@option("--yes", is_flag=True, help=N_("Do not ask whether you mean it."))
@option("--print-statement", is_flag=True, help=N_("Print the text to sign, and do nothing."))
@option(
    "--statement",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=N_("The text that was signed elsewhere."),
)
@option(
    "--signature",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=N_("The signature over it."),
)
@option("--voice", metavar="CODE", help=N_("The plan code as the approver read it aloud."))
@option(
    "--witness",
    "witnesses",
    multiple=True,
    metavar="PERSON",
    shell_complete=people,
    help=N_("Who heard it; twice."),
)
def approve(  # noqa: PLR0913, PLR0917 (one for each option)
    words: tuple[str, ...],
    reason: str | None,
    choice: str | None,
    max_loss: str | None,
    by: str | None,
    key: Path | None,
    yes: bool,
    print_statement: bool,
    statement: Path | None,
    signature: Path | None,
    voice: str | None,
    witnesses: tuple[str, ...],
) -> None:
    """Approve a gate."""
    session = current()
    run, rest = run_and_rest(session.desk, words, 1)
    view = session.desk.view(run)
    asked = open_question(view, rest[0] if rest else None, SIGNED)
    _check_choice(asked.question, choice)
    if not print_statement:
        _show(session, view, asked)
    choice = choice or _choose(session, asked.question)
    decision = Decision(
        run=run,
        question=asked.question.id,
        verdict="approve",
        by=said_by(session, by, key, statement),
        reason=signed_text(statement, "reason") or reason_for(session, reason, "--reason"),
        choice=signed_text(statement, "choice") or choice,
        max_loss_s=_seconds(max_loss),
    )
    if print_statement:
        click.echo(decision.statement(session), nl=False)
        return
    if not yes and statement is None and session.asks:
        click.confirm(_("Approve?"), default=False, abort=True, err=True)
    if voice is not None:
        outcome = decision.by_voice(session, voice, witnesses)
    else:
        outcome = decision.sign_and_send(session, key, statement, signature)
    decided(session, decision, outcome)


def _show(session: Session, view: RunView, asked: QuestionView) -> None:
    if session.json:
        return
    page = GatePage(
        view=view,
        outline=outline_of(view),
        asked=asked,
        now=datetime.now(UTC),
        progress=session.desk.progress(view.id),
        width=width(),
        ascii_marks=marks_ascii(),
    )
    draw = draw_amendment if asked.question.kind is QuestionKind.AMENDMENT else draw_gate
    click.echo(painted(draw(page), colour=session.colour), err=True)


def _check_choice(question: Question, choice: str | None) -> None:
    """Refuse a rung that is not there or not available."""
    if choice is None:
        return
    available = [o.name for o in question.options if o.available]
    if choice not in available:
        raise UserError(
            _("'{choice}' can not be chosen").format(choice=choice),
            hint=_("Choose one of: {names}.").format(names=", ".join(available) or "-"),
            code="choice",
        )


def _choose(session: Session, question: Question) -> str | None:
    """Return the way that is meant: asked for when there are several, else the proposed one."""
    available = [o.name for o in question.options if o.available]
    proposed: Any = next((o.name for o in question.options if o.proposed), None)
    if session.asks and len(available) > 1:
        return str(
            click.prompt(_("choose"), type=click.Choice(available), default=proposed, err=True)
        )
    if proposed is None and len(available) > 1:
        raise UserError(
            _("no way to go on is proposed"),
            hint=_("Add --choice with one of: {names}.").format(names=", ".join(available)),
            code="choice",
        )
    return proposed or next(iter(available), None)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise UserError(
            str(error), hint=_("Write a number and a unit, such as 30s or 5m.")
        ) from None
