"""From a broken storage to ``closed``: branches answer, correct, prove and sign; one is late."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dr.engine.core.events import Kind
from dr.lab.api import break_
from dr.lab.enter import started_in_host
from dr.lab.spoiling import spoil, truth_of
from tests.acceptance.conftest import SceneFactory
from tests.acceptance.scene import PSQL, Scene, until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

SPOILT = {
    "lost-holes": "missing_central",
    "field-holder": "field_diff",
    "field-amount": "field_diff",
    "other-branch": "cross_branch",
    "serial-gap": "serial_gap",
    "in-flight": "extra_central",
}
HEADS = {"branch-01": "he.ling", "branch-02": "gao.jun", "branch-03": "he.ling"}
LATE = "branch-03"


@pytest.fixture(scope="module")
def scene(make_scene: SceneFactory) -> Scene:
    """A lab whose register was spoilt before its storage broke; one office hands nothing in."""
    made = make_scene()
    until(lambda: len(made.acknowledged()) > 60, 60, "branches to register business")
    for kind in SPOILT:
        # what a late branch did stands nowhere yet, so nothing could say whose a moved record is
        only = "branch-01" if kind == "other-branch" else ""
        spoil(made.lab, kind, count=2, seed=7, branch=only)
    spoil(made.lab, "answers-never", branch=LATE)
    break_(made.lab, "storage-killed", "db-a")
    return made


def cases(scene: Scene, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scene.json("reconcile", "breaks", "last", *words, expect=None)[
        "cases"
    ]
    return found


def book(scene: Scene, branch: str) -> bytes:
    """Return what a branch really wrote down, whatever it hands in."""
    return scene.upper(branch, "/var/lib/registry/book.csv").read_bytes()


def stand(scene: Scene) -> dict[str, Any]:
    answer: dict[str, Any] = scene.json("reconcile", "status", "last", "--all", expect=None)
    return {**answer, "by": {branch["branch"]: branch for branch in answer["branches"]}}


def test_the_run_is_recovered_and_waits_for_its_branches(scene: Scene) -> None:
    scene.dr("run", "storage-failure", "--no-wait", "--input", "closing=signed-off", expect=3)
    scene.approve("chen.wei")
    until(lambda: scene.view.session is not None, 60, "the session to open")
    view = scene.view
    assert view.moments.recovered is not None
    assert view.moments.closed is None
    assert stand(scene)["by"][LATE]["state"] == "waiting"


def test_another_incident_could_be_answered_meanwhile(scene: Scene) -> None:
    with closing(sqlite3.connect(f"{scene.workspace}/.dr/journal.sqlite3")) as journal:
        assert journal.execute("SELECT count(*) FROM run_lock").fetchone() == (0,)


def test_the_work_list_is_what_the_lab_knows_to_be_wrong(scene: Scene) -> None:
    spoil(scene.lab, "faults")
    told = {
        (truth.branch, truth.break_class, truth.key)
        for truth in truth_of(scene.lab)
        if truth.branch != LATE
        and truth.break_class not in {"format_only", "nothing", "ledger_late"}
    }
    found = {(c["branch"], c["what"], c["key"]) for c in cases(scene) if c["branch"] != LATE}
    assert found == told


def test_every_form_is_accounted_for(scene: Scene, tmp_path: Path) -> None:
    answer = scene.json("reconcile", "certificates", "last", "-o", str(tmp_path))
    assert sorted(Path(file).name for file in answer["files"]) == [
        f"certificates.{language}.{kind}" for language in ("en", "zh") for kind in ("docx", "html")
    ]
    paper = (tmp_path / "certificates.zh.html").read_text("utf-8")
    assert "第十七条第（二）项" in paper
    for each in answer["branches"]:
        assert all(stolen in paper for stolen in each["printed"]["stolen"])
    by = {each["branch"]: each for each in answer["branches"]}
    for branch in HEADS:
        issued = sum(last - first + 1 for first, last in by[branch]["issued"])
        assert by[branch]["issued_count"] == issued > 1000
        assert by[branch]["stolen_count"] > 0
        assert by[branch]["stolen_used"] == 0
    joined = "certificate JOIN registration USING (receipt_no)"
    used = scene.ask("db-b", f"SELECT count(*) FROM {joined} WHERE branch <> 'control'")  # noqa: S608
    assert sum(each["used"] for each in answer["branches"]) == pytest.approx(int(used), abs=20)
    gaps = {key for each in by.values() for key in each["found"].get("serial_gap", ())}
    told = {t.key for t in truth_of(scene.lab) if t.break_class == "serial_gap"}
    assert told <= gaps, "what the late branch alone can explain is a gap too, until it answers"


def test_the_copy_at_the_dr_centre_is_compared_where_it_lies(scene: Scene) -> None:
    behind = scene.slips("db-b") - scene.slips("dr-a")
    answer = scene.json("reconcile", "copy", "last", "dr-a", "--everything", expect=None)
    assert answer["records"]["copy"] > 30_000
    found = {each["key"]: each["what"] for each in answer["found"]}
    assert behind <= found.keys() <= scene.slips("db-b")
    assert set(found.values()) <= {"extra_central"}


def test_a_comparison_that_is_killed_leaves_the_session_as_it_stood(scene: Scene) -> None:
    before = scene.events(Kind.RECONCILE_COMPARED)
    sql = "BEGIN; LOCK TABLE registration IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
    waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dr reconcile'"
    with started_in_host(scene.lab, "db-b", [*PSQL, sql]) as holder:
        try:
            with scene.beside("reconcile", "recheck", "last") as command:
                blocked = f"{waits} AND wait_event_type = 'Lock'"
                until(lambda: scene.ask("db-b", blocked) != "0", 20, "the comparison")
                command.kill()
        finally:
            ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = "
            scene.ask("db-b", f"{ends}$${sql}$$ AND pid <> pg_backend_pid()")
            holder.wait(20)
    assert scene.events(Kind.RECONCILE_COMPARED) == before
    scene.dr("reconcile", "recheck", "last")
    assert len(scene.events(Kind.RECONCILE_COMPARED)) > len(before)


def test_a_file_of_another_branch_is_refused_and_kept(scene: Scene, tmp_path: Path) -> None:
    wrong = tmp_path / "ledger.csv"
    wrong.write_bytes(book(scene, "branch-01"))
    done = scene.dr("reconcile", "load", "last", LATE, wrong, "--by", "ma.lin", expect=2)
    assert "is no evidence of branch-03" in done.stderr
    assert stand(scene)["by"][LATE]["state"] == "refused"
    assert len(stand(scene)["by"][LATE]["evidence"]) == 1


def test_a_total_by_telephone_counts_until_something_with_lines_comes(scene: Scene) -> None:
    words = ["reconcile", "totals", "last", LATE, "2026-01-02", "5", "--by", "ma.lin"]
    alone = scene.dr(*words, "--heard-by", "chen.wei", expect=1)
    assert "need two people who heard them" in alone.stderr
    scene.dr(*words, "--heard-by", "chen.wei", "--heard-by", "li.na")
    mine = [case for case in cases(scene) if case["branch"] == LATE]
    assert "total_mismatch" in {case["what"] for case in mine}
    assert stand(scene)["by"][LATE]["state"] == "working"


def test_a_branch_gets_a_template_and_sees_how_its_file_is_understood(
    scene: Scene, tmp_path: Path
) -> None:
    empty, filled = tmp_path / "empty.xlsx", tmp_path / "filled.csv"
    scene.dr("reconcile", "template", "last", LATE, empty)
    assert empty.read_bytes().startswith(b"PK")
    scene.dr("reconcile", "template", "last", LATE, empty, expect=2)
    filled.write_bytes(book(scene, LATE))
    before = len(scene.events())
    seen = scene.json("reconcile", "preview", "last", LATE, str(filled))
    assert seen["count"] > 0
    assert seen["problems"] == []
    assert len(scene.events()) == before, "nothing is kept"


def test_a_late_ledger_is_compared_alone_and_leaves_the_others_as_they_were(
    scene: Scene, tmp_path: Path
) -> None:
    before = {name: one["digest"] for name, one in stand(scene)["by"].items() if name != LATE}
    late = tmp_path / "late.csv"
    late.write_bytes(book(scene, LATE))
    scene.dr("reconcile", "load", "last", LATE, late, "--by", "ma.lin")
    after = stand(scene)["by"]
    assert after[LATE]["entries"] > 0
    assert {name: one["digest"] for name, one in after.items() if name != LATE} == before


def test_what_the_lab_s_application_corrects_is_proven_by_the_next_comparison(
    scene: Scene, tmp_path: Path
) -> None:
    by: dict[str, list[str]] = {}
    for case in cases(scene):
        if case["proposed"] in {"re-enter", "void", "adjust"}:
            by.setdefault(case["proposed"], []).append(case["id"])
        elif case["what"] == "extra_central":
            by.setdefault("void", []).append(case["id"])
    assert by.keys() == {"re-enter", "void", "adjust"}
    for resolution, ids in by.items():
        words = ["--as", resolution, "--reason", "the slip lies before me", "--by", "ma.lin"]
        scene.dr("reconcile", "resolve", "last", *ids, *words)
        scene.dr("reconcile", "approve", "last", *ids, "--by", "xu.yan")
    scene.dr("reconcile", "corrections", "last", "-o", tmp_path)
    approved = str(tmp_path / "corrections-all.json")
    done = scene.json("lab", "correct", approved, "--dir", str(scene.lab))
    assert set(done["entered"]) == {i for ids in by.values() for i in ids}
    scene.dr("reconcile", "recheck", "last")
    after = {case["id"]: case for case in cases(scene, "--all")}
    still = [after[i] for ids in by.values() for i in ids if after[i]["how"] != "proven"]
    assert still == []


def test_two_clerks_settle_what_can_not_be_corrected_any_more(scene: Scene) -> None:
    ids = [case["id"] for case in cases(scene)]
    words = ["--as", "accept", "--reason", "the lab's paper was looked at"]
    scene.dr("reconcile", "resolve", "last", *ids, *words, "--by", "ma.lin")
    refused = scene.dr("reconcile", "approve", "last", ids[0], "--by", "ma.lin", expect=4)
    assert "maker and checker are two" in refused.stderr
    scene.dr("reconcile", "approve", "last", *ids, "--by", "xu.yan")
    assert cases(scene) == []


def test_the_run_closes_by_itself_when_the_last_head_has_signed(scene: Scene) -> None:
    for branch, head in HEADS.items():
        assert scene.view.moments.closed is None
        scene.dr("reconcile", "signoff", "last", branch, "--by", head)
    view = scene.wait_end()
    assert str(view.state) == "succeeded"
    assert view.moments.recovered is not None
    assert view.moments.closed is not None
    assert view.moments.closed > view.moments.recovered
    assert scene.outputs("signed_off")["how"] == "signed_off"
    assert scene.outputs("release")["still_held"] == []


def test_a_ledger_that_comes_after_the_close_opens_it_again(scene: Scene, tmp_path: Path) -> None:
    more = tmp_path / "again.csv"
    more.write_bytes(book(scene, LATE))
    scene.dr("reconcile", "load", "last", LATE, more, "--by", "ma.lin")
    session = scene.view.session
    assert session is not None
    assert session.closed is None
    assert str(scene.view.state) == "succeeded", "the run stays what it was"


def test_every_decision_is_in_a_journal_that_is_whole(scene: Scene) -> None:
    scene.dr("journal", "verify", "last")
    kinds = {event.kind for event in scene.events()}
    assert {
        Kind.RECONCILE_OPENED, Kind.RECONCILE_RECEIVED, Kind.RECONCILE_COMPARED,
        Kind.RECONCILE_DECIDED, Kind.RECONCILE_SIGNED, Kind.RECONCILE_CLOSED,
        Kind.RECONCILE_REOPENED, Kind.RUN_CLOSED,
    } <= kinds  # fmt: skip
