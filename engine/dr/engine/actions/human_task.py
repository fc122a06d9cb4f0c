"""``human.task``: something that a person does, with typed evidence.  The runtime opens it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.inputs import Inputs, Words
from dr.engine.core.errors import RefusedError
from dr.engine.core.model import Effect
from dr.engine.core.ports import ActionKind, Attempt, Outcome, World


class EvidenceField(Inputs):
    """One thing that the person must or may hand in."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    type: Literal["string", "integer", "number", "boolean", "date", "file"] = "string"
    required: bool = False
    title: Words | None = None


class HumanTaskInputs(Inputs):
    """``with`` of human.task."""

    group: str = Field(min_length=1, description="Group of the inventory that it is given to.")
    instructions: Words
    checklist: list[Words] = Field(default_factory=list)
    evidence: list[EvidenceField] = Field(default_factory=list)
    claim: bool = Field(True, description="Somebody must take it on before it can be done.")

    @model_validator(mode="after")
    def _evidence_ids_differ(self) -> Self:
        ids = [each.id for each in self.evidence]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise ValueError(f"evidence '{twice[0]}' is asked for twice")
        return self


class HumanTask(Driver[HumanTaskInputs]):
    """A person does it and says so."""

    inputs = HumanTaskInputs
    spec = specify(
        "human.task",
        "Have a person do something",
        "由人员完成任务",
        HumanTaskInputs,
        effects=(Effect.READ, Effect.IDEMPOTENT, Effect.ONCE, Effect.IRREVERSIBLE),
        outputs={"by": "string"},
        kind=ActionKind.TASK,
    )

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Return the task as the person reads it."""
        given = self.given(attempt)
        lines = [f"{given.group}: {given.instructions.say('en')}"]
        lines += [f"[ ] {item.say('en')}" for item in given.checklist]
        needed = [f"{e.id} ({e.type})" for e in given.evidence if e.required]
        return lines + ([f"evidence: {', '.join(needed)}"] if needed else [])

    def perform(self, attempt: Attempt, world: World) -> Outcome:  # noqa: ARG002
        """Only a person can."""
        raise RefusedError(
            f"step '{attempt.step}' is done by a person",
            hint=f"Answer it: `dr answer {attempt.run} {attempt.step}`.",
        )
