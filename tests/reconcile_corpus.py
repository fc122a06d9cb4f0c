"""A made-up bureau with branches, ledgers and a central table, and breaks seeded at random.

What is seeded is returned beside the data, so that a test can ask for exactly that and no more.
The seeds are drawn anew from the given random generator: nobody knows beforehand where they are.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from dr.reconcile.branch_type import BranchType
from dr.reconcile.breaks import BreakClass as C
from dr.reconcile.serial_ranges import SerialBlock
from dr.reconcile.serials import FormState, SerialRegister
from dr.reconcile.shape import RecordShape
from dr.reconcile.window import Window

POINT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
WINDOW = Window(POINT, POINT + timedelta(hours=2), overlap=timedelta(hours=2))
_ZONE = timedelta(hours=8)

SHAPE = RecordShape.of(
    {
        "columns": {
            "slip": {"kind": "code"},
            "receipt": {"kind": "code"},
            "parcel": {"kind": "code", "severity": "critical"},
            "holder": {"kind": "owners", "severity": "critical"},
            "amount": {"kind": "number"},
            "status": {
                "kind": "choice",
                "words": {"已登簿": "registered", "受理": "accepted", "作废": "voided"},
            },
            "serial": {"kind": "code"},
            "revision": {"kind": "number", "scale": 0},
            "at": {"kind": "moment"},
        },
        "key": "slip",
        "receipt": "receipt",
        "moment": "at",
        "serial": "serial",
        "status": "status",
        "revision": "revision",
        "amount": "amount",
        "agree": ["parcel", "holder", "amount", "serial"],
        "same": ["parcel", "holder", "amount"],
        "in_flight": ["accepted"],
        "voided": ["voided"],
        "fuzzy": [{"weights": {"parcel": 4, "holder": 3, "amount": 2, "slip": 1}}],
    }
)
HEADERS = {
    "slip": "业务编号",
    "receipt": "受理号",
    "parcel": "不动产单元号",
    "holder": "权利人",
    "amount": "金额",
    "status": "状态",
    "serial": "证书流水号",
    "revision": "版本",
    "at": "受理时间",
}
PLAIN = BranchType("plain", columns=HEADERS)
ANSWERED = BranchType("answered", columns=HEADERS, outcome="结果")

QUERY = (
    "SELECT id, branch, slip, receipt, parcel, holder, amount, status, serial, revision, at"
    " FROM registration"
)
TABLE = """
CREATE TABLE registration (
  id bigint PRIMARY KEY, branch text NOT NULL, slip text, receipt text, parcel text, holder text,
  amount numeric(14, 2), status text, serial text, revision integer, at timestamptz)"""
INDEXED = ("slip", "parcel", "serial")

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂䶮㐱𠅤"


@dataclass(frozen=True)
class Record:
    """One piece of business."""

    branch: str
    slip: str
    receipt: str
    parcel: str
    holder: str
    amount: Decimal
    status: str
    serial: str
    revision: int
    at: datetime

    def values(self) -> tuple[str, ...]:
        """Return it as a template's line."""
        at = f"{self.at + _ZONE:%Y-%m-%d %H:%M:%S}"
        return (self.slip, self.receipt, self.parcel, self.holder, f"{self.amount:.2f}",
                self.status, self.serial, str(self.revision), at)  # fmt: skip


Expected = tuple[C, str, str]
"""Class, branch and key."""


@dataclass
class Bureau:
    """Both sides, by branch, and what was seeded."""

    random: random.Random
    central: dict[str, list[Record]]
    ledger: dict[str, list[Record]]
    expected: set[Expected] = field(default_factory=set)
    told: dict[str, str] = field(default_factory=dict)  # slip -> outcome
    forms: dict[str, FormState] = field(default_factory=dict)
    blocks: list[SerialBlock] = field(default_factory=list)

    @property
    def register(self) -> SerialRegister:
        return SerialRegister(tuple(self.blocks), self.forms)


def bureau(seed: int, branches: int, records: int) -> Bureau:
    """Return a bureau on whose both sides everything is the same."""
    chance = random.Random(seed)  # noqa: S311 - made-up records
    both: dict[str, list[Record]] = {}
    span = timedelta(hours=3, minutes=50) / max(1, records)
    made = Bureau(chance, {}, {})
    for b in range(branches):
        name = f"branch-{b:04d}"
        first = chance.randrange(1, 900_000)
        both[name] = [
            Record(
                branch=name,
                slip=f"{b:04d}-{n:06d}",
                receipt=f"{20261122:d}{b:05d}{n:06d}",
                parcel=f"3601{chance.randrange(10**14):014d}W{b:04d}{n:05d}",
                holder=_holders(chance),
                amount=Decimal(chance.randrange(100, 10**9)) / 100,
                status="registered",
                serial=f"赣{b:04d}{first + n:08d}",
                revision=1,
                at=WINDOW.since + timedelta(minutes=5) + n * span,
            )
            for n in range(records)
        ]
        made.blocks.append(SerialBlock(name, "赣", *_block(both[name])))
    made.central = {name: list(rows) for name, rows in both.items()}
    made.ledger = {name: list(rows) for name, rows in both.items()}
    return made


