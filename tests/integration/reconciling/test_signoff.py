"""Signatures of branches and waivers: whose count, over what, and what voids them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from dr.engine.core.errors import NotAllowedError, PlanChangedError, UserError
from dr.engine.core.events import Kind
from dr.engine.core.reconciliation import BranchState
from dr.engine.service.branch_signing import check_branch, namespace
from dr.engine.service.signing import sign
from tests.integration.approvals.bureau import RUN
from tests.integration.reconciling.office import BRANCHES, Office, lost


def state(office: Office, branch: str) -> BranchState:
    at = office.reconciling.open(RUN)
    return at.session.state_of(at.branch(branch), office.clock.now())


def test_the_head_signs_and_the_signature_is_checked_from_the_journal_alone(
    office: Office,
) -> None:
    office.compare("north")
    office.signing.sign(RUN, "north", by="cai")
    assert state(office, "north") is BranchState.SIGNED
    at = office.reconciling.open(RUN)
    assert check_branch(at.session, at.branch("north"), at.record.inventory).holds is True


def test_a_signature_under_other_words_does_not_check(office: Office) -> None:
    office.compare("north")
    office.signing.sign(RUN, "north", by="cai")
    at = office.reconciling.open(RUN)
    signed = at.branch("north").signature
    assert signed is not None
    signed.signature = signed.signature.replace("U1NI", "U1NJ", 1)
    assert check_branch(at.session, at.branch("north"), at.record.inventory).holds is False


def test_nobody_but_the_head_or_the_deputy_signs(office: Office) -> None:
    office.compare("north")
    with pytest.raises(NotAllowedError, match="does not sign for branch 'north'"):
        office.signing.sign(RUN, "north", by="fei")
    office.signing.sign(RUN, "north", by="eva")  # cai's deputy
    assert state(office, "north") is BranchState.SIGNED


def test_who_made_a_proposal_does_not_sign_for_it(office: Office) -> None:
    office.compare("north", lost(1))
    office.reconciling.propose(RUN, "c1", resolution="lost", by="cai", reason="gone")
    office.reconciling.approve(RUN, "c1", by="fei")
    with pytest.raises(NotAllowedError, match="proposed case c1"):
        office.signing.sign(RUN, "north", by="cai")


def test_nobody_signs_while_a_case_is_open(office: Office) -> None:
    office.compare("north", lost(1))
    with pytest.raises(UserError, match="1 cases that are not settled"):
        office.signing.sign(RUN, "north", by="cai")


def test_nobody_signs_before_anything_was_compared(office: Office) -> None:
    with pytest.raises(UserError, match="has not been compared yet"):
        office.signing.sign(RUN, "north", by="cai")


def test_another_persons_key_does_not_sign_for_the_head(office: Office) -> None:
    office.compare("north")
    foreign = office.workspace / "keys/people/fei"
    with pytest.raises(NotAllowedError, match="does not count"):
        office.signing.sign(RUN, "north", by="cai", key=foreign)
    assert state(office, "north") is BranchState.CLEAN


def test_what_was_signed_on_another_machine_counts_while_nothing_moved(office: Office) -> None:
    office.compare("north")
    text = office.signing.statement(RUN, "north")
    key = office.workspace / "keys/people/cai"
    made = sign(text, namespace(office.inventory), key)
    office.compare("north", sha="bb")
    with pytest.raises(NotAllowedError, match="does not fit"):
        office.signing.sign(RUN, "north", by="cai", signature=made)
    office.compare("north", sha="aa")
    text = office.signing.statement(RUN, "north")
    made = sign(text, namespace(office.inventory), key)
    office.signing.sign(RUN, "north", by="cai", signature=made)
    assert state(office, "north") is BranchState.SIGNED


def test_a_signature_made_for_a_gate_does_not_sign_a_branch_off(office: Office) -> None:
    office.compare("north")
    text = office.signing.statement(RUN, "north")
    made = sign(text, "dr-approval@lab.example", office.workspace / "keys/people/cai")
    with pytest.raises(NotAllowedError):
        office.signing.sign(RUN, "north", by="cai", signature=made)


def test_a_spoken_sign_off_needs_the_digits_and_two_witnesses(office: Office) -> None:
    office.compare("north")
    code = office.signing.code(RUN, "north")
    with pytest.raises(PlanChangedError):
        office.signing.voice(RUN, "north", by="cai", code="1" * 12, witnesses=["ana", "bo"])
    for heard in (["ana"], ["ana", "ana"], ["ana", "cai"]):
        with pytest.raises(NotAllowedError, match="two different witnesses"):
            office.signing.voice(RUN, "north", by="cai", code=code, witnesses=heard)
    office.signing.voice(RUN, "north", by="cai", code=code, witnesses=["ana", "bo"])
    assert state(office, "north") is BranchState.SIGNED


def test_the_digits_are_others_once_the_branch_stands_otherwise(office: Office) -> None:
    office.compare("north")
    before = office.signing.code(RUN, "north")
    office.compare("north", sha="bb")
    assert office.signing.code(RUN, "north") != before


def test_a_waiver_is_signed_by_leadership_and_names_what_it_waives(office: Office) -> None:
    office.compare("north", lost(1))
    with pytest.raises(NotAllowedError, match="may not waive"):
        office.signing.waive(RUN, ["north"], by="fei", reason="no")
    office.signing.waive(RUN, ["north"], by="ana", reason="the office burnt down")
    (event,) = [e for e in office.journal.events(RUN) if e.kind is Kind.RECONCILE_WAIVED]
    assert json.loads(event.data["statement"])["waives"]["north"][1] == 1
    assert state(office, "north") is BranchState.WAIVED


def test_a_waiver_does_not_cover_what_comes_to_light_after_it(office: Office) -> None:
    office.signing.waive(RUN, ["north"], by="ana", reason="nothing was ever handed in")
    assert state(office, "north") is BranchState.WAIVED
    office.compare("north", lost(1), lost(2))
    assert state(office, "north") is BranchState.WORKING


def test_a_waived_branch_is_a_debt_again_when_the_waiver_lapses(office: Office) -> None:
    office.signing.waive(RUN, ["north"], by="ana", reason="x", lasts=timedelta(days=2))
    office.clock.pass_(timedelta(days=3))
    assert state(office, "north") is BranchState.WAITING


def test_a_branch_that_has_signed_is_not_waived(office: Office) -> None:
    office.compare("north")
    office.signing.sign(RUN, "north", by="cai")
    with pytest.raises(UserError, match="has signed"):
        office.signing.waive(RUN, ["north"], by="ana", reason="x")


def test_a_branch_without_a_declared_head_can_not_sign(office: Office) -> None:
    head = BRANCHES["north"].pop("responsible")
    try:
        bare = Office(office.workspace, office.inventory)
        bare.begin()
        bare.compare("north")
        with pytest.raises(NotAllowedError, match="does not sign") as refused:
            bare.signing.sign(RUN, "north", by="eva")
        assert "responsible" in refused.value.hint
    finally:
        BRANCHES["north"]["responsible"] = head
