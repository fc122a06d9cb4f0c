"""The inputs of an action: a pydantic model that gives problems with hints, and a JSON Schema."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

import pydantic
from pydantic import BeforeValidator, ConfigDict, WithJsonSchema

from dr.engine.core.errors import Problem
from dr.engine.core.values import Secret, Text, parse_duration

_DURATION_PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"


def _as_duration(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError(f"{value} has no unit: write {value}s, {value}m or {value}h")  # noqa: TRY004
    return parse_duration(value) if isinstance(value, str) else value


def _as_text(value: object) -> object:
    if isinstance(value, str | Mapping) and not isinstance(value, Text):
        if isinstance(value, Mapping) and (not value or set(value) - {"en", "zh"}):
            raise ValueError("must be a text or {en: …, zh: …}")
        return Text.of(value)
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_as_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["90s", "1h30m"]}),
]
"""A length of time such as ``90s``; a bare number is refused."""

Words = Annotated[
    Text,
    BeforeValidator(_as_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"en": {"type": "string"}, "zh": {"type": "string"}},
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""Words for people: a string or ``{en:, zh:}``."""


class SecretReference(pydantic.BaseModel):
    """``{secret: "file:…"}`` before the runtime resolved it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    secret: str


Sensitive = Annotated[
    Secret | SecretReference | str,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"secret": {"type": "string"}},
                    "required": ["secret"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""A value that may be a secret; read it with :func:`reveal`, show it with ``str()``."""


class Inputs(pydantic.BaseModel):
    """What ``with`` of an action may hold.  Subclass it; unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True
    )


def reveal(value: Secret | SecretReference | str) -> str:
    """Return the text to send; never to be printed."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, SecretReference):
        raise TypeError(f"the secret {value.secret} was not resolved")
    return value


def problems(inputs: type[Inputs], values: Mapping[str, Any]) -> list[Problem]:
    """List what is wrong with ``values``, every mistake at once."""
    try:
        inputs.model_validate(values)
    except pydantic.ValidationError as error:
        return [_problem(inputs, each) for each in error.errors(include_url=False)]
    return []


def schema(inputs: type[Inputs]) -> dict[str, Any]:
    """Return the JSON Schema of ``with``."""
    return inputs.model_json_schema(by_alias=True)


def _problem(inputs: type[Inputs], error: Any) -> Problem:
    # pydantic puts the names of union branches and validators into the path
    path = tuple(p for p in error["loc"] if not (isinstance(p, str) and _is_branch(p)))
    kind = error["type"]
    if kind == "extra_forbidden":
        return Problem(f"unknown key '{path[-1]}'", path, hint=_nearest(inputs, path), rule="input")
    if kind == "missing":
        return Problem(f"'{path[-1]}' is missing", path, rule="input")
    text = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    where = ".".join(str(p) for p in path)
    message = text[:1].lower() + text[1:]
    return Problem(f"{where}: {message}" if where else message, path, rule="input")


def _is_branch(part: str) -> bool:
    return "[" in part or part in {"str", "Secret", "SecretReference", "is-instance[Secret]"}


def _nearest(inputs: type[Inputs], path: Sequence[str | int]) -> str:
    known = [f.alias or n for n, f in inputs.model_fields.items()] if len(path) == 1 else []
    close = difflib.get_close_matches(str(path[-1]), known, n=1)
    if close:
        return f"Write '{close[0]}' instead."
    return f"Known keys: {', '.join(known)}." if known else ""
