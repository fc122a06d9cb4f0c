"""Standing authorisations: decisions that leadership signed beforehand, within bounds.

A file ``standing/ID.json`` of an environment's inventory holds the statement and a signature of
each signer.  Deleting the file, or naming it in ``standing/revoked.yaml``, revokes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dr.engine.core.approval import proposed, standing_namespace
from dr.engine.core.errors import DrError, UserError
from dr.engine.core.ports import RunRecord
from dr.engine.core.questions import Answer, Question, QuestionKind
from dr.engine.core.values import format_duration, parse_utc, utc_text
from dr.engine.service.signing import check_signature
from dr.engine.service.standing_text import StandingText
from dr.engine.service.verification import bureau_of
from dr.inventory.directory import Directory
from dr.inventory.ordinary import read_ordinary

Today = Callable[[], Mapping[str, Any]]
"""Returns ``standing`` and ``revoked`` of the files as they are now."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one authorisation says to one question: answers, or why none."""

    id: str
    answers: tuple[Answer, ...] = ()
    because: str = ""


class StandingAuthority:
    """Implements ``core.ports.Authority``.

    Args:
        today: reads the files as they are now, so that revoking works during a run; None trusts
            what the run keeps.
    """

    def __init__(self, today: Today | None = None) -> None:
        self._today = today

    def standing(
        self, question: Question, record: RunRecord, inventory: Mapping[str, Any], now: datetime
    ) -> Sequence[Answer]:
        """Return the answers of the first authorisation whose every bound holds; [] of none."""
        for judgement in self.judge(question, record, inventory, now):
            if judgement.answers:
                return judgement.answers
        return ()

    def judge(
        self, question: Question, record: RunRecord, inventory: Mapping[str, Any], now: datetime
    ) -> list[Judgement]:
        """Say of each authorisation that the run keeps whether it answers, and why not."""
        kept: Mapping[str, Any] = inventory.get("standing") or {}
        revoked = dict(inventory.get("revoked") or {})
        if self._today is not None and kept:
            try:
                current = self._today()
            except DrError as error:  # nobody can tell what was revoked: people are asked
                because = f"today's files can not be read: {error.message}"
                return [Judgement(name, because=because) for name in sorted(kept)]
            revoked |= dict(current.get("revoked") or {})
            present = current.get("standing") or {}
            gone = [n for n in kept if present.get(n) != kept[n]]
            revoked |= {n: "its file was deleted or changed" for n in gone if n not in revoked}
        return [
            Judgement(name, because=f"revoked: {revoked[name]}")
            if name in revoked
            else self._one(name, kept[name], question, record, inventory, now)
            for name in sorted(kept)
        ]

    def _one(
        self,
        name: str,
        document: Mapping[str, Any],
        question: Question,
        record: RunRecord,
        inventory: Mapping[str, Any],
        now: datetime,
    ) -> Judgement:
        try:
            text = StandingText.of(document.get("statement"))
        except (ValueError, TypeError) as error:
            return Judgement(name, because=f"it can not be read: {error}")
        if text.id != name:
            return Judgement(
                name, because=f"the file is called '{name}', the statement '{text.id}'"
            )
        outside = outside_bounds(text, question, record, now)
        if outside:
            return Judgement(name, because=outside)
        signers = _signers(text, document, question, inventory, now)
        if len(signers) < question.quorum:
            because = (
                f"{len(signers)} of {question.quorum} signatures of {question.approvers} count"
            )
            return Judgement(name, because=because)
        return Judgement(name, tuple(_answer(text, s, question, now) for s in signers.items()))


def outside_bounds(text: StandingText, question: Question, record: RunRecord, now: datetime) -> str:
    """Return the first bound that the question leaves; "" when all of them hold."""
    chosen = proposed(question)
    choice = chosen.name if chosen else None
    loss_s = (chosen.loss_s if chosen.loss_known else None) if chosen else question.max_loss_s
    allowed = _for_people(text.max_loss_s)
    bounds = (
        (question.kind is not QuestionKind.GATE, "it answers gates only"),
        (not question.standing, "this gate allows no standing authorisation"),
        (not question.approvers, "this gate names no group whose members could have signed"),
        (text.runbook != record.runbook, f"it is for the runbook '{text.runbook}'"),
        (
            text.runbook_sha256 not in {"", record.runbook_sha256},
            "the runbook was changed since it was signed",
        ),
        (text.environment != record.environment, f"it is for '{text.environment}'"),
        (bool(text.gates) and question.step not in text.gates, "it is for other gates"),
        (parse_utc(text.issued) > now, f"it holds from {text.issued} on"),
        (parse_utc(text.expires) <= now, f"it expired at {text.expires}"),
        (bool(question.chooses) and chosen is None, "nothing is proposed that it could choose"),
        (choice is not None and choice not in text.rungs, f"it does not authorise '{choice}'"),
        (chosen is not None and not chosen.available, f"'{choice}' is not available"),
        (loss_s is None, "the loss is not known, and unknown is within no bound"),
        (
            loss_s is not None and loss_s > text.max_loss_s,
            f"{_for_people(loss_s or 0)} would be lost, it accepts {allowed}",
        ),
    )
    return next((because for outside, because in bounds if outside), "")


def _for_people(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))


def _signers(
    text: StandingText,
    document: Mapping[str, Any],
    question: Question,
    inventory: Mapping[str, Any],
    now: datetime,
) -> dict[str, str]:
    """Return the valid signatures by person: members of the gate's group, each once."""
    directory = Directory(inventory)
    members = set(directory.members(question.approvers))
    excluded = {directory.person(name) or name for name in question.distinct_from}
    found: dict[str, str] = {}
    for entry in document.get("signatures") or ():
        who = str(entry.get("by")) if isinstance(entry, Mapping) else ""
        if who not in members - excluded or who in found:
            continue
        check = check_signature(
            text.text(), str(entry.get("signature")), who=who, people=inventory,
            namespace=standing_namespace(bureau_of(inventory)), at=now,
        )  # fmt: skip
        if check.holds is True:
            found[who] = str(entry["signature"])
    return found


def _answer(
    text: StandingText, signer: tuple[str, str], question: Question, now: datetime
) -> Answer:
    who, signature = signer
    chosen = proposed(question)
    ends = [parse_utc(e) for e in (text.expires, question.expires) if e]
    return Answer(
        by=who,
        verdict="approve",
        at=utc_text(now),
        reason=text.reason,
        choice=chosen.name if chosen and question.chooses else None,
        max_loss_s=text.max_loss_s,
        means="standing",
        statement=text.text(),
        signature=signature,
        evidence={"standing": text.id, "role": question.approvers},
        expires=utc_text(min(ends)),
    )


def read_standing(path: Path) -> tuple[StandingText, list[dict[str, str]]]:
    """Read a file that :func:`write_standing` wrote.

    Raises:
        UserError: it is none.
    """
    try:
        data = json.loads(read_ordinary(path))
        return StandingText.of(data["statement"]), list(data["signatures"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} is no standing authorisation: {error}",
            hint="Type 'dr standing sign' to write one.",
        ) from None


def write_standing(
    folder: Path, text: StandingText, signatures: Sequence[Mapping[str, str]]
) -> Path:
    """Write the file of an authorisation, whole or not at all; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{text.id}.json"
    document = {
        "format": 1,
        "statement": {**asdict(text), "rungs": list(text.rungs), "gates": list(text.gates)},
        "signatures": [dict(s) for s in signatures],
    }
    draft = path.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
    return path
