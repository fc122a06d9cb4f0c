"""How long the approval behind a step holds: until it lapses, or for good once something acted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Effect, Step
from dr.engine.core.planner import ended_well
from dr.engine.core.values import parse_utc
from dr.engine.core.view import QuestionView
from dr.engine.runtime.context import RunContext

LAPSED = "the approval lapsed before anything was started"
AMENDED = "the plan was amended"
IN_CHINESE = {LAPSED: "审批在任何操作开始之前已失效", AMENDED: "计划已修订"}
"""Why a gate is asked again, as it stands in the sentence that people read."""


def approved(context: RunContext, gate: Step) -> QuestionView | None:
    """Return the newest approved question of a gate."""
    found = [
        q
        for q in list(context.view.questions.values())
        if q.question.step == gate.id and q.outcome == "approved"
    ]
    return found[-1] if found else None


def approved_until(context: RunContext, step: Step) -> tuple[Step, datetime] | None:
    """Return the gate whose approval is the first to lapse before ``step`` may act, and when.

    None when no gate stands right before the step, or something acted since it was approved.  A
    step of a rung stands behind the gates of its ladder.
    """
    ladder = context.runbook.by_id.get(step.ladder or "")
    needs = dict.fromkeys((*step.needs, *(ladder.needs if ladder else ())))
    ends: list[tuple[Step, datetime]] = []
    for gate in (context.runbook.by_id[need] for need in needs):
        asked = approved(context, gate)
        if asked is None or asked.closed is None:
            continue
        until = context.view.steps[gate.id].outputs.get("expires")
        if until and not _acted(context, asked):
            ends.append((gate, parse_utc(str(until))))
    return min(ends, key=lambda end: end[1], default=None)


def _acted(context: RunContext, asked: QuestionView) -> bool:
    for seen in list(context.view.steps.values()):
        step = context.runbook.by_id.get(seen.id)
        if step is None or step.effect is Effect.READ or not asked.closed:
            continue
        if any(
            u.intent and u.started and u.started >= asked.closed for u in list(seen.units.values())
        ):
            return True
    return False


def ask_anew(context: RunContext, gate: Step, step: Step) -> bool:
    """Have ``gate`` asked again because its approval lapsed as ``step`` was to act; it waits.

    A rung that was started goes back as if it had not been: people may choose another one.  False
    when another step came first: it had the gate asked again, or acted, so the approval holds.
    """
    with context.recorder.lock:
        if not ended_well(gate, context.view.steps.get(gate.id)):
            return False
        if (approved_until(context, step) or (None,))[0] is not gate:
            return False
        drafts = [_reopened(gate), _reopened(step)]
        ladder = context.runbook.by_id.get(step.ladder or "")
        if ladder is not None:
            drafts.append(_reopened(ladder, take_back=step.rung))
        context.recorder.write(*drafts)
    return True


def waits_for_amended_gate(context: RunContext, step: Step) -> bool:
    """Whether a gate before ``step``, near or far, is asked again because the plan was amended."""
    again = {gate for event in context.view.amendments for gate in event.data["asked_again"]}
    behind: Mapping[str, Sequence[str]] = (context.view.plan or {}).get("gates", {})
    return any(
        step.id in behind.get(gate, ())
        and not ended_well(context.runbook.by_id[gate], context.view.steps.get(gate))
        for gate in again
    )


def _reopened(step: Step, **more: object) -> Draft:
    return Draft(Kind.STEP_REOPENED, step.id, data={"because": LAPSED, "rungs": False, **more})
