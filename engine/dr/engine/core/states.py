"""States of a unit (a step on one host) as a table."""

from __future__ import annotations

from enum import StrEnum


class StepState(StrEnum):
    """Where a unit stands.  The values are persisted and never renamed."""

    PENDING = "pending"
    READY = "ready"
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    ALREADY_DONE = "already_done"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    IN_DOUBT = "in_doubt"
    UNDOING = "undoing"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


class StepEvent(StrEnum):
    """What happens to a unit."""

    RELEASED = "released"  # what it needs has ended well
    HELD = "held"  # a gate, a person, a lock, a batch or a retry delay holds it
    STARTED = "started"  # the intent is written
    CONFIRMED = "confirmed"  # performed and verified
    FOUND_DONE = "found_done"  # a probe found the effect present
    REFUSED = "refused"  # ended, known not to have succeeded
    RETRIED = "retried"  # failed or found absent; a new attempt is allowed
    LOST = "lost"  # nobody knows whether there was an effect
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    UNDO_STARTED = "undo_started"
    UNDO_CONFIRMED = "undo_confirmed"
    UNDO_REFUSED = "undo_refused"


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    WAITING = "waiting"
    IN_DOUBT = "in_doubt"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"

    @property
    def ended(self) -> bool:
        """Whether nothing further will happen in this run by itself."""
        return self in {RunState.SUCCEEDED, RunState.FAILED, RunState.ABORTED}


class IllegalTransitionError(AssertionError):
    """The journal would say something that cannot be true."""

    def __init__(self, state: StepState, event: StepEvent) -> None:
        super().__init__(f"a unit that is {state} can not be {event}")


_S, _E = StepState, StepEvent

TRANSITIONS: dict[tuple[StepState, StepEvent], StepState] = {
    (_S.PENDING, _E.RELEASED): _S.READY,
    (_S.PENDING, _E.SKIPPED): _S.SKIPPED,
    (_S.PENDING, _E.CANCELLED): _S.CANCELLED,
    (_S.READY, _E.HELD): _S.WAITING,
    (_S.READY, _E.STARTED): _S.RUNNING,
    (_S.READY, _E.FOUND_DONE): _S.ALREADY_DONE,
    (_S.READY, _E.SKIPPED): _S.SKIPPED,
    (_S.READY, _E.CANCELLED): _S.CANCELLED,
    (_S.READY, _E.REFUSED): _S.FAILED,
    (_S.READY, _E.CONFIRMED): _S.SUCCEEDED,
    (_S.READY, _E.RETRIED): _S.WAITING,  # refused before the intent, may be tried again
    (_S.WAITING, _E.RELEASED): _S.READY,
    (_S.WAITING, _E.HELD): _S.WAITING,
    (_S.WAITING, _E.RETRIED): _S.WAITING,
    (_S.WAITING, _E.STARTED): _S.RUNNING,
    (_S.WAITING, _E.CONFIRMED): _S.SUCCEEDED,
    (_S.WAITING, _E.FOUND_DONE): _S.ALREADY_DONE,
    (_S.WAITING, _E.REFUSED): _S.FAILED,
    (_S.WAITING, _E.SKIPPED): _S.SKIPPED,
    (_S.WAITING, _E.CANCELLED): _S.CANCELLED,
    (_S.RUNNING, _E.CONFIRMED): _S.SUCCEEDED,
    (_S.RUNNING, _E.FOUND_DONE): _S.ALREADY_DONE,
    (_S.RUNNING, _E.REFUSED): _S.FAILED,
    (_S.RUNNING, _E.RETRIED): _S.WAITING,
    (_S.RUNNING, _E.LOST): _S.IN_DOUBT,
    (_S.IN_DOUBT, _E.CONFIRMED): _S.SUCCEEDED,
    (_S.IN_DOUBT, _E.FOUND_DONE): _S.ALREADY_DONE,
    (_S.IN_DOUBT, _E.REFUSED): _S.FAILED,
    (_S.IN_DOUBT, _E.RETRIED): _S.WAITING,
    (_S.IN_DOUBT, _E.LOST): _S.IN_DOUBT,
    (_S.FAILED, _E.RETRIED): _S.WAITING,
    (_S.FAILED, _E.SKIPPED): _S.SKIPPED,
    (_S.FAILED, _E.LOST): _S.IN_DOUBT,
    (_S.FAILED, _E.UNDO_STARTED): _S.UNDOING,
    (_S.READY, _E.UNDO_STARTED): _S.UNDOING,  # an attempt before may have left something
    (_S.WAITING, _E.UNDO_STARTED): _S.UNDOING,
    (_S.SUCCEEDED, _E.RELEASED): _S.READY,  # a stale fact is looked at again
    (_S.SUCCEEDED, _E.UNDO_STARTED): _S.UNDOING,
    (_S.ALREADY_DONE, _E.UNDO_STARTED): _S.UNDOING,  # its end was found after a doubt
    (_S.UNDOING, _E.UNDO_CONFIRMED): _S.UNDONE,
    (_S.UNDOING, _E.UNDO_REFUSED): _S.UNDO_FAILED,
    (_S.UNDO_FAILED, _E.UNDO_STARTED): _S.UNDOING,
    (_S.UNDO_FAILED, _E.UNDO_CONFIRMED): _S.UNDONE,
}

ENDED_WELL = frozenset({_S.SUCCEEDED, _S.ALREADY_DONE, _S.SKIPPED})
"""States that release what follows (with ``on_failure: continue`` also FAILED)."""

PROVEN = frozenset({_S.SUCCEEDED, _S.ALREADY_DONE})
"""States that satisfy a ``requires``: a skip never does."""

TAKEN_BACK = frozenset({_S.UNDONE, _S.UNDO_FAILED})
"""States of what people may have done again, or go on without."""

ENDED = ENDED_WELL | TAKEN_BACK | {_S.FAILED, _S.CANCELLED}


def advance(state: StepState, event: StepEvent) -> StepState:
    """Return the state that follows ``state`` when ``event`` happens.

    Raises:
        IllegalTransitionError: the pair is not in the table.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransitionError(state, event) from None
