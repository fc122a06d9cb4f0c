"""Judging the answers to a gate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dr.engine.core.questions import Answer, Question, QuestionKind, Standing, tally
from dr.engine.core.values import Text, utc_text

NOW = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


def question(**more: Any) -> Question:
    values: dict[str, Any] = {"quorum": 1, "distinct_from": ("cai",), **more}
    return Question(
        id="choose#1", kind=QuestionKind.GATE, step="choose", asks=Text("Go?", "走吗"),
        nonce="n", opened=utc_text(NOW), approvers="leadership", **values,
    )  # fmt: skip


def answer(by: str, verdict: str = "approve", **more: Any) -> Answer:
    return Answer(by=by, verdict=verdict, at=utc_text(NOW), **more)


def test_one_person_counts_once_however_often_they_approve() -> None:
    result = tally(question(quorum=2), [answer("ana"), answer("ana")], now=NOW)
    assert (result.standing, result.missing) == (Standing.OPEN, 1)


def test_the_requester_does_not_count() -> None:
    assert tally(question(), [answer("cai")], now=NOW).standing is Standing.OPEN


def test_one_rejection_rejects_whatever_the_others_say() -> None:
    answers = [answer("ana"), answer("bo", "reject", reason="no")]
    assert tally(question(quorum=2), answers, now=NOW).standing is Standing.REJECTED


def test_a_lapsed_approval_does_not_count() -> None:
    lapsed = answer("ana", expires=utc_text(NOW - timedelta(seconds=1)))
    assert tally(question(), [lapsed], now=NOW).standing is Standing.OPEN


def test_approvals_of_different_rungs_do_not_add_up() -> None:
    answers = [answer("ana", choice="first"), answer("bo", choice="second")]
    assert tally(question(quorum=2), answers, now=NOW).missing == 1


def test_silence_is_never_an_approval() -> None:
    assert tally(question(quorum=1), [], now=NOW + timedelta(days=9)).standing is Standing.OPEN


def test_a_question_survives_the_journal() -> None:
    asked = question(escalate=(("deputies", 600.0),), checklist=(Text("a", "甲"),))
    assert Question.from_data(asked.to_data()) == asked


def test_an_answer_survives_the_journal() -> None:
    given = answer("ana", choice="first", witnesses=("bo", "di"), evidence={"code": "1"})
    assert Answer.from_data(given.to_data()) == given
