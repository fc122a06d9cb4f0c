"""Which run and which question is meant, when the person did not say."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dr.cli.outline import outline_of
from dr.cli.text import _
from dr.engine.core.errors import UserError
from dr.engine.core.questions import QuestionKind
from dr.engine.core.view import QuestionView, RunView

if TYPE_CHECKING:
    from dr.engine.core.ports import RunRecord

Kinds = frozenset[QuestionKind]

_RUN = "R-"
"""How the id of a run begins."""


def person(by: str | None) -> str:
    """Return who acts: what ``--by`` says, else $DR_PERSON, else the user of this machine."""
    found = by or os.environ.get("DR_PERSON")
    if found:
        return found
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no variable says it, and the machine does not know our number
        raise UserError(
            _("who acts is not known: this machine has no name for user {number}").format(
                number=os.getuid()
            ),
            hint=_("Type 'export DR_PERSON=NAME' first."),
            code="who",
        ) from None


def known_step(view: RunView, named: str) -> None:
    """Refuse a step that the run does not have; ``ID.verify`` and the like belong to ``ID``.

    Raises:
        UserError: there is none.
    """
    step = named.partition(".")[0]
    if step not in view.steps and step not in outline_of(view).steps:
        raise UserError(
            _("run {run} has no step '{step}'").format(run=view.id, step=named),
            hint=_("Type 'dr show {run}' to see its steps.").format(run=view.id),
        )


def run_id(desk: Any, named: str | None, *, unfinished: bool = True) -> str:
    """Return the run that is meant: the one named, else the only one that is not over.

    Args:
        unfinished: False lets the newest run stand in when none is unfinished.

    Raises:
        UserError: there is none, or there are several.
    """
    if named:
        return str(desk.record(named).id)
    open_runs: Sequence[RunRecord] = desk.unfinished()
    if len(open_runs) == 1:
        return open_runs[0].id
    if len(open_runs) > 1:
        names = ", ".join(record.id for record in open_runs)
        raise UserError(
            _("several runs are not over: {runs}").format(runs=names),
            hint=_("Name the run that you mean."),
            code="which_run",
        )
    if not unfinished:
        return str(desk.record("last").id)
    raise UserError(
        _("no run is under way"), hint=_("Type 'dr status' to see all runs."), code="no_run"
    )


def run_and_rest(desk: Any, words: Sequence[str], most: int) -> tuple[str, list[str]]:
    """Split positional words into the run and the rest, of which there are at most ``most``.

    The run may be left out when only one is not over.

    Raises:
        UserError: too many words, or no run is meant.
    """
    rest = list(words)
    if len(rest) > most + 1:
        raise UserError(_("unexpected argument: {word}").format(word=rest[most + 1]))
    if rest and (len(rest) == most + 1 or is_run(desk, rest[0])):
        return run_id(desk, rest[0]), rest[1:]
    return run_id(desk, None), rest


def is_run(desk: Any, word: str) -> bool:
    """Return whether ``word`` names a run, or several, or one that is not there.

    A step's id is lower case, so what begins as a run's id does is never taken for one.
    """
    if word.startswith(_RUN):
        return True
    try:
        desk.record(word)
    except UserError:
        return False
    return True


def open_question(view: RunView, named: str | None, kinds: Kinds) -> QuestionView:
    """Return the open question that is meant, by its id, its step, or as the only one.

    Raises:
        UserError: there is none, or there are several.
    """
    open_ones = [q for q in view.open_questions() if q.question.kind in kinds]
    if named is None:
        return _only(view, open_ones)
    return _named(view, named, open_ones)


def _only(view: RunView, open_ones: list[QuestionView]) -> QuestionView:
    if len(open_ones) == 1:
        return open_ones[0]
    if not open_ones:
        raise UserError(
            _("run {run} waits for no such answer").format(run=view.id),
            hint=_("Type 'dr status {run}' to see how it stands.").format(run=view.id),
            code="no_question",
        )
    raise _several(view, open_ones)


def _named(view: RunView, named: str, open_ones: list[QuestionView]) -> QuestionView:
    def same(asked: QuestionView) -> bool:
        question = asked.question
        return named in {question.id, question.step, f"{question.step}@{question.host}"}

    found = [q for q in open_ones if same(q)]
    if len(found) == 1:
        return found[0]
    if found:
        raise _several(view, found)
    closed = next((q for q in reversed(view.questions.values()) if same(q)), None)
    if closed is not None and not closed.is_open:
        raise UserError(
            _("'{question}' of run {run} is already answered").format(
                question=closed.question.id, run=view.id
            ),
            hint=_("Type 'dr show {run} {step}' to see by whom.").format(
                run=view.id, step=closed.question.step
            ),
            code="question_closed",
        )
    known = ", ".join(q.question.id for q in open_ones)
    raise UserError(
        _("run {run} asks nothing called '{question}'").format(run=view.id, question=named),
        hint=_("Open now: {questions}.").format(questions=known)
        if known
        else _("Type 'dr status {run}' to see how it stands.").format(run=view.id),
        code="no_question",
    )


def _several(view: RunView, open_ones: Sequence[QuestionView]) -> UserError:
    names = ", ".join(q.question.id for q in open_ones)
    return UserError(
        _("run {run} asks several things: {questions}").format(run=view.id, questions=names),
        hint=_("Name the one that you mean."),
        code="which_question",
    )
