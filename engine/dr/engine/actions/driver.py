"""What an action stands on, so that it is written in few lines.

A subclass says ``inputs`` and ``spec`` and has at least ``describe`` and ``perform``; the answers
here are the honest ones of an action that can say no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

import pydantic

from dr.engine.actions.inputs import Inputs, problems, schema
from dr.engine.core.errors import Problem, RefusedError
from dr.engine.core.model import Effect
from dr.engine.core.ports import (
    ActionKind,
    ActionSpec,
    Attached,
    Attempt,
    Check,
    Forecast,
    Found,
    Outcome,
    Presence,
    Probe,
    World,
)
from dr.engine.core.values import UNKNOWN, Text

I = TypeVar("I", bound=Inputs)  # noqa: E741 - the customary name for an input


def specify(  # noqa: PLR0913 - the promises of an action, each by name
    name: str,
    en: str,
    zh: str,
    inputs: type[Inputs],
    *,
    effects: tuple[Effect, ...],
    reads_only: bool = False,
    probes: bool = False,
    attaches: bool = False,
    undoes: bool = False,
    needs_host: bool = False,
    closes: bool = False,
    outputs: Mapping[str, str] | None = None,
    proofs: frozenset[str] = frozenset(),
    kind: ActionKind = ActionKind.ACTION,
) -> ActionSpec:
    """Return the spec, with the JSON Schema taken from ``inputs``."""
    return ActionSpec(
        name=name,
        title=Text(en=en, zh=zh),
        effects=effects,
        reads_only=reads_only,
        probes=probes,
        attaches=attaches,
        undoes=undoes,
        needs_host=needs_host,
        closes=closes,
        outputs=outputs or {},
        proofs=proofs,
        input_schema=schema(inputs),
        kind=kind,
    )


class Driver(Generic[I]):
    """The quiet answers of an action; see :class:`dr.engine.core.ports.Action`."""

    inputs: type[I]
    spec: ClassVar[ActionSpec]

    def __init_subclass__(cls) -> None:
        """Say in the spec that nothing is proven where ``verify`` is left as it stands here."""
        super().__init_subclass__()
        if "spec" in cls.__dict__ and cls.verify is Driver.verify:
            cls.spec = replace(cls.spec, verifies=False)

    def validate(self, inputs: Mapping[str, Any]) -> Sequence[Problem]:
        """List what is wrong with ``inputs``."""
        return problems(self.inputs, inputs)

    def given(self, attempt: Attempt) -> I:
        """Return the attempt's rendered inputs.

        Raises:
            RefusedError: they are wrong, which only shows once expressions are rendered.
        """
        try:
            return self.inputs.model_validate(attempt.input)
        except pydantic.ValidationError:
            wrong = "; ".join(p.message for p in problems(self.inputs, attempt.input))
            raise RefusedError(
                f"inputs of {self.spec.name} in step '{attempt.step}': {wrong}",
                hint="Look at what the expressions of the step's `with` came to: `dr show RUN`.",
            ) from None

    def precheck(self, attempt: Attempt, world: World) -> Check:  # noqa: ARG002
        """Nothing stands in the way that could be known."""
        return Check(holds=True)

    def probe(self, attempt: Attempt, world: World) -> Probe:  # noqa: ARG002
        """It can not tell."""
        return Probe(Presence.UNKNOWN, f"{self.spec.name} can not tell whether it was done")

    def attach(self, attempt: Attempt, world: World) -> Attached:  # noqa: ARG002
        """It can not find an earlier attempt."""
        return Attached(Found.UNKNOWN, f"{self.spec.name} leaves nothing to find it again by")

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:  # noqa: ARG002
        """The end of ``perform`` is all the proof there is."""
        return Check(holds=True, because="it ended without an error")

    def undo(self, attempt: Attempt, world: World) -> Outcome:  # noqa: ARG002
        """It can not be taken back."""
        raise RefusedError(
            f"{self.spec.name} can not be undone", hint="Give the step its own `undo:`."
        )

    def forecast(self, attempt: Attempt, world: World) -> Forecast:  # noqa: ARG002
        """It does not know."""
        return Forecast(available=Check(holds=UNKNOWN, because="nothing was measured yet"))
