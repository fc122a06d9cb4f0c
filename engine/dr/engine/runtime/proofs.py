"""What a step may act on: proofs of steps that succeeded, and nothing that stands in for one."""

from __future__ import annotations

from collections.abc import Iterator

from dr.engine.core.errors import RefusedError
from dr.engine.core.model import Step
from dr.engine.core.states import PROVEN, StepState
from dr.engine.runtime.context import RunContext


def require_proofs(context: RunContext, step: Step) -> None:
    """Refuse to act on what no step proves now; the ladder's ``requires`` counts for its steps.

    A step that failed may have put its proof out before it did, and keeps its outputs when people
    skip it or let the run go on: they decided to do without it, not that it is true.

    Raises:
        RefusedError: a step that ``requires`` names has not succeeded, or was taken back.
    """
    for needed in _needed(context, step):
        seen = context.view.steps.get(needed)
        state = seen.state if seen else StepState.PENDING
        if state not in PROVEN:
            raise RefusedError(
                f"step '{step.id}' requires a proof of step '{needed}', which is {state}",
                hint="Only a step that succeeded proves anything. If it failed, have it tried "
                f"again with 'dr retry {context.record.id} {needed}'; if it was skipped, abort "
                "this run and start a new one: it looks first.",
            )


def _needed(context: RunContext, step: Step) -> Iterator[str]:
    """Yield the steps whose proofs ``step`` acts on."""
    ladder = context.runbook.by_id.get(step.ladder or "")
    for guarded in (ladder, step):
        if guarded is not None and guarded.requires:
            yield from sorted(context.ports.expressions.steps_in(dict(guarded.requires)))
