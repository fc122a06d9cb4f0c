"""Questions to people and their answers, and the pure rules that judge a set of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from dr.engine.core.canonical import plain
from dr.engine.core.values import Text, parse_utc


class QuestionKind(StrEnum):
    """What is asked."""

    GATE = "gate"  # approve or reject, signed
    TASK = "task"  # a person does something and gives evidence
    DOUBT = "doubt"  # was it done? done | not-done | failed
    FAILURE = "failure"  # a step failed: retry | skip | fail
    RECONCILIATION = "reconciliation"  # branches compare, correct and sign off; no answers
    FALLBACK = "fallback"  # a rung failed with an effect that is not proven undone: go-on | fail
    AMENDMENT = "amendment"  # approve or reject another plan for the rest of the run, signed


@dataclass(frozen=True, slots=True)
class Option:
    """A rung as the gate shows it.  Times and loss in seconds; None is unknown."""

    name: str
    title: Text
    available: bool
    because: Text = Text()
    p50_s: float | None = None
    p90_s: float | None = None
    loss_s: float | None = None
    loss_known: bool = False
    basis: Text = Text()
    irreversible: tuple[str, ...] = ()
    proposed: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What is put to people.  ``id`` is unique in the run (``STEP#VISIT``, doubts ``STEP@HOST#N``).

    Attributes:
        asks: the sentence.
        approvers: the inventory group whose members count; "" means anyone with a key or name.
        distinct_from: people who do not count (the requester under four eyes).
        plan_hash: SHA-256 over what an approval would cover (the envelope).
        decide_by / expires: UTC; the decision clock, and when an approval given lapses.
        escalate: ``(group, after seconds)`` pairs; members of escalated groups count from then on.
        on_timeout: always ends in not going on: "fail" or "wait".
        max_loss_s: the greatest loss an approval accepts unless it names its own; None unknown.
        nonce: random, consumed once by each person's answer.
        card: for doubts: what was sent, when, the last lines, what the probe said.
        evidence: for tasks: the typed fields wanted.
    """

    id: str
    kind: QuestionKind
    step: str
    asks: Text
    nonce: str
    opened: str
    host: str | None = None
    approvers: str = ""
    quorum: int = 1
    distinct_from: tuple[str, ...] = ()
    plan_hash: str = ""
    options: tuple[Option, ...] = ()
    chooses: str | None = None
    decide_by: str | None = None
    expires: str | None = None
    escalate: tuple[tuple[str, float], ...] = ()
    on_timeout: str = "fail"
    standing: bool = False
    max_loss_s: float | None = None
    verdicts: tuple[str, ...] = ()
    card: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[Mapping[str, Any], ...] = ()
    checklist: tuple[Text, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return the JSON data that the journal stores."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` wrote."""
        known = {f.name for f in fields(cls)}
        values: dict[str, Any] = {k: v for k, v in data.items() if k in known}
        values["kind"] = QuestionKind(values["kind"])
        values["asks"] = Text.of(values["asks"])
        values["options"] = tuple(_option(o) for o in values.get("options", ()))
        values["escalate"] = tuple((str(g), float(s)) for g, s in values.get("escalate", ()))
        values["checklist"] = tuple(Text.of(t) for t in values.get("checklist", ()))
        for name in ("distinct_from", "verdicts", "evidence"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)


def _option(data: Mapping[str, Any]) -> Option:
    values = dict(data)
    for name in ("title", "because", "basis"):
        values[name] = Text.of(values.get(name))
    values["irreversible"] = tuple(values.get("irreversible", ()))
    return Option(**values)


@dataclass(frozen=True, slots=True)
class Answer:
    """One person's answer.

    ``verdict`` is approve | reject for gates; done | not-done | failed for doubts; retry | skip |
    fail for failures; go-on | fail for fallbacks; done | failed for tasks.  ``means`` says how
    the person was recognised: signature | standing | voice | terminal.  ``statement`` is the
    canonical text that was signed, ``signature`` the armoured SSH signature over it.
    """

    by: str
    verdict: str
    at: str
    reason: str = ""
    choice: str | None = None
    max_loss_s: float | None = None
    means: str = "terminal"
    statement: str = ""
    signature: str = ""
    witnesses: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    expires: str | None = None

    def to_data(self) -> dict[str, Any]:
        """Return the JSON data that the journal stores."""
        data: dict[str, Any] = plain(asdict(self))
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` wrote."""
        known = {f.name for f in fields(cls)}
        values: dict[str, Any] = {k: v for k, v in data.items() if k in known}
        values["witnesses"] = tuple(values.get("witnesses", ()))
        return cls(**values)


SIGNED = frozenset({QuestionKind.GATE, QuestionKind.AMENDMENT})
"""What is approved or rejected with a signature, by a quorum."""


class Standing(StrEnum):
    """How a question stands."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Tally:
    """The judgement of a set of answers."""

    standing: Standing
    counted: tuple[Answer, ...] = ()
    missing: int = 0
    because: str = ""


def tally(question: Question, answers: Sequence[Answer], *, now: datetime) -> Tally:
    """Judge the answers to a gate that have been accepted into the journal.

    Each person counts once, people in ``distinct_from`` never, lapsed approvals no more; one
    valid rejection rejects.  Approvers must agree on the choice: those of the first one count.
    Who belongs to the group was checked when the answer was accepted.  Time-out never approves.
    """
    counted: dict[str, Answer] = {}
    for answer in answers:
        if answer.by in question.distinct_from or answer.by in counted:
            continue
        if answer.verdict == "reject":
            return Tally(Standing.REJECTED, (answer,), 0, answer.reason)
        if answer.verdict != "approve" or _lapsed(answer, now):
            continue
        first = next(iter(counted.values()), None)
        if first is None or first.choice == answer.choice:
            counted[answer.by] = answer
    missing = max(0, max(1, question.quorum) - len(counted))
    standing = Standing.OPEN if missing else Standing.APPROVED
    return Tally(standing, tuple(counted.values()), missing)


def _lapsed(answer: Answer, now: datetime) -> bool:
    return answer.expires is not None and parse_utc(answer.expires) <= now
