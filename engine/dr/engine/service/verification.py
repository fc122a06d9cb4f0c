"""Checks a signed answer again, from the journal alone: for acceptance, and for auditors later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from dr.engine.core.approval import Statement, gate_namespace, standing_namespace
from dr.engine.core.ports import Check
from dr.engine.core.questions import Answer, Question
from dr.engine.core.values import UNKNOWN, parse_utc
from dr.engine.service.signing import check_signature
from dr.engine.service.standing_text import StandingText

DEFAULT_BUREAU = "bureau"


def bureau_of(people: Mapping[str, Any]) -> str:
    """Return the signature namespace of the bureau whose inventory snapshot this is."""
    return str((people.get("bureau") or {}).get("namespace") or DEFAULT_BUREAU)


def verify_answer(
    answer: Answer,
    people_keys: Mapping[str, Any],
    *,
    run: str | None = None,
    question: Question | None = None,
) -> Check:
    """Say whether the journal's answer is really that person's; needs no network and no journal.

    Args:
        people_keys: the inventory snapshot that the run keeps.
        run: the run's id; with it, a signature made for another run is found out.
        question: the question as it was asked; with it, one made for another gate, visit or plan.

    Returns:
        True: signed by that person, and the statement says what the answer says.  UNKNOWN: it was
        not signed (voice, terminal), so there is nothing to check.  False: do not trust it.
    """
    if answer.means == "voice":
        by = " and ".join(answer.witnesses)
        return Check(holds=UNKNOWN, because=f"spoken, witnessed by {by}; no signature")
    if answer.means == "standing":
        return _standing(answer, people_keys, question)
    if not answer.signature:
        return Check(holds=UNKNOWN, because=f"typed at a terminal as '{answer.by}'; no signature")
    try:
        statement = Statement.read(answer.statement)
    except (ValueError, TypeError) as error:
        return Check(holds=False, because=f"the statement can not be read: {error}")
    differing = _differences(statement, answer, run, question)
    if differing:
        return Check(
            holds=False,
            because=f"the statement and the journal differ in {', '.join(differing)}",
            facts=asdict(statement),
        )
    return check_signature(
        answer.statement,
        answer.signature,
        who=answer.by,
        people=people_keys,
        namespace=gate_namespace(bureau_of(people_keys)),
        at=parse_utc(answer.at),
    )


def _differences(
    statement: Statement, answer: Answer, run: str | None, question: Question | None
) -> list[str]:
    pairs: dict[str, tuple[object, object]] = {
        "person": (statement.approver, answer.by),
        "decision": (statement.decision, answer.verdict),
        "choice": (statement.choice, answer.choice),
        "reason": (statement.reason, answer.reason),
        "greatest loss": (statement.max_loss_s, answer.max_loss_s),
    }
    if answer.expires is not None:
        pairs["expiry"] = (statement.expires, answer.expires)
    if run is not None:
        pairs["run"] = (statement.run, run)
    if question is not None:
        pairs["question"] = (statement.question, question.id)
        pairs["nonce"] = (statement.nonce, question.nonce)
        pairs["plan"] = (statement.plan_sha256, question.plan_hash)
    found = [name for name, (signed, said) in pairs.items() if signed != said]
    if not _in_time(statement, parse_utc(answer.at)):
        found.append("time")
    return found


def _in_time(statement: Statement, at: datetime) -> bool:
    return at < parse_utc(statement.expires)


def _standing(answer: Answer, people: Mapping[str, Any], question: Question | None) -> Check:
    try:
        text = StandingText.read(answer.statement)
    except (ValueError, TypeError) as error:
        return Check(holds=False, because=f"the authorisation can not be read: {error}")
    at = parse_utc(answer.at)
    chosen = question.chooses if question is not None else answer.choice
    if chosen and answer.choice not in text.rungs:
        return Check(holds=False, because=f"it does not authorise '{answer.choice}'")
    if not parse_utc(text.issued) <= at < parse_utc(text.expires):
        return Check(holds=False, because=f"it did not hold at {answer.at}")
    if question is not None and text.gates and question.step not in text.gates:
        return Check(holds=False, because=f"it is not for the gate '{question.step}'")
    return check_signature(
        answer.statement,
        answer.signature,
        who=answer.by,
        people=people,
        namespace=standing_namespace(bureau_of(people)),
        at=at,
    )
