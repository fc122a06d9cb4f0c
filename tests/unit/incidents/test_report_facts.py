"""What a report says of a run, and what it must not say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dr.engine.core.events import Kind
from dr.engine.core.values import UNKNOWN, Text
from dr.incidents.report.data import ReportData
from dr.incidents.report.reading import report_data
from tests.unit.incidents.story import (
    START,
    Teller,
    assessed,
    opening,
    record,
    recovered_night,
)


def _told(teller: Teller, **changes: Any) -> ReportData:
    return report_data(record(**changes), teller.events)


def test_the_moments_and_both_objectives_are_measured() -> None:
    data = _told(recovered_night())
    assert data.moments.detected == START - timedelta(seconds=7)
    assert data.moments.decided is not None
    assert data.moments.recovered is not None
    assert data.moments.closed is not None
    assert (data.recovery_time.target_s, data.recovery_time.actual_s) == (14400.0, 240.8)
    assert (data.recovery_point.target_s, data.recovery_point.actual_s) == (900.0, 2.4)
    assert data.recovery_time.met is True


def test_a_missed_target_is_called_missed() -> None:
    teller = opening(Teller()).wait(15000).tell(Kind.RUN_RECOVERED)
    data = _told(teller)
    assert data.recovery_time.actual_s == 15000.2
    assert data.recovery_time.met is False


def test_the_forecast_of_an_assessment_is_never_taken_for_the_loss() -> None:
    data = _told(assessed(Teller()))
    assert data.loss.seconds is UNKNOWN
    assert data.recovery_point.met is UNKNOWN


def test_a_later_step_that_does_not_know_the_loss_does_not_unsay_it() -> None:
    teller = opening(Teller()).work("promote", "db-b", 1.0, loss_s=2.4, loss_basis="replay")
    teller.work("branches", None, 1.0, loss_s={"unknown": True}, loss_basis="no ledger")
    loss = _told(teller).loss
    assert (loss.seconds, loss.basis.en) == (2.4, "replay")


def test_one_branch_that_did_not_answer_makes_the_sum_unknown() -> None:
    data = _told(recovered_night())
    assert [branch.missing for branch in data.loss.branches] == [2, 0, UNKNOWN]
    assert data.loss.records is UNKNOWN


def test_a_database_found_promoted_counts_as_promoted() -> None:
    data = _told(recovered_night())
    assert (data.recovery.means, data.recovery.host) == ("promoted", "db-b")


def test_every_rung_is_told_with_its_fate() -> None:
    (ladder,) = _told(recovered_night()).ladders
    assert [(rung.name, rung.fate) for rung in ladder.rungs] == [
        ("promote-standby", "succeeded"),
        ("restore-cold-backup", "not_tried"),
        ("restore-tape", "unavailable"),
        ("dr-centre", "unavailable"),
    ]
    assert [rung.chosen for rung in ladder.rungs] == [True, False, False, False]


def test_a_forecast_whose_loss_is_not_known_shows_no_number() -> None:
    (ladder,) = _told(recovered_night()).ladders
    tape = ladder.rungs[2]
    assert (tape.loss_s, tape.p50_s) == (UNKNOWN, UNKNOWN)


def test_a_doubt_is_told_with_what_settled_it() -> None:
    (doubt,) = _told(recovered_night()).doubts
    assert (doubt.step, doubt.settled, doubt.saw) == (
        "promote",
        "probe",
        "done: timeline 2, writable",
    )


def test_a_doubt_that_a_person_settled_names_the_person() -> None:
    teller = opening(Teller()).begin("promote", "db-b").wait(9)
    teller.tell(Kind.LOST, "promote", "db-b", 1, message="no answer within 3m")
    teller.ask("promote@db-b#1", "doubt", "promote", Text("Was it done?"), host="db-b")
    teller.answer("promote@db-b#1", "chen.wei", "done", reason="it writes")
    teller.close("promote@db-b#1", "done").end("promote", "db-b", via="person")
    (doubt,) = _told(teller).doubts
    assert (doubt.settled, doubt.verdict, doubt.by[0].id) == ("person", "done", "chen.wei")


def test_a_doubt_settled_by_a_person_is_theirs_even_when_only_the_end_says_so() -> None:
    teller = opening(Teller()).begin("promote", "db-b")
    teller.tell(Kind.LOST, "promote", "db-b", 1, message="gone")
    teller.end("promote", "db-b", state="already_done", via="person:chen.wei")
    assert [doubt.settled for doubt in _told(teller).doubts] == ["person"]


def test_what_a_drill_only_simulated_recovered_nothing() -> None:
    teller = opening(Teller()).begin("promote", "db-b")
    teller.end("promote", "db-b", via="simulated", outputs={"host": "db-b", "loss_s": 0.0})
    data = _told(teller, mode="drill")
    assert (data.recovery.means, data.loss.seconds) == ("", UNKNOWN)
    assert [step.passed for step in data.steps if step.id == "promote"] == ["simulated"]


def test_what_is_in_doubt_makes_an_ended_run_provisional() -> None:
    teller = opening(Teller()).begin("promote", "db-b")
    teller.tell(Kind.LOST, "promote", "db-b", 1, message="gone")
    teller.tell(Kind.RUN_ENDED, state="failed", because="promote is in doubt")
    data = _told(teller)
    assert data.run.provisional
    assert [doubt.settled for doubt in data.doubts] == [""]


def test_an_ended_run_with_nothing_in_doubt_is_final() -> None:
    assert not _told(recovered_night()).run.provisional
    assert _told(assessed(Teller())).run.provisional


def test_a_skip_is_told_with_the_person_and_the_reason() -> None:
    tell = next(step for step in _told(recovered_night()).steps if step.id == "tell")
    assert (tell.passed, tell.because) == ("skipped", "told them by telephone")
    assert tell.by is not None
    assert tell.by.name == Text("Sun Hao", "孙浩")


def test_a_step_skipped_by_its_own_condition_names_no_one() -> None:
    teller = opening(Teller()).tell(Kind.STEP_SKIPPED, "tell", because="if: false")
    step = next(step for step in _told(teller).steps if step.id == "tell")
    assert (step.passed, step.by) == ("condition", None)


def test_a_failure_that_was_tried_again_is_told_apart_from_one_that_stayed() -> None:
    failures = _told(recovered_night()).failures
    assert [(failure.step, failure.then) for failure in failures] == [
        ("storage_dead", "retried"),
        ("tell", "passed"),
    ]


def test_a_step_that_never_started_is_still_in_the_report() -> None:
    steps = {step.id: step for step in _told(recovered_night()).steps}
    assert (steps["restore_cold"].state, steps["restore_cold"].started) == ("pending", None)


def test_what_people_vouch_for_is_an_attestation_whatever_it_calls_itself() -> None:
    claim = {"kind": "proof", "host": "db-a", "means": "unplugged", "by": ["chen.wei", "li.na"]}
    data = _told(opening(Teller()).work("fence", "db-a", 1.0, proof=claim))
    (proof,) = data.proofs
    assert (proof.kind, [person.id for person in proof.by]) == (
        "attestation",
        ["chen.wei", "li.na"],
    )


def test_a_standing_authorisation_keeps_its_means() -> None:
    teller = assessed(Teller())
    teller.answer("choose#1", "chen.wei", "approve", means="standing", reason="signed 2026-09-01")
    (pair,) = _told(teller).approvals
    assert pair[1].means == "standing"


def test_an_attestation_is_no_approval_of_the_decision() -> None:
    teller = assessed(Teller()).answer("choose#1", "chen.wei", "approve", means="signature")
    teller.ask("attest#1", "gate", "fence", Text("Is it off?"), approvers="leadership")
    teller.answer("attest#1", "li.na", "approve", means="signature")
    assert [answer.by.id for _, answer in _told(teller).approvals] == ["chen.wei"]


def test_without_an_outline_the_steps_are_told_by_their_ids() -> None:
    teller = opening(Teller(), outline=[]).work("fence", "db-a", 1.0)
    assert [step.title.en for step in _told(teller).steps] == ["fence"]


def test_a_target_that_only_the_service_declares_is_used() -> None:
    teller = Teller().tell(Kind.RUN_CREATED, mode="real")
    assert _told(teller).recovery_time.target_s == 14400.0
    assert _told(teller, inventory={}).recovery_time.target_s is UNKNOWN


def test_the_report_names_the_last_row_it_was_made_from() -> None:
    teller = recovered_night()
    journal = _told(teller).journal
    assert (journal.head, journal.rows) == (teller.events[-1].hash, len(teller.events))


def test_a_report_can_be_made_after_every_single_event() -> None:
    events = recovered_night().events
    for count in range(1, len(events) + 1):
        assert report_data(record(), events[:count]).journal.rows == count
