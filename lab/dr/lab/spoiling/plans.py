"""What a spoiling is decided from and what it comes to.  Pure: same stand, same plan."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dr.engine.core.values import Text
from dr.lab.blocks import usable
from dr.lab.business import LEDGER_COLUMNS
from dr.lab.errors import LabUsageError
from dr.lab.office import BOOK, COLUMNS, LEDGER, slip_number
from dr.lab.register import Change
from dr.lab.spoiling.truths import Fields, Truth, Value

SHEET = LEDGER.replace(".csv", ".xlsx")
FOLDER = BOOK.rpartition("/")[0]
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One piece of business on both sides, in dr's words; '' where a column is empty."""

    central: Row
    ledger: Row

    @property
    def key(self) -> str:
        """The slip."""
        return self.ledger["key"]

    @property
    def branch(self) -> str:
        """The branch in whose book it stands."""
        return self.ledger["branch"]

    @property
    def receipt(self) -> int:
        """The number that the centre gave."""
        return int(self.central["receipt"])

    @property
    def serial(self) -> int:
        """The number of the certificate."""
        return int(self.central["certificate"])


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one line of a book, by headers; ``remove`` and ``copy`` mean the whole line."""

    key: str
    values: Row = field(default_factory=dict)
    remove: bool = False
    copy: bool = False


@dataclass(frozen=True, slots=True)
class Book:
    """A branch's book: its lines, each a value by header."""

    branch: str
    lines: tuple[Row, ...]

    @classmethod
    def of(cls, branch: str, text: str) -> Book:
        """Read a book as the office wrote it."""
        return cls(branch, tuple(csv.DictReader(io.StringIO(text, newline=""))))

    def text(self) -> str:
        """Return it as the office writes it."""
        return csv_text([COLUMNS, *([line[c] for c in COLUMNS] for line in self.lines)])

    def edited(self, edits: Iterable[Edit]) -> Book:
        """Return it with lines changed, doubled or gone."""
        by_key = {edit.key: edit for edit in edits}
        lines: list[Row] = []
        for line in self.lines:
            edit = by_key.get(line["slip"], Edit(""))
            if edit.remove:
                continue
            changed = {**line, **edit.values}
            lines += [changed, changed] if edit.copy else [changed]
        return Book(self.branch, tuple(lines))

    def words(self) -> list[Row]:
        """Return its lines in dr's words."""
        return [{word: line[head] for word, head in LEDGER_COLUMNS.items()} for line in self.lines]


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as an office writes them."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for."""

    what: str
    count: int
    seed: int
    batch: int = 1
    branch: str = ""
    """Empty: any."""
    after_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Stand:
    """The lab at rest: nobody is in the middle of a case.

    Attributes:
        books: by branch.
        touched: keys that are spoilt already.
        cases: what both sides have, acknowledged and not spoilt yet, in the order of receipts;
            none when the register was not needed.
        central: all that the register has since the first line of a book, by slip.
        receipts: receipt numbers that nobody else will get, as many as are wished for.
        used: numbers of forms that somebody wrote on.
        serials: these, and those that a truth speaks of.
    """

    books: Mapping[str, Book]
    touched: frozenset[str] = frozenset()
    cases: tuple[Case, ...] = ()
    central: Mapping[str, Row] = field(default_factory=dict)
    receipts: tuple[int, ...] = ()
    used: frozenset[int] = frozenset()
    serials: frozenset[int] = frozenset()

    def other(self, branch: str) -> str:
        """Return another branch than ``branch``, of the lab if it has one."""
        others = sorted(set(self.books) - {branch})
        return others[0] if others else "branch-50"

    def blank(self, branch: str, count: int) -> list[int]:
        """Return forms from the end of a branch's stock, where the office will not get to."""
        *_, last = usable(branch)
        free = (serial for serial in reversed(last) if serial not in self.serials)
        return [serial for serial, _ in zip(free, range(count), strict=False)]


@dataclass(frozen=True, slots=True)
class HandIn:
    """What becomes of a file in a branch's folder.

    Attributes:
        data: what it holds; None: the file goes away, unless ``link`` or ``after_s`` is given.
        link: it is the office's book itself.
        size: bytes that it seems to have; the rest is a hole.
        after_s: seconds until it comes; until then it is not there, or as it is.
    """

    branch: str
    path: str
    data: bytes | None = None
    link: bool = False
    size: int = 0
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be done, and what must then be found."""

    truths: tuple[Truth, ...]
    changes: tuple[Change, ...] = ()
    edits: Mapping[str, tuple[Edit, ...]] = field(default_factory=dict)
    files: tuple[HandIn, ...] = ()
    replaces: str = ""


Planner = Callable[[Stand, Wish], Plan]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way.

    Attributes:
        count: how many, when nobody says; of what, the title tells.
        register: whether the central database is read for it.
        receipts: whether records are added, which take receipt numbers.
    """

    name: str
    title: Text
    plan: Planner
    count: int = 3
    register: bool = True
    receipts: bool = False


def order(things: Iterable[str], wish: Wish) -> list[str]:
    """Return keys in the order in which the seed takes them; one more changes no other's place."""

    def rank(key: str) -> bytes:
        return hashlib.sha256(f"{wish.seed}/{wish.what}/{key}".encode()).digest()

    return sorted(things, key=rank)


def pick(cases: Iterable[Case], wish: Wish) -> list[Case]:
    """Return as many cases as are wished for.

    Raises:
        LabUsageError: there are not so many.
    """
    found = {case.key: case for case in cases if wish.branch in {"", case.branch}}
    if len(found) < wish.count:
        raise too_few(len(found), wish.count)
    return [found[key] for key in order(found, wish)[: wish.count]]


def too_few(there: int, wanted: int) -> LabUsageError:
    """Say that the lab has not done enough business yet."""
    return LabUsageError(
        f"the lab has {there} cases that can be spoilt so, not {wanted}",
        hint="Wait until the branches have registered more, or give a smaller --count.",
    )


def branch_of(stand: Stand, wish: Wish) -> str:
    """Return the branch that is meant: the one that was named, or the seed's choice."""
    return wish.branch or order(stand.books, wish)[0]


def interior(cases: Sequence[Case]) -> list[Case]:
    """Return the cases without the newest tenth: what is missing here is a hole and no tail."""
    return list(cases[: -max(1, len(cases) // 10)])


def differing(case: Case, **values: Value) -> Fields:
    """Return the fields that get new values at the centre."""
    return {word: (value, case.ledger[word]) for word, value in values.items()}


def one_sided(record: Mapping[str, Value], *, central: bool) -> Fields:
    """Return all fields of a record that only one side has."""
    words = [word for word in LEDGER_COLUMNS if word != "outcome" and word in record]
    return {w: (record[w], None) if central else (None, record[w]) for w in words}


def made_up_slip(branch: str, at: datetime, wish: Wish, number: int, series: int) -> str:
    """Return a slip number that no office will give: it is far ahead of what they come to."""
    return slip_number(branch, at, series * 1_000_000 + (wish.batch * 1000) % 1_000_000 + number)
