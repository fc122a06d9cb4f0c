"""``gate.approve``: people decide whether, and how, the run goes on.  The runtime opens it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.inputs import Duration, Inputs, Words
from dr.engine.core.errors import RefusedError
from dr.engine.core.model import Effect
from dr.engine.core.ports import ActionKind, Attempt, Outcome, World
from dr.engine.core.values import format_duration


class Group(Inputs):
    """A group of the inventory."""

    group: str = Field(min_length=1)


class Escalation(Inputs):
    """Who may answer too, and from when on."""

    group: str = Field(min_length=1)
    after: Duration


class OnTimeout(Inputs):
    """What happens while nobody decides.  There is no way to write that time-out approves."""

    escalate: list[Escalation] = Field(default_factory=list)
    then: Literal["fail", "wait"] = "fail"


class GateApproveInputs(Inputs):
    """``with`` of gate.approve."""

    ask: Words
    approvers: Group
    quorum: int = Field(1, ge=1, description="How many different people must agree.")
    distinct_from: list[str] = Field(
        default=["requester"], description="People who do not count; `requester` is four eyes."
    )
    chooses: str | None = Field(None, description="The `try` step whose rung is chosen here.")
    decide_within: Duration | None = Field(None, description="The decision clock.")
    on_timeout: OnTimeout = Field(default_factory=OnTimeout)
    standing: Literal["allowed", "refused"] = Field(
        "refused", description="Whether an authorisation signed beforehand may answer."
    )
    binds: Literal["plan"] = "plan"
    expires: Duration | None = Field(None, description="How long an approval stays valid.")


class GateApprove(Driver[GateApproveInputs]):
    """People approve or reject."""

    inputs = GateApproveInputs
    spec = specify(
        "gate.approve",
        "Have people approve",
        "由人员审批",
        GateApproveInputs,
        effects=(Effect.READ, Effect.IDEMPOTENT, Effect.ONCE, Effect.IRREVERSIBLE),
        outputs={
            "approved_by": "list",
            "choice": "string",
            "max_loss_s": "number",
            "means": "list",
            "reasons": "list",
            "expires": "moment",
        },
        kind=ActionKind.GATE,
    )

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say who is asked what."""
        given = self.given(attempt)
        lines = [f"{given.quorum} of {given.approvers.group}: {given.ask.say('en')}"]
        if given.decide_within is not None:
            lines.append(
                f"within {format_duration(given.decide_within)}, then {given.on_timeout.then}"
            )
        lines += [
            f"after {format_duration(each.after)} also {each.group}"
            for each in given.on_timeout.escalate
        ]
        return lines

    def perform(self, attempt: Attempt, world: World) -> Outcome:  # noqa: ARG002
        """Only people can."""
        raise RefusedError(
            f"step '{attempt.step}' is decided by people",
            hint=f"Approve it: `dr approve {attempt.run} {attempt.step} --reason ...`.",
        )
