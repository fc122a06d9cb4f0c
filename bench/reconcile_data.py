"""Two databases with 200 seeded breaks, and branches with breaks of every kind: truth known."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dr.reconcile.branch_type import BranchType  # noqa: E402
from dr.reconcile.breaks import BreakClass as C  # noqa: E402
from tests.reconcile_corpus import (  # noqa: E402
    INDEXED,
    KINDS,
    TABLE,
    Sower,
    bureau,
    load,
    write_ledgers,
)

Wire = psycopg.Connection[tuple[Any, ...]]
Truth = set[tuple[C, str, str]]
BRANCHES = 200
_COPY = """
INSERT INTO registration
SELECT i, b, lpad((i % {branches})::text, 4, '0') || '-' || lpad((i / {branches})::text, 7, '0'),
       '20261122' || lpad(i::text, 11, '0'),
       '3601' || lpad((i * 7919 % 99999999999999)::text, 14, '0') || 'W' || lpad(i::text, 9, '0'),
       substr('王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗', 1 + (i * 31 % 20)::int, 1)
         || substr('伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰', 1 + (i * 17 % 20)::int, 1)
         || substr('霞平刚桂一二三四五六七八九十百千万亿兆京', 1 + (i * 13 % 20)::int, 1),
       (i * 104729 % 99999999)::numeric / 100, 'registered',
       '赣' || lpad((i % {branches})::text, 4, '0') || lpad((i / {branches} + 1)::text, 8, '0'), 1,
       timestamptz '2026-10-01 00:00+00' + i * interval '2 seconds'
FROM (SELECT i, 'branch-' || lpad((i % {branches})::text, 4, '0') AS b
      FROM generate_series(0::bigint, {rows} - 1) AS i) AS x"""
_CHANGES = (
    "holder = '诸葛亮'",
    "amount = amount + 1",
    "parcel = parcel || 'X'",
    "receipt = receipt || '9'",
    "status = 'accepted'",
    "at = at + interval '61 s'",
)


def two_tables(old: Wire, new: Wire, rows: int, seed: int) -> Truth:
    """Fill both; ``old`` stands where a ledger would.  Return the 200 breaks."""
    for wire in (old, new):
        wire.execute(TABLE.encode())
        wire.execute(_COPY.format(rows=rows, branches=BRANCHES).encode())
        for name in INDEXED:
            wire.execute(f"CREATE INDEX ON registration ({name})".encode())
    truth = _sow(old, new, rows, seed)
    for wire in (old, new):
        wire.execute(b"VACUUM (ANALYZE, FREEZE) registration")
        wire.execute("SET default_transaction_read_only = on")
    return truth


def _sow(old: Wire, new: Wire, rows: int, seed: int) -> Truth:
    chance = random.Random(seed)  # noqa: S311
    last = rows // BRANCHES - 1
    taken: set[tuple[int, int]] = set()
    truth: Truth = set()

    def pick() -> int:
        while True:
            branch, n = chance.randrange(BRANCHES), chance.randrange(3, last - 3)
            if not taken & {(branch, n + d) for d in (-1, 0, 1)}:
                taken.add((branch, n))
                return n * BRANCHES + branch

    def row(wire: Wire, number: int) -> tuple[str, str, str]:
        asked = "SELECT branch, slip, serial FROM registration WHERE id = %s"
        found = wire.execute(asked, (number,)).fetchone()
        assert found is not None
        return str(found[0]), str(found[1]), str(found[2])

    def note(kind: C, number: int, wire: Wire = new, *, serial: bool = False) -> None:
        branch, slip, form = row(wire, number)
        truth.add((kind, branch, form if serial else slip))

    delete = "DELETE FROM registration WHERE id = %s"
    copy = (
        "INSERT INTO registration SELECT {id}, branch, {slip}, receipt, parcel, holder, amount,"
        " status, {serial}, revision, at FROM registration WHERE id = %s"
    )
    for _ in range(60):
        n = pick()
        new.execute(delete, (n,))
        note(C.MISSING_CENTRAL, n, old)
    for _ in range(30):
        n = pick()
        old.execute(delete, (n,))
        note(C.EXTRA_CENTRAL, n)
    for i in range(60):
        n = pick()
        change = _CHANGES[i % len(_CHANGES)]
        new.execute(f"UPDATE registration SET {change} WHERE id = %s".encode(), (n,))
        note(C.IN_FLIGHT if change.startswith("status") else C.FIELD_DIFF, n)
    for i in range(10):
        n = pick()
        spare = f"'备{i}A0001'"  # a form of no range: it opens no gap
        new.execute(copy.format(id=rows + i, slip="slip", serial=spare).encode(), (n,))
        note(C.DUP_KEY_CENTRAL, n)
        n = pick()
        old.execute(copy.format(id=rows + 100 + i, slip="slip", serial="serial").encode(), (n,))
        note(C.DUP_KEY_LEDGER, n)
        n = pick()
        spare = f"'备{i}B0001'"
        new.execute(copy.format(id=rows + 200 + i, slip="slip || 'Z'", serial=spare).encode(), (n,))
        truth.add((C.DUP_BUSINESS, row(new, n)[0], f"{row(new, n)[1]}Z"))
        n = pick()
        note(C.SERIAL_GAP, n, serial=True)
        for wire in (old, new):
            wire.execute(delete, (n,))
        one, other = pick(), pick()
        form = row(new, one)[2]
        # the break is the branch's that comes first
        truth.add((C.SERIAL_DUP, min(row(new, one)[0], row(new, other)[0]), form))
        note(C.SERIAL_GAP, other, serial=True)
        for wire in (old, new):
            wire.execute("UPDATE registration SET serial = %s WHERE id = %s", (form, other))
    return truth


def branches(
    wire: Wire, folder: Path, count: int, records: int, each: int
) -> tuple[list[tuple[str, BranchType, Path]], Truth, Any]:
    """Fill the centre and write a ledger for every branch; return ledgers, breaks, register."""
    made = bureau(count, count, records)
    Sower(made).sow(each, KINDS)
    load(wire, (r for rows in made.central.values() for r in rows))
    # a loop over branches lives by this one
    wire.execute(b"CREATE INDEX ON registration (branch)")
    wire.execute(b"VACUUM (ANALYZE, FREEZE) registration")
    wire.execute("SET default_transaction_read_only = on")
    return write_ledgers(made, folder), made.expected, made.register
