"""Who has to sign an amendment of a run, and how they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dr.engine.core.amendment import STEP, gates
from dr.engine.core.errors import DrError, NotAllowedError
from dr.engine.core.model import Runbook, Step
from dr.engine.core.ports import RunRecord
from dr.engine.core.questions import Question, QuestionKind
from dr.engine.core.values import Text, utc_text
from dr.engine.core.view import QuestionView, RunView
from dr.engine.loader.expressions import Grammar
from dr.engine.runtime.nonces import nonce
from dr.engine.service.authority import may_answer
from dr.inventory.directory import Directory


@dataclass(frozen=True, slots=True)
class Guard:
    """People who have to sign: a group, how many of it, and who does not count."""

    group: str
    quorum: int
    distinct_from: tuple[str, ...]


def guards_of(view: RunView, runbook: Runbook, record: RunRecord, by: str) -> list[Guard]:
    """Return the groups of the gates asked so far, each with its greatest quorum.

    A gate that is still to come will decide about the new plan itself.  Where none was asked yet
    the first on the page counts, and without any gate the runbook's owner.

    Args:
        by: who wants the run amended; like whoever started it, that person counts nowhere.

    Raises:
        NotAllowedError: nobody could approve it, or who could is not known yet.
    """
    excluded = (record.requester, by)
    found: dict[str, Guard] = {}
    all_of = gates(runbook)
    for gate in [g for g in all_of if view.questions_of(g.id)] or all_of[:1]:
        one = _asked_of(view, gate, record)
        known = found.get(one.group, Guard(one.group, 1, ()))
        who = dict.fromkeys((*known.distinct_from, *one.distinct_from, *excluded))
        found[one.group] = Guard(one.group, max(known.quorum, one.quorum), tuple(who))
    if not found and runbook.owner in record.inventory.get("people_groups", {}):
        found[runbook.owner] = Guard(runbook.owner, 1, tuple(dict.fromkeys(excluded)))
    if not found:
        raise NotAllowedError(
            f"nobody could approve it: run {view.id} has no gate, and its owner "
            f"'{runbook.owner}' is no group of people",
            hint="Name a group as 'owner' in the runbook of the next run; this one can be ended "
            f"with: dr abort {view.id}",
        )
    return list(found.values())


def _asked_of(view: RunView, gate: Step, record: RunRecord) -> Guard:
    """Return who guards a gate, as it was asked or will be."""
    asked = view.questions_of(gate.id)
    if asked:
        question = asked[-1].question
        return Guard(question.approvers, question.quorum, question.distinct_from)
    said = {name: gate.with_.get(name) for name in ("approvers", "quorum", "distinct_from")}
    try:
        said = Grammar().render(said, {"inputs": dict(record.inputs)})
    except DrError as error:
        raise NotAllowedError(
            f"who guards '{gate.id}' is not known before it is asked: {error.message}",
            hint="Wait until that gate has been asked, then type 'dr amend' again.",
        ) from None
    approvers, names = said["approvers"], said["distinct_from"] or ()
    group = approvers.get("group", "") if isinstance(approvers, Mapping) else approvers
    listed = names if isinstance(names, list | tuple) else [names]
    who = tuple(record.requester if n == "requester" else str(n) for n in listed)
    return Guard(str(group or ""), int(said["quorum"] or 1), who)


def questions_for(
    guards: Sequence[Guard], record: RunRecord, number: int, asks: Text, plan_hash: str
) -> list[Question]:
    """Return the questions that an amendment puts, one to each group; all must be approved.

    Raises:
        NotAllowedError: fewer people of a group count than have to sign.
    """
    now = datetime.now(UTC)
    found = [
        Question(
            id=f"{STEP}#{place}",
            kind=QuestionKind.AMENDMENT,
            step=STEP,
            asks=asks,
            nonce=nonce(),
            opened=utc_text(now),
            approvers=guard.group,
            quorum=guard.quorum,
            distinct_from=guard.distinct_from,
            plan_hash=plan_hash,
            on_timeout="wait",
            verdicts=("approve", "reject"),
        )
        for place, guard in enumerate(guards, number)
    ]
    directory = Directory(record.inventory)
    for question in found:
        able = may_answer(QuestionView(question, now), directory, now)
        if len(able) < question.quorum:
            raise NotAllowedError(
                f"only {len(able)} of {question.approvers} could approve it, "
                f"{question.quorum} are needed",
                hint="Let somebody else type 'dr amend', with --by: whoever started the run or "
                "wants it amended does not count.",
            )
    return found
