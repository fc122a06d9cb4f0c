"""Who is who, read from the inventory that a run keeps (see ``snapshot``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from dr.inventory.keys import PublicKey, parse_public_key


@dataclass(frozen=True, slots=True)
class KeyOf:
    """A person's key; days between which it counts, None is unbounded."""

    person: str
    key: PublicKey
    valid_after: date | None = None
    valid_before: date | None = None


class Directory:
    """People and groups of a snapshot, by id, alias or login name."""

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self._people: Mapping[str, Mapping[str, Any]] = snapshot.get("people") or {}
        self._groups: Mapping[str, Mapping[str, Any]] = snapshot.get("people_groups") or {}

    @property
    def people(self) -> list[str]:
        """Ids of all people, sorted."""
        return sorted(self._people)

    @property
    def groups(self) -> list[str]:
        """Ids of all groups, sorted."""
        return sorted(self._groups)

    def person(self, name: str) -> str | None:
        """Return the id of the person called ``name``; None when nobody is."""
        if name in self._people:
            return name
        for key in ("aliases", "os_user"):
            for who, data in self._people.items():
                known = data.get(key) or ()
                if name == known or (not isinstance(known, str) and name in known):
                    return who
        return None

    def group(self, name: str) -> str | None:
        """Return the id of the group called ``name``; None when there is none."""
        if name in self._groups:
            return name
        return next((g for g, d in self._groups.items() if name in (d.get("aliases") or ())), None)

    def members(self, group: str) -> list[str]:
        """Return the ids of a group's members, in the file's order; [] for an unknown group."""
        data = self._groups.get(self.group(group) or "")
        return list(data.get("members") or ()) if data else []

    def away(self, person: str, day: date) -> bool:
        """Whether the person is away on ``day``."""
        return any(
            date.fromisoformat(str(a["from"])) <= day <= date.fromisoformat(str(a["until"]))
            for a in self._people.get(person, {}).get("away") or ()
        )

    def deputy(self, person: str) -> str | None:
        """Return the id of the person's deputy."""
        named = self._people.get(person, {}).get("deputy")
        return self.person(str(named)) if named else None

    def stands_in_for(self, deputy: str, group: str, day: date) -> str | None:
        """Return the member of ``group`` whose place ``deputy`` takes on ``day``, if any."""
        for member in self.members(group):
            if self.deputy(member) == deputy and self.away(member, day):
                return member
        return None

    def keys(self, person: str) -> Iterator[KeyOf]:
        """Yield the person's keys; damaged ones are left out, they count for nothing."""
        for entry in self._people.get(person, {}).get("keys") or ():
            dated = entry if isinstance(entry, Mapping) else {"key": entry}
            try:
                key = parse_public_key(str(dated["key"]))
            except ValueError:
                continue
            yield KeyOf(
                person, key, _day(dated.get("valid_after")), _day(dated.get("valid_before"))
            )

    def owner(self, key: PublicKey) -> str | None:
        """Return the id of the person who has ``key``; None when nobody has."""
        return next(
            (who for who in self.people for k in self.keys(who) if k.key.line == key.line), None
        )


def _day(value: object) -> date | None:
    return date.fromisoformat(str(value)) if value else None
