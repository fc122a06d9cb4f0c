"""Field types for models of YAML files: words for people, durations, numbers, days, choices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from dr.engine.core.values import Text, parse_duration
from dr.inventory.strictyaml.scalars import number_in


class StrictModel(BaseModel):
    """A mapping in a YAML file: no unknown keys, no silent conversions, never changed."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, populate_by_name=False, protected_namespaces=()
    )


def wrong(message: str, hint: str = "") -> PydanticCustomError:
    """Return the error a validator raises to be shown with a hint of its own."""
    return PydanticCustomError("dr", "{message}", {"message": message, "hint": hint})


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise wrong(str(error), "Write a number and a unit: ms, s, m, h or d.") from None
        except OverflowError:
            raise wrong(f"'{value}' is longer than can be counted") from None
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise wrong(f"{value} has no unit", f"Write '{value}s', '{value}m' or '{value}h'.")
    raise wrong("this is not a duration", "Write 90s, 15m, 1h30m or 2d.")


def _words(value: object) -> Text:
    if isinstance(value, Text):
        return value
    if isinstance(value, str):
        return Text(en=value)
    if not isinstance(value, Mapping):
        raise wrong("this is not text", "Write a text, or { en: ..., zh: ... } for both languages.")
    unknown = [key for key in value if key not in {"en", "zh"}]
    if unknown:
        raise wrong(f"'{unknown[0]}' is not a language that dr speaks", "The languages are en, zh.")
    for language, words in value.items():
        if not isinstance(words, str):
            raise wrong(f"the words in '{language}' are not text", "Write them in quotes.")
    return Text.of(value)


def _number(value: object) -> object:
    """Let ``1.10`` or ``1e3``, which stay text elsewhere, be the number that is wanted here."""
    if isinstance(value, str):
        number = number_in(value)
        return value if number is None else number
    return value


_DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"

Duration = Annotated[
    timedelta,
    PlainValidator(_duration),
    PlainSerializer(lambda length: f"{length.total_seconds():g}s", return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": _DURATION_PATTERN, "examples": ["90s", "15m", "1h30m"]}
    ),
]
"""``90s``, ``1h30m`` as a timedelta; a bare number is refused."""

WORDS_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"en": {"type": "string"}, "zh": {"type": "string"}},
            "additionalProperties": False,
        },
    ]
}

Words = Annotated[
    Text,
    PlainValidator(_words),
    PlainSerializer(lambda words: words.plain(), return_type=dict[str, str]),
    WithJsonSchema(WORDS_SCHEMA),
]
"""``{en:, zh:}`` or a plain text, as :class:`Text`."""

Number = Annotated[float, BeforeValidator(_number)]
"""A number; ``1.10`` and ``1e3`` are taken as numbers here."""

Day = Annotated[date, Field(strict=False)]
"""``2026-11-01``."""
