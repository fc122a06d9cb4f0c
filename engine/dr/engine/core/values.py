"""Small values that every floor speaks: text in two languages, durations, secrets, unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final


class Unknown(Enum):
    """The value nobody knows.  Never a zero and never a guess."""

    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown.UNKNOWN

CLOCKS_DIFFER: Final = timedelta(seconds=5)
"""A loss is the difference of moments from two clocks: this much more is not more."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words for people in the languages the file carries; one of them may be missing."""

    en: str = ""
    zh: str = ""

    def __bool__(self) -> bool:
        return bool(self.en or self.zh)

    def say(self, language: str) -> str:
        """Return the words in ``language`` ('en' or 'zh'), else in the other one."""
        return (self.zh or self.en) if language.startswith("zh") else (self.en or self.zh)

    def plain(self) -> dict[str, str]:
        """Return the mapping that the journal stores."""
        return {"en": self.en, "zh": self.zh}

    @classmethod
    def of(cls, value: object) -> Text:
        """Read ``{en:, zh:}`` or a plain string (taken as English)."""
        if isinstance(value, Text):
            return value
        if isinstance(value, Mapping):
            return cls(en=str(value.get("en") or ""), zh=str(value.get("zh") or ""))
        return cls(en="" if value is None else str(value))


class Secret:
    """A resolved secret.  Prints as ``***`` everywhere; ``reveal`` is called by drivers only."""

    __slots__ = ("_value", "reference")

    def __init__(self, value: str, reference: str) -> None:
        self._value = value
        self.reference = reference

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


_FINE_BELOW_S = 10
"""Below this many seconds a tenth matters."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(text: str) -> timedelta:
    """Read ``90s``, ``1h30m``, ``250ms`` or ``2d``.

    Raises:
        ValueError: the text is no such duration; a bare number has no unit and is refused.
    """
    if not _DURATION.fullmatch(text.strip()):
        raise ValueError(f"'{text}' is not a duration such as 90s, 15m, 1h30m or 2d")
    return timedelta(seconds=sum(float(n) * _UNITS[u] for n, u in _PART.findall(text)))


def format_duration(length: timedelta | None) -> str:
    """Write a duration for people, rounded to two units: ``1h30m``, ``45s``, ``0.3s``."""
    if length is None:
        return "unknown"
    seconds = length.total_seconds()
    if seconds < 0:
        return "-" + format_duration(-length)
    if seconds < _FINE_BELOW_S:
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + "s"
    whole = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def utc_text(moment: datetime) -> str:
    """Write an aware moment as RFC 3339 in UTC with microseconds and a ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_utc(text: str) -> datetime:
    """Read what :func:`utc_text` wrote, or any RFC 3339 moment with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone")
    return moment.astimezone(UTC)
