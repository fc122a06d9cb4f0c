"""What a report of a reconciliation counts, and what it must never count as zero."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.engine.core.ports import Check
from dr.engine.core.reconciliation import Case
from dr.engine.core.values import UNKNOWN
from dr.incidents.reconciliation.content import verdict
from dr.incidents.reconciliation.facts import ReconciliationFacts, Sum
from dr.incidents.reconciliation.reading import reconciliation_facts, total
from dr.incidents.report.reading import report_data
from tests.unit.incidents.branch_story import Told, begun, found, many, reconciled_record, week
from tests.unit.incidents.story import START, recovered_night


def facts(told: Told, **more: object) -> ReconciliationFacts:
    made = reconciliation_facts(
        reconciled_record(),
        told.view,
        told.teller.now,
        **more,  # type: ignore[arg-type]
    )
    assert made is not None
    return made


def test_a_run_without_a_session_has_no_reconciliation_to_report() -> None:
    data = report_data(reconciled_record(), recovered_night().events)
    assert data.reconciliation is None


def test_each_outcome_is_counted_with_its_value() -> None:
    made = facts(week())
    assert made.outcomes["re-enter"] == Sum(1, "1250000.00")
    assert made.outcomes["adjust"] == Sum(1, "80000")
    assert made.outcomes["void"] == Sum(1, "300.50")
    assert made.outcomes["accept"] == Sum()
    assert made.outcomes["gone"] == Sum(1, "12")


def test_what_was_lost_for_ever_at_an_unknown_price_is_unknown_and_not_zero() -> None:
    made = facts(week())
    assert made.outcomes["lost"] == Sum(1, UNKNOWN, 1)
    assert made.open == Sum(2, "990000", 1)


@pytest.mark.parametrize("amount", ["", "NaN", "Infinity", "1E+999999", "about 5", "1,000"])
def test_an_amount_that_is_no_number_is_unknown(amount: str) -> None:
    case = Case(found("branch-01", 1, amount=amount), since=START)
    assert total([case]) == Sum(1, UNKNOWN, 1)


@given(
    st.lists(st.one_of(st.none(), st.decimals(0, 10**9, places=2)), max_size=30),
)
def test_a_sum_is_that_of_the_known_and_the_unknown_are_counted(
    amounts: list[Decimal | None],
) -> None:
    cases = [
        Case(found("branch-01", 1, amount="" if a is None else str(a)), since=START)
        for a in amounts
    ]
    made, known = total(cases), [a for a in amounts if a is not None]
    assert (made.count, made.unpriced) == (len(amounts), len(amounts) - len(known))
    if amounts and not known:
        assert made.value is UNKNOWN
    else:
        assert Decimal(str(made.value)) == sum(known, Decimal())


def test_recovered_and_closed_are_two_moments() -> None:
    told = week()
    assert facts(told).closed is None
    told.closed("waived")
    made = facts(told)
    assert made.recovered is not None
    assert made.closed is not None
    assert made.closed - made.recovered > timedelta(hours=5)


def test_states_are_counted_and_a_branch_that_was_refused_is_not_one_that_waits() -> None:
    made = facts(week())
    assert made.states == {
        "waiting": 0, "refused": 1, "working": 1, "clean": 0, "signed": 2, "waived": 1,
    }  # fmt: skip
    assert made.answered == 3


def test_entries_of_a_branch_that_was_not_compared_are_unknown() -> None:
    made = facts(week())
    assert made.branch("branch-05").entries is UNKNOWN
    assert made.branch("branch-01").entries == 40


def test_the_oldest_open_case_is_named() -> None:
    made = facts(week())
    assert made.oldest is not None
    assert (made.oldest.branch, made.oldest.case) == ("branch-04", "0400000001")


def test_a_waiver_is_told_once_with_its_reason_and_lapses_at_its_expiry() -> None:
    told = week()
    (waiver,) = facts(told).waivers
    assert (waiver.branches, waiver.by.id, waiver.lapsed) == (("branch-03",), "chen.wei", False)
    assert waiver.reason == "flooded; its ledger dries"
    later = reconciliation_facts(
        reconciled_record(), told.view, told.teller.now + timedelta(days=31)
    )
    assert later is not None
    assert later.waivers[0].lapsed is True
    assert later.states["waived"] == 0


def test_a_signature_is_good_only_when_it_was_checked_and_held() -> None:
    told = week()
    unchecked = facts(told).branch("branch-01").signature
    held = facts(told, checks={"branch-01": Check(holds=True)}).branch("branch-01").signature
    broken = facts(told, checks={"branch-01": Check(holds=False)}).branch("branch-01").signature
    spoken = facts(told).branch("branch-02").signature
    assert unchecked is not None
    assert held is not None
    assert broken is not None
    assert spoken is not None
    assert [verdict(s) for s in (unchecked, held, broken, spoken)] == [
        "not", "good", "bad", "spoken",
    ]  # fmt: skip


def test_a_signature_is_void_once_the_branch_moved_on() -> None:
    told = week()
    told.compared("branch-01", [found("branch-01", 9)], 41)
    made = facts(told, checks={"branch-01": Check(holds=True)})
    signed = made.branch("branch-01").signature
    assert signed is not None
    assert verdict(signed) == "void"
    assert made.branch("branch-01").state == "working"


def test_cases_are_told_only_of_the_branches_that_are_asked_for() -> None:
    made = facts(week(), cases_of={"branch-04"})
    assert len(made.branch("branch-04").cases) == 2
    assert made.branch("branch-01").cases == ()
    assert made.branch("branch-01").total.count == 2


def test_three_thousand_branches_are_all_counted() -> None:
    made = facts(many(3000))
    assert sum(made.states.values()) == len(made.branches) == 3000
    assert all(count > 0 for count in made.states.values())


def test_an_empty_session_is_no_error() -> None:
    made = facts(begun([]))
    assert (made.answered, made.open.count, made.oldest) == (0, 0, None)
