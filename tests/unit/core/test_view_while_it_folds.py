"""A fold that other threads read in the middle of: a new state is seen with all that led to it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import pytest

from dr.engine.core import view as module
from dr.engine.core.events import Event, Kind
from dr.engine.core.questions import Question, QuestionKind
from dr.engine.core.states import StepState
from dr.engine.core.values import Text
from dr.engine.core.view import RunView, StepView

AT = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
ASKED = Question("s#1", QuestionKind.GATE, "s", Text("Go?"), "n", "2026-11-01T03:00:00Z")

BEGUN = (Kind.INTENT, {"effect": "once", "input": {}})
ENDED = (Kind.FINISHED, {"state": "succeeded", "outputs": {"value": 1}})
FAILED = (Kind.FINISHED, {"state": "failed", "error": {"message": "no", "effect": "none"}})
OPENED = (Kind.QUESTION_OPENED, {"question": ASKED.to_data()})


def folded(*told: tuple[Kind, dict[str, Any]]) -> list[Event]:
    return [
        Event("R", n, AT + timedelta(seconds=n), kind, "s", None, 1, 1, data, f"hash {n}")
        for n, (kind, data) in enumerate(told, 1)
    ]


def seen_of(step: StepView | None) -> tuple[Any, ...] | None:
    """Return what others decide by, the state first."""
    if step is None:
        return None
    unit = step.units.get(None)
    return (
        step.state,
        step.outputs,
        step.because,
        step.ended,
        step.forced,
        dict(step.rungs),
        unit and (unit.state, unit.error, unit.outputs, unit.retry_at),
    )


@pytest.mark.parametrize(
    "told",
    [
        (BEGUN, ENDED),
        (BEGUN, FAILED),
        (BEGUN, (Kind.LOST, {"message": "gone", "error": {"message": "gone"}})),
        (BEGUN, ENDED, (Kind.STEP_REOPENED, {"because": "old"})),
        (BEGUN, FAILED, (Kind.STEP_SKIPPED, {"because": "people", "by": "cai"})),
        (OPENED, (Kind.STEP_FINISHED, {"state": "failed", "because": "no", "forced": True})),
        (OPENED, (Kind.STEP_CANCELLED, {"because": "the run ends"})),
        (
            (Kind.RUNG_STARTED, {"rung": "first"}),
            (Kind.STEP_FINISHED, {"state": "succeeded", "outputs": {"rung": "first"}}),
        ),
    ],
    ids=lambda told: str(told[-1][0]),
)
def test_whoever_sees_a_new_state_sees_all_that_led_to_it(
    told: tuple[tuple[Kind, dict[str, Any]], ...],
) -> None:
    *before, last = folded(*told)
    view = RunView("R").apply_all(before)
    snapshots: list[tuple[Any, ...] | None] = []

    def at_each_opcode(frame: FrameType, _event: str, _argument: Any) -> Any:
        if frame.f_code.co_filename != module.__file__:
            return None
        frame.f_trace_opcodes = True
        snapshots.append(seen_of(view.steps.get("s")))
        return at_each_opcode

    tracing = sys.gettrace()
    sys.settrace(at_each_opcode)
    try:
        view.apply(last)
    finally:
        sys.settrace(tracing)

    old, new = seen_of(RunView("R").apply_all(before).steps["s"]), seen_of(view.steps["s"])
    assert old is not None
    assert new is not None
    assert old[0] is not new[0]
    assert [s for s in snapshots if s is not None and s[0] is new[0] and s != new] == []


def test_whoever_sees_a_question_decided_sees_when() -> None:
    *before, last = folded(
        OPENED, (Kind.QUESTION_CLOSED, {"question": "s#1", "outcome": "approved"})
    )
    view = RunView("R").apply_all(before)
    asked = view.questions["s#1"]
    halves: list[str] = []

    def at_each_opcode(frame: FrameType, _event: str, _argument: Any) -> Any:
        frame.f_trace_opcodes = True
        if asked.outcome and asked.closed is None:
            halves.append(asked.outcome)
        return at_each_opcode

    tracing = sys.gettrace()
    sys.settrace(at_each_opcode)
    try:
        view.apply(last)
    finally:
        sys.settrace(tracing)
    assert halves == []
    assert view.steps["s"].state is StepState.WAITING
