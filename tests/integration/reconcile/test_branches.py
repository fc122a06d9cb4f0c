"""All branches against a real central database: what was seeded is found, and nothing else."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from openpyxl import Workbook

from dr.reconcile import resolving
from dr.reconcile.branch_type import BranchType, Source
from dr.reconcile.branches import BranchState, Comparison, compare_branches
from dr.reconcile.breaks import BreakClass, MatchPass, Subclass
from dr.reconcile.by_hand import Total, told_totals, typed_receipts
from dr.reconcile.canon import Canon
from dr.reconcile.first_look import Submission
from dr.reconcile.matching import Matcher
from dr.reconcile.relation import Relation, snapshot
from dr.reconcile.session import Session
from dr.reconcile.shape import Severity
from tests.integration.reconcile.noise import noisy
from tests.reconcile_corpus import (
    HEADERS,
    PLAIN,
    QUERY,
    SHAPE,
    WINDOW,
    Bureau,
    bureau,
    csv_bytes,
    load,
    seeded,
    write_ledgers,
)

pytestmark = pytest.mark.postgres

Wire = psycopg.Connection[tuple[object, ...]]


def compared(wire: Wire, made: Bureau, folder: Path, session: Session | None = None) -> Comparison:
    """Load the centre, write the ledgers, compare with a session that can not write."""
    load(wire, (r for rows in made.central.values() for r in rows))
    return again(wire, made, folder, session)


def again(wire: Wire, made: Bureau, folder: Path, session: Session | None = None) -> Comparison:
    wire.execute("SET default_transaction_read_only = on")
    submissions = [Submission(n, kind, path) for n, kind, path in write_ledgers(made, folder)]
    with snapshot(wire) as name:
        relation = Relation.open(wire, QUERY, SHAPE, "id")
        return compare_branches(
            session or Session("s1", WINDOW),
            relation,
            submissions,
            expected=made.central,
            register=made.register,
            snapshot=name,
        )


def found(comparison: Comparison) -> Counter[tuple[BreakClass, str, str]]:
    return Counter((b.kind, b.branch, b.key) for b in comparison.breaks)


@pytest.mark.parametrize("draw", range(3))
def test_every_seeded_break_is_named_and_nothing_else(
    wire: Wire, tmp_path: Path, draw: int
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    made = seeded(seed, branches=12, records=150, each=5)
    comparison = compared(wire, made, tmp_path)
    assert_found(comparison, made, seed)


def assert_found(comparison: Comparison, made: Bureau, seed: int = 0) -> None:
    seen, wanted = found(comparison), Counter(made.expected)
    assert (seen - wanted, wanted - seen) == ({}, {}), f"seed {seed}"


def test_a_second_comparison_finds_the_same_names(wire: Wire, tmp_path: Path) -> None:
    made = seeded(21, branches=4, records=150, each=1)
    first, second = compared(wire, made, tmp_path), again(wire, made, tmp_path)
    assert first.breaks == second.breaks
    assert len({b.id for b in first.breaks}) == len(first.breaks)
    other = again(wire, made, tmp_path, Session("s2", WINDOW))
    assert not {b.id for b in first.breaks} & {b.id for b in other.breaks}


def test_only_branches_that_are_not_equal_are_looked_at(wire: Wire, tmp_path: Path) -> None:
    made = bureau(22, branches=20, records=40)
    made.central["branch-0003"].pop(7)
    comparison = compared(wire, made, tmp_path)
    assert comparison.looked_at == 1
    assert [(b.kind, b.branch) for b in comparison.breaks] == [
        (BreakClass.MISSING_CENTRAL, "branch-0003")
    ]
    states = Counter(o.state for o in comparison.branches.values())
    assert states == {BranchState.CLEAN: 19, BranchState.BREAKS: 1}


def test_another_way_of_writing_is_no_break(wire: Wire, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    comparison = untidy(wire, tmp_path, seed)
    assert comparison.breaks == (), f"seed {seed}"
    assert sum(o.format_only for o in comparison.branches.values()) > 1900


def untidy(wire: Wire, tmp_path: Path, seed: int) -> Comparison:
    """Compare ledgers in which nothing is wrong but the writing."""
    made = bureau(seed, branches=10, records=200)
    load(wire, (r for rows in made.central.values() for r in rows))
    write = noisy(random.Random(seed))  # noqa: S311 - made-up noise
    submissions = []
    for name, rows in made.ledger.items():
        path = tmp_path / f"{name}.csv"
        path.write_bytes(csv_bytes(rows, write=write, encoding="gb18030"))
        submissions.append(Submission(name, PLAIN, path))
    with snapshot(wire):
        relation = Relation.open(wire, QUERY, SHAPE)
        return compare_branches(Session("noise", WINDOW), relation, submissions)


def test_without_canonical_forms_another_way_of_writing_would_be_a_break(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Canon, "row", lambda _, values: tuple(values))
    assert len(untidy(wire, tmp_path, 33).breaks) > 1000


def test_a_hole_before_the_recovery_point_is_critical_and_the_tail_after_it_is_not(
    wire: Wire, tmp_path: Path
) -> None:
    made = bureau(23, branches=1, records=60)
    rows = made.central["branch-0000"]
    hole = next(r for r in rows[5:] if r.at < WINDOW.recovery_point)
    tail = next(r for r in rows if r.at > WINDOW.recovery_point)
    for gone in (hole, tail):
        rows.remove(gone)
    breaks = {b.key: b for b in compared(wire, made, tmp_path).breaks}
    assert (breaks[hole.slip].subclass, breaks[hole.slip].severity) == (
        Subclass.HOLE, Severity.CRITICAL,
    )  # fmt: skip
    assert (breaks[tail.slip].subclass, breaks[tail.slip].severity) == (
        Subclass.RPO_TAIL, Severity.MAJOR,
    )  # fmt: skip
    assert breaks[hole.slip].amount == hole.amount
    assert breaks[hole.slip].line == made.ledger["branch-0000"].index(hole) + 2


def test_a_difference_names_its_columns_and_keeps_what_each_side_wrote(
    wire: Wire, tmp_path: Path
) -> None:
    made = bureau(24, branches=1, records=10)
    rows = made.central["branch-0000"]
    rows[4] = replace(rows[4], holder="诸葛亮", amount=rows[4].amount + 1)
    (found_one,) = compared(wire, made, tmp_path).breaks
    assert [(f.column, f.ledger, f.central) for f in found_one.fields] == [
        ("holder", made.ledger["branch-0000"][4].holder, "诸葛亮"),
        ("amount", f"{rows[4].amount - 1:.2f}", f"{rows[4].amount:.2f}"),
    ]
    assert found_one.severity is Severity.CRITICAL
    assert found_one.ledger is not None
    assert found_one.ledger["slip"] == rows[4].slip


def test_a_key_that_hits_a_stranger_by_a_slip_of_the_pen_pairs_nobody(
    wire: Wire, tmp_path: Path
) -> None:
    made = bureau(25, branches=1, records=30)
    ledger = made.ledger["branch-0000"]
    # two records gone, and one written under the number of the other: nothing but the key is equal
    wrong, stranger = ledger[10], ledger[20]
    ledger[10] = replace(wrong, slip=stranger.slip)
    ledger.remove(stranger)
    comparison = compared(wire, made, tmp_path)
    kinds = {(b.kind, b.key): b for b in comparison.breaks}
    proposal = kinds[BreakClass.KEY_DAMAGED, stranger.slip]
    assert proposal.central is not None
    assert proposal.central["slip"] == wrong.slip
    assert proposal.subclass is Subclass.PROPOSED
    assert (BreakClass.EXTRA_CENTRAL, stranger.slip) in kinds
    assert len(kinds) == 2


def test_lines_that_a_spreadsheet_damaged_are_never_missing_records(
    wire: Wire, tmp_path: Path
) -> None:
    made = bureau(26, branches=1, records=12)
    load(wire, (r for rows in made.central.values() for r in rows))
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(HEADERS.values()))
    for number, r in enumerate(made.ledger["branch-0000"]):
        values: list[object] = list(r.values())
        if number in {3, 8}:
            values[1] = float(r.receipt)  # 19 digits in a number cell
        sheet.append(values)
    book.save(tmp_path / "b.xlsx")
    submissions = [
        Submission("branch-0000", replace(PLAIN, source=Source.XLSX), tmp_path / "b.xlsx")
    ]
    with snapshot(wire):
        comparison = compare_branches(
            Session("xlsx", WINDOW), Relation.open(wire, QUERY, SHAPE), submissions
        )
    assert [(b.kind, b.line, b.matched_by) for b in comparison.breaks] == [
        (BreakClass.KEY_DAMAGED, 5, MatchPass.KEY), (BreakClass.KEY_DAMAGED, 10, MatchPass.KEY),
    ]  # fmt: skip
    assert comparison.branches["branch-0000"].refused == 2


def test_branches_without_usable_evidence_are_told_apart_and_have_no_breaks(
    wire: Wire, tmp_path: Path
) -> None:
    made = bureau(27, branches=4, records=10)
    load(wire, (r for rows in made.central.values() for r in rows))
    (tmp_path / "wrong.csv").write_bytes("日期,数量\r\n2026-11-25,3\r\n".encode())
    day = f"{WINDOW.recovery_point + timedelta(hours=8):%Y-%m-%d}"
    rows = made.central["branch-0002"]
    true = Total(day, len(rows), sum((r.amount for r in rows), Decimal(0)), rows[0].serial)
    for name, total in (("right", true), ("less", replace(true, count=9))):
        told = told_totals([total], told_by="head", heard_by=["a", "b"], at=WINDOW.recovery_point)
        (tmp_path / name).write_bytes(told)
    totals = BranchType("telephone", Source.TOTALS)
    submissions = [
        Submission("branch-0000", PLAIN, tmp_path / "wrong.csv"),
        Submission("branch-0001", totals, tmp_path / "less"),
        Submission("branch-0002", totals, tmp_path / "right"),
    ]
    with snapshot(wire):
        comparison = compare_branches(
            Session("bad", WINDOW), Relation.open(wire, QUERY, SHAPE), submissions,
            expected=made.central,
        )  # fmt: skip
    assert {n: o.state for n, o in comparison.branches.items()} == {
        "branch-0000": BranchState.REJECTED, "branch-0001": BranchState.TOTALS_ONLY,
        "branch-0002": BranchState.TOTALS_ONLY, "branch-0003": BranchState.WAITING,
    }  # fmt: skip
    assert "has no column '业务编号'" in comparison.branches["branch-0000"].because
    (mismatch,) = comparison.breaks
    assert (mismatch.kind, mismatch.branch) == (BreakClass.TOTAL_MISMATCH, "branch-0001")
    assert mismatch.notes["count"] == "9 / 10"


def test_several_pieces_of_evidence_make_one_account(wire: Wire, tmp_path: Path) -> None:
    made = bureau(32, branches=1, records=30)
    rows = made.ledger["branch-0000"]
    load(wire, (r for r in rows if r not in (rows[20], rows[25], rows[26])))
    typed = [dict(zip(SHAPE.names, r.values(), strict=True)) for r in rows[18:24]]
    at = WINDOW.recovery_point
    pieces = [
        (PLAIN, csv_bytes(rows[:20])),  # ends before the receipts do
        (BranchType("typed", Source.TYPED), typed_receipts(typed, by="clerk", at=at)),
        (replace(PLAIN, name="queue", unsent=True), csv_bytes(rows[22:])),
    ]
    submissions = []
    for number, (kind, data) in enumerate(pieces):
        (tmp_path / str(number)).write_bytes(data)
        submissions.append(Submission("branch-0000", kind, tmp_path / str(number)))
    with snapshot(wire):
        relation = Relation.open(wire, QUERY, SHAPE)
        comparison = compare_branches(Session("pieces", WINDOW), relation, submissions)
    assert [(b.kind, b.subclass, b.key) for b in comparison.breaks] == [
        (BreakClass.IN_FLIGHT, Subclass.UNSENT, rows[25].slip),
        (BreakClass.IN_FLIGHT, Subclass.UNSENT, rows[26].slip),
        (BreakClass.MISSING_CENTRAL, comparison.breaks[2].subclass, rows[20].slip),
    ]
    assert comparison.branches["branch-0000"].arrived == 4


def test_a_gap_is_a_range_also_where_both_sides_agree(wire: Wire, tmp_path: Path) -> None:
    made = bureau(28, branches=2, records=60)
    gone = made.central["branch-0001"][20:25]
    for side in (made.central, made.ledger):
        side["branch-0001"] = [r for r in side["branch-0001"] if r not in gone]
    (gap,) = compared(wire, made, tmp_path).breaks
    assert gap.kind is BreakClass.SERIAL_GAP
    assert gap.serials is not None
    assert (gap.serials.count, gap.key) == (5, f"{gone[0].serial}-{gone[4].serial}")


def test_a_number_lost_and_another_doubled_does_not_look_whole(wire: Wire, tmp_path: Path) -> None:
    # {1, 5, 6} lost and {2, 3, 7} doubled keep count, ends, sum and sum of squares
    made = bureau(29, branches=1, records=20)
    made.blocks.clear()
    for side in (made.central, made.ledger):
        rows = side["branch-0000"]
        for lost, doubled in ((5, 6), (9, 7), (10, 11)):
            rows[lost] = replace(rows[lost], serial=rows[doubled].serial)
    kinds = Counter(b.kind for b in compared(wire, made, tmp_path).breaks)
    assert kinds == {BreakClass.SERIAL_GAP: 2, BreakClass.SERIAL_DUP: 3}


def test_one_number_at_two_branches_is_found_and_opens_no_gap_between_their_forms(
    wire: Wire, tmp_path: Path
) -> None:
    made = bureau(30, branches=3, records=20)
    made.blocks.clear()
    for side in (made.central, made.ledger):
        rows = side["branch-0002"]
        rows[-1] = replace(rows[-1], serial=side["branch-0000"][7].serial)
    (double,) = compared(wire, made, tmp_path).breaks
    assert double.kind is BreakClass.SERIAL_DUP
    assert double.also == ("branch-0000/0000-000007", "branch-0002/0002-000019")


def test_two_whole_ranges_that_overlap_are_doubled_numbers(wire: Wire, tmp_path: Path) -> None:
    made = bureau(31, branches=2, records=20)
    made.blocks.clear()
    for side in (made.central, made.ledger):
        first = int(side["branch-0000"][15].serial[1:])
        side["branch-0001"] = [
            replace(r, serial=f"赣{first + n:012d}") for n, r in enumerate(side["branch-0001"])
        ]
    breaks = compared(wire, made, tmp_path).breaks
    assert Counter(b.kind for b in breaks) == {BreakClass.SERIAL_DUP: 5}


def test_a_comparison_of_a_thousandfold_bureau_names_what_was_seeded(
    wire: Wire, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    made = seeded(seed, branches=300, records=200, each=7)
    comparison = compared(wire, made, tmp_path)
    assert_found(comparison, made, seed)
    assert comparison.looked_at < 300


@pytest.mark.parametrize("rule", ["guard", "serial audit", "other branches"])
def test_without_this_rule_the_seeds_are_not_what_is_found(
    wire: Wire, tmp_path: Path, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = seeded(31, branches=6, records=200, each=3)
    ledger = made.ledger["branch-0000"]
    for one, other in ((5, 11), (17, 23)):  # beside the seeds: keys that hit strangers
        if rule == "guard":
            swap = (replace(ledger[one], slip=ledger[other].slip),
                    replace(ledger[other], slip=ledger[one].slip))  # fmt: skip
            ledger[one], ledger[other] = swap
    undo = {
        "guard": (Matcher, "trusts", lambda *_: True),
        "serial audit": (resolving, "_audit", lambda *_, **__: None),
        "other branches": (resolving, "_elsewhere", lambda *_: None),
    }
    with_rule = found(compared(wire, made, tmp_path))
    monkeypatch.setattr(*undo[rule])
    assert found(again(wire, made, tmp_path)) != with_rule
