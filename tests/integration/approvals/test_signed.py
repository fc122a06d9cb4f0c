"""Approving and rejecting with real keys."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dr.engine.core.approval import Statement, gate_namespace
from dr.engine.core.errors import ExitCode, NotAllowedError, PlanChangedError, UserError
from dr.engine.core.questions import Answer, Standing
from dr.engine.core.values import utc_text
from dr.engine.service.signing import sign
from dr.engine.service.verification import verify_answer
from tests.integration.approvals.bureau import PLAN, RUN, START, Bureau, gate, make_key

NAMESPACE = gate_namespace("lab.example")


def _approve(bureau: Bureau, by: str = "ana", **more: object) -> Standing:
    reason = {"reason": "the disk array is gone", **more}
    return bureau.approvals.approve(RUN, "choose", by=by, **reason).standing  # type: ignore[arg-type]


def _signed_elsewhere(bureau: Bureau, by: str, **changes: object) -> tuple[str, str]:
    text = bureau.approvals.prepare_statement(RUN, "choose", by=by, reason="the array is gone")
    if changes:
        text = Statement(**{**_fields(text), **changes}).text()  # type: ignore[arg-type]
    return text, sign(text, NAMESPACE, bureau.key(by))


def _fields(text: str) -> dict[str, object]:
    read = Statement.read(text)
    return {name: getattr(read, name) for name in Statement.__slots__}


def test_a_signed_approval_opens_the_gate_and_an_auditor_can_check_it(bureau: Bureau) -> None:
    record = bureau.begin()
    assert _approve(bureau) is Standing.APPROVED
    (data,) = bureau.answers()
    assert (data["by"], data["choice"], data["means"]) == ("ana", "promote", "signature")
    check = verify_answer(Answer.from_data(data), record.inventory, run=RUN, question=gate())
    assert check.holds is True, check.because


def test_a_quorum_of_two_needs_two_people(bureau: Bureau) -> None:
    bureau.begin(gate(quorum=2))
    first = bureau.approvals.approve(RUN, "choose", by="ana", reason="gone")
    assert (first.standing, first.missing) == (Standing.OPEN, 1)
    assert _approve(bureau, "bo") is Standing.APPROVED


def test_one_person_can_not_approve_twice(bureau: Bureau) -> None:
    bureau.begin(gate(quorum=2))
    _approve(bureau)
    with pytest.raises(UserError, match="'ana' has already approved step 'choose'"):
        _approve(bureau)
    assert len(bureau.answers()) == 1


def test_one_rejection_rejects(bureau: Bureau) -> None:
    bureau.begin(gate(quorum=2))
    _approve(bureau)
    tally = bureau.approvals.reject(RUN, "choose", by="bo", reason="the array answers again")
    assert (tally.standing, tally.because) == (Standing.REJECTED, "the array answers again")


def test_whoever_started_the_run_can_not_approve_it(bureau: Bureau) -> None:
    bureau.inventory["people_groups"]["leadership"]["members"].append("fei")
    bureau.begin()
    with pytest.raises(NotAllowedError, match="four eyes") as caught:
        _approve(bureau, "fei")
    assert caught.value.exit_code == ExitCode.NOT_ALLOWED
    assert "ana" in caught.value.hint


def test_the_requester_is_recognised_by_another_of_their_names(bureau: Bureau) -> None:
    bureau.inventory["people"]["ana"]["os_user"] = "root"
    bureau.begin(gate(distinct_from=("root",)))
    with pytest.raises(NotAllowedError, match="four eyes"):
        _approve(bureau, "ana")


def test_somebody_outside_the_group_can_not_approve(bureau: Bureau) -> None:
    bureau.begin()
    with pytest.raises(NotAllowedError, match="'eva' may not answer 'choose'") as caught:
        _approve(bureau, "eva")
    assert caught.value.hint == "Ask one of: ana, bo, cai."


def test_a_stranger_can_not_approve(bureau: Bureau) -> None:
    bureau.begin()
    with pytest.raises(NotAllowedError, match="'anna' is not in the inventory") as caught:
        _approve(bureau, "anna")
    assert "Did you mean 'ana'?" in caught.value.hint


def test_deputies_count_from_the_moment_of_escalation_and_not_before(bureau: Bureau) -> None:
    bureau.begin()
    bureau.clock.pass_(timedelta(seconds=599))
    with pytest.raises(NotAllowedError):
        _approve(bureau, "dan")
    bureau.clock.pass_(timedelta(seconds=1))
    assert _approve(bureau, "dan") is Standing.APPROVED


def test_a_deputy_takes_the_place_of_somebody_away_and_only_then(bureau: Bureau) -> None:
    bureau.begin(gate(quorum=2))
    with pytest.raises(NotAllowedError):
        _approve(bureau, "eva")
    bureau.inventory["people"]["cai"]["away"] = [{"from": "2026-11-20", "until": "2026-11-22"}]
    assert _approve(bureau, "eva") is Standing.OPEN
    (data,) = bureau.answers()
    assert data["evidence"] == {"role": "leadership", "for": "cai"}
    with pytest.raises(UserError, match="'eva' has already approved"):
        _approve(bureau, "cai")


def test_an_approval_after_the_expiry_is_refused(bureau: Bureau) -> None:
    bureau.begin()
    bureau.clock.pass_(timedelta(minutes=30))
    with pytest.raises(NotAllowedError, match="expired"):
        _approve(bureau)


def test_a_statement_signed_elsewhere_counts_until_it_expires(bureau: Bureau) -> None:
    bureau.begin()
    text, signature = _signed_elsewhere(bureau, "ana")
    bureau.clock.pass_(timedelta(minutes=29))
    assert _approve(bureau, reason="", statement=text, signature=signature) is Standing.APPROVED
    assert bureau.answers()[0]["statement"] == text


def test_an_expired_statement_does_not_count(bureau: Bureau) -> None:
    bureau.begin(gate(expires=None))
    text, signature = _signed_elsewhere(bureau, "ana")
    bureau.clock.pass_(timedelta(minutes=31))
    with pytest.raises(NotAllowedError, match="it expired at"):
        _approve(bureau, reason="", statement=text, signature=signature)


def test_nobody_can_lengthen_the_life_of_an_approval(bureau: Bureau) -> None:
    bureau.begin()
    later = utc_text(START + timedelta(days=1))
    text, signature = _signed_elsewhere(bureau, "ana", expires=later)
    with pytest.raises(NotAllowedError, match="longer than the gate allows"):
        _approve(bureau, reason="", statement=text, signature=signature)


def test_a_changed_plan_is_not_approved(bureau: Bureau) -> None:
    bureau.begin()
    text, signature = _signed_elsewhere(bureau, "ana")
    bureau.close("choose#1", "superseded")
    bureau.ask(gate(id="choose#2", nonce="n-2", plan_hash="c" * 64))
    with pytest.raises(PlanChangedError) as caught:
        _approve(bureau, reason="", statement=text, signature=signature)
    assert caught.value.exit_code == ExitCode.PLAN_CHANGED
    with pytest.raises(PlanChangedError):
        _approve(bureau, expected_plan=PLAN)
    assert _approve(bureau, expected_plan="c" * 64) is Standing.APPROVED


def test_a_signature_for_an_earlier_visit_of_the_same_plan_does_not_count(bureau: Bureau) -> None:
    bureau.begin()
    text, signature = _signed_elsewhere(bureau, "ana")
    bureau.close("choose#1", "expired")
    bureau.ask(gate(id="choose#2", nonce="n-2"))
    with pytest.raises(NotAllowedError, match="differs in question, visit, nonce"):
        _approve(bureau, reason="", statement=text, signature=signature)


def test_a_signature_can_not_be_used_again_at_another_gate(bureau: Bureau) -> None:
    bureau.begin(gate(), gate(id="reopen#1", step="reopen", nonce="n-9", plan_hash="d" * 64))
    text, signature = _signed_elsewhere(bureau, "ana")
    with pytest.raises(NotAllowedError, match="gate, question"):
        bureau.approvals.approve(
            RUN, "reopen", by="ana", reason="", statement=text, signature=signature
        )
    assert bureau.answers() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reason", "because I say so"),
        ("choice", "restore"),
        ("max_loss_s", 900.5),
        ("decision", "reject"),
    ],
)
def test_a_statement_changed_after_signing_does_not_count(
    bureau: Bureau, field: str, value: object
) -> None:
    bureau.begin()
    text, signature = _signed_elsewhere(bureau, "ana")
    changed = Statement(**{**_fields(text), field: value}).text()  # type: ignore[arg-type]
    with pytest.raises(NotAllowedError):
        _approve(bureau, reason="", statement=changed, signature=signature)
    assert bureau.answers() == []


def test_a_signature_for_another_namespace_does_not_count(bureau: Bureau) -> None:
    bureau.begin()
    text = bureau.approvals.prepare_statement(RUN, "choose", by="ana", reason="gone")
    signature = sign(text, "git", bureau.key("ana"))
    with pytest.raises(NotAllowedError, match="does not fit the statement"):
        _approve(bureau, reason="", statement=text, signature=signature)


def test_a_key_that_the_inventory_does_not_have_does_not_count(
    bureau: Bureau, tmp_path: Path
) -> None:
    bureau.begin()
    make_key(tmp_path, "stranger")
    with pytest.raises(NotAllowedError, match="not one of 'ana'"):
        _approve(bureau, key=tmp_path / "stranger")
    with pytest.raises(NotAllowedError, match="not one of 'ana'"):
        _approve(bureau, key=bureau.key("bo"))


def test_a_key_counts_only_between_its_days(bureau: Bureau) -> None:
    line = bureau.inventory["people"]["ana"]["keys"][0]
    bureau.inventory["people"]["ana"]["keys"] = [{"key": line, "valid_before": "2026-11-22"}]
    bureau.begin()
    with pytest.raises(NotAllowedError, match="did not count at that moment"):
        _approve(bureau)
    bureau.inventory["people"]["ana"]["keys"] = [{"key": line, "valid_before": "2026-11-23"}]
    assert _approve(bureau) is Standing.APPROVED


def test_only_an_available_option_can_be_chosen(bureau: Bureau) -> None:
    bureau.begin()
    with pytest.raises(UserError, match="'tape' is not available: no tape is in the library"):
        _approve(bureau, choice="tape")
    with pytest.raises(UserError, match="has no option 'restor'") as caught:
        _approve(bureau, choice="restor")
    assert "'restore'" in caught.value.hint
    assert _approve(bureau, choice="restore") is Standing.APPROVED


def test_an_approval_that_accepts_less_than_the_forecast_loss_is_refused(bureau: Bureau) -> None:
    bureau.begin()
    with pytest.raises(UserError, match="forecast to lose 2m, more than the 1m accepted"):
        _approve(bureau, choice="restore", max_loss_s=60.0)


def test_two_approvers_must_choose_the_same(bureau: Bureau) -> None:
    bureau.begin(gate(quorum=2))
    _approve(bureau, "ana", choice="promote")
    with pytest.raises(UserError, match="'ana' approved 'promote'"):
        _approve(bureau, "bo", choice="restore")


def test_a_closed_gate_takes_no_more_answers(bureau: Bureau) -> None:
    bureau.begin()
    bureau.close("choose#1", "rejected")
    with pytest.raises(UserError, match="'choose' is closed: rejected"):
        _approve(bureau)


def test_an_approval_needs_a_reason(bureau: Bureau) -> None:
    bureau.begin()
    with pytest.raises(UserError, match="a reason is missing"):
        _approve(bureau, reason="  ")


def test_without_any_key_the_hint_says_how_to_name_one(bureau: Bureau, tmp_path: Path) -> None:
    bureau.begin()
    bureau.approvals._workspace = tmp_path
    with pytest.raises(NotAllowedError, match="no key of 'ana' is at hand") as caught:
        _approve(bureau)
    assert "--key FILE" in caught.value.hint


def test_a_key_removed_from_todays_file_still_counts_for_a_run_that_kept_it(
    bureau: Bureau,
) -> None:
    record = bureau.begin()
    _approve(bureau)
    answer = Answer.from_data(bureau.answers()[0])
    bureau.inventory = {"people": {}, "people_groups": {}}
    assert verify_answer(answer, record.inventory, run=RUN).holds is True
    assert verify_answer(answer, bureau.inventory, run=RUN).holds is False


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("reason", "another", "reason"),
        ("choice", "restore", "choice"),
        ("by", "bo", "person"),
        ("verdict", "reject", "decision"),
        ("max_loss_s", 1.0, "greatest loss"),
        ("expires", "2027-01-01T00:00:00.000000Z", "expiry"),
        ("at", "2027-01-01T00:00:00.000000Z", "time"),
    ],
)
def test_an_auditor_names_what_was_changed_in_the_journal(
    bureau: Bureau, field: str, value: object, named: str
) -> None:
    record = bureau.begin()
    _approve(bureau)
    data = {**bureau.answers()[0], field: value}
    check = verify_answer(Answer.from_data(data), record.inventory, run=RUN)
    assert check.holds is False
    assert named in check.because
