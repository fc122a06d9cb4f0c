"""``dr reject``."""

from __future__ import annotations

from pathlib import Path

import click

from dr.cli.asking import reason_for
from dr.cli.command import command, option
from dr.cli.completing import people, runs_then_gates
from dr.cli.deciding import Decision, decided, said_by, signed_text
from dr.cli.finding import open_question, run_and_rest
from dr.cli.session import current
from dr.cli.text import N_
from dr.engine.core.questions import SIGNED


@command(
    "reject",
    N_(
        "Reject a gate.\n\n"
        "One valid rejection is enough. Nothing is undone by it: the step fails, and the run does "
        "what the runbook says then. RUN and GATE may be left out when there is only one."
    ),
)
@click.argument("words", nargs=-1, metavar="[RUN] [GATE]", shell_complete=runs_then_gates)
@option("--reason", metavar="TEXT", help=N_("Why; required, goes into the journal."))
@option(
    "--by",
    metavar="PERSON",
    shell_complete=people,
    help=N_("Who rejects; else $DR_PERSON, else whose key it is."),
)
@option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="DR_KEY",
    help=N_("Your private SSH key; else $DR_KEY, else the SSH agent."),
)
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
def reject(
    words: tuple[str, ...],
    reason: str | None,
    by: str | None,
    key: Path | None,
    print_statement: bool,
    statement: Path | None,
    signature: Path | None,
) -> None:
    """Reject a gate."""
    session = current()
    run, rest = run_and_rest(session.desk, words, 1)
    asked = open_question(session.desk.view(run), rest[0] if rest else None, SIGNED)
    decision = Decision(
        run=run,
        question=asked.question.id,
        verdict="reject",
        by=said_by(session, by, key, statement),
        reason=signed_text(statement, "reason") or reason_for(session, reason, "--reason"),
    )
    if print_statement:
        click.echo(decision.statement(session), nl=False)
        return
    decided(session, decision, decision.sign_and_send(session, key, statement, signature))
