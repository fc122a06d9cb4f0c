"""A branch's own ledger: what it did, as it wrote it down itself.

Reading never drops a line silently: what can not be read is a problem with its line number, and
a ledger with problems is not complete.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from dr.engine.core.errors import DrError

# branch files carry no zone; the bureau's offices all keep Beijing time
_KEYS = ("key", "slip", "receipt")
BRANCH_ZONE = timezone(timedelta(hours=8))


class LedgerError(DrError):
    """A ledger could not be read at all; nobody knows what the branch did."""

    code = "ledger"


class Told(StrEnum):
    """What the branch knows about the end of what it did."""

    ACKNOWLEDGED = "acknowledged"  # the centre said yes
    UNKNOWN = "unknown"  # sent, and no answer came
    FAILED = "failed"  # the centre said no
    UNSENT = "unsent"  # it waits in a queue; only a branch type can say so


@dataclass(frozen=True, slots=True)
class Shape:
    """How a branch's CSV is read.

    Attributes:
        columns: our word (``at``, ``outcome``, ``parcel``, numbers such as ``receipt``) to the
            header of the file.
        key: our word for the natural key.  A branch's own slip number goes before the receipt
            number: after a loss the centre may issue the same receipt number again.
        acknowledged / failed: the words of the outcome column; every other word is UNKNOWN.
        zone: of moments that carry none.
    """

    columns: Mapping[str, str]
    key: str = "key"
    acknowledged: frozenset[str] = frozenset({"ok", "acknowledged", "done"})
    failed: frozenset[str] = frozenset({"refused", "failed", "rejected", "error"})
    zone: timezone = BRANCH_ZONE

    @classmethod
    def of(cls, ledger: Mapping[str, Any]) -> Shape:
        """Read the ``ledger`` part of a branch of the inventory."""
        columns = {str(k): str(v) for k, v in (ledger.get("columns") or {}).items()}
        key = str(ledger.get("key") or next((k for k in _KEYS if k in columns), "key"))
        columns.setdefault(key, key)
        usual = cls(columns)
        words = {
            name: frozenset(str(w).lower() for w in ledger[name])
            for name in ("acknowledged", "failed")
            if ledger.get(name)
        }
        return cls(
            columns,
            key,
            words.get("acknowledged", usual.acknowledged),
            words.get("failed", usual.failed),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of business; ``numbers`` are the serial numbers it used, by sequence name."""

    key: str
    at: datetime | None
    told: Told
    parcel: str = ""
    numbers: Mapping[str, int] = field(default_factory=dict)
    line: int = 0
    row: Mapping[str, str] = field(default_factory=dict)
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a branch handed in; ``problems`` are lines that could not be read."""

    branch: str
    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()
    encoding: str = "utf-8"
    header: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every line was understood."""
        return not self.problems


def decode(data: bytes) -> tuple[str, str]:
    """Return the text and the encoding: byte-order mark, else strict UTF-8, else strict GB18030.

    Guessing libraries take genuine GB18030 files for Korean; strict decoding in this order does
    not.

    Raises:
        LedgerError: it is neither.
    """
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding), encoding.removesuffix("-sig")
        except UnicodeDecodeError:
            continue
    raise LedgerError(
        "the ledger is neither UTF-8 nor GB18030 text",
        hint="Ask the branch to export its ledger again as CSV in UTF-8.",
    )


def read_ledger(branch: str, data: bytes, shape: Shape, numbers: Sequence[str] = ()) -> Ledger:
    """Read a branch's CSV.

    A key that comes twice is one piece of business: the later line wins, as a ledger that is only
    added to writes one line when it sends and one when the answer comes.  An answer is never taken
    back by a later line without one.

    Args:
        numbers: names of the sequences whose columns hold serial numbers.

    Raises:
        LedgerError: the file is no such text, or a column is missing.
    """
    text, encoding = decode(data)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    entries: dict[str, Entry] = {}
    problems: list[str] = []
    try:
        _check_header(branch, reader.fieldnames or (), shape, numbers)
        for row in reader:
            entry = _entry(row, reader.line_num, shape, numbers)
            if isinstance(entry, str):
                problems.append(f"line {reader.line_num}: {entry}")
            else:
                entries[entry.key] = _later(entries.get(entry.key), entry)
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: {error}; what follows was not read")
    header = tuple(str(name) for name in reader.fieldnames or ())
    return Ledger(branch, tuple(entries.values()), tuple(problems), encoding, header)


def _check_header(branch: str, header: Sequence[str], shape: Shape, numbers: Sequence[str]) -> None:
    wanted = [
        shape.columns[k] for k in (shape.key, "at", "outcome", "parcel") if k in shape.columns
    ]
    wanted += [shape.columns[n] for n in numbers if n in shape.columns]
    missing = [name for name in wanted if name not in header]
    if missing:
        raise LedgerError(
            f"the ledger of {branch} has no column '{missing[0]}'",
            hint=f"It has: {', '.join(header) or 'none'}; correct ledger.columns in branches.yaml.",
        )


def _later(before: Entry | None, entry: Entry) -> Entry:
    if before is None:
        return entry
    if entry.told is Told.UNKNOWN and before.told is not Told.UNKNOWN:
        return before
    numbers = {**before.numbers, **entry.numbers}
    return Entry(
        key=entry.key,
        at=entry.at or before.at,
        told=entry.told,
        parcel=entry.parcel or before.parcel,
        numbers=numbers,
        line=entry.line,
        row=entry.row,
        acknowledged_at=entry.acknowledged_at or before.acknowledged_at,
    )


def _entry(
    row: Mapping[str | None, Any], line: int, shape: Shape, numbers: Sequence[str]
) -> Entry | str:
    """Return the entry on ``line``, or what is wrong with it."""
    if None in row or any(value is None for value in row.values()):
        return "it has not as many fields as the header"
    fields = {str(k): str(v).strip() for k, v in row.items()}

    def field_of(name: str) -> str:
        return fields.get(shape.columns.get(name, "\0"), "")

    key = field_of(shape.key)
    if not key:
        return "it has no key"
    try:
        return Entry(
            key=key,
            at=_moment(field_of("at"), shape.zone),
            told=_told(field_of("outcome"), shape),
            parcel=field_of("parcel"),
            numbers={n: _number(field_of(n)) for n in numbers if field_of(n)},
            line=line,
            row=fields,
            acknowledged_at=_moment(field_of("acknowledged_at"), shape.zone),
        )
    except ValueError as error:
        return str(error)


def _told(word: str, shape: Shape) -> Told:
    if "outcome" not in shape.columns or word.lower() in shape.acknowledged:
        return Told.ACKNOWLEDGED
    return Told.FAILED if word.lower() in shape.failed else Told.UNKNOWN


def _moment(text: str, zone: timezone) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _number(text: str) -> int:
    # a spreadsheet writes long numbers as 3.1E+20, and the digits are gone for good
    if not text.isdecimal():
        raise ValueError(f"'{text}' is no serial number")
    return int(text)
