"""Sessions as a fold: what people decide, what comparisons prove, and when a session may close."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dr.engine.core.events import Event, Kind
from dr.engine.core.reconciled import may_close, overdue, totals
from dr.engine.core.reconciliation import BranchState, CaseState, Found, Rule, Session, share
from dr.engine.core.reconciling import closing_drafts
from dr.engine.core.values import utc_text
from dr.engine.core.view import RunView, fold

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
RUN = "R-20261101-abcde"


class Told:
    """A run's journal, one event a minute."""

    def __init__(self, *branches: str, **more: Any) -> None:
        self.view = RunView(RUN)
        self.events: list[Event] = []
        data = {
            "session": f"{RUN}/sign#1",
            "from": utc_text(START - timedelta(hours=2)),
            "to": utc_text(START),
            "branches": list(branches),
            "due": utc_text(START + timedelta(hours=24)),
            **more,
        }
        self.say(Kind.RECONCILE_OPENED, **data)

    @property
    def now(self) -> datetime:
        return START + timedelta(minutes=self.view.seq)

    @property
    def session(self) -> Session:
        assert self.view.session is not None
        return self.view.session

    def say(self, kind: Kind, **data: Any) -> None:
        seq = self.view.seq + 1
        at = START + timedelta(minutes=seq)
        self.events.append(Event(RUN, seq, at, kind, "sign", None, None, 1, data, f"h{seq}"))
        self.view.apply(self.events[-1])

    def compare(self, branch: str, *cases: Found, sha: str = "aa") -> None:
        found = [case.to_data() for case in cases]
        self.say(Kind.RECONCILE_COMPARED, branch=branch, evidence=sha, entries=9, cases=found)

    def decide(self, branch: str, case: str, verb: str, by: str, **more: Any) -> None:
        self.say(Kind.RECONCILE_DECIDED, branch=branch, case=case, verb=verb, by=by, **more)

    def sign(self, branch: str) -> None:
        digest = self.session.digest_of(self.session.branches[branch])
        self.say(Kind.RECONCILE_SIGNED, branch=branch, digest=digest, by="he", means="signature")

    def state(self, branch: str) -> BranchState:
        return self.session.state_of(self.session.branches[branch], self.now)

    def close(self) -> str:
        return may_close(self.session, self.now)[0]


def lost(number: int, branch: str = "a", amount: str = "100.50") -> Found:
    return Found(
        id=f"c{number}",
        branch=branch,
        what="missing_central",
        key=f"{branch}/{number}",
        amount=amount,
        ledger={"slip": str(number)},
    )


def test_a_branch_that_handed_nothing_in_waits_and_keeps_the_session_open() -> None:
    told = Told("a")
    assert told.state("a") is BranchState.WAITING
    assert told.close() == ""


def test_absence_of_differences_is_not_consent() -> None:
    told = Told("a")
    told.compare("a")
    assert told.state("a") is BranchState.CLEAN
    assert told.close() == ""
    told.sign("a")
    assert told.close() == "signed_off"


def test_a_correction_is_settled_by_a_comparison_and_by_nothing_else() -> None:
    told = Told("a")
    told.compare("a", lost(1))
    told.decide("a", "c1", "propose", "ma", resolution="re-enter")
    told.decide("a", "c1", "approve", "xu")
    case = told.session.branches["a"].cases["c1"]
    assert case.state is CaseState.APPROVED
    told.compare("a", lost(1))
    assert case.state is CaseState.APPROVED, "the difference is still there"
    told.compare("a")
    assert (case.state, case.how, case.outcome) == (CaseState.SETTLED, "proven", "re-enter")


def test_what_vanishes_before_anybody_decided_counts_as_gone_and_not_as_corrected() -> None:
    told = Told("a")
    told.compare("a", lost(1))
    told.decide("a", "c1", "propose", "ma", resolution="re-enter")
    told.compare("a")
    case = told.session.branches["a"].cases["c1"]
    assert (case.how, case.outcome) == ("gone", "gone")


