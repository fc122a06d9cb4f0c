"""A branch works from a list: it goes out as XLSX, comes back filled in, and ends in a report.

The tests are one story told in order: each finds the lab as the one before left it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dr.engine.core.events import Kind
from dr.lab.api import break_, heal
from dr.lab.enter import in_host
from dr.lab.people import HEADS
from tests.acceptance.conftest import SceneFactory
from tests.acceptance.scene import BRANCHES, PSQL, Scene, until
from tests.integration.reconciling.lists import fill, rows
from tests.unit.incidents.papers import words_of

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture(scope="module")
def scene(make_scene: SceneFactory) -> Scene:
    """A lab whose database died with business that no standby has, and came back without it."""
    scene = make_scene()
    until(lambda: len(scene.acknowledged()) > 3, 20, "the branches to register")
    break_(scene.lab, "link-down", "db-b", "dr-a")
    before = len(scene.acknowledged())
    until(lambda: len(scene.acknowledged()) >= before + 6, 30, "business without standbys")
    break_(scene.lab, "storage-killed", "db-a")
    until(lambda: not _answers(scene, "db-a"), 30, "the database to die")
    streams = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"
    until(lambda: scene.ask("db-b", streams) == "0", 30, "the stream to db-b to end")
    heal(scene.lab, "link-down", "db-b", "dr-a")
    said = ("run", "storage-failure", "--requester", "li.na", "--no-wait", "-i")
    scene.dr(*said, "closing=signed-off", expect=3)
    scene.approve("chen.wei")
    scene.wait_event(Kind.RECONCILE_OPENED, deadline_s=120)
    return scene


def _answers(scene: Scene, host: str) -> bool:
    return in_host(scene.lab, host, [*PSQL, "SELECT 1"]).stdout.strip() == "1"


def _cases(scene: Scene) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scene.json("reconcile", "breaks", scene.run, expect=None)["cases"]
    return found


def test_the_lists_that_go_out_name_every_lost_record(scene: Scene, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("lists")
    files = scene.json("reconcile", "worklist", scene.run, "-o", str(folder))["files"]
    listed = {row["id"]: row["key"] for file in files for row in rows(Path(file))}
    assert listed == {case["id"]: case["key"] for case in _cases(scene)}
    assert set(listed.values()) >= set(scene.acknowledged()) - scene.slips("db-b")
    scene.notes["files"] = files


def test_a_list_that_comes_back_is_proposed_by_the_clerk_and_approved_by_another(
    scene: Scene,
) -> None:
    for file in scene.notes["files"]:
        count = len(rows(Path(file)))
        answer = {"resolution": "re-enter 补录", "reason": "the slip lies before me"}
        fill(Path(file), {row: answer for row in range(2, count + 2)})
        back = scene.json("reconcile", "resolve", scene.run, "--from", file, "--by", "ma.lin")
        assert len(back["proposed"]) == count
    cases = [case["id"] for case in _cases(scene)]
    scene.dr("reconcile", "approve", scene.run, *cases, "--by", "ma.lin", expect=4)
    scene.dr("reconcile", "approve", scene.run, *cases, "--by", "xu.yan")


def test_corrections_stand_in_the_order_in_which_the_branches_accepted(
    scene: Scene, tmp_path: Path
) -> None:
    files = scene.json("reconcile", "corrections", scene.run, "-o", str(tmp_path))["files"]
    data = json.loads(Path(files[1]).read_text(encoding="utf-8"))
    moments = [case["accepted_at"] for case in data["cases"] if case["ledger"]]
    assert None not in moments
    assert moments == sorted(moments)
    undated = [case["order"] for case in data["cases"] if not case["ledger"]]
    assert set(undated) <= {"unknown"}
    assert {case["order"] for case in data["cases"]} <= {"kept", "not_kept", "unknown"}


def test_the_report_of_the_closed_session_counts_what_was_lost_for_ever_and_who_signed(
    scene: Scene, tmp_path: Path
) -> None:
    cases = [case["id"] for case in _cases(scene)]
    why = ("--reason", "nobody enters it again in this story")
    scene.dr("reconcile", "dispute", scene.run, *cases, *why, "--by", "xu.yan")
    scene.dr("reconcile", "resolve", scene.run, *cases, "--as", "lost", *why, "--by", "ma.lin")
    scene.dr("reconcile", "approve", scene.run, *cases, "--by", "xu.yan")
    for number, branch in enumerate(BRANCHES):
        head = HEADS[number % len(HEADS)]
        key = ("--key", str(scene.key(head)))
        scene.dr("reconcile", "signoff", scene.run, branch, "--by", head, *key)
    scene.wait_event(Kind.RECONCILE_CLOSED)
    files = scene.json("reconcile", "report", scene.run, "-o", str(tmp_path))["files"]
    data = json.loads((tmp_path / "reconciliation.json").read_text(encoding="utf-8"))
    assert data["outcomes"]["lost"]["count"] == len(cases)
    assert data["recovered"] < data["closed"]
    assert data["states"]["signed"] == len(BRANCHES)
    assert [b["signature"]["holds"] for b in data["branches"]] == [True] * len(BRANCHES)
    paper = next(Path(file) for file in files if file.endswith("zh.docx"))
    assert "永久丢失" in "\n".join(words_of(paper.read_bytes()))


def test_the_run_s_own_report_tells_the_same_once_the_run_is_over(scene: Scene) -> None:
    scene.wait_end()
    written = scene.workspace / ".dr/reports" / scene.run / "report.json"
    told = json.loads(written.read_text(encoding="utf-8"))["reconciliation"]
    assert told["closed"]
    assert [b["signature"]["holds"] for b in told["branches"]] == [True] * len(BRANCHES)
