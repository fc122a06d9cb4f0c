"""ledgers.yaml: what a record of a service's business is, and how each type of branch writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from dr.inventory.strictyaml.fields import Number, StrictModel, Words, wrong
from dr.inventory.strictyaml.validation import did_you_mean
from dr.inventory.words import Name

ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
"""Our word for a column: it is a name in SQL too."""

_ZONE = re.compile(r"Z|[+-](0\d|1[0-4]):[0-5]\d")


def _zone(value: str) -> str:
    if not _ZONE.fullmatch(value):
        raise wrong(f"'{value}' is no offset from UTC", 'Write "+08:00", in quotes.')
    return value


Zone = Annotated[
    str,
    AfterValidator(_zone),
    WithJsonSchema({"type": "string", "pattern": f"^({_ZONE.pattern})$"}),
]


class RecordColumn(StrictModel):
    """A column and how its values are compared."""

    kind: Literal["text", "code", "number", "moment", "day", "owners", "choice"] = "text"
    scale: int = Field(default=2, ge=0, le=9)
    length: int = Field(default=0, ge=0, le=100)
    empty: list[str] | None = None
    empty_is_null: bool = True
    words: dict[str, str] = Field(default_factory=dict)
    severity: Literal["critical", "major", "minor"] = "major"


class Fuzzy(StrictModel):
    """How records without a common number are proposed as one."""

    weights: dict[ColumnName, Number] = Field(min_length=1)
    least: Number = Field(default=80, ge=0, le=100)
    margin: Number = Field(default=15, ge=0, le=100)


class RecordKind(StrictModel):
    """One piece of a service's business; ``query`` lists all of it on the central database."""

    query: str
    locator: ColumnName | None = None
    columns: dict[ColumnName, RecordColumn] = Field(min_length=1)
    key: ColumnName
    agree: list[ColumnName] = Field(default_factory=list)
    agreeing: int = Field(default=2, ge=1)
    receipt: ColumnName | None = None
    moment: ColumnName
    serial: ColumnName | None = None
    serial_scope: Literal["branch", "bureau"] = "branch"
    status: ColumnName | None = None
    revision: ColumnName | None = None
    amount: ColumnName | None = None
    same: list[ColumnName] = Field(default_factory=list)
    in_flight: list[str] = Field(default_factory=list)
    voided: list[str] = Field(default_factory=list)
    fuzzy: list[Fuzzy] = Field(default_factory=list)
    zone: Zone = "+08:00"

    @model_validator(mode="after")
    def _are_columns(self) -> Self:
        roles = (
            self.key, self.moment, self.receipt, self.serial, self.status, self.revision,
            self.amount, *self.agree, *self.same, *(n for f in self.fuzzy for n in f.weights),
        )  # fmt: skip
        _known((role for role in roles if role), self.columns)
        return self


class BranchType(StrictModel):
    """How the branches of one type write; ``columns``: our word to the header of their file."""

    title: Words
    record: Name
    source: Literal["csv", "xlsx", "postgresql", "mysql", "sqlite"] = "csv"
    columns: dict[ColumnName, str] = Field(min_length=1)
    sheet: str = ""
    query: str = ""
    zone: Zone = "+08:00"
    ten_thousands: list[ColumnName] = Field(default_factory=list)
    outcome: str = ""
    acknowledged: list[str] = Field(default_factory=list)
    failed: list[str] = Field(default_factory=list)
    branch: str = ""
    unsent: bool = False
    total_words: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.source in {"postgresql", "mysql", "sqlite"} and not self.query:
            raise wrong(f"a {self.source} needs a query", "Add 'query: SELECT …' here.")
        _known(self.ten_thousands, self.columns)
        return self


class LedgersFile(StrictModel):
    """ledgers.yaml."""

    format: Literal[1]
    records: dict[Name, RecordKind]
    types: dict[Name, BranchType]

    @model_validator(mode="after")
    def _types_have_records(self) -> Self:
        for name, each in self.types.items():
            if each.record not in self.records:
                raise wrong(
                    f"type '{name}' is of record '{each.record}', which is not declared",
                    did_you_mean(each.record, self.records),
                )
            record = self.records[each.record]
            _known(each.columns, record.columns)
            if record.key not in each.columns:
                raise wrong(
                    f"type '{name}' does not say where its key '{record.key}' is",
                    f"Add '{record.key}: …' to its columns.",
                )
        return self


def _known(names: Iterable[str], columns: Iterable[str]) -> None:
    known = list(columns)
    for name in names:
        if name not in known:
            raise wrong(f"no column is called '{name}'", did_you_mean(name, known))
