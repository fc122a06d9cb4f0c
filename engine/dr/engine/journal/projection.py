"""What an event changes in the index tables, as data.  Pure.

The events are the truth; run.state, run.epoch, attempt, question, answer and run_lock only
answer questions faster than a fold would.  Every change is derived here, for both journals
and for the check that the tables still say what the events say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dr.engine.core.events import Event, Kind
from dr.engine.core.states import RunState


class AttemptState(StrEnum):
    """Where an attempt stands.  Persisted; never renamed."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"
    IN_DOUBT = "in_doubt"


class QuestionState(StrEnum):
    """Whether a question may still be answered.  Persisted; never renamed."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class SetState:
    """The run stands elsewhere."""

    state: str


@dataclass(frozen=True, slots=True)
class TakeLocks:
    """The run needs its locks (again)."""


@dataclass(frozen=True, slots=True)
class ReleaseLocks:
    """The run gives its locks back."""


@dataclass(frozen=True, slots=True)
class SetEpoch:
    """A new engine has the run; attempts that an earlier one left running are in doubt."""

    epoch: int
    holder: str


@dataclass(frozen=True, slots=True)
class ClaimAttempt:
    """An attempt begins; the unique key makes this the compare-and-set."""

    step: str
    host: str
    number: int
    epoch: int
    key: str


@dataclass(frozen=True, slots=True)
class MoveAttempt:
    """An attempt, if there was one, stands elsewhere."""

    step: str
    host: str
    number: int
    state: AttemptState


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question may be answered from now on."""

    id: str
    kind: str
    step: str
    nonce: str
    seq: int


@dataclass(frozen=True, slots=True)
class CloseQuestion:
    """A question takes no more answers."""

    id: str
    outcome: str


@dataclass(frozen=True, slots=True)
class AddAnswer:
    """A person has answered a question."""

    question: str
    by: str
    seq: int


Change = (
    SetState
    | TakeLocks
    | ReleaseLocks
    | SetEpoch
    | ClaimAttempt
    | MoveAttempt
    | OpenQuestion
    | CloseQuestion
    | AddAnswer
)


def changes(event: Event, state: str) -> tuple[Change, ...]:
    """Return what ``event`` changes in the index of a run whose state is ``state``."""
    rule = _RULES.get(event.kind)
    return () if rule is None else rule(event, state)


def _moved(event: Event, state: str) -> tuple[Change, ...]:
    after = str(event.data.get("state", state))
    ended_before, ended_after = _ended(state), _ended(after)
    if ended_after and not ended_before:
        return (SetState(after), ReleaseLocks())
    if ended_before and not ended_after:  # an operator retries what had ended
        return (TakeLocks(), SetState(after))
    return (SetState(after),)


def _ended(state: str) -> bool:
    return state in _ENDED


_ENDED = frozenset(s.value for s in RunState if s.ended)


def _leased(event: Event, _state: str) -> tuple[Change, ...]:
    return (SetEpoch(event.epoch, str(event.data.get("holder", ""))),)


def _claimed(event: Event, _state: str) -> tuple[Change, ...]:
    step, host, number = _unit(event)
    key = f"{event.run}/{step}/{event.host or 'engine'}"
    return (ClaimAttempt(step, host, number, event.epoch, key),)


def _finished(event: Event, _state: str) -> tuple[Change, ...]:
    return (MoveAttempt(*_unit(event), AttemptState.ENDED),)


def _lost(event: Event, _state: str) -> tuple[Change, ...]:
    return (MoveAttempt(*_unit(event), AttemptState.IN_DOUBT),)


def _opened(event: Event, _state: str) -> tuple[Change, ...]:
    question = _mapping(event.data.get("question"))
    return (
        OpenQuestion(
            id=str(question.get("id", "")),
            kind=str(question.get("kind", "")),
            step=str(question.get("step") or event.step or ""),
            nonce=str(question.get("nonce", "")),
            seq=event.seq,
        ),
    )


def _answered(event: Event, _state: str) -> tuple[Change, ...]:
    by = str(_mapping(event.data.get("answer")).get("by", ""))
    return (AddAnswer(_question_id(event), by, event.seq),)


def _reconciles(event: Event, _state: str) -> tuple[Change, ...]:
    # branches take days: another incident of the same service must not wait for them
    return (ReleaseLocks(),) if event.data.get("frees_locks") else ()


def _acts_again(event: Event, _state: str) -> tuple[Change, ...]:
    return (TakeLocks(),) if event.data.get("takes_locks") else ()


def _closed(event: Event, _state: str) -> tuple[Change, ...]:
    return (CloseQuestion(_question_id(event), str(event.data.get("outcome", ""))),)


def _unit(event: Event) -> tuple[str, str, int]:
    return event.step or "", event.host or "", event.attempt or 1


def _question_id(event: Event) -> str:
    named = event.data.get("question", "")
    return str(named.get("id", "")) if isinstance(named, Mapping) else str(named)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


_RULES: dict[Kind, Callable[[Event, str], tuple[Change, ...]]] = {
    Kind.RUN_STATE: _moved,
    Kind.RUN_ENDED: _moved,
    Kind.RUN_LEASE: _leased,
    Kind.INTENT: _claimed,
    Kind.FINISHED: _finished,
    Kind.LOST: _lost,
    Kind.QUESTION_OPENED: _opened,
    Kind.QUESTION_ANSWERED: _answered,
    Kind.QUESTION_CLOSED: _closed,
    Kind.RECONCILE_OPENED: _reconciles,
    Kind.RECONCILE_CLOSED: _acts_again,
    Kind.OP_RETRY: _acts_again,
    Kind.OP_UNDO: _acts_again,
    Kind.RUN_AMENDED: _acts_again,
}
