"""The storage dies with records that no standby has, and the standby takes over.

The tests are one story told in order: each finds the lab as the one before left it.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from dr.engine.core.events import Kind
from dr.lab.api import break_, heal
from dr.lab.enter import in_host
from tests.acceptance.conftest import SceneFactory
from tests.acceptance.scene import BRANCHES, PSQL, Scene, until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

HOSTS = ("db-a", "db-b", "dr-a", "spare", "backup", *BRANCHES)


@pytest.fixture(scope="module")
def scene(make_scene: SceneFactory) -> Scene:
    """A lab with its staging, as this story ends there."""
    return make_scene(staging=True)


def trees(scene: Scene) -> dict[str, list[str]]:
    """Return every file that each host has changed, with size and time, and its addresses."""
    files = "cd / && find var/lib/dr etc root home opt -xdev -printf '%p %s %T@\\n' | sort"
    look = f"{files}; ip -o address show | awk '{{print $2, $4}}'"
    return {host: scene.on(host, "sh", "-c", look).splitlines() for host in HOSTS}


def positions(scene: Scene) -> dict[str, str]:
    """Return where the standbys stand, and which database takes part in what."""
    sql = (
        "SELECT system_identifier, timeline_id, pg_is_in_recovery(), pg_last_wal_replay_lsn(),"
        " (SELECT count(*) FROM pg_replication_slots), (SELECT stage FROM service_state),"
        " (SELECT count(*) FROM parcel_hold)"
        " FROM pg_control_system(), pg_control_checkpoint()"
    )
    return {host: scene.ask(host, sql) for host in ("db-b", "dr-a")}


def answers(scene: Scene, host: str) -> bool:
    return in_host(scene.lab, host, [*PSQL, "SELECT 1"]).stdout.strip() == "1"


def test_branches_register_what_no_standby_receives_and_then_the_storage_dies(
    scene: Scene,
) -> None:
    until(lambda: len(scene.acknowledged()) > 3, 20, "the branches to register")
    break_(scene.lab, "link-down", "db-b", "dr-a")
    before = len(scene.acknowledged())
    until(lambda: len(scene.acknowledged()) >= before + 6, 30, "business without standbys")
    break_(scene.lab, "storage-killed", "db-a")
    until(lambda: not answers(scene, "db-a"), 30, "the database to die")
    # else the kernel would still hand over what the dead server had put into its connections
    streams = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"
    until(lambda: scene.ask("db-b", streams) == "0", 30, "the stream to db-b to end")
    until(lambda: scene.ask("dr-a", streams) == "0", 30, "the stream to dr-a to end")
    heal(scene.lab, "link-down", "db-b", "dr-a")
    acknowledged = scene.acknowledged()
    lost = set(acknowledged) - scene.slips("db-b")
    assert len(lost) >= 6
    scene.notes["acknowledged"], scene.notes["lost"] = acknowledged, lost


def test_a_dry_run_looks_at_the_broken_lab_and_changes_nothing(scene: Scene) -> None:
    before, stood = trees(scene), positions(scene)
    planned = scene.json("run", "storage-failure", "--dry-run")
    marks = {step["id"]: step["mark"] for step in planned["steps"]}
    assert planned["ready"] is True, planned
    assert marks["storage_dead"] == "+"
    assert marks["choose"] == "@"
    assert marks["fence"] == "+"
    assert scene.json("plan", "storage-failure", "--probe")["hash"] == planned["hash"]
    assert trees(scene) == before
    assert positions(scene) == stood
    assert scene.runs() == 0
    state = scene.workspace / ".dr"
    written = [p for name in ("logs", "reports") for p in (state / name).rglob("*")]
    assert written == []


def test_the_forecast_of_a_dry_run_names_the_loss_of_each_way(scene: Scene) -> None:
    planned = scene.json("plan", "storage-failure", "--probe")
    ladder = next(step for step in planned["steps"] if step["id"] == "database")
    rungs = {rung["name"]: rung for rung in ladder["rungs"]}
    assert [name for name, rung in rungs.items() if rung["available"]] == [
        "promote-standby",
        "restore-cold-backup",
    ]
    assert rungs["promote-standby"]["proposed"] is True
    assert 0 < rungs["promote-standby"]["loss_s"] < 120
    assert all(rungs[name]["because"]["en"] for name in ("restore-tape", "dr-centre", "supplier"))


def test_the_run_stops_at_the_gate_and_says_what_would_be_lost(scene: Scene) -> None:
    done = scene.dr("run", "storage-failure", "--requester", "li.na", "--no-wait", expect=3)
    assert "WAITS FOR PEOPLE" in done.stdout + done.stderr
    opened = scene.wait_event(Kind.QUESTION_OPENED, "choose").data["question"]
    proposed = next(o for o in opened["options"] if o["proposed"])
    assert proposed["name"] == "promote-standby"
    assert 0 < proposed["loss_s"] < 120


def test_facts_are_in_the_journal_with_their_moment_and_basis(scene: Scene) -> None:
    seen = scene.view.facts["service.registry"]
    assert seen["facts"]["old_primary"]["host"] == "db-a"
    assert seen["facts"]["standby"]["host"] == "db-b"
    assert seen["facts"]["standby"]["basis"] == "observed"
    assert seen["at"]
    assert scene.outputs("storage_dead")["state"] in {"io_error", "absent"}
    assert scene.outputs("standby")["intact"] == "intact"
    assert scene.outputs("backups")["usable"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "li.na", "--key", "keys/people/li.na"), "started the run"),
        (("--by", "liu.yang", "--key", "keys/people/liu.yang"), "leadership"),
        (("--by", "chen.wei", "--key", "keys/people/liu.yang"), "chen.wei"),
        (("--by", "nobody", "--key", "keys/people/chen.wei"), "nobody"),
    ],
)
def test_who_may_not_approve_is_refused_and_the_gate_stays_open(
    scene: Scene, words: tuple[str, ...], said: str
) -> None:
    placed = [str(scene.workspace / w) if w.startswith("keys/") else w for w in words]
    done = scene.dr("approve", "--reason", "let us go", "--yes", *placed, expect=None)
    assert done.returncode in {2, 4}, done.stderr
    assert said in done.stderr
    assert scene.events(Kind.QUESTION_ANSWERED) == []


def test_a_second_run_on_the_same_service_is_refused(scene: Scene) -> None:
    done = scene.dr("run", "storage-failure", "--yes", "--no-wait", expect=7)
    assert "not over" in done.stderr
    assert "dr attach" in done.stderr
    assert scene.runs() == 1


def test_a_second_engine_on_the_same_run_is_refused(scene: Scene) -> None:
    pid = scene.engine_pid()
    scene.dr("resume", "--no-wait", expect=7)
    scene.dr("engine", scene.run, expect=7)
    assert scene.engine_pid() == pid
    assert scene.engine_lives()
    assert len(scene.events(Kind.RUN_LEASE)) == 1


def test_the_run_ends_verified_once_leadership_has_signed(scene: Scene) -> None:
    scene.approve("chen.wei")
    twice = scene.approve("chen.wei", expect=None)
    assert twice.returncode != 0
    scene.dr("attach", limit_s=120)
    assert str(scene.wait_end().state) == "succeeded"
    counted = [e for e in scene.events(Kind.QUESTION_ANSWERED, "choose")]
    assert len(counted) == 1


def test_the_promotion_happened_once_on_a_fenced_primary(scene: Scene) -> None:
    assert scene.jobs("db-b")["promote"] == ["1"]
    assert (scene.timeline("db-b"), scene.switches("db-b")) == (2, 1)
    proof = scene.outputs("fence")["proof"]
    assert (proof["kind"], proof["host"], proof["survives_reboot"]) == ("proof", "db-a", True)
    order = [e.step for e in scene.events(Kind.INTENT)]
    assert order.index("fence") < order.index("promote") < order.index("shut")
    assert order.index("shut") < order.index("address") < order.index("reopen")


def test_the_records_lost_are_those_that_sql_says(scene: Scene) -> None:
    lost = scene.notes["lost"]
    assert lost - scene.slips("db-b") == lost
    outputs = scene.outputs("branches")
    assert outputs["loss_records"] == len(lost)
    listed: set[str] = set()
    for file in outputs["files"]:
        rows = csv.DictReader(io.StringIO(Path(file).read_text("utf-8-sig"), newline=""))
        listed |= {row["slip"] for row in rows if row["finding / 结果"].startswith("acknowledged")}
    assert listed == lost


def test_the_parcels_of_the_lost_records_are_held_and_no_others_with_a_known_end(
    scene: Scene,
) -> None:
    acknowledged = scene.notes["acknowledged"]
    affected = {acknowledged[slip]["parcel_no"] for slip in scene.notes["lost"]}
    sql = "SELECT parcel_no FROM parcel_hold WHERE released_at IS NULL"
    held = set(scene.ask("db-b", sql).splitlines())
    unknown = {
        e["parcel_no"] for b in BRANCHES for e in scene.ledger(b) if e["outcome"] == "unknown"
    }
    assert affected <= held <= affected | unknown
    assert scene.outputs("reopen")["held"] == len(held)
    parcel = sorted(affected)[0]
    refused = insert(scene, parcel)
    assert "is held until its newest right is settled" in refused
    assert scene.ask("db-b", "SELECT stage FROM service_state") == "held"


def insert(scene: Scene, parcel: str) -> str:
    """Try to register on a parcel as the application, from a branch, by the service address."""
    password = (scene.workspace / "keys/app.password").read_text("utf-8").strip()
    where = f"host=198.18.1.100 user=app dbname=registry password={password}"
    sql = (
        "BEGIN; INSERT INTO registration (branch, slip, clerk, parcel_no, kind, accepted_at)"
        " VALUES ('branch-01', 'test-slip', 'test', :'parcel', 'transfer', now()); ROLLBACK"
    )
    words = ["psql", "-XAtq", "-v", f"parcel={parcel}", where]
    done = in_host(scene.lab, "branch-01", words, stdin=sql, timeout_s=30)
    return done.stdout + done.stderr


def test_branches_write_again_through_the_service_address(scene: Scene) -> None:
    known = set(scene.notes["acknowledged"])
    new = until(lambda: set(scene.acknowledged()) - known, 30, "a branch to register")
    assert new <= scene.slips("db-b")
    assert "198.18.1.100/" in scene.on("db-b", "ip", "-o", "address")
    assert "198.18.1.100/" not in scene.on("db-a", "ip", "-o", "address")


def test_sequences_stand_past_what_branches_issued(scene: Scene) -> None:
    lines = scene.notes["acknowledged"].values()
    highest = max(int(line["receipt_no"]) for line in lines)
    # the next number; certificates are printed on the branches' own forms
    assert int(scene.ask("db-b", "SELECT last_value + is_called::int FROM receipt_seq")) > highest
    known = set(scene.notes["acknowledged"])
    again = [e for slip, e in scene.acknowledged().items() if slip not in known]
    issued = {line["receipt_no"] for line in lines}
    assert not issued & {e["receipt_no"] for e in again}


def test_the_report_says_what_was_measured(scene: Scene) -> None:
    folder = scene.workspace / ".dr/reports" / scene.run
    report: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    lost = scene.notes["lost"]
    assert report["run"]["state"] == "succeeded"
    assert report["run"]["provisional"] is False
    assert report["loss"]["records"] == len(lost)
    assert report["recovery_time"]["actual_s"] < report["recovery_time"]["target_s"] == 4 * 3600
    assert report["recovery_time"]["met"] is True
    assert 0 < report["loss"]["seconds"] < 120
    assert report["recovery"]["means"] == "promoted"
    assert report["recovery"]["host"] == "db-b"
    text = (folder / "report.en.md").read_text("utf-8")
    assert "Chen Wei (chen.wei)" in text
    assert f"Records lost: {len(lost)}" in text
    assert "db-a" in text


def test_a_note_was_sent_to_the_execution_group(scene: Scene) -> None:
    letters = [p.read_text("utf-8") for p in (scene.lab / "mail").glob("*.eml")]
    assert any("liu.yang@lab.example" in letter for letter in letters)


def forget_the_last_transaction(scene: Scene, primary: str, standby: str) -> None:
    """Restart a standby behind a checkpoint: it has everything, and knows no moment of it."""
    programs = scene.ask(standby, "SELECT setting FROM pg_config WHERE name = 'BINDIR'")
    data = scene.ask(standby, "SHOW data_directory")
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--reset-env", "--"]
    server = [f"{programs}/pg_ctl", "-D", data, "-l", "/dev/null", "-s", "-w", "restart"]

    def forgotten() -> bool:
        scene.ask(primary, "CHECKPOINT")
        end = scene.ask(primary, "SELECT pg_current_wal_lsn()")
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{end}'"
        what = "the standby to replay the checkpoint"
        until(lambda: scene.ask(standby, replayed) == "t", 20, what)
        scene.ask(standby, "CHECKPOINT")
        scene.on(standby, *user, *server)
        return scene.ask(standby, "SELECT pg_last_xact_replay_timestamp() IS NULL") == "t"

    # the primary's own housekeeping may commit in between
    until(forgotten, 60, "a standby that knows no moment")


def test_the_same_file_runs_in_staging_to_its_verified_end(scene: Scene) -> None:
    forget_the_last_transaction(scene, "stg-a", "stg-b")
    break_(scene.lab, "storage-killed", "stg-a")
    words = ["run", "storage-failure", "--env", "staging", "--no-wait"]
    refused = scene.dr(*words, expect=2)
    assert "--confirm storage-failure" in refused.stderr
    before = scene.timeline("db-b")
    scene.dr(*words, "--confirm", "storage-failure", expect=3)
    assert scene.runs() == 2
    scene.approve("chen.wei", "--env", "staging")
    scene.dr("attach", "--env", "staging", limit_s=120)
    view = scene.wait_end()
    assert str(view.state) == "succeeded"
    assert view.created["environment"] == {"name": "staging", "kind": "staging"}
    assert scene.outputs("promote")["host"] == "stg-b"
    assert scene.timeline("stg-b") == 2
    assert scene.timeline("db-b") == before


def test_one_edited_byte_of_the_database_is_named_by_its_row(scene: Scene) -> None:
    scene.dr("journal", "verify", scene.run)
    path = scene.workspace / ".dr/journal.sqlite3"
    answered = scene.events(Kind.QUESTION_ANSWERED)[0]
    mark = b"seen with my own eyes"
    whole = path.read_bytes()
    assert not path.with_name("journal.sqlite3-wal").exists()

    def reason() -> str:
        with sqlite3.connect(path) as base:
            rows = base.execute(
                "SELECT data FROM event WHERE run = ? AND seq = ?", (answered.run, answered.seq)
            ).fetchall()
        base.close()
        return str(rows[0][0])

    place = -1
    while "SEEN" not in reason().replace("Seen", "SEEN"):
        path.write_bytes(whole)
        place = whole.find(mark, place + 1)
        assert place >= 0, "the row was not found in the file"
        path.write_bytes(whole[:place] + b"S" + whole[place + 1 :])
    done = scene.dr("journal", "verify", answered.run, expect=1)
    assert f"NOT INTACT at row {answered.seq}, " in done.stdout
    path.write_bytes(whole)
    scene.dr("journal", "verify", "--all")
