"""Field types that several inventory files share."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from dr.engine.core.values import parse_duration
from dr.inventory.strictyaml.fields import StrictModel, wrong

NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
_REFERENCE = re.compile(r"(env|file|cred|exec):.+", re.DOTALL)


def _span(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise wrong(f"{value} has no unit", f"Write '{value}s', '{value}m' or '{value}h'.")
    if isinstance(value, str):
        try:
            parse_duration(value)
        except (ValueError, OverflowError) as error:
            raise wrong(str(error), "Write a number and a unit: ms, s, m, h or d.") from None
    return value


def _address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise wrong(f"'{value}' is not an IP address", "Write it as 192.0.2.10.") from None
    return value


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise wrong(
            "this is not a reference to a secret",
            'Write env:NAME, file:PATH, cred:NAME or exec:["program", "argument"].',
        )
    return value


_SPAN_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$",
    "examples": ["90s", "15m", "1h30m"],
}

Span = Annotated[str, BeforeValidator(_span), WithJsonSchema(_SPAN_SCHEMA)]
"""A duration that keeps the words of the file: ``90s``, ``1h30m``."""

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
"""An id: letters, digits, ``_``, ``.`` and ``-``."""

Address = Annotated[str, AfterValidator(_address)]
"""An IPv4 or IPv6 address."""

Port = Annotated[int, Field(ge=1, le=65535)]


class SecretReference(StrictModel):
    """``{ secret: "file:keys/app.password" }``: where a secret is, never the secret."""

    secret: Annotated[str, AfterValidator(_reference)]
