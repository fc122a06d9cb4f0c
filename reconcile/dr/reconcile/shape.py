"""What one piece of business is, whoever wrote it down: its columns, its key, what must agree.

The centre and every branch are brought to this one shape.  It is declared in ledgers.yaml and is
data: the comparison knows no column by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any

BUREAU_ZONE = timezone(timedelta(hours=8))
EMPTY = ("", "-", "--", "无", "/", "null", "n/a")
"""Words by which branches say that there is nothing; a column may declare others."""


class Kind(StrEnum):
    """How the values of a column are compared."""

    TEXT = "text"  # widths, zero-width characters and runs of spaces do not count
    CODE = "code"  # nor does case or any space: receipt, parcel and form numbers
    NUMBER = "number"  # decimals; thousands separators, currency signs and 万元 do not count
    MOMENT = "moment"  # to the coarser precision of the two sides
    DAY = "day"
    OWNERS = "owners"  # a set of names in any order
    CHOICE = "choice"  # one of few words, translated


class Severity(StrEnum):
    """How bad a break is; critical ones are put to people first and stop a closing."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class SerialScope(StrEnum):
    """Within what serial numbers of forms run without a gap."""

    BRANCH = "branch"  # each branch has its own forms
    BUREAU = "bureau"  # one sequence for all


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        scale: decimals of a NUMBER.
        length: characters that every value of a CODE has; 0 when they differ.  It tells a number
            that lost its leading zeros to a spreadsheet.
        empty: words that mean nothing is there, compared in canonical form.
        empty_is_null: whether an empty text and NULL are the same.
        words: of a CHOICE, their word to ours.
        severity: of a difference in this column.
    """

    name: str
    kind: Kind = Kind.TEXT
    scale: int = 2
    length: int = 0
    empty: tuple[str, ...] = EMPTY
    empty_is_null: bool = True
    words: Mapping[str, str] = field(default_factory=dict)
    severity: Severity = Severity.MAJOR

    @classmethod
    def of(cls, name: str, data: Mapping[str, Any]) -> Column:
        """Read a column of ledgers.yaml."""
        return cls(
            name=name,
            kind=Kind(data.get("kind", Kind.TEXT)),
            scale=int(data.get("scale", 2)),
            length=int(data.get("length", 0)),
            empty=tuple(data["empty"]) if "empty" in data else EMPTY,
            empty_is_null=bool(data.get("empty_is_null", True)),
            words={str(k): str(v) for k, v in (data.get("words") or {}).items()},
            severity=Severity(data.get("severity", Severity.MAJOR)),
        )


@dataclass(frozen=True, slots=True)
class FuzzyRule:
    """How records without a common key may be proposed as one; a person confirms.

    Attributes:
        weights: how much each column counts.
        least: the smallest score, 0 to 100, that is proposed.
        margin: by how much it must beat the next best, in points.
    """

    weights: Mapping[str, float]
    least: float = 80.0
    margin: float = 15.0


@dataclass(frozen=True)
class RecordShape:
    """The columns of a record and what they are for.

    Attributes:
        key: the natural key that branch and centre share.
        agree: columns of which ``agreeing`` must be the same before an equal key counts.
        receipt: the second number by which a record is looked for; "" when there is none.
        moment: when it was accepted; bounds the window.
        serial: the number of the printed form.
        status: its state; ``in_flight`` and ``voided`` are words of it.
        revision: grows with each change of a record.
        amount: the value at risk.
        same: columns by which two records are the same business under different numbers.
    """

    columns: tuple[Column, ...]
    key: str
    agree: tuple[str, ...] = ()
    agreeing: int = 2
    receipt: str = ""
    moment: str = ""
    serial: str = ""
    serial_scope: SerialScope = SerialScope.BRANCH
    status: str = ""
    revision: str = ""
    amount: str = ""
    same: tuple[str, ...] = ()
    in_flight: frozenset[str] = frozenset()
    voided: frozenset[str] = frozenset()
    fuzzy: tuple[FuzzyRule, ...] = ()
    zone: timezone = BUREAU_ZONE

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Where each column stands."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def void_words(self) -> tuple[str, ...]:
        """What a database may write as the status of a void record."""
        if not self.status:
            return ()
        words = self.columns[self.place(self.status)].words
        return tuple(sorted({*self.voided, *(k for k, v in words.items() if v in self.voided)}))

    def place(self, name: str) -> int:
        """Return where a column stands; -1 when the shape has none such."""
        return self.places.get(name, -1)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> RecordShape:
        """Read the ``record`` part of ledgers.yaml, which has been checked."""
        texts = ("key", "receipt", "moment", "serial", "status", "revision", "amount")
        return cls(
            columns=tuple(Column.of(str(n), c or {}) for n, c in data["columns"].items()),
            agree=tuple(data.get("agree") or ()),
            agreeing=int(data.get("agreeing", 2)),
            serial_scope=SerialScope(data.get("serial_scope", SerialScope.BRANCH)),
            same=tuple(data.get("same") or ()),
            in_flight=frozenset(data.get("in_flight") or ()),
            voided=frozenset(data.get("voided") or ()),
            fuzzy=tuple(
                FuzzyRule(dict(f["weights"]), float(f.get("least", 80)), float(f.get("margin", 15)))
                for f in data.get("fuzzy") or ()
            ),
            zone=zone_of(data.get("zone", "+08:00")),
            **{name: str(data.get(name) or "") for name in texts},
        )


def zone_of(text: str) -> timezone:
    """Return the zone of ``+08:00`` or ``Z``.

    Raises:
        ValueError: it is no such offset.
    """
    if text in {"Z", "+00:00"}:
        return timezone(timedelta(0))
    hours, _, minutes = text[1:].partition(":")
    if text[:1] not in {"+", "-"} or not (hours.isdecimal() and (minutes or "0").isdecimal()):
        raise ValueError(f"'{text}' is no offset from UTC such as +08:00")
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-offset if text[0] == "-" else offset)


def amount_of(text: str | None) -> Decimal | None:
    """Return a canonical number as a number; None when it is none."""
    try:
        return Decimal(text) if text else None
    except ArithmeticError:
        return None
