"""The fold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dr.engine.core.errors import JournalError
from dr.engine.core.events import Event, Kind
from dr.engine.core.states import IllegalTransitionError, StepState
from dr.engine.core.view import RunView, fold

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


class Tape:
    """Events of a made-up run, numbered as the journal would."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, kind: Kind, step: str | None = None, **data: Any) -> Tape:
        seq = len(self.events) + 1
        at = START + timedelta(seconds=seq)
        attempt = data.pop("attempt", 1)
        self.events.append(Event("R", seq, at, kind, step, None, attempt, 1, data, f"{seq}"))
        return self

    def view(self) -> RunView:
        return fold("R", self.events)


def failed_once() -> Tape:
    tape = Tape().add(Kind.RUN_CREATED).add(Kind.INTENT, "a")
    return tape.add(Kind.FINISHED, "a", state="failed", error={"message": "no"})


def test_folding_in_two_goes_is_folding_in_one() -> None:
    events = failed_once().add(Kind.STEP_REOPENED, "a").add(Kind.INTENT, "a", attempt=2).events
    for cut in range(len(events)):
        halves = fold("R", events[:cut]).apply_all(events[cut:])
        assert halves == fold("R", events)


def test_a_wish_stands_until_the_engine_moves_its_step() -> None:
    tape = failed_once().add(Kind.OP_RETRY, "a", by="cai", because="the cable is back")
    assert [w.kind for w in tape.view().wishes] == [Kind.OP_RETRY]


def test_a_retry_that_was_obeyed_is_never_obeyed_again_by_another_engine() -> None:
    tape = failed_once().add(Kind.OP_RETRY, "a", by="cai", because="the cable is back")
    tape.add(Kind.STEP_REOPENED, "a", because="cai").add(Kind.INTENT, "a", attempt=2)
    tape.add(Kind.FINISHED, "a", attempt=2, state="failed", error={"message": "no"})
    assert tape.view().wishes == []


def test_an_end_without_a_beginning_is_refused() -> None:
    tape = Tape().add(Kind.RUN_CREATED).add(Kind.UNDO_FINISHED, "a", state="undone")
    with pytest.raises(JournalError, match=r"event 2 of run .* does not follow") as refused:
        tape.view()
    assert isinstance(refused.value.__cause__, IllegalTransitionError)


def test_the_moment_of_detection_may_lie_before_the_run() -> None:
    seen = "2026-11-01T02:50:00.000000Z"
    view = Tape().add(Kind.RUN_CREATED, detected_at=seen).view()
    assert view.moments.detected == START - timedelta(minutes=10)


def test_the_handle_of_a_verification_does_not_hide_that_of_the_effect() -> None:
    tape = Tape().add(Kind.RUN_CREATED).add(Kind.INTENT, "a")
    tape.add(Kind.HANDLE, "a", handle={"job": 1})
    tape.add(Kind.HANDLE, "a", handle={"job": 2}, call="verify")
    assert tape.view().steps["a"].units[None].handle == {"job": 1}


def test_a_late_end_settles_a_doubt() -> None:
    tape = Tape().add(Kind.RUN_CREATED).add(Kind.INTENT, "a").add(Kind.LOST, "a", message="lost")
    assert tape.view().in_doubt()
    tape.add(Kind.FINISHED, "a", state="succeeded", outputs={"x": 1})
    assert tape.view().steps["a"].state is StepState.SUCCEEDED
    assert not tape.view().in_doubt()
