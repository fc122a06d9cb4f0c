"""``dr reconcile``: files that go out, and the list that comes back, as people type it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import RunRecord
from dr.engine.core.reconciliation import Found
from dr.engine.core.values import utc_text
from dr.engine.service.desk import open_desk
from tests.integration.reconciling.lists import fill
from tests.sample_run import RUN, START
from tests.unit.cli.conftest import Dr

INVENTORY = {
    "bureau": {"en": "Bureau", "zh": "局"},
    "people": {who: {"id": who, "name": {"en": who, "zh": ""}} for who in ("eva", "fei", "cai")},
    "branches": {"north": {"id": "north", "title": {"en": "North", "zh": "城北分局"}}},
}
DONE = {"resolution": "re-enter 补录", "reason": "the slip lies before me"}


@pytest.fixture
def run(workspace: Path) -> str:
    """Write a run with two open cases into the journal of the workspace."""
    cases = [
        Found(f"c{i}", "north", "missing_central", key=f"S-{i}", ledger={"slip": f"S-{i}"})
        for i in (1, 2)
    ]
    opened = {
        "session": f"{RUN}/s#1", "from": None, "to": utc_text(START), "branches": ["north"],
    }  # fmt: skip
    compared = {
        "branch": "north", "evidence": "aa", "entries": 9, "cases": [c.to_data() for c in cases],
    }  # fmt: skip
    record = RunRecord(
        id=RUN, runbook="storage-failure", runbook_sha256="0" * 64, source="", file="x.yaml",
        environment="lab", mode="real", requester="eva", inputs={}, inventory=INVENTORY,
        created=START, title={"en": "Storage failure", "zh": "存储设备故障"},
    )  # fmt: skip
    desk = open_desk(workspace, None)
    desk.journal.create(record, [Draft(Kind.RUN_CREATED, data={"requester": "eva"})])
    desk.journal.append(
        RUN,
        [
            Draft(Kind.RECONCILE_OPENED, "s", data=opened),
            Draft(Kind.RECONCILE_COMPARED, "s", data=compared),
        ],
    )
    desk.close()
    return RUN


def test_a_list_goes_out_is_filled_in_and_comes_back(run: str, dr: Dr, workspace: Path) -> None:
    said = dr("reconcile", "worklist", run, "-o", "out")
    assert (said.code, said.out) == (0, "out/worklist-north.xlsx\n")
    fill(workspace / "out/worklist-north.xlsx", {2: DONE})
    back = ("reconcile", "resolve", run, "--from", "out/worklist-north.xlsx", "--by")
    said = dr(*back, "eva")
    assert said.code == 0
    assert said.out == (
        "north: 1 case proposed; another person approves it\n1 row was not filled in\n"
    )
    said = dr(*back, "fei")
    assert "row 2: case c1 was taken by eva (re-enter); it stays as it is" in said.out


def test_a_row_that_waits_for_another_maker_ends_with_3(run: str, dr: Dr, workspace: Path) -> None:
    dr("reconcile", "worklist", run, "-o", "out")
    path = fill(workspace / "out/worklist-north.xlsx", {2: {**DONE, "maker": "fei"}})
    said = dr("reconcile", "resolve", run, "--from", str(path), "--by", "eva", "--json")
    assert said.code == 3
    assert json.loads(said.out)["left"] == [
        {"row": 2, "case": "c1", "why": "another", "who": "fei", "outcome": ""}
    ]


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "worklist-north.xlsx:3: the reason is missing"), ("zh", ":3: 缺少理由")],
)
def test_a_wrong_row_is_named_in_both_languages(
    run: str, dr: Dr, workspace: Path, language: str, words: str
) -> None:
    dr("reconcile", "worklist", run, "-o", "out")
    path = fill(workspace / "out/worklist-north.xlsx", {2: DONE, 3: {"resolution": "作废"}})
    said = dr("--lang", language, "reconcile", "resolve", run, "--from", str(path), "--by", "eva")
    assert said.code == 2
    assert words in said.err
    found = json.loads(dr("reconcile", "breaks", run, "--json").out)["cases"]
    assert {case["state"] for case in found} == {"open"}


def test_a_list_and_cases_can_not_be_named_at_once(run: str, dr: Dr) -> None:
    assert dr("reconcile", "resolve", run, "c1", "--from", "x.xlsx", "--by", "eva").code == 2
    assert dr("reconcile", "resolve", run, "--by", "eva").code == 2


def test_the_report_is_written_among_those_of_the_run_in_both_languages(
    run: str, dr: Dr, workspace: Path
) -> None:
    said = dr("reconcile", "report", run)
    assert said.code == 0
    names = sorted(Path(line).name for line in said.out.splitlines())
    assert names == [
        "reconciliation.en.docx", "reconciliation.en.html", "reconciliation.json",
        "reconciliation.zh.docx", "reconciliation.zh.html",
    ]  # fmt: skip
    assert all((workspace / ".dr/reports" / run / name).is_file() for name in names)


@pytest.mark.parametrize(
    "words", [("--lang", "zh", "reconcile", "report"), ("reconcile", "report", "--lang", "zh")]
)
def test_a_language_that_is_asked_for_is_the_only_one(
    run: str, dr: Dr, words: tuple[str, ...]
) -> None:
    said = dr(*words, run, "north", "-o", "r")
    assert sorted(Path(line).name for line in said.out.splitlines()) == [
        "reconciliation-north.zh.docx", "reconciliation-north.zh.html",
    ]  # fmt: skip


def test_corrections_are_written_as_csv_and_json(run: str, dr: Dr, workspace: Path) -> None:
    dr("reconcile", "resolve", run, "c1", "--as", "void", "--reason", "twice", "--by", "eva")
    dr("reconcile", "approve", run, "c1", "--by", "fei")
    said = dr("reconcile", "corrections", run, "-o", "c")
    assert said.out == "c/corrections-all.csv\nc/corrections-all.json\n"
    (one,) = json.loads((workspace / "c/corrections-all.json").read_text(encoding="utf-8"))["cases"]
    assert (one["do"], one["order"], one["checker"]) == ("void", "not_needed", "fei")


@pytest.mark.parametrize("kind", ["empty", "binary", "text", "pipe", "folder", "none"])
def test_a_file_that_is_no_signature_signs_nothing(
    run: str, dr: Dr, workspace: Path, kind: str
) -> None:
    path = workspace / "made.sig"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "none":
            pass
        case _:
            path.write_bytes({"empty": b"", "binary": b"\xff\x00", "text": b"signed"}[kind])
    said = dr("reconcile", "signoff", run, "north", "--by", "cai", "--signature", str(path))
    assert said.code != 0
    assert "made.sig" in said.err
    assert "hint:" in said.err
    branches = json.loads(dr("reconcile", "status", run, "--json").out)["branches"]
    assert [(b["state"], b["signed_by"]) for b in branches] == [("working", None)]


def test_what_is_no_folder_takes_no_files_and_the_person_is_told(run: str, dr: Dr) -> None:
    said = dr("reconcile", "worklist", run, "-o", "/dev/null")
    assert said.code != 0
    assert "hint:" in said.err