def _block(rows: Sequence[Record]) -> tuple[int, int]:
    return int(rows[0].serial[1:]), int(rows[-1].serial[1:]) + 1000


def _holders(chance: random.Random) -> str:
    names = {
        chance.choice(_SURNAMES) + "".join(chance.choices(_GIVEN, k=chance.randrange(1, 3)))
        for _ in range(chance.choice((1, 1, 1, 2, 3)))
    }
    return "、".join(sorted(names))


class Sower:
    """Seeds breaks: each in a record of its own, never in neighbours."""

    def __init__(self, made: Bureau) -> None:
        self.made = made
        self.chance = made.random
        # every third, and none at the ends of a branch's forms: what is seeded stays apart
        self._pool = [r for rows in made.central.values() for r in rows[1:-1][1::3]]
        self.chance.shuffle(self._pool)
        self._next = dict.fromkeys(made.central, 0)

    def sow(self, each: int, kinds: Iterable[Callable[[Sower], None]] = ()) -> None:
        """Seed every kind ``each`` times."""
        for kind in kinds or KINDS:
            for _ in range(each):
                kind(self)

    def take(self, fits: Callable[[Record], bool] = lambda _: True) -> Record:
        """Return a record that nothing was done to."""
        place = next(i for i, r in enumerate(self._pool) if fits(r))
        return self._pool.pop(place)

    def expect(self, kind: C, record: Record, key: str | None = None) -> None:
        self.made.expected.add((kind, record.branch, key or record.slip))

    def fresh_serial(self, branch: str) -> str:
        """Return the form after the last one of a branch."""
        self._next[branch] += 1
        last = self.made.blocks[[b.branch for b in self.made.blocks].index(branch)].last - 1000
        return f"赣{last + self._next[branch]:012d}"

    def drop(self, side: dict[str, list[Record]], record: Record) -> None:
        side[record.branch].remove(record)

    def change(self, side: dict[str, list[Record]], old: Record, new: Record) -> None:
        rows = side[old.branch]
        rows[rows.index(old)] = new


def _missing_tail(s: Sower) -> None:
    r = s.take(lambda r: r.at > POINT)
    s.drop(s.made.central, r)
    s.expect(C.MISSING_CENTRAL, r)


def _missing_hole(s: Sower) -> None:
    r = s.take(lambda r: r.at < POINT - timedelta(minutes=10))
    s.drop(s.made.central, r)
    s.expect(C.MISSING_CENTRAL, r)


def _extra(s: Sower) -> None:
    r = s.take()
    s.drop(s.made.ledger, r)
    s.expect(C.EXTRA_CENTRAL, r)


def _extra_half_done(s: Sower) -> None:
    r = s.take()
    s.drop(s.made.ledger, r)
    s.change(s.made.central, r, replace(r, status="accepted"))
    s.expect(C.EXTRA_CENTRAL, r)


def _field(s: Sower) -> None:
    r = s.take()
    changed: dict[str, Any] = s.chance.choice(
        [
            {"holder": "诸葛亮"},
            {"amount": r.amount + 1},
            {"parcel": r.parcel[:-1] + "X"},
            {"receipt": r.receipt + "9"},
            {"at": r.at + timedelta(seconds=61)},
        ]
    )
    s.change(s.made.central, r, replace(r, **changed))
    s.expect(C.FIELD_DIFF, r)


def _swapped_serials(s: Sower) -> None:
    one = s.take()
    other = s.take(lambda r: r.branch == one.branch)
    s.change(s.made.central, one, replace(one, serial=other.serial))
    s.change(s.made.central, other, replace(other, serial=one.serial))
    s.expect(C.FIELD_DIFF, one)
    s.expect(C.FIELD_DIFF, other)


def _later(s: Sower) -> None:
    r = s.take()
    side = s.chance.choice([s.made.central, s.made.ledger])
    s.change(side, r, replace(r, revision=2, amount=r.amount + 5))
    s.expect(C.LATER_VERSION, r)


def _status(s: Sower) -> None:
    r = s.take()
    s.change(s.made.central, r, replace(r, status="accepted"))
    s.expect(C.IN_FLIGHT, r)


