"""``dr resolve``."""

from __future__ import annotations

from pathlib import Path

import click

from dr.cli.asking import reason_for
from dr.cli.command import command, option
from dr.cli.completing import people, runs_then_doubts
from dr.cli.finding import open_question, person, run_and_rest
from dr.cli.lines import line, painted
from dr.cli.session import Session, current
from dr.cli.text import N_, _
from dr.cli.words import amount
from dr.engine.core.questions import Question, QuestionKind


@command(
    "resolve",
    N_(
        "Say whether a step in doubt took effect.\n\n"
        "Without --as: shows what was sent, when, the last lines and what the probe said. The "
        "verdict goes into the journal with your name. RUN and STEP may be left out when there is "
        "only one."
    ),
)
@click.argument("words", nargs=-1, metavar="[RUN] [STEP]", shell_complete=runs_then_doubts)
@option(
    "--as",
    "verdict",
    type=click.Choice(["done", "not-done", "failed"]),
    help=N_("What you found out."),
)
@option("--because", metavar="TEXT", help=N_("How you know; goes into the journal."))
@option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="DR_KEY",
    help=N_("Your private SSH key, where a signature is wanted; else $DR_KEY, else the agent."),
)
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
def resolve(
    words: tuple[str, ...],
    verdict: str | None,
    because: str | None,
    key: Path | None,
    by: str | None,
) -> None:
    """Resolve a doubt."""
    session = current()
    run, rest = run_and_rest(session.desk, words, 1)
    doubts = frozenset({QuestionKind.DOUBT})
    asked = open_question(session.desk.view(run), rest[0] if rest else None, doubts)
    if verdict is None:
        _show(session, run, asked.question)
        return
    session.desk.approvals.answer(
        run,
        asked.question.id,
        by=person(by),
        verdict=verdict,
        reason=reason_for(session, because, "--because"),
        evidence={},
        key=key,
    )
    if session.json:
        session.result({"v": 1, "run": run, "question": asked.question.id, "verdict": verdict})
    else:
        click.echo(
            _("'{question}' is answered: {verdict}").format(
                question=asked.question.id, verdict=verdict
            )
        )


def _show(session: Session, run: str, question: Question) -> None:
    if session.json:
        session.result({"v": 1, "run": run, "question": question.to_data()})
        return
    place = f" @ {question.host}" if question.host else ""
    lines = [line((f"? {question.step}{place}", "alarm"))]
    for name, value in question.card.items():
        shown = value if isinstance(value, list | tuple) else str(amount(value)).splitlines()
        lines.append(line((f"  {name}:", "strong")))
        lines += [line(f"    {part}") for part in shown]
    command_line = f"dr resolve {run} {question.step} --as done|not-done|failed --because …"
    lines.append(line((_("next: "), "strong"), command_line))
    click.echo(painted(lines, colour=session.colour))