def test_what_two_people_accepted_stays_settled_though_it_is_found_again() -> None:
    told = Told("a")
    told.compare("a", lost(1))
    told.decide("a", "c1", "propose", "ma", resolution="lost")
    told.decide("a", "c1", "approve", "xu")
    told.compare("a", lost(1))
    assert told.session.branches["a"].cases["c1"].outcome == "lost"


def test_what_two_people_accepted_is_open_again_once_it_is_something_else() -> None:
    told = Told("a")
    told.compare("a", lost(1))
    told.decide("a", "c1", "propose", "ma", resolution="accept")
    told.decide("a", "c1", "approve", "xu")
    changed = Found("c1", "a", "missing_central", "a/1", ledger={"slip": "1", "parcel": "P9"})
    told.compare("a", changed)
    assert told.session.branches["a"].cases["c1"].state is CaseState.OPEN


def test_a_difference_that_comes_back_is_open_again_and_nobody_decided_about_it() -> None:
    told = Told("a")
    told.compare("a", lost(1))
    told.decide("a", "c1", "propose", "ma", resolution="re-enter")
    told.decide("a", "c1", "approve", "xu")
    told.compare("a")
    told.compare("a", lost(1))
    case = told.session.branches["a"].cases["c1"]
    assert (case.state, case.maker, case.reopened) == (CaseState.OPEN, "", 1)


def test_a_signature_is_void_once_the_branch_stands_otherwise() -> None:
    told = Told("a")
    told.compare("a")
    told.sign("a")
    assert told.state("a") is BranchState.SIGNED
    told.compare("a", lost(1))
    assert told.state("a") is BranchState.WORKING
    assert told.close() == ""


def test_another_ledger_voids_the_signature_though_it_shows_no_difference() -> None:
    told = Told("a")
    told.compare("a", sha="aa")
    told.sign("a")
    told.compare("a", sha="bb")
    assert told.state("a") is BranchState.CLEAN


def test_a_file_that_can_not_be_read_leaves_what_an_earlier_one_showed() -> None:
    told = Told("a")
    told.compare("a", lost(1))
    told.say(Kind.RECONCILE_RECEIVED, branch="a", sha256="bb", problem="no ledger")
    assert told.state("a") is BranchState.WORKING
    assert told.session.branches["a"].problem == "no ledger"


def test_leadership_may_waive_the_rest_only_when_enough_have_signed() -> None:
    names = [f"b{n}" for n in range(10)]
    told = Told(*names, rule={"waivable": "90%"})
    for name in names[:8]:
        told.compare(name)
        told.sign(name)
    told.say(Kind.RECONCILE_WAIVED, branches=names[8:], by="chen")
    assert told.close() == ""
    told.compare(names[8])
    told.sign(names[8])
    assert told.close() == "waived"


def test_a_waiver_that_lapsed_counts_no_more() -> None:
    told = Told("a", rule={"waivable": "0%"})
    until = utc_text(START + timedelta(minutes=3))
    told.say(Kind.RECONCILE_WAIVED, branches=["a"], by="chen", expires=until)
    assert told.close() == "waived"
    told.say(Kind.RECONCILE_REMINDED, branches=["a"])
    assert told.state("a") is BranchState.WAITING
    assert told.close() == ""


def test_value_at_risk_says_how_many_cases_nobody_can_price() -> None:
    told = Told("a")
    told.compare("a", lost(1, amount="100.10"), lost(2, amount="0.20"), lost(3, amount=""))
    stand = totals(told.session, told.now)
    assert (stand.at_risk, stand.unpriced, stand.open_cases) == (Decimal("100.30"), 1, 3)


