"""Which gate's accepted loss bounds a promotion and a restore."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from dr.engine.actions.postgres.accepted import accepted_loss
from dr.engine.core.events import Event, Kind
from dr.engine.core.ports import World


class Past:
    """Nothing but a history."""

    def __init__(self, *outputs: dict[str, Any]) -> None:
        self._outputs = outputs

    def history(self) -> Sequence[Event]:
        at = datetime(2026, 11, 1, tzinfo=UTC)
        return [
            Event("r", n, at, Kind.STEP_FINISHED, "gate", None, None, 1, {"outputs": outputs}, "")
            for n, outputs in enumerate(self._outputs, 1)
        ]


def test_an_attestation_does_not_lift_the_loss_that_leadership_accepted() -> None:
    chosen = {"choice": "promote-standby", "max_loss_s": 60.0}
    attested = {"choice": None, "max_loss_s": None, "approved_by": ["ana", "bo"]}
    assert accepted_loss(cast("World", Past(chosen, attested))) == 60.0


def test_the_newest_choice_bounds_the_loss() -> None:
    first = {"choice": "promote-standby", "max_loss_s": 60.0}
    second = {"choice": "restore-cold-backup", "max_loss_s": 900.0}
    assert accepted_loss(cast("World", Past(first, second))) == 900.0
