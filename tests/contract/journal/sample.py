"""Records, drafts and a clock that the journal's tests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import Journal, RunRecord
from dr.engine.core.questions import Answer, Question, QuestionKind
from dr.engine.core.values import Text

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class SetClock:
    """A clock that a test sets."""

    def __init__(self, now: datetime = NOON) -> None:
        self.moment = now

    def now(self) -> datetime:
        """Return what the test set."""
        return self.moment

    def monotonic(self) -> float:
        """Return the seconds since the epoch of the set moment."""
        return self.moment.timestamp()

    def move(self, by: timedelta) -> None:
        """Move the clock, also backwards."""
        self.moment += by


class Door(Protocol):
    """Opens journals on one database; each stands for a process of its own."""

    name: str

    def open(self, clock: SetClock | None = None) -> Journal:
        """Return the journal of a new process."""

    def kill(self, journal: Journal) -> None:
        """End the process of ``journal`` as ``kill -9`` would; returns when its leases are free."""


def record(run: str = "r-20261101-0001", **changed: Any) -> RunRecord:
    """Return a run's row with words in both languages."""
    plain = RunRecord(
        id=run,
        runbook="storage-failure",
        runbook_sha256="ab" * 32,
        source="name: storage-failure\n",
        file="runbooks/storage-failure.yaml",
        environment="lab",
        mode="real",
        requester="chen.wei",
        inputs={"service": "registry"},
        inventory={"hosts": {"db-a": {"address": "198.18.1.11", "title": "主库"}}},
        created=NOON,
        title={"en": "Storage failure", "zh": "存储故障"},
    )
    return replace(plain, **changed)


def created() -> list[Draft]:
    """Return the first event of a run."""
    return [Draft(Kind.RUN_CREATED, data={"runbook": "storage-failure", "rto_s": 14400.0})]


def intent(step: str = "promote", host: str | None = "db-b", number: int = 1) -> Draft:
    """Return the claim of an attempt."""
    return Draft(Kind.INTENT, step, host, number, {"effect": "once", "describes": ["promote db-b"]})


def finished(step: str = "promote", host: str | None = "db-b", number: int = 1) -> Draft:
    """Return the good end of an attempt."""
    return Draft(Kind.FINISHED, step, host, number, {"state": "succeeded", "outputs": {}})


def note(text: str = "说明 note") -> Draft:
    """Return an operator's note."""
    return Draft(Kind.OP_NOTE, data={"by": "ana", "text": text})


def asked(question: str = "promote#1") -> Draft:
    """Return the opening of a gate."""
    gate = Question(
        id=question,
        kind=QuestionKind.GATE,
        step="promote",
        asks=Text("Promote?", "提升？"),
        nonce=f"nonce of {question}",
        opened="2026-11-01T12:00:00.000000Z",
    )
    return Draft(Kind.QUESTION_OPENED, "promote", data={"question": gate.to_data()})


def answered(by: str = "ana", question: str = "promote#1") -> Draft:
    """Return a person's approval."""
    answer = Answer(by=by, verdict="approve", at="2026-11-01T12:00:01.000000Z")
    return Draft(
        Kind.QUESTION_ANSWERED,
        "promote",
        data={"question": question, "answer": answer.to_data()},
    )


def closed(question: str = "promote#1") -> Draft:
    """Return the end of a gate."""
    data = {"question": question, "outcome": "approved", "because": "", "answers": []}
    return Draft(Kind.QUESTION_CLOSED, "promote", data=data)


def state(value: str) -> Draft:
    """Return a change of the run's state."""
    return Draft(Kind.RUN_STATE, data={"state": value, "because": "a test"})


def ended(value: str = "succeeded") -> Draft:
    """Return the end of a run."""
    return Draft(Kind.RUN_ENDED, data={"state": value, "because": "a test"})


def kinds(journal: Journal, run: str, after: int = 0) -> Sequence[Kind]:
    """Return the kinds of a run's events, in order."""
    return [event.kind for event in journal.events(run, after)]
