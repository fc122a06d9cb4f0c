"""Answers to doubts, failures and tasks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dr.engine.core.errors import NotAllowedError, UserError
from dr.engine.core.questions import Question, QuestionKind
from dr.engine.core.values import Text
from tests.integration.approvals.bureau import RUN, Bureau, gate


def _doubt(approvers: str = "") -> Question:
    return gate(
        id="promote@db-b#1", kind=QuestionKind.DOUBT, step="promote", host="db-b",
        approvers=approvers, options=(), chooses=None, escalate=(), distinct_from=(),
    )  # fmt: skip


def _task(**changes: object) -> Question:
    evidence = (
        {"id": "barcode", "type": "string", "required": True},
        {"id": "photo", "type": "file"},
        {"id": "count", "type": "integer"},
    )
    return gate(
        id="recall#1", kind=QuestionKind.TASK, step="recall", approvers="execution-group",
        options=(), chooses=None, escalate=(), evidence=evidence, distinct_from=(), **changes,
    )  # fmt: skip


def test_anybody_of_the_inventory_may_settle_an_unguarded_doubt(bureau: Bureau) -> None:
    bureau.begin(_doubt())
    answer = bureau.approvals.answer(
        RUN, "promote", by="eva", verdict="not-done", reason="pg_controldata says in recovery"
    )
    assert (answer.means, answer.verdict) == ("terminal", "not-done")


def test_a_verdict_on_a_guarded_ladder_needs_the_gates_group_and_a_signature(
    bureau: Bureau,
) -> None:
    bureau.begin(_doubt("leadership"))
    with pytest.raises(NotAllowedError):
        bureau.approvals.answer(RUN, "promote", by="eva", verdict="done", reason="seen")
    answer = bureau.approvals.answer(
        RUN, "promote@db-b#1", by="ana", verdict="done", reason="it is writable"
    )
    assert answer.means == "signature"
    assert answer.signature.startswith("-----BEGIN SSH SIGNATURE-----")


def test_a_verdict_that_the_question_does_not_know_is_refused(bureau: Bureau) -> None:
    bureau.begin(_doubt())
    with pytest.raises(UserError, match="'retry' is no answer") as caught:
        bureau.approvals.answer(RUN, "promote", by="eva", verdict="retry", reason="x")
    assert "done, failed, not-done" in caught.value.hint


def test_a_verdict_on_a_doubt_needs_a_reason(bureau: Bureau) -> None:
    bureau.begin(_doubt())
    with pytest.raises(UserError, match="a reason is missing"):
        bureau.approvals.answer(RUN, "promote", by="eva", verdict="done")


def test_a_gate_is_not_answered_as_a_task(bureau: Bureau) -> None:
    bureau.begin()
    with pytest.raises(UserError, match="'choose' is a gate"):
        bureau.approvals.answer(RUN, "choose", by="ana", verdict="done", reason="x")


def test_file_evidence_is_hashed_and_kept(bureau: Bureau, tmp_path: Path) -> None:
    bureau.begin(_task())
    photo = tmp_path / "shelf.jpg"
    photo.write_bytes(b"\xff\xd8 a shelf")
    answer = bureau.approvals.answer(
        RUN, "recall", by="eva", verdict="done",
        evidence={"barcode": "LTO-0042", "photo": str(photo), "count": "3"},
    )  # fmt: skip
    sha256 = hashlib.sha256(photo.read_bytes()).hexdigest()
    kept = answer.evidence["photo"]
    assert (kept["sha256"], kept["size_bytes"], answer.evidence["count"]) == (sha256, 10, 3)
    photo.unlink()
    assert Path(kept["kept"]).read_bytes() == b"\xff\xd8 a shelf"


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        ({}, "'barcode' is missing"),
        ({"barcode": "x", "barcod": "y"}, "no evidence called 'barcod'"),
        ({"barcode": "x", "count": "three"}, "'three' is not a integer"),
        ({"barcode": "x", "photo": "/nonexistent/p.jpg"}, "cannot be read"),
    ],
)
def test_evidence_must_fit(bureau: Bureau, evidence: dict[str, str], message: str) -> None:
    bureau.begin(_task())
    with pytest.raises(UserError, match=message):
        bureau.approvals.answer(RUN, "recall", by="eva", verdict="done", evidence=evidence)
    assert bureau.answers() == []


def test_a_task_belongs_to_its_group(bureau: Bureau) -> None:
    bureau.begin(_task())
    with pytest.raises(NotAllowedError, match="not in execution-group"):
        bureau.approvals.answer(RUN, "recall", by="ana", verdict="done", evidence={"barcode": "x"})


def test_a_task_is_not_done_before_its_checklist_is(bureau: Bureau) -> None:
    bureau.begin(_task(checklist=(Text("call the courier"), Text("sign the slip"))))
    with pytest.raises(UserError, match="'sign the slip'"):
        bureau.approvals.answer(
            RUN, "recall", by="eva", verdict="done",
            evidence={"barcode": "x", "checklist": [True, False]},
        )  # fmt: skip
    answer = bureau.approvals.answer(
        RUN, "recall", by="eva", verdict="failed", reason="the courier has no car"
    )
    assert answer.evidence["checklist"] == [False, False]