def _unanswered(s: Sower) -> None:
    r = s.take()
    s.drop(s.made.central, r)
    s.made.told[r.slip] = "超时"
    s.expect(C.IN_FLIGHT, r)


def _refused(s: Sower) -> None:
    r = s.take()
    s.made.told[r.slip] = "拒绝"
    s.expect(C.EXTRA_CENTRAL, r)


def _refused_and_absent(s: Sower) -> None:
    r = s.take()
    s.drop(s.made.central, r)
    s.made.told[r.slip] = "拒绝"  # nothing is wrong


def _answered_late(s: Sower) -> None:
    r = s.take()
    s.made.told[r.slip] = "超时"  # it arrived: nothing is wrong


def _voided(s: Sower) -> None:
    r = s.take()
    s.change(s.made.ledger, r, replace(r, status="voided"))
    s.expect(C.EXTRA_CENTRAL, r)


def _extra_but_void(s: Sower) -> None:
    r = s.take()
    s.drop(s.made.ledger, r)
    s.change(s.made.central, r, replace(r, status="voided"))  # it was dealt with


def _refused_and_void(s: Sower) -> None:
    r = s.take()
    s.made.told[r.slip] = "拒绝"
    s.change(s.made.central, r, replace(r, status="voided"))


def _doubles_that_are_void(s: Sower) -> None:
    one, other = s.take(), s.take()
    s.made.central[one.branch].append(replace(one, status="voided"))
    serial = s.fresh_serial(other.branch)
    twin = replace(other, slip=f"{other.slip}Z", receipt=f"{other.receipt}8", serial=serial)
    s.made.central[other.branch].append(replace(twin, status="voided"))


def _dup_central(s: Sower) -> None:
    r = s.take()
    s.made.central[r.branch].append(r)
    s.expect(C.DUP_KEY_CENTRAL, r)
    s.expect(C.SERIAL_DUP, r, r.serial)


def _dup_ledger(s: Sower) -> None:
    r = s.take()
    s.made.ledger[r.branch].append(r)
    s.expect(C.DUP_KEY_LEDGER, r)


def _dup_business(s: Sower) -> None:
    r = s.take()
    serial = s.fresh_serial(r.branch)
    twin = replace(r, slip=f"{r.slip}Z", receipt=f"{r.receipt}8", serial=serial)
    s.made.central[r.branch].append(twin)
    s.expect(C.DUP_BUSINESS, twin)


def _cross(s: Sower) -> None:
    r = s.take()
    other = s.chance.choice([b for b in s.made.central if b != r.branch])
    s.drop(s.made.central, r)
    s.made.central[other].append(replace(r, branch=other))
    s.expect(C.CROSS_BRANCH, r)


def _damaged_key(s: Sower) -> None:
    r = s.take()
    wrong = replace(r, slip=f"{r.slip}Q", receipt=f"{r.receipt[:-1]}{s.chance.choice('XYZ')}")
    wrong = s.chance.choice([wrong, replace(wrong, receipt=r.receipt), replace(wrong, serial="")])
    s.change(s.made.ledger, r, wrong)
    s.expect(C.KEY_DAMAGED, wrong)


def _gap(s: Sower) -> None:
    r = s.take()
    s.drop(s.made.central, r)
    s.drop(s.made.ledger, r)
    s.expect(C.SERIAL_GAP, r, r.serial)


def _spoiled(s: Sower) -> None:
    r = s.take()
    s.drop(s.made.central, r)
    s.drop(s.made.ledger, r)
    s.made.forms[r.serial] = FormState.SPOILED  # accounted for: nothing is wrong


def _void_but_used(s: Sower) -> None:
    r = s.take()
    s.made.forms[r.serial] = FormState.STOLEN
    s.expect(C.SERIAL_VOID, r, r.serial)


def _doubled_serial(s: Sower) -> None:
    one = s.take()
    other = s.take(lambda r: r.branch == one.branch)
    new = replace(other, serial=one.serial)
    s.change(s.made.central, other, new)
    s.change(s.made.ledger, other, new)
    s.expect(C.SERIAL_DUP, one, one.serial)
    s.expect(C.SERIAL_GAP, other, other.serial)


def _out_of_block(s: Sower) -> None:
    r = s.take()
    new = replace(r, serial=f"外{s.chance.randrange(10**8):08d}")
    s.change(s.made.central, r, new)
    s.change(s.made.ledger, r, new)
    s.expect(C.SERIAL_OUT_OF_BLOCK, r, new.serial)
    s.expect(C.SERIAL_GAP, r, r.serial)


