"""The runbook file as it is written: pydantic models, one per mapping in the file.

They check shape and types only; what refers to what is checked in ``checks``.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from dr.engine.core.model import Drill, Effect, InDoubt, OnFailure, Phase
from dr.inventory.strictyaml.fields import Duration, Number, StrictModel, Words, wrong

FORMAT = 1
INPUT_TYPES = (
    "string",
    "integer",
    "boolean",
    "duration",
    "host",
    "group",
    "service",
    "person",
    "supplier",
    "branch",
)
OUTPUT_TYPES = (
    "any",
    "string",
    "integer",
    "number",
    "boolean",
    "duration",
    "moment",
    "list",
    "map",
)
RETRY_REASONS = ("unreachable", "timeout", "busy", "not_yet")

_ID = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_PERCENT = re.compile(r"(100|[1-9]?[0-9])(\.[0-9]+)?%")


def _id(value: str) -> str:
    """Refuse ids that could not stand in an expression."""
    if not _ID.fullmatch(value):
        suggestion = re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_")
        valid = bool(_ID.fullmatch(suggestion))
        hint = f"Write '{suggestion}'." if valid else "Begin with a letter."
        raise wrong(f"'{value}' is no id: small letters, digits and _ only", hint)
    if keyword.iskeyword(value) or value in {"true", "false", "null"}:
        raise wrong(f"'{value}' is a reserved word", f"Write 'do_{value}', for example.")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise wrong(
            f"'{value}' is no name: small letters, digits, '-', '_' and '.' only",
            "A name is what people type, such as storage-failure.",
        )
    return value


def _share(value: object) -> object:
    """Read a count of hosts or a percentage of them."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and _PERCENT.fullmatch(value):
        return value
    raise wrong("this is neither a number of hosts nor a percentage", 'Write 2 or "25%".')


def _batch(value: object) -> object:
    if _share(value) in (0, "0%"):
        raise wrong("a batch has at least one host", "Write 1 or more.")
    return value


def _condition(value: object) -> str:
    """Read ``if:`` and ``when:``: an expression, with or without its ``${{ }}``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.strip():
        return value
    raise wrong("this is not a condition", 'Write an expression: "${{ inputs.x == 1 }}".')


_SHARE_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$"},
        ]
    }
)
Id = Annotated[
    str, AfterValidator(_id), Field(json_schema_extra={"pattern": "^[a-z][a-z0-9_]{0,62}$"})
]
Name = Annotated[str, AfterValidator(_name)]
Share = Annotated[Any, BeforeValidator(_share), _SHARE_SCHEMA]
Batch = Annotated[Any, BeforeValidator(_batch), _SHARE_SCHEMA]
Condition = Annotated[
    str,
    BeforeValidator(_condition),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "boolean"}]}),
]
Hosts = Annotated[
    Any,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


def _hosts(value: object) -> object:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return value
    raise wrong("this names no hosts", "Write a host, a group, a list of them, or ${{ }}.")


HostsField = Annotated[Hosts, BeforeValidator(_hosts)]


class RetryFile(StrictModel):
    """How often a step is tried again, and after what."""

    attempts: int = Field(1, ge=1, le=1000)
    delay: Duration | None = None
    backoff: Number = Field(2.0, ge=1, le=100)
    max_delay: Duration | None = None
    when: list[Literal["unreachable", "timeout", "busy", "not_yet"]] | None = None


class StrategyFile(StrictModel):
    """How a fan-out goes through its hosts."""

    batches: list[Batch] = Field(default_factory=lambda: ["100%"], min_length=1)
    max_failures: Share = 0
    pause_between: Duration | None = None


class CallFile(StrictModel):
    """An action named by ``precheck``, ``probe`` or ``verify``."""

    uses: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    hosts: HostsField | None = None
    effect: Effect = Field(Effect.READ, strict=False)
    timeout: Duration | None = None
    when: Condition | None = None


class UndoFile(CallFile):
    """The action that takes a step's effect back; may ask people first."""

    effect: Effect = Field(Effect.IDEMPOTENT, strict=False)
    gate: dict[str, Any] | None = None


