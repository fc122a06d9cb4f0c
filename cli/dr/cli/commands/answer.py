"""``dr answer``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dr.cli.asking import reason_for
from dr.cli.command import command, option, pairs
from dr.cli.completing import people, runs_then_tasks
from dr.cli.finding import open_question, person, run_and_rest
from dr.cli.session import current
from dr.cli.text import N_, _
from dr.engine.core.errors import UserError
from dr.engine.core.questions import Question, QuestionKind

_KINDS = frozenset({QuestionKind.TASK, QuestionKind.FAILURE, QuestionKind.FALLBACK})
_VERDICTS = {
    QuestionKind.TASK: ("done", "failed"),
    QuestionKind.FAILURE: ("retry", "skip", "fail"),
    QuestionKind.FALLBACK: ("retry", "go-on", "fail"),
}


@command(
    "answer",
    N_(
        "Answer a task or a question of a run.\n\n"
        "VERDICT is done or failed for a task, retry, skip or fail for a step that failed, go-on "
        "or fail when a way back failed and its effects are not proven undone. RUN and STEP may be "
        "left out when there is only one."
    ),
)
@click.argument(
    "words", nargs=-1, required=True, metavar="[RUN] [STEP] VERDICT", shell_complete=runs_then_tasks
)
@option("--because", metavar="TEXT", help=N_("Why; goes into the journal and the report."))
@option(
    "--evidence",
    multiple=True,
    metavar="KEY=VALUE",
    help=N_("What the task asks to be written down; for a file its path."),
)
@option("--checked", is_flag=True, help=N_("Every item of the task's checklist is done."))
@option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="DR_KEY",
    help=N_("Your private SSH key, where a signature is wanted; else $DR_KEY, else the agent."),
)
@option("--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON."))
def answer(
    words: tuple[str, ...],
    because: str | None,
    evidence: tuple[str, ...],
    checked: bool,
    key: Path | None,
    by: str | None,
) -> None:
    """Answer a question."""
    session = current()
    *place, verdict = words
    run, rest = run_and_rest(session.desk, place, 1)
    asked = open_question(session.desk.view(run), rest[0] if rest else None, _KINDS)
    _check(asked.question, verdict)
    needs_reason = asked.question.kind is not QuestionKind.TASK or verdict != "done"
    session.desk.approvals.answer(
        run,
        asked.question.id,
        by=person(by),
        verdict=verdict,
        reason=reason_for(session, because, "--because") if needs_reason else (because or ""),
        evidence=_evidence(asked.question, pairs(evidence, "--evidence"), checked=checked),
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


def _evidence(question: Question, given: dict[str, str], *, checked: bool) -> dict[str, Any]:
    if not checked:
        return dict(given)
    return {**given, "checklist": [True] * len(question.checklist)}


def _check(question: Question, verdict: str) -> None:
    allowed = question.verdicts or _VERDICTS[question.kind]
    if verdict not in allowed:
        raise UserError(
            _("'{verdict}' is no answer to '{question}'").format(
                verdict=verdict, question=question.id
            ),
            hint=_("Answer one of: {names}.").format(names=", ".join(allowed)),
            code="verdict",
        )
