"""Which record is which: keys that are believed, and likeness that is only proposed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dr.reconcile.breaks import Break, BreakClass, MatchPass, break_id
from dr.reconcile.canon import Canon
from dr.reconcile.matching import Candidate, Matcher
from dr.reconcile.progress import progress
from dr.reconcile.relation import Row
from dr.reconcile.shape import BUREAU_ZONE, FuzzyRule, RecordShape
from dr.reconcile.window import Window

SHAPE = RecordShape.of(
    {
        "columns": {
            "slip": {"kind": "code"},
            "receipt": {"kind": "code"},
            "parcel": {"kind": "code"},
            "holder": {"kind": "owners"},
            "amount": {"kind": "number"},
        },
        "key": "slip",
        "receipt": "receipt",
        "moment": "",
        "agree": ["parcel", "holder", "amount"],
        "same": ["parcel", "holder", "amount"],
        "fuzzy": [{"weights": {"parcel": 4, "holder": 3, "slip": 3}}],
    }
)
CANON = Canon(SHAPE, BUREAU_ZONE)


def one(*values: str | None) -> Candidate:
    return Candidate(Row("b1", values), CANON.row(values))


MINE = one("S-1", "R-1", "P-1", "张伟", "10.00")


def matched(ledger: list[Candidate], central: list[Candidate], **more: object) -> list[MatchPass]:
    found = Matcher(replace(SHAPE, **more)).match(ledger, central)  # type: ignore[arg-type]
    return [pair.by for pair in found.pairs]


def test_an_equal_key_counts_only_when_two_other_columns_are_equal() -> None:
    assert matched([MINE], [one("S-1", "R-9", "P-1", "张伟", "99")]) == [MatchPass.KEY]
    assert matched([MINE], [one("S-1", "R-9", "P-1", "李娜", "99")], fuzzy=()) == []
    assert matched([MINE], [one("S-1", "R-9", "P-9", "李娜", "99")]) == []


def test_what_is_null_on_one_side_neither_agrees_nor_disagrees() -> None:
    assert matched([MINE], [one("S-1", None, None, None, "10")]) == [MatchPass.KEY]
    assert matched([MINE], [one("S-1", None, None, None, None)]) == [MatchPass.KEY]
    assert matched([MINE], [one("S-1", None, None, None, "11")], fuzzy=()) == []


def test_the_receipt_number_comes_after_the_key_and_is_guarded_too() -> None:
    assert matched([MINE], [one("S-7", "R-1", "P-1", "张伟", "99")]) == [MatchPass.RECEIPT]
    assert matched([MINE], [one("S-7", "R-1", "P-9", "李娜", "99")]) == []


def test_the_same_business_under_two_numbers_is_a_proposal_only_when_it_is_the_only_one() -> None:
    twin = one("S-7", "R-7", "P-1", "张伟", "10")
    assert matched([MINE], [twin]) == [MatchPass.BUSINESS]
    assert matched([MINE], [twin, one("S-8", "R-8", "P-1", "张伟", "10")], fuzzy=()) == []


def test_likeness_needs_a_score_and_a_margin_and_shows_the_score() -> None:
    near = one("S-11", "R-7", "P-1", "张 伟", "99")
    (pair,) = Matcher(SHAPE).match([MINE], [near]).pairs
    assert pair.by is MatchPass.FUZZY
    assert pair.score is not None
    assert 80 <= pair.score < 100
    # a second one that is as near: nobody can tell which
    assert matched([MINE], [near, one("S-12", "R-8", "P-1", "张伟", "98")]) == []
    strict = (FuzzyRule(SHAPE.fuzzy[0].weights, least=99),)
    assert matched([MINE], [near], fuzzy=strict) == []


def test_two_records_that_want_the_same_partner_get_none_of_it() -> None:
    ledger = [one("S-1", "R-1", "P-1", "张伟", "10"), one("S-2", "R-2", "P-1", "张伟", "11")]
    assert matched(ledger, [one("S-3", "R-3", "P-1", "张伟", "12")]) == []


def test_columns_that_the_evidence_does_not_have_are_not_compared() -> None:
    poor = replace(MINE, absent=frozenset({"receipt"}))
    other = one("S-1", "R-9", "P-1", "张伟", "10")
    assert Matcher(SHAPE).differences(poor, other) == ()
    assert [f.column for f in Matcher(SHAPE).differences(MINE, other)] == ["receipt"]


def test_the_window_reaches_back_by_its_overlap_and_ends_when_service_was_back() -> None:
    point = datetime(2026, 11, 25, 2, tzinfo=UTC)
    hour = timedelta(hours=1)
    window = Window(point, point + hour, overlap=hour)
    assert window.holds(point - hour)
    assert not window.holds(point - hour - timedelta(seconds=1))
    assert not window.holds(point + hour)
    assert window.holds(None)
    assert Window(point).holds(point + 1000 * hour)
    # a branch's clock that is half a minute behind makes no hole
    assert not window.is_before_recovery_point(point - timedelta(seconds=30))
    assert window.is_before_recovery_point(point - timedelta(minutes=2))


def test_a_name_depends_on_session_class_branch_and_key() -> None:
    names = {
        break_id(s, kind, branch, key)
        for s in ("s1", "s2")
        for kind in (BreakClass.LATE, BreakClass.IN_FLIGHT)
        for branch in ("b1", "b2")
        for key in ("k", "k2")
    }
    assert len(names) == 16
    # the name is part of what people sign: it never changes
    assert break_id("s1", BreakClass.LATE, "b1", "k") == "1880494682866739c319"


def made(key: str, branch: str = "b1") -> Break:
    name = break_id("s", BreakClass.LATE, branch, key)
    return Break(name, branch, BreakClass.LATE, key)


def test_only_what_two_comparisons_find_is_confirmed() -> None:
    seen = progress([made("a"), made("b")], [made("b"), made("c")])
    assert ([b.key for b in seen.new], [b.key for b in seen.still]) == (["c"], ["b"])
    assert [b.key for b in seen.gone] == ["a"]


def test_breaks_of_branches_that_were_not_looked_at_stay() -> None:
    seen = progress([made("a"), made("z", "b2")], [], branches=["b1"])
    assert [b.key for b in seen.gone] == ["a"]
    assert [b.key for b in seen.still] == ["z"]
