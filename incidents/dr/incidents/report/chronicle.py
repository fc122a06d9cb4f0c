"""What the fold forgets and a report must tell: every doubt, failure, wait and wish, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dr.engine.core.events import Event, Kind

Place = tuple[str, str]
"""A step and a host; "" is the engine itself."""


@dataclass(slots=True)
class Doubt:
    """From the loss of contact to its settlement."""

    step: str
    host: str
    attempt: int
    since: datetime
    because: str
    settled: str = ""
    at: datetime | None = None
    answers: list[Mapping[str, Any]] = field(default_factory=list)
    saw: str = ""


@dataclass(slots=True)
class Failure:
    """An end that is known to be a failure."""

    step: str
    host: str
    attempt: int
    at: datetime
    message: str
    code: str = ""
    retried: bool = False


@dataclass(slots=True)
class Chronicle:
    """One pass over the events of a run."""

    doubts: list[Doubt] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    wishes: list[Event] = field(default_factory=list)
    waits: dict[str, list[tuple[datetime, datetime | None]]] = field(default_factory=dict)
    passed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    rungs: dict[tuple[str, str], list[Event]] = field(default_factory=dict)
    leases: int = 0
    recovered: Mapping[str, Any] = field(default_factory=dict)
    _open: dict[Place, Doubt] = field(default_factory=dict)
    _asked: dict[str, Place] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Chronicle:
        """Return what ``events`` of one run tell, in the order given."""
        chronicle = cls()
        for event in events:
            listener = _LISTENERS.get(event.kind)
            if listener is not None:
                listener(chronicle, event)
        return chronicle

    def settle(self, place: Place, how: str, at: datetime) -> None:
        """Close the open doubt at ``place``, if there is one; a person's word counts as theirs."""
        doubt = self._open.pop(place, None)
        if doubt is not None:
            doubt.settled = "person" if doubt.answers else how.partition(":")[0]
            doubt.at = at


def _place(event: Event) -> Place:
    return event.step or "", event.host or ""


def _lost(told: Chronicle, event: Event) -> None:
    place = _place(event)
    if place in told._open:
        return
    error = event.data.get("error")
    words = error.get("message", "") if isinstance(error, Mapping) else error or ""
    because = str(event.data.get("message") or words)
    doubt = Doubt(*place, event.attempt or 1, event.at, because)
    told._open[place] = doubt
    told.doubts.append(doubt)


def _probed(told: Chronicle, event: Event) -> None:
    doubt = told._open.get(_place(event))
    if doubt is not None:
        seen = (str(event.data.get("presence", "")), str(event.data.get("detail") or ""))
        doubt.saw = ": ".join(part for part in seen if part)


def _finished(told: Chronicle, event: Event) -> None:
    step, host = place = _place(event)
    state = str(event.data.get("state"))
    told.settle(place, _settled_by(state, str(event.data.get("via") or "")), event.at)
    error = event.data.get("error")
    if error and state in {"failed", "retry"}:
        said = error if isinstance(error, Mapping) else {"message": error}
        message, code = str(said.get("message", "")), str(said.get("code", ""))
        attempt = event.attempt or 1
        told.failures.append(
            Failure(step, host, attempt, event.at, message, code, retried=state == "retry")
        )


def _settled_by(state: str, via: str) -> str:
    """Return how a doubt ended; an end without another source is the attempt's own, found again."""
    if state == "retry" and not via.startswith("person"):
        return "rerun"
    return via or "attach"


def _intent(told: Chronicle, event: Event) -> None:
    told.settle(_place(event), "rerun", event.at)
    for failure in told.failures:
        if (failure.step, failure.host) == _place(event):
            failure.retried = True
    _end_wait(told, event)


def _end_wait(told: Chronicle, event: Event) -> None:
    waits = told.waits.get(event.step or "")
    if waits and waits[-1][1] is None:
        waits[-1] = (waits[-1][0], event.at)


def _begin_wait(told: Chronicle, step: str, at: datetime) -> None:
    waits = told.waits.setdefault(step, [])
    if not waits or waits[-1][1] is not None:
        waits.append((at, None))


def _waiting(told: Chronicle, event: Event) -> None:
    _begin_wait(told, event.step or "", event.at)


def _skipped(told: Chronicle, event: Event) -> None:
    for place in [p for p in told._open if p[0] == event.step]:
        told.settle(place, "skip", event.at)
    told.passed[event.step or ""] = {**event.data, "skipped": True}
    _end_wait(told, event)


def _step_finished(told: Chronicle, event: Event) -> None:
    _end_wait(told, event)
    if event.data.get("forced") or event.data.get("continued"):
        told.passed[event.step or ""] = event.data
    if str(event.data.get("state")) == "failed" and event.data.get("because"):
        known = any(f.step == event.step for f in told.failures)
        if not known:
            because = str(event.data["because"])
            told.failures.append(Failure(event.step or "", "", 0, event.at, because))


def _reopened(told: Chronicle, event: Event) -> None:
    told.passed.pop(event.step or "", None)


def _rung(told: Chronicle, event: Event) -> None:
    name = event.step or "", str(event.data.get("rung", ""))
    told.rungs.setdefault(name, []).append(event)


def _opened(told: Chronicle, event: Event) -> None:
    question = event.data["question"]
    step, host = str(question["step"]), str(question.get("host") or "")
    told._asked[str(question["id"])] = step, host
    _begin_wait(told, step, event.at)


def _answered(told: Chronicle, event: Event) -> None:
    place = told._asked.get(str(event.data["question"]))
    doubt = told._open.get(place) if place else None
    if doubt is not None:
        doubt.answers.append(event.data["answer"])


def _closed(told: Chronicle, event: Event) -> None:
    step, _ = told._asked.get(str(event.data["question"]), ("", ""))
    waits = told.waits.get(step)
    if waits and waits[-1][1] is None:
        waits[-1] = (waits[-1][0], event.at)


def _lease(told: Chronicle, _event: Event) -> None:
    told.leases += 1


def _recovered(told: Chronicle, event: Event) -> None:
    told.recovered = event.data


def _wish(told: Chronicle, event: Event) -> None:
    told.wishes.append(event)


_LISTENERS: dict[Kind, Callable[[Chronicle, Event], None]] = {
    Kind.RUN_LEASE: _lease,
    Kind.RUN_RECOVERED: _recovered,
    Kind.STEP_WAITING: _waiting,
    Kind.STEP_SKIPPED: _skipped,
    Kind.STEP_FINISHED: _step_finished,
    Kind.STEP_REOPENED: _reopened,
    Kind.RUNG_STARTED: _rung,
    Kind.RUNG_FAILED: _rung,
    Kind.RUNG_CLOSED: _rung,
    Kind.INTENT: _intent,
    Kind.FINISHED: _finished,
    Kind.LOST: _lost,
    Kind.PROBED: _probed,
    Kind.QUESTION_OPENED: _opened,
    Kind.QUESTION_ANSWERED: _answered,
    Kind.QUESTION_CLOSED: _closed,
    Kind.OP_PAUSE: _wish,
    Kind.OP_CONTINUE: _wish,
    Kind.OP_ABORT: _wish,
    Kind.OP_RETRY: _wish,
    Kind.OP_SKIP: _wish,
    Kind.OP_TAKEOVER: _wish,
    Kind.OP_ACCEPT: _wish,
    Kind.OP_UNDO: _wish,
    Kind.OP_NOTE: _wish,
    Kind.OP_AMEND: _wish,
    Kind.RUN_AMENDED: _wish,
}
