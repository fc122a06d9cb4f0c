"""Approvals that are spoken: the last resort."""

from __future__ import annotations

import pytest

from dr.engine.core.errors import NotAllowedError, PlanChangedError
from dr.engine.core.questions import Answer, Standing
from dr.engine.core.values import UNKNOWN
from dr.engine.service.verification import verify_answer
from tests.integration.approvals.bureau import RUN, Bureau, gate


def _voice(
    bureau: Bureau, *, by: str = "ana", witnesses: tuple[str, ...] = ("bo", "eva")
) -> Standing:
    code = bureau.approvals.plan_code(gate())
    return bureau.approvals.voice(
        RUN, "choose", by=by, code=code, witnesses=witnesses, reason="on the satellite phone"
    ).standing


def test_a_code_read_back_before_two_witnesses_opens_the_gate(bureau: Bureau) -> None:
    record = bureau.begin()
    assert _voice(bureau) is Standing.APPROVED
    answer = Answer.from_data(bureau.answers()[0])
    assert (answer.means, answer.witnesses) == ("voice", ("bo", "eva"))
    assert verify_answer(answer, record.inventory).holds is UNKNOWN


@pytest.mark.parametrize(
    "witnesses",
    [("bo",), ("bo", "bo"), ("bo", "eva", "cai"), ("ana", "bo"), ("fei", "bo"), ("bo", "nobody")],
    ids=["one", "the same twice", "three", "the approver", "the requester", "a stranger"],
)
def test_witnesses_are_two_other_people(bureau: Bureau, witnesses: tuple[str, ...]) -> None:
    bureau.begin()
    with pytest.raises(NotAllowedError):
        _voice(bureau, witnesses=witnesses)
    assert bureau.answers() == []


def test_a_witness_under_two_names_is_one_witness(bureau: Bureau) -> None:
    bureau.inventory["people"]["bo"]["aliases"] = ["bo.the.second"]
    bureau.begin()
    with pytest.raises(NotAllowedError, match="two different witnesses"):
        _voice(bureau, witnesses=("bo", "bo.the.second"))


def test_the_code_of_another_plan_is_refused(bureau: Bureau) -> None:
    bureau.begin()
    other = bureau.approvals.plan_code(gate(plan_hash="e" * 64))
    with pytest.raises(PlanChangedError):
        bureau.approvals.voice(
            RUN, "choose", by="ana", code=other, witnesses=("bo", "eva"), reason="by phone"
        )


def test_a_voice_outside_the_group_does_not_count(bureau: Bureau) -> None:
    bureau.begin()
    with pytest.raises(NotAllowedError):
        _voice(bureau, by="eva", witnesses=("bo", "cai"))