def _late(s: Sower) -> None:
    r = s.take()
    s.change(s.made.central, r, replace(r, at=(WINDOW.service_back or POINT) + timedelta(hours=1)))
    s.expect(C.LATE, r)


def _clock_off(s: Sower) -> None:
    r = s.take()
    s.change(s.made.ledger, r, replace(r, at=r.at - timedelta(hours=5)))
    s.expect(C.FIELD_DIFF, r)


def _reissued(s: Sower) -> None:
    lost = s.take(lambda r: r.at > POINT)
    s.drop(s.made.central, lost)
    other = s.take(lambda r: r.branch == lost.branch)
    new = replace(other, slip=f"{other.slip}N", receipt=f"{other.receipt}7", serial=lost.serial,
                  parcel=f"{other.parcel}N")  # fmt: skip
    s.made.central[lost.branch].append(new)
    s.made.ledger[lost.branch].append(new)
    s.expect(C.MISSING_CENTRAL, lost)
    s.expect(C.SERIAL_DUP, lost, lost.serial)


KINDS: tuple[Callable[[Sower], None], ...] = (
    _missing_tail, _missing_hole, _extra, _extra_half_done, _field, _swapped_serials, _later,
    _status, _unanswered, _refused, _refused_and_absent, _answered_late, _voided, _extra_but_void,
    _refused_and_void, _doubles_that_are_void, _dup_central, _dup_ledger, _dup_business, _cross,
    _damaged_key, _gap, _spoiled, _void_but_used, _doubled_serial, _out_of_block, _late, _clock_off,
    _reissued,
)  # fmt: skip


def seeded(seed: int, branches: int, records: int, each: int) -> Bureau:
    """Return a bureau in which every kind of break is ``each`` times."""
    made = bureau(seed, branches, records)
    Sower(made).sow(each)
    return made


OF_TABLES = frozenset(
    {
        _missing_tail, _missing_hole, _extra, _extra_half_done, _field, _swapped_serials, _later,
        _status, _voided, _extra_but_void, _doubles_that_are_void, _dup_central, _dup_ledger,
        _dup_business, _cross, _damaged_key, _gap, _spoiled, _void_but_used, _doubled_serial,
        _out_of_block, _reissued,
    }
)  # fmt: skip
"""What can be between two tables, of which none is a branch's."""


def numbered(rows: Iterable[Record], known: dict[str, int]) -> list[tuple[int, Record]]:
    """Number rows as two copies of a table do: a record has its number on both, a copy another."""
    found, used = [], set[int]()
    for r in rows:
        number = known.setdefault(r.slip, len(known) + 1)
        if number in used:
            number = known.setdefault(f"{r.slip} again {len(known)}", len(known) + 1)
        used.add(number)
        found.append((number, r))
    return found


def load(
    wire: psycopg.Connection[tuple[object, ...]],
    rows: Iterable[Record],
    known: dict[str, int] | None = None,
) -> None:
    """Make the central table; ``known`` has the numbers of rows that another copy has too."""
    wire.execute(TABLE.encode())
    with wire.cursor().copy(
        b"COPY registration (id, branch, slip, receipt, parcel, holder, amount, status, serial,"
        b" revision, at) FROM STDIN"
    ) as copy:
        for number, r in numbered(rows, {} if known is None else known):
            copy.write_row((number, r.branch, r.slip, r.receipt, r.parcel, r.holder, r.amount,
                            r.status, r.serial, r.revision, r.at))  # fmt: skip
    for name in INDEXED:
        wire.execute(f"CREATE INDEX ON registration ({name})".encode())
    wire.execute(b"ANALYZE registration")


def csv_bytes(
    rows: Iterable[Record],
    told: dict[str, str] | None = None,
    write: Callable[[tuple[str, ...]], Sequence[str]] = tuple,
    encoding: str = "utf-8",
) -> bytes:
    """Return a ledger; with ``told`` it says what the centre answered."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    answered = ["结果"] if told is not None else []
    writer.writerow([*HEADERS.values(), *answered])
    for r in rows:
        outcome = [told.get(r.slip, "成功")] if told is not None else []
        writer.writerow([*write(r.values()), *outcome])
    return out.getvalue().encode(encoding)


def write_ledgers(made: Bureau, folder: Path) -> list[tuple[str, BranchType, Path]]:
    """Write the ledger of every branch; those with an answer that is no yes have that column."""
    found = []
    for name, rows in made.ledger.items():
        answered = any(r.slip in made.told for r in rows)
        path = folder / f"{name}.csv"
        path.write_bytes(csv_bytes(rows, made.told if answered else None))
        found.append((name, ANSWERED if answered else PLAIN, path))
    return found
