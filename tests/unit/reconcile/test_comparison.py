"""What a branch did, against what the recovered database has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dr.reconcile.comparison import (
    Gap,
    Record,
    compare,
    doubled,
    greatest_numbers,
    last_acknowledged,
    serial_gaps,
    touched_since,
)
from dr.reconcile.ledger import Entry, Ledger, Told
from dr.reconcile.worklist import worklist

START = datetime(2026, 11, 22, 3, tzinfo=UTC)


def entry(key: str, told: Told = Told.ACKNOWLEDGED, *, second: int = 0, receipt: int = 0) -> Entry:
    return Entry(
        key=key,
        at=START + timedelta(seconds=second),
        told=told,
        parcel=f"P-{key}",
        numbers={"receipt": receipt} if receipt else {},
        row={"slip": key, "note": "=1+1"},
    )


def ledger(*entries: Entry) -> Ledger:
    return Ledger("b1", entries)


def test_only_acknowledged_business_that_is_missing_is_lost() -> None:
    result = compare(
        ledger(
            entry("lost"),
            entry("kept"),
            entry("open", Told.UNKNOWN),
            entry("arrived", Told.UNKNOWN),
            entry("refused", Told.FAILED),
        ),
        [Record("kept"), Record("arrived"), Record("by-somebody-else")],
    )
    assert [e.key for e in result.lost] == ["lost"]
    assert [e.key for e in result.open] == ["open"]
    assert [e.key for e in result.arrived] == ["arrived"]
    assert [r.key for r in result.unlisted] == ["by-somebody-else"]
    assert result.parcels == {"P-lost", "P-open"}


def test_the_same_slip_with_another_receipt_number_differs() -> None:
    result = compare(ledger(entry("a", receipt=7)), [Record("a", numbers={"receipt": 8})])
    assert [e.key for e, _ in result.differing] == ["a"]
    assert result.parcels == {"P-a"}


def test_refused_business_holds_no_parcel_and_unanswered_business_does() -> None:
    found = touched_since(
        ledger(
            entry("before", second=-5),
            entry("after", second=5),
            entry("unanswered", Told.UNKNOWN, second=5),
            entry("refused", Told.FAILED, second=5),
        ),
        START,
    )
    assert found == {"P-after", "P-unanswered"}


def test_numbers_of_refused_business_count_as_issued() -> None:
    books = [ledger(entry("a", receipt=5), entry("b", Told.FAILED, receipt=9))]
    assert greatest_numbers(books, ["receipt", "certificate"]) == {
        "receipt": 9,
        "certificate": None,
    }


def test_the_last_answer_is_not_that_of_unanswered_business() -> None:
    book = ledger(entry("a", second=1), entry("b", Told.UNKNOWN, second=9))
    assert last_acknowledged([book]) == START + timedelta(seconds=1)


def test_two_keys_with_one_number_are_found_and_one_key_twice_is_not() -> None:
    assert doubled([("a", 1), ("b", 1), ("c", 2), ("c", 2)]) == {1: ("a", "b")}


@given(st.sets(st.integers(1, 60)), st.integers(1, 60), st.integers(1, 60))
def test_gaps_and_used_numbers_together_are_the_whole_range(
    used: set[int], first: int, last: int
) -> None:
    gaps = serial_gaps(used, first, last)
    missing = {n for gap in gaps for n in range(gap.first, gap.last + 1)}
    assert missing == set(range(first, last + 1)) - used
    assert all(a.last + 1 < b.first for a, b in pairwise(gaps))


def test_a_gap_is_a_range_and_not_a_list_of_numbers() -> None:
    assert serial_gaps([1, 5_000_000], 1, 5_000_000) == [Gap(2, 4_999_999)]


def test_a_work_list_with_nothing_on_it_still_has_the_columns_of_the_ledger() -> None:
    none_missing = Ledger("branch-01", (), header=("slip", "parcel"))
    assert worklist(compare(none_missing, [])) == "\ufefffinding / 结果,slip,parcel\r\n"


def test_the_work_list_names_each_finding_and_carries_no_formula() -> None:
    text = worklist(compare(ledger(entry("a"), entry("b", Told.UNKNOWN)), []))
    lines = text.splitlines()
    assert text.startswith("\ufeff")
    assert len(lines) == 3
    assert "'=1+1" in lines[1]
    assert lines[1].startswith('"acknowledged, missing')