class OutputFile(StrictModel):
    """An output in its long form."""

    from_: str | None = Field(None, alias="from")
    type: Literal[OUTPUT_TYPES] = "any"  # type: ignore[valid-type]
    secret: bool = False


def _outputs(value: object) -> object:
    """Read ``state: state`` as ``state: {from: state}``."""
    if not isinstance(value, Mapping):
        return value
    return {k: {"from": v} if isinstance(v, str) else v for k, v in value.items()}


Outputs = Annotated[
    dict[Id, OutputFile],
    BeforeValidator(_outputs),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "properties": {
                            "from": {"type": "string"},
                            "type": {"enum": list(OUTPUT_TYPES)},
                            "secret": {"type": "boolean"},
                        },
                        "additionalProperties": False,
                    },
                ]
            },
        }
    ),
]


class StepFile(StrictModel):
    """One step, as it is written."""

    id: Id
    title: Words | None = None
    phase: Phase | None = Field(None, strict=False)
    needs: list[str] | None = None
    if_: Condition | None = Field(None, alias="if")
    uses: str | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    hosts: HostsField | None = None
    strategy: StrategyFile | None = None
    effect: Effect | None = Field(None, strict=False)
    precheck: CallFile | None = None
    probe: CallFile | None = None
    verify: CallFile | None = None
    undo: UndoFile | None = None
    requires: dict[str, Any] = Field(default_factory=dict)
    retry: RetryFile | None = None
    timeout: Duration | None = None
    deadline: Duration | None = None
    in_doubt: InDoubt = Field(InDoubt.AUTO, strict=False)
    on_failure: OnFailure | None = Field(None, strict=False)
    try_: list[RungFile] | None = Field(None, alias="try", min_length=1)
    on_exhausted: OnFailure | None = Field(None, strict=False)
    outputs: Outputs = Field(default_factory=dict)
    drill: Drill = Field(Drill.RUN, strict=False)
    expect: Duration | None = None
    fresh: Duration | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> StepFile:
        if self.uses is None and self.try_ is None:
            raise wrong(
                f"step '{self.id}' does nothing: it has neither 'uses' nor 'try'",
                "Add 'uses: ACTION', or 'try:' with a list of rungs.",
            )
        if self.uses is not None and self.try_ is not None:
            raise wrong(
                f"step '{self.id}' has both 'uses' and 'try'",
                "Let the ladder's rungs do the work; move 'uses' into a rung's steps.",
            )
        if self.on_exhausted is not None and self.try_ is None:
            raise wrong(
                f"step '{self.id}' has 'on_exhausted' but no 'try'",
                "Write 'on_failure', which is for steps that are no ladder.",
            )
        return self


class RungFile(StrictModel):
    """One alternative of a ladder."""

    name: Name
    title: Words | None = None
    if_: Condition | None = Field(None, alias="if")
    unavailable: Words | None = None
    steps: list[StepFile] = Field(default_factory=list)
    outputs: dict[Id, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _steps_or_reason(self) -> RungFile:
        if not self.steps and self.unavailable is None:
            raise wrong(
                f"the rung '{self.name}' has no steps",
                "Add 'steps:', or 'unavailable:' with the reason why it can not be tried.",
            )
        return self


class ObjectivesFile(StrictModel):
    """How long it may take and how much may be lost."""

    rto: Duration | None = None
    rpo: Duration | None = None


class InputFile(StrictModel):
    """A value asked for when the run starts."""

    id: Id
    type: Literal[INPUT_TYPES] = "string"  # type: ignore[valid-type]
    default: Any = None
    required: bool | None = None
    choices: list[Any] = Field(default_factory=list)
    title: Words | None = None


class RunbookFile(StrictModel):
    """A runbook file."""

    format: Literal[1]
    name: Name
    title: Words | None = None
    plan: str = ""
    owner: str = ""
    objectives: ObjectivesFile | None = None
    inputs: list[InputFile] = Field(default_factory=list)
    locks: list[str] = Field(default_factory=list)
    on_failure: OnFailure = Field(OnFailure.ASK, strict=False)
    steps: list[StepFile] = Field(min_length=1)
    finally_: list[StepFile] = Field(default_factory=list, alias="finally")
