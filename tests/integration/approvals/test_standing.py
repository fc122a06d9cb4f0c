"""Standing authorisations: every bound holds, or a person is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dr.engine.core.errors import NotAllowedError, UserError
from dr.engine.core.ports import RunRecord
from dr.engine.core.questions import Answer, Option, Question, QuestionKind, Standing, tally
from dr.engine.core.values import Text
from dr.engine.service.standing import StandingAuthority
from dr.engine.service.standing_signing import Bounds, sign_standing
from dr.engine.service.verification import verify_answer
from dr.inventory.strictyaml.reading import read_yaml
from tests.integration.approvals.bureau import OPTIONS, START, Bureau, gate

BOUNDS = Bounds(
    runbook="storage-failure",
    rungs=("promote",),
    max_loss_s=5.0,
    expires=START + timedelta(days=90),
    reason="a standby that is seconds behind may be promoted at night",
    name="night",
)


def _sign(
    bureau: Bureau, folder: Path, bounds: Bounds = BOUNDS, by: tuple[str, ...] = ("ana",)
) -> dict[str, Any]:
    """Sign, put the file into the inventory, return its content."""
    for who in by:
        path = sign_standing(
            folder, bounds, bureau.inventory, by=who, now=START - timedelta(days=1),
            workspace=bureau.workspace,
        )  # fmt: skip
    # the file is read as the inventory reads it, strictly
    document: dict[str, Any] = read_yaml(path).data
    bureau.inventory["standing"][path.stem] = document
    return document


def _judged(
    bureau: Bureau, question: Question, record: RunRecord | None = None
) -> tuple[list[Answer], str]:
    record = record or bureau.begin(question)
    now = bureau.clock.now()
    authority = StandingAuthority()
    (judgement,) = authority.judge(question, record, record.inventory, now)
    answers = authority.standing(question, record, record.inventory, now)
    assert list(answers) == list(judgement.answers)
    return list(answers), judgement.because


def test_within_its_bounds_it_answers_and_an_auditor_can_check_it(
    bureau: Bureau, tmp_path: Path
) -> None:
    _sign(bureau, tmp_path)
    asked = gate(standing=True)
    (answer,), _ = _judged(bureau, asked)
    assert (answer.by, answer.means, answer.choice) == ("ana", "standing", "promote")
    assert answer.evidence["standing"] == "night"
    assert tally(asked, [answer], now=START).standing is Standing.APPROVED
    assert verify_answer(answer, bureau.inventory, question=asked).holds is True
    forged = replace(answer, choice="restore")
    assert verify_answer(forged, bureau.inventory, question=asked).holds is False
    assert verify_answer(replace(answer, by="bo"), bureau.inventory).holds is False


_LOSING = Option("promote", Text("Promote"), True, loss_s=5.5, loss_known=True, proposed=True)
_UNKNOWN = Option("promote", Text("Promote"), True, proposed=True)
_CLOSED = replace(OPTIONS[0], available=False)
_RESTORE = replace(OPTIONS[1], loss_s=1.0, proposed=True)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"standing": False}, "allows no standing"),
        ({"kind": QuestionKind.TASK}, "gates only"),
        ({"approvers": ""}, "no group"),
        ({"approvers": "execution-group"}, "0 of 1 signatures"),
        ({"quorum": 2}, "1 of 2 signatures"),
        ({"distinct_from": ("ana",)}, "0 of 1 signatures"),
        ({"options": (_LOSING,)}, "5.5s would be lost, it accepts 5s"),
        ({"options": (_UNKNOWN,)}, "unknown is within no bound"),
        ({"options": (_CLOSED,)}, "'promote' is not available"),
        ({"options": (_RESTORE,)}, "does not authorise 'restore'"),
        ({"options": (OPTIONS[1],)}, "nothing is proposed"),
        ({"options": (), "chooses": None, "max_loss_s": None}, "unknown is within no bound"),
        ({"options": (), "chooses": None, "max_loss_s": 6.0}, "6s would be lost"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_outside_a_bound_of_the_gate_people_are_asked(
    bureau: Bureau, tmp_path: Path, changes: dict[str, Any], because: str
) -> None:
    _sign(bureau, tmp_path)
    answers, why = _judged(bureau, gate(**{"standing": True, **changes}))
    assert answers == []
    assert because in why


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"runbook": "site-loss"}, "for the runbook 'site-loss'"),
        ({"runbook_sha256": "0" * 64}, "runbook was changed"),
        ({"gates": ("reopen",)}, "other gates"),
        ({"expires": START}, "it expired"),
        ({"rungs": ()}, "does not authorise 'promote'"),
        ({"max_loss_s": 2.9}, "would be lost"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_outside_a_bound_of_the_authorisation_people_are_asked(
    bureau: Bureau, tmp_path: Path, changes: dict[str, Any], because: str
) -> None:
    _sign(bureau, tmp_path, replace(BOUNDS, **changes))
    answers, why = _judged(bureau, gate(standing=True))
    assert answers == []
    assert because in why


def test_it_holds_in_its_own_environment_only(bureau: Bureau, tmp_path: Path) -> None:
    _sign(bureau, tmp_path)
    record = replace(bureau.begin(gate(standing=True)), environment="production")
    answers, why = _judged(bureau, gate(standing=True), record)
    assert (answers, why) == ([], "it is for 'lab'")


def test_a_quorum_of_two_takes_two_signers(bureau: Bureau, tmp_path: Path) -> None:
    _sign(bureau, tmp_path, by=("ana", "bo"))
    answers, _ = _judged(bureau, gate(standing=True, quorum=2))
    assert [answer.by for answer in answers] == ["ana", "bo"]


def _widen(document: dict[str, Any]) -> None:
    document["statement"]["max_loss_s"] = 900.0


def _rename(document: dict[str, Any]) -> None:
    document["signatures"][0]["by"] = "bo"


def _damage(document: dict[str, Any]) -> None:
    del document["statement"]["rungs"]


def _relabel(document: dict[str, Any]) -> None:
    document["statement"]["id"] = "day"


@pytest.mark.parametrize("change", [_widen, _rename, _damage, _relabel])
def test_a_file_changed_after_signing_answers_nothing(
    bureau: Bureau, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    change(_sign(bureau, tmp_path))
    assert _judged(bureau, gate(standing=True))[0] == []


def test_an_ordinary_approval_can_not_be_made_into_a_standing_one(
    bureau: Bureau, tmp_path: Path
) -> None:
    document = _sign(bureau, tmp_path)
    bureau.begin()
    bureau.approvals.approve("last", "choose", by="ana", reason="gone")
    document["signatures"][0]["signature"] = bureau.answers()[0]["signature"]
    record = bureau.journal.run("last")
    assert _judged(bureau, gate(standing=True), record)[0] == []


@pytest.mark.parametrize("how", ["deleted", "listed", "changed"])
def test_revoking_works_while_a_run_is_under_way(bureau: Bureau, tmp_path: Path, how: str) -> None:
    document = _sign(bureau, tmp_path)
    record = bureau.begin(gate(standing=True))
    today: dict[str, Any] = {"standing": {"night": document}, "revoked": {}}
    authority = StandingAuthority(lambda: today)
    asked = gate(standing=True)
    assert len(authority.standing(asked, record, record.inventory, START)) == 1
    if how == "deleted":
        today["standing"] = {}
    elif how == "listed":
        today["revoked"] = {"night": "the standby is being rebuilt"}
    else:
        today["standing"] = {"night": json.loads(json.dumps(document).replace("5.0", "1.0"))}
    assert authority.standing(asked, record, record.inventory, START) == ()
    assert authority.judge(asked, record, record.inventory, START)[0].because.startswith("revoked")


def test_nobody_signs_twice_or_widens_a_file_that_is_there(bureau: Bureau, tmp_path: Path) -> None:
    _sign(bureau, tmp_path)
    with pytest.raises(NotAllowedError, match="'ana' has already signed"):
        _sign(bureau, tmp_path)
    with pytest.raises(UserError, match="has other bounds"):
        _sign(bureau, tmp_path, replace(BOUNDS, max_loss_s=900.0), ("bo",))


def test_nobody_signs_with_a_key_of_somebody_else(bureau: Bureau, tmp_path: Path) -> None:
    with pytest.raises(NotAllowedError, match="not one of 'ana'"):
        sign_standing(tmp_path, BOUNDS, bureau.inventory, by="ana", now=START, key=bureau.key("bo"))
    assert list(tmp_path.iterdir()) == []


def test_when_todays_files_can_not_be_read_people_are_asked(bureau: Bureau, tmp_path: Path) -> None:
    _sign(bureau, tmp_path)
    record = bureau.begin(gate(standing=True))

    def broken() -> dict[str, Any]:
        raise UserError("people.yaml has 1 problem")

    authority = StandingAuthority(broken)
    assert authority.standing(gate(standing=True), record, record.inventory, START) == ()
