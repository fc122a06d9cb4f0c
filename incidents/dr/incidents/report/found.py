"""Reading journal data: what does not fit is UNKNOWN, never a zero and never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dr.engine.core.values import UNKNOWN, Text, Unknown, parse_utc
from dr.incidents.report.data import Count, Person, Seconds


def seconds(value: object) -> Seconds:
    """Return a number of seconds, UNKNOWN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return UNKNOWN
    return float(value)


def count(value: object) -> Count:
    """Return a whole number, UNKNOWN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return UNKNOWN
    return value


def claim(value: object) -> bool | Unknown:
    """Return True or False, UNKNOWN for anything else."""
    return value if isinstance(value, bool) else UNKNOWN


def moment(value: object) -> datetime | None:
    """Return the moment that ``value`` tells, None when it tells none."""
    if isinstance(value, datetime):
        return value if value.tzinfo else None
    if not isinstance(value, str):
        return None
    try:
        return parse_utc(value)
    except ValueError:
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """Return ``value`` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listing(value: object) -> Sequence[Any]:
    """Return ``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else ()


def length(start: datetime | None, end: datetime | None) -> Seconds:
    """Return the seconds between two moments, UNKNOWN when one is missing."""
    return UNKNOWN if start is None or end is None else (end - start).total_seconds()


def text_of(value: object) -> Text:
    """Return words in two languages; a plain text says the same in both."""
    if isinstance(value, str):
        return Text(en=value, zh=value)
    return Text.of(value)


class Names:
    """Names of people, groups and branches, as the inventory of the run gives them."""

    def __init__(self, inventory: Mapping[str, Any]) -> None:
        self._people = mapping(inventory.get("people"))
        self._groups = mapping(inventory.get("people_groups"))
        self._branches = mapping(inventory.get("branches"))

    def person(self, who: object) -> Person:
        """Return the person ``who``; one whom the inventory lacks keeps the bare id."""
        known = mapping(self._people.get(str(who)))
        return Person(str(who or ""), text_of(known.get("name")))

    def group(self, name: str) -> Text:
        """Return a group's title, else its id."""
        return text_of(mapping(self._groups.get(name)).get("title")) or Text(en=name, zh=name)

    def branch(self, name: str) -> Text:
        """Return a branch's title, else its id."""
        return text_of(mapping(self._branches.get(name)).get("title")) or Text(en=name, zh=name)
