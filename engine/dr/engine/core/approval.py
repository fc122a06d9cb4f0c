"""What an approval covers, and the exact text that a person signs.

Pure: no file, no key, no clock.  The canonical bytes are pinned by
tests/golden/approval_statement.json, so that an auditor with other tools gets the same ones.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Self

from dr.engine.core.canonical import canonical_bytes, digest, plain
from dr.engine.core.model import Step
from dr.engine.core.ports import RunRecord
from dr.engine.core.questions import Option, Question
from dr.engine.core.values import utc_text

VERSION = 1
ALGORITHM = "sshsig"
"""How a statement is signed; a field of it, so that another algorithm can be told apart."""

VALIDITY = timedelta(minutes=30)
"""How long an approval holds when the gate does not say."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of the signer's machine may be from the engine's."""

_CODE_DIGITS = 12
_COSMETIC = frozenset({"where", "title", "phase", "expect"})


def gate_namespace(bureau: str) -> str:
    """Return the signature namespace of gates: a signature for anything else never counts."""
    return f"dr-approval@{bureau}"


def standing_namespace(bureau: str) -> str:
    """Return the signature namespace of standing authorisations."""
    return f"dr-standing@{bureau}"


def bureau_slug(name: str) -> str:
    """Return a namespace made of a bureau's English name: lower case, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "bureau"


def envelope(
    record: RunRecord,
    remaining_steps: Sequence[Step],
    *,
    choice: str | None,
    fallbacks: Sequence[str],
    max_loss_s: float | None,
    inventory_sha256: str,
) -> dict[str, Any]:
    """Return what an approval covers, as JSON data; its :func:`plan_hash` is what people sign.

    Args:
        remaining_steps: the steps that have not started, in page order, ladders with all rungs.
        choice: the rung proposed; None when the gate chooses none.
        fallbacks: rungs that may be tried without asking again, in order.
        max_loss_s: the greatest loss accepted, in seconds; None is unknown, never zero.
        inventory_sha256: digest of the inventory that the run keeps.
    """
    return {
        "v": VERSION,
        "run": record.id,
        "runbook": record.runbook,
        "runbook_sha256": record.runbook_sha256,
        "environment": record.environment,
        "mode": record.mode,
        "inputs": plain(record.inputs),
        "inventory_sha256": inventory_sha256,
        "steps": [_covered(step) for step in remaining_steps],
        "choice": choice,
        "fallbacks": list(fallbacks),
        "max_loss_s": max_loss_s,
    }


def plan_hash(covered: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an envelope, lower-case hex."""
    return digest(covered)


def _covered(step: Step) -> dict[str, Any]:
    """Return the step as data without what is only said to people: moving a line voids nothing."""
    data = {f.name: getattr(step, f.name) for f in fields(step) if f.name not in _COSMETIC}
    data["rungs"] = [
        {
            "name": rung.name,
            "condition": rung.condition,
            "available": rung.unavailable is None,
            "outputs": rung.outputs,
            "steps": [_covered(inner) for inner in rung.steps],
        }
        for rung in step.rungs
    ]
    covered: dict[str, Any] = plain(data)
    return covered


def plan_code(plan_sha256: str, nonce: str) -> str:
    """Return the 12 digits that are read aloud, as ``1234 5678 9012``.

    They follow from the plan and the question's nonce: whoever reads them back has the same
    plan before them.  Twelve digits are for people; the signature covers the whole hash.
    """
    raw = hashlib.sha256(f"dr-plan-code/1\0{plan_sha256}\0{nonce}".encode()).digest()
    digits = f"{int.from_bytes(raw, 'big') % 10**_CODE_DIGITS:0{_CODE_DIGITS}d}"
    return " ".join(digits[i : i + 4] for i in range(0, _CODE_DIGITS, 4))


def same_code(one: str, other: str) -> bool:
    """Whether two spellings of a plan code have the same digits; spaces and hyphens are free."""
    digits = [re.sub(r"[\s-]", "", text) for text in (one, other)]
    return digits[0] == digits[1] and len(digits[0]) == _CODE_DIGITS and digits[0].isdigit()


@dataclass(frozen=True, slots=True)
class Statement:
    """What one person signs.  Moments are RFC 3339 in UTC, durations and losses seconds.

    ``loss_estimate_s`` is the forecast of the choice as it was shown, ``max_loss_s`` the
    greatest loss that the person accepts; None is unknown.  ``role`` is the group that the
    person answers for.  ``visit`` is the number of times that the gate has been reached.
    """

    run: str
    gate: str
    question: str
    visit: int
    nonce: str
    plan_sha256: str
    loss_estimate_s: float | None
    max_loss_s: float | None
    choice: str | None
    decision: str
    reason: str
    approver: str
    role: str
    issued: str
    expires: str
    environment: str
    alg: str = ALGORITHM
    v: int = VERSION

    def text(self) -> str:
        """Return the canonical text: exactly these bytes, in UTF-8, are signed."""
        return canonical_bytes(asdict(self)).decode()

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a statement.

        Raises:
            ValueError: it is not a statement of this version in its canonical form.
        """
        data = json.loads(text)
        known = {f.name for f in fields(cls)}
        if not isinstance(data, dict) or set(data) != known:
            raise ValueError("it does not have the fields of a statement")
        statement = cls(**data)
        if statement.v != VERSION:
            raise ValueError(f"it has version {statement.v}; this dr reads {VERSION}")
        if statement.alg != ALGORITHM:
            raise ValueError(f"it is signed by '{statement.alg}'; this dr checks {ALGORITHM}")
        if statement.text() != text:
            raise ValueError("it is not in its canonical form")
        return statement


def visit_of(question_id: str) -> int:
    """Return the visit in ``STEP#VISIT`` or ``STEP@HOST#N``; 1 when there is none."""
    number = question_id.rpartition("#")[2]
    return int(number) if number.isdigit() else 1


def option(question: Question, name: str | None) -> Option | None:
    """Return the option called ``name``; None when there is none."""
    return next((o for o in question.options if o.name == name), None)


def proposed(question: Question) -> Option | None:
    """Return the option that the engine proposes; None when it proposes none."""
    return next((o for o in question.options if o.proposed), None)


def loss_estimate_s(question: Question, choice: str | None) -> float | None:
    """Return the forecast loss of the choice in seconds; None when it is not known."""
    chosen = option(question, choice)
    return chosen.loss_s if chosen is not None and chosen.loss_known else None


def statement_for(  # noqa: PLR0913 - the fields of a statement
    question: Question,
    *,
    run: str,
    environment: str,
    by: str,
    role: str,
    decision: str,
    reason: str,
    issued: datetime,
    choice: str | None = None,
    max_loss_s: float | None = None,
) -> Statement:
    """Return the statement that ``by`` would sign to answer ``question``."""
    return Statement(
        run=run,
        gate=question.step,
        question=question.id,
        visit=visit_of(question.id),
        nonce=question.nonce,
        plan_sha256=question.plan_hash,
        loss_estimate_s=loss_estimate_s(question, choice),
        max_loss_s=max_loss_s,
        choice=choice,
        decision=decision,
        reason=reason,
        approver=by,
        role=role,
        issued=utc_text(issued),
        expires=question.expires or utc_text(issued + VALIDITY),
        environment=environment,
    )
