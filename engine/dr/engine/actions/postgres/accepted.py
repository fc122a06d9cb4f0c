"""The loss that people accepted, and whether what would be lost now is within it."""

from __future__ import annotations

from datetime import timedelta

from dr.engine.actions.postgres.loss import Loss
from dr.engine.core.events import Kind
from dr.engine.core.ports import World
from dr.engine.core.values import CLOCKS_DIFFER, format_duration, parse_duration

GREATER = "Have the greater loss approved, or take the next rung."
"""What to do when more would be lost than was accepted."""


def accepted_loss(world: World) -> float | None:
    """Return the loss in seconds that the newest choosing gate accepted; None: it named none.

    A gate that chooses nothing, such as an attestation, says nothing about loss.
    """
    for event in reversed(world.history()):
        outputs = event.data.get("outputs") or {}
        chose = event.kind is Kind.STEP_FINISHED and outputs.get("choice") is not None
        if chose and "max_loss_s" in outputs:
            accepted = outputs["max_loss_s"]
            return None if accepted is None else float(accepted)
    return None


def too_much(lost: Loss, given: str | float | None, world: World) -> str:
    """Return why ``lost`` is more than may be lost, or an empty text.

    Args:
        given: the step's own ``max_loss``, ``15m`` or seconds; empty: what the gate accepted.
    """
    allowed = accepted_loss(world) if given is None else given
    if allowed is None or allowed == "":
        return ""
    limit = parse_duration(allowed) if isinstance(allowed, str) else timedelta(seconds=allowed)
    if lost.at_most is None:
        why = lost.basis.say("en")
        return f"the loss is unknown ({why}), accepted was {format_duration(limit)}"
    if lost.at_most > limit + CLOCKS_DIFFER:
        return (
            f"up to {format_duration(lost.at_most)} would be lost, accepted was"
            f" {format_duration(limit)}: {lost.basis.say('en')}"
        )
    return ""
