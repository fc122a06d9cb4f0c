"""``reconcile.close``: the branches correct their business and sign off.  The runtime keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import Field, field_validator

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.gate_approve import Escalation, Group
from dr.engine.actions.inputs import Duration, Inputs
from dr.engine.core.errors import RefusedError
from dr.engine.core.model import Effect
from dr.engine.core.ports import ActionKind, Attempt, Outcome, World
from dr.engine.core.reconciliation import Rule, share
from dr.engine.core.values import format_duration


class CloseWhen(Inputs):
    """When the session closes by itself, and from where on leadership may waive the rest."""

    signed_off: str | float = Field("100%", description="Share of the branches that have signed.")
    unexplained: int = Field(0, ge=0, description="Cases that may still be open.")
    waivable: str | float = Field("95%", description="Share signed before the rest may be waived.")

    @field_validator("signed_off", "waivable")
    @classmethod
    def _is_share(cls, value: str | float) -> str | float:
        share(value)
        return value


class ReconcileCloseInputs(Inputs):
    """``with`` of reconcile.close."""

    service: str | None = None
    host: str | dict[str, Any] | None = Field(None, description="The recovered database.")
    since: str | None = Field(None, description="The recovery point.")
    overlap: Duration = timedelta(hours=1)
    compared: dict[str, Any] | str = Field(
        default_factory=dict, description="`compared` of a reconcile.branches step."
    )
    close_when: CloseWhen = Field(default_factory=CloseWhen)
    waiver: Group | None = Field(None, description="Who may waive what is left.")
    due: Duration = timedelta(hours=24)
    remind: Duration = timedelta(hours=4)
    escalate: list[Escalation] = Field(default_factory=list)


class ReconcileClose(Driver[ReconcileCloseInputs]):
    """Branches hand in, correct and sign off; closes by the declared rule."""

    inputs = ReconcileCloseInputs
    spec = specify(
        "reconcile.close",
        "Have the branches correct their business and sign off",
        "由各网点更正差错业务并签认",
        ReconcileCloseInputs,
        effects=(Effect.READ, Effect.IDEMPOTENT),
        closes=True,
        outputs={
            "how": "string",
            "branches": "integer",
            "states": "map",
            "open_cases": "integer",
            "settled": "map",
            "settled_value": "map",
            "settled_unpriced": "map",
            "at_risk": "string",
            "unpriced": "integer",
            "critical": "integer",
            "oldest": "moment",
            "signed_share": "number",
            "still_held": "list",
        },
        kind=ActionKind.SESSION,
    )

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say when it closes and who is asked."""
        given = self.given(attempt)
        rule = Rule.of(given.close_when.model_dump())
        lines = [
            f"every branch hands in its ledger within {format_duration(given.due)}",
            f"closes when {rule.signed_off:.0%} have signed and {rule.unexplained} cases are open",
        ]
        if given.waiver is not None:
            lines.append(f"{given.waiver.group} may waive the rest from {rule.waivable:.0%} on")
        return lines

    def perform(self, attempt: Attempt, world: World) -> Outcome:  # noqa: ARG002
        """Only branches can."""
        raise RefusedError(
            f"step '{attempt.step}' is done by the branches",
            hint=f"Look at what is left with: dr reconcile status {attempt.run}",
        )