def test_what_was_settled_is_counted_and_summed_by_what_became_of_it() -> None:
    told = Told("a")
    told.compare("a", lost(1, amount="5"), lost(2, amount="7"))
    for case, what in (("c1", "re-enter"), ("c2", "lost")):
        told.decide("a", case, "propose", "ma", resolution=what)
        told.decide("a", case, "approve", "xu")
    told.compare("a", lost(2, amount="7"))
    stand = totals(told.session, told.now)
    assert stand.settled == {"re-enter": 1, "lost": 1}
    assert stand.settled_value == {"re-enter": Decimal(5), "lost": Decimal(7)}
    assert stand.settled_unpriced == {"re-enter": 0, "lost": 0}


def test_what_was_settled_without_anybody_knowing_its_value_is_no_zero() -> None:
    told = Told("a")
    told.compare("a", lost(1, amount="5"), lost(2, amount=""))
    for case in ("c1", "c2"):
        told.decide("a", case, "propose", "ma", resolution="lost")
        told.decide("a", case, "approve", "xu")
    stand = totals(told.session, told.now)
    assert stand.settled_value == {"lost": Decimal(5)}
    assert stand.settled_unpriced == {"lost": 1}


def test_only_branches_that_handed_nothing_in_are_overdue() -> None:
    told = Told("a", "b")
    told.compare("a", lost(1))
    assert overdue(told.session, told.now) == []
    assert overdue(told.session, START + timedelta(hours=25)) == ["b"]


def test_a_late_ledger_opens_a_closed_session_again() -> None:
    told = Told("a")
    told.compare("a")
    told.sign("a")
    told.say(Kind.RECONCILE_CLOSED, how="signed_off")
    assert told.session.closed is not None
    told.say(Kind.RECONCILE_REOPENED, by="ma", because="late")
    told.compare("a", lost(1), sha="bb")
    assert told.session.closed is None
    assert told.close() == ""


def test_a_statement_names_every_case_and_what_became_of_it() -> None:
    told = Told("a")
    told.compare("a", lost(1))
    before = told.session.text_of(told.session.branches["a"])
    told.decide("a", "c1", "propose", "ma", resolution="lost")
    told.decide("a", "c1", "approve", "xu")
    after = told.session.text_of(told.session.branches["a"])
    assert '["c1","missing_central","lost","ma","xu"]' in after
    assert before != after


def test_the_fold_of_a_session_is_the_same_when_it_is_read_again() -> None:
    told = Told("a")
    told.compare("a", lost(1))
    told.decide("a", "c1", "propose", "ma", resolution="lost")
    assert fold(RUN, told.events).session == told.session


@pytest.mark.parametrize("text", ["101%", "-1%", "2", "x"])
def test_a_share_outside_of_0_to_100_percent_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        share(text)


def test_a_rule_reads_percentages_as_people_write_them() -> None:
    assert Rule.of({"signed_off": "95%", "unexplained": 3}) == Rule(0.95, 3, 0.95)


def test_the_locks_are_taken_again_once_and_not_at_the_close_too() -> None:
    told = Told("a", frees_locks=True)
    assert closing_drafts(told.session, "signed_off", {})[0].data["takes_locks"] is True
    told.say(Kind.OP_RETRY, by="ana", because="x", takes_locks=True)
    assert closing_drafts(told.session, "signed_off", {})[0].data["takes_locks"] is False


def test_a_session_that_closes_after_the_end_of_its_run_takes_no_locks() -> None:
    told = Told("a", frees_locks=True)
    assert closing_drafts(told.session, "waived", {}, ended=True)[0].data["takes_locks"] is False


def test_who_is_not_awaited_need_not_sign_but_its_cases_must_be_settled() -> None:
    told = Told("a", "b")
    stranger = Found("g1", "bureau", "serial_gap", key="7-9", critical=True)
    for name in ("a", "b"):
        told.compare(name)
        told.sign(name)
    told.compare("bureau", stranger, sha="")
    assert told.close() == ""
    told.compare("bureau", sha="")
    assert told.close() == "signed_off"
