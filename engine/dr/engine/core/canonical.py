"""Canonical bytes and the hash chain of the journal.

The canonical form is RFC 8785 in spirit for the values the journal holds: UTF-8, keys sorted
by code point, no white space, no NaN.  Golden files in tests/golden pin it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from math import isfinite
from typing import Any

from dr.engine.core.values import Secret, Text, Unknown, utc_text

GENESIS = "0" * 64
"""The hash before the first event of a run."""


def plain(value: object) -> Any:  # noqa: PLR0911 - one line for each type
    """Return ``value`` as JSON data; secrets become their reference, durations seconds.

    Raises:
        TypeError: the value has no JSON form.
    """
    match value:
        case float() if not isfinite(value):
            return {"unknown": True}  # no JSON number; whoever measured it measured nothing
        case None | bool() | str() | int() | float():
            return value.value if isinstance(value, Enum) else value
        case Secret():
            return {"secret": value.reference}
        case Text():
            return value.plain()
        case Unknown():
            return {"unknown": True}
        case Enum():
            return plain(value.value)
        case datetime():
            return utc_text(value)
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case Sequence() | set() | frozenset():
            items = sorted(value) if isinstance(value, set | frozenset) else value
            return [plain(v) for v in items]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")


def texts(value: object) -> Iterator[str]:
    """Yield every text in JSON data that stands for a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


def canonical_bytes(value: object) -> bytes:
    """Return the one byte string that stands for ``value``."""
    return json.dumps(
        plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical bytes, in lower-case hex."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def chain_hash(previous: str, row: Mapping[str, Any]) -> str:
    """Return the hash of a journal row that follows a row with hash ``previous``."""
    return hashlib.sha256(previous.encode() + b"\n" + canonical_bytes(row)).hexdigest()
