"""Makers and checkers: who may decide what, and what happens when two decide at once."""

from __future__ import annotations

import threading

import pytest

from dr.engine.core.errors import DrError, MovedError, NotAllowedError, UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.reconciliation import CaseState
from tests.integration.approvals.bureau import RUN
from tests.integration.reconciling.office import Office, lost


def test_a_maker_can_not_check_and_a_second_person_can(office: Office) -> None:
    office.compare("north", lost(1))
    office.reconciling.propose(RUN, "c1", resolution="lost", by="eva", reason="the paper burnt")
    with pytest.raises(NotAllowedError, match="maker and checker are two"):
        office.reconciling.approve(RUN, "c1", by="eva")
    office.reconciling.approve(RUN, "c1", by="fei")
    assert office.case("c1").outcome == "lost"


def test_a_correction_stays_to_be_proven_after_both_agreed(office: Office) -> None:
    office.compare("north", lost(1))
    office.reconciling.propose(
        RUN, "c1", resolution="re-enter", by="eva", reason="yes", reference="30077"
    )
    office.reconciling.approve(RUN, "c1", by="cai")
    assert office.case("c1").state is CaseState.APPROVED
    assert office.case("c1").reference == "30077"


def test_people_of_another_office_may_not_decide(office: Office) -> None:
    office.compare("north", lost(1))
    with pytest.raises(NotAllowedError, match="does not belong to branch 'north'"):
        office.reconciling.propose(RUN, "c1", resolution="lost", by="dan", reason="no")
    assert office.case("c1").state is CaseState.OPEN


def test_somebody_nobody_knows_may_not_decide(office: Office) -> None:
    office.compare("north", lost(1))
    with pytest.raises(NotAllowedError, match="not in the inventory"):
        office.reconciling.propose(RUN, "c1", resolution="lost", by="mallory", reason="no")


def test_a_clerk_is_told_who_has_taken_the_case(office: Office) -> None:
    office.compare("north", lost(1))
    office.reconciling.propose(RUN, "c1", resolution="lost", by="eva", reason="first")
    with pytest.raises(UserError, match="was taken by 'eva': lost"):
        office.another_process().propose(
            RUN, "c1", resolution="re-enter", by="fei", reason="second"
        )
    assert office.case("c1").reason == "first"


def test_nothing_is_proposed_for_a_case_that_is_settled(office: Office) -> None:
    office.compare("north", lost(1))
    office.compare("north")
    with pytest.raises(UserError, match="is settled"):
        office.reconciling.propose(RUN, "c1", resolution="lost", by="eva", reason="late")


def test_of_clerks_who_decide_in_one_moment_exactly_one_becomes_the_maker(office: Office) -> None:
    office.compare("north", lost(1))
    barrier, errors = threading.Barrier(2), []

    def decide(by: str) -> None:
        desk = office.another_process()
        desk.open(RUN)
        barrier.wait()
        try:
            desk.propose(RUN, "c1", resolution="lost", by=by, reason=f"by {by}")
        except DrError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=decide, args=(who,)) for who in ("eva", "fei")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    decided = [e for e in office.journal.events(RUN) if e.kind is Kind.RECONCILE_DECIDED]
    assert len(decided) == 1
    assert len(errors) == 1
    assert "was taken by" in errors[0]


def test_what_rests_on_an_old_look_is_not_written(office: Office) -> None:
    seq = office.reconciling.open(RUN).view.seq
    office.compare("north", lost(1))
    with pytest.raises(MovedError):
        office.journal.append(RUN, [Draft(Kind.OP_NOTE, data={"by": "x"})], after=seq)


def test_a_proposal_that_was_sent_back_is_open_again_with_the_reason(office: Office) -> None:
    office.compare("north", lost(1))
    office.reconciling.propose(RUN, "c1", resolution="accept", by="eva", reason="fine")
    office.reconciling.dispute(RUN, "c1", by="fei", reason="it is not")
    assert (office.case("c1").state, office.case("c1").reason) == (CaseState.OPEN, "it is not")


@pytest.mark.parametrize("resolution", ["reenter", "", "delete"])
def test_a_word_that_is_no_resolution_changes_nothing(office: Office, resolution: str) -> None:
    office.compare("north", lost(1))
    with pytest.raises(UserError, match="is no resolution"):
        office.reconciling.propose(RUN, "c1", resolution=resolution, by="eva", reason="x")
    assert office.case("c1").state is CaseState.OPEN


def test_a_decision_needs_a_reason(office: Office) -> None:
    office.compare("north", lost(1))
    with pytest.raises(UserError, match="a reason is missing"):
        office.reconciling.propose(RUN, "c1", resolution="lost", by="eva", reason="  ")


def test_a_case_is_named_by_a_beginning_that_no_other_has(office: Office) -> None:
    office.compare("north", lost(11), lost(12))
    with pytest.raises(UserError, match="several cases"):
        office.reconciling.open(RUN).case("c1")
    assert office.reconciling.open(RUN).case("c11")[1].found.key == "north/11"
    with pytest.raises(UserError, match="no case is called"):
        office.reconciling.open(RUN).case("zz")


def test_a_session_does_not_close_while_its_rule_is_not_met(office: Office) -> None:
    with pytest.raises(UserError, match="2 of 2 branches have not signed"):
        office.reconciling.close(RUN, by="ana")


def test_nothing_is_decided_in_a_closed_session_until_it_is_opened_again(office: Office) -> None:
    office.compare("north", lost(1))
    office.say(Kind.RECONCILE_CLOSED, how="waived")
    with pytest.raises(UserError, match="is closed"):
        office.reconciling.propose(RUN, "c1", resolution="lost", by="eva", reason="late")
    office.reconciling.reopen(RUN, by="ana", because="eva found the paper")
    office.reconciling.propose(RUN, "c1", resolution="re-enter", by="eva", reason="found")
    assert office.case("c1").maker == "eva"


@pytest.mark.parametrize("wrong", ["c9", "c2"])
def test_of_several_cases_all_are_decided_or_none(office: Office, wrong: str) -> None:
    office.compare("north", lost(1), lost(2))
    desk = office.reconciling
    with pytest.raises(UserError, match="no case is called"):
        desk.propose(RUN, "c1", "c9", resolution="lost", by="eva", reason="gone")
    assert office.case("c1").state is CaseState.OPEN
    desk.propose(RUN, "c1", resolution="lost", by="eva", reason="gone")
    with pytest.raises(UserError):
        desk.approve(RUN, "c1", wrong, by="fei")
    with pytest.raises(UserError):
        desk.dispute(RUN, "c1", wrong, by="fei", reason="it is not")
    assert office.case("c1").state is CaseState.PROPOSED


def test_a_case_that_is_named_twice_is_decided_once(office: Office) -> None:
    office.compare("north", lost(1))
    office.reconciling.propose(RUN, "c1", "c1", resolution="lost", by="eva", reason="gone")
    office.reconciling.approve(RUN, "c1", "c1", by="fei")
    assert office.case("c1").outcome == "lost"
