"""The canonical text that is signed, what an approval covers, and the code read aloud."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.engine.core import approval
from dr.engine.core.approval import Statement
from dr.engine.core.model import Rung, Step
from dr.engine.core.ports import RunRecord
from dr.engine.core.values import Text

GOLDEN = Path(__file__).parents[2] / "golden" / "approval_statement.json"

EXAMPLE = Statement(
    run="2026-11-22-storage-failure-7f3a",
    gate="choose",
    question="choose#1",
    visit=1,
    nonce="5f0c7a",
    plan_sha256="a" * 64,
    loss_estimate_s=3.5,
    max_loss_s=900.0,
    choice="promote-standby",
    decision="approve",
    reason='磁盘阵列已损坏 "storage is gone"\n',
    approver="chen.wei",
    role="leadership",
    issued="2026-11-22T03:00:00.000000Z",
    expires="2026-11-22T03:30:00.000000Z",
    environment="production",
)


def test_the_canonical_bytes_are_those_of_the_golden_file() -> None:
    assert EXAMPLE.text().encode() == GOLDEN.read_bytes()
    digest = hashlib.sha256(GOLDEN.read_bytes()).hexdigest()
    assert GOLDEN.with_suffix(".json.sha256").read_text(encoding="utf-8").split()[0] == digest


def test_a_statement_reads_back_as_it_was() -> None:
    assert Statement.read(EXAMPLE.text()) == EXAMPLE


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "not json",
        EXAMPLE.text() + " ",
        EXAMPLE.text().replace(',"', ', "', 1),
        EXAMPLE.text().replace('"v":1', '"v":2'),
        EXAMPLE.text().replace('"sshsig"', '"sm2"'),
        EXAMPLE.text().replace('"visit":1', '"visit":1,"extra":1'),
    ],
)
def test_anything_but_the_canonical_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Statement.read(text)


@given(st.data())
def test_every_field_changes_the_text(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([f.name for f in fields(Statement)]))
    old = asdict(EXAMPLE)[name]
    new = data.draw(
        st.text(st.characters(exclude_categories=["Cs"]))
        if isinstance(old, str)
        else st.floats(allow_nan=False, allow_infinity=False)
    )
    changed = replace(EXAMPLE, **{name: new})  # type: ignore[arg-type]
    assert (changed.text() == EXAMPLE.text()) == (json.dumps(new) == json.dumps(old))


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.floats(allow_nan=False, allow_infinity=False, min_value=0),
)
def test_any_reason_and_loss_survive_the_round_trip(reason: str, loss_s: float) -> None:
    statement = replace(EXAMPLE, reason=reason, max_loss_s=loss_s)
    assert Statement.read(statement.text()) == statement


STEP = Step(id="promote", uses="postgres.promote", hosts="db-b", with_={"wait": "10s"})
LADDER = Step(id="database", rungs=(Rung("promote", Text("Promote"), (STEP,)),))
RECORD = RunRecord(
    id="r1", runbook="storage-failure", runbook_sha256="b" * 64, source="", file="x.yaml",
    environment="lab", mode="real", requester="fei", inputs={"service": "registry"}, inventory={},
    created=datetime(2026, 11, 22, tzinfo=UTC),
)  # fmt: skip


def _hash(
    record: RunRecord = RECORD,
    steps: tuple[Step, ...] = (LADDER,),
    choice: str | None = "promote",
    fallbacks: tuple[str, ...] = (),
    max_loss_s: float | None = 5.0,
    inventory_sha256: str = "c" * 64,
) -> str:
    covered = approval.envelope(
        record, steps, choice=choice, fallbacks=fallbacks, max_loss_s=max_loss_s,
        inventory_sha256=inventory_sha256,
    )  # fmt: skip
    return approval.plan_hash(covered)


def _inside(**changes: object) -> tuple[Step, ...]:
    inner = replace(STEP, **changes)  # type: ignore[arg-type]
    return (replace(LADDER, rungs=(Rung("promote", Text("Promote"), (inner,)),)),)


def test_whatever_matters_changes_the_hash_of_the_plan() -> None:
    hashes = [
        _hash(),
        _hash(replace(RECORD, id="r2")),
        _hash(replace(RECORD, runbook_sha256="d" * 64)),
        _hash(replace(RECORD, environment="production")),
        _hash(replace(RECORD, mode="drill")),
        _hash(replace(RECORD, inputs={"service": "archive"})),
        _hash(steps=(LADDER, STEP)),
        _hash(steps=_inside(hosts="db-c")),
        _hash(steps=_inside(with_={"wait": "11s"})),
        _hash(steps=_inside(timeout=timedelta(minutes=11))),
        _hash(steps=_inside(requires={"proof": "x"})),
        _hash(choice="restore"),
        _hash(choice=None),
        _hash(fallbacks=("restore",)),
        _hash(max_loss_s=5.5),
        _hash(max_loss_s=None),
        _hash(inventory_sha256="e" * 64),
    ]
    assert len(set(hashes)) == len(hashes)


def test_moving_a_line_or_rewording_a_title_voids_no_approval() -> None:
    assert _hash(steps=_inside(where="x.yaml:99:1", title=Text("Promote it"))) == _hash()


def test_the_plan_code_is_twelve_digits_that_follow_from_plan_and_nonce() -> None:
    code = approval.plan_code("a" * 64, "n-1")
    assert len(code.replace(" ", "")) == 12
    assert code.replace(" ", "").isdigit()
    assert code == approval.plan_code("a" * 64, "n-1")
    assert code != approval.plan_code("a" * 64, "n-2")
    assert code != approval.plan_code("b" * 64, "n-1")


@given(st.text("0123456789 -", max_size=20))
def test_only_the_same_twelve_digits_are_the_same_code(spoken: str) -> None:
    code = approval.plan_code("a" * 64, "n-1")
    digits = "".join(c for c in spoken if c.isdigit())
    assert approval.same_code(spoken, code) == (digits == code.replace(" ", ""))
    assert approval.same_code(code.replace(" ", "-"), code)


def test_two_empty_codes_are_not_the_same_code() -> None:
    assert not approval.same_code("", "")


@pytest.mark.parametrize(
    ("question", "visit"), [("choose#2", 2), ("promote@db-b#3", 3), ("choose", 1), ("a#b", 1)]
)
def test_the_visit_is_read_from_the_questions_id(question: str, visit: int) -> None:
    assert approval.visit_of(question) == visit
