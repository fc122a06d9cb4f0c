"""people.yaml: who there is, in which groups, and with which keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dr.inventory.keys import parse_public_key
from dr.inventory.strictyaml.fields import Day, StrictModel, Words, wrong
from dr.inventory.words import Name


def _public_key(line: str) -> str:
    try:
        parse_public_key(line)
    except ValueError as error:
        raise wrong(str(error), "Paste the one line of the person's .pub file.") from None
    return line


PublicKey = Annotated[str, AfterValidator(_public_key)]


class DatedKey(StrictModel):
    """A key and the days on which it counts; on ``valid_before`` it counts no more."""

    key: PublicKey
    valid_after: Day | None = None
    valid_before: Day | None = None


class Absence(StrictModel):
    """Days, both included, on which the deputy answers instead."""

    since: Day = Field(alias="from")
    until: Day


class Person(StrictModel):
    """Somebody of the plan.

    Attributes:
        deputy: who answers instead while this person is away.
        aliases: other names that mean the same person.
        os_user: the login name on the machine where dr is typed.
        verified_on: when somebody last checked that phone and mail reach this person.
    """

    name: Words
    phone: str = ""
    email: str = ""
    deputy: Name | None = None
    aliases: list[Name] = Field(default_factory=list)
    os_user: Name | None = None
    keys: list[PublicKey | DatedKey] = Field(default_factory=list)
    away: list[Absence] = Field(default_factory=list)
    verified_on: Day | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Person:
        if not (self.phone or self.email):
            raise wrong("nobody can reach this person", "Add a phone number or a mail address.")
        return self


class Group(StrictModel):
    """People who act together.  ``post`` groups must have a deputy for every member."""

    title: Words
    members: list[Name]
    aliases: list[Name] = Field(default_factory=list)
    post: bool = False


class PeopleFile(StrictModel):
    """people.yaml."""

    format: Literal[1]
    groups: dict[Name, Group]
    people: dict[Name, Person]
    standing: str = "standing"
