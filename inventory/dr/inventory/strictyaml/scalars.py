"""What a plain scalar means: the core schema of YAML 1.2, read so that nothing is lost."""

from __future__ import annotations

import re

_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_LONGEST_NUMBER = 40


def resolve(text: str) -> str | int | float | bool | None:
    """Return the value of a plain scalar.

    It is a number only when the number, written down again, gives the same characters:
    ``5`` and ``0.5`` are numbers; ``0644``, ``1.10``, ``1e3``, ``22:30``, ``on`` and
    ``2026-11-01`` stay text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    number = number_in(text)
    return number if number is not None and repr(number) == text else text


def number_in(text: str) -> float | None:
    """Return the number that ``text`` is in the core schema, however it is written."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    return float(text)
