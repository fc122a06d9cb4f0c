"""Every copy of the database is damaged, and the cold backup comes back with its log.

The tests are one story told in order: each finds the lab as the one before left it.
"""

from __future__ import annotations

import json

import pytest

from dr.engine.core.events import Kind
from dr.lab.api import break_, heal
from tests.acceptance.scene import Scene, moment, until
from tests.deadline import WaitFor

pytestmark = [pytest.mark.lab, pytest.mark.slow]

BACKUP = [
    *("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--reset-env", "--"),
    *("pgbackrest", "--stanza=registry", "--output=json", "info"),
]


def test_the_damage_is_on_the_primary_and_on_both_standbys(scene: Scene) -> None:
    newest = json.loads(scene.on("backup", *BACKUP))[0]["backup"][-1]
    scene.notes["backup_ended"] = newest["timestamp"]["stop"]
    until(lambda: len(scene.acknowledged()) > 12, 40, "the branches to register")
    scene.notes["archived"] = scene.slips("db-a")
    segment = scene.ask("db-a", "SELECT pg_walfile_name(pg_switch_wal())")
    archived = "SELECT last_archived_wal FROM pg_stat_archiver"
    until(lambda: scene.ask("db-a", archived) >= segment, 40, "the log to be archived")
    for host in ("db-a", "db-b", "dr-a"):
        break_(scene.lab, "storage-corrupted", host)


def test_the_damaged_standby_is_no_way_back_and_the_backup_is_proposed(scene: Scene) -> None:
    scene.dr("run", "storage-failure", "--no-wait", expect=3)
    assert scene.outputs("standby")["intact"] == "damaged"
    opened = scene.wait_event(Kind.QUESTION_OPENED, "choose").data["question"]
    options = {o["name"]: o for o in opened["options"]}
    assert options["promote-standby"]["available"] is False
    assert options["restore-cold-backup"]["proposed"] is True
    refused = scene.approve("chen.wei", "--choice", "promote-standby", expect=None)
    assert refused.returncode == 2


def test_the_engine_is_killed_while_the_restore_runs(scene: Scene, wait_for: WaitFor) -> None:
    scene.approve("chen.wei")
    wait_for(lambda: scene.job_runs("spare", "restore_cold", 1), 60, "the restore to begin")
    break_(scene.lab, "host-frozen", "spare")
    scene.kill_engine()
    assert scene.job_runs("spare", "restore_cold", 1)


def test_the_next_engine_waits_for_the_same_restore_and_ends_the_run(
    scene: Scene, wait_for: WaitFor
) -> None:
    scene.dr("resume", "--detach")
    wait_for(lambda: len(scene.events(Kind.RUN_LEASE)) == 2, 40, "the next engine")
    heal(scene.lab, "host-frozen", "spare")
    assert str(scene.wait_end(150).state) == "succeeded"
    assert scene.begun_jobs("spare", "restore_cold") == ["1"]
    assert len(scene.events(Kind.INTENT, "restore_cold")) == 1
    assert len(scene.events(Kind.RESULT, "restore_cold")) == 1


def test_the_log_brought_records_that_are_newer_than_the_backup(scene: Scene) -> None:
    slips = scene.slips("spare")
    assert scene.notes["archived"] <= slips
    after = [e for s, e in scene.acknowledged().items() if s in slips]
    ended = scene.notes["backup_ended"]
    assert any(moment(e["accepted_at"]).timestamp() > ended for e in after)
    recovered = moment(scene.outputs("restore_cold")["recovered_to"])
    assert recovered.timestamp() > ended
    pages = "SELECT count(*) FROM registration"
    assert int(scene.ask("spare", pages)) > 0
    assert scene.ask("spare", "SELECT stage FROM service_state") == "held"


def test_what_the_restore_lacks_is_listed_as_lost_and_its_parcels_are_held(scene: Scene) -> None:
    recovered = moment(scene.outputs("restore_cold")["recovered_to"])
    acknowledged = scene.acknowledged()  # before the database is asked: branches go on
    slips = scene.slips("spare")
    lost = {s: e for s, e in acknowledged.items() if s not in slips}
    assert scene.outputs("branches")["loss_records"] == len(lost)
    assert all(
        moment(e["accepted_at"]).timestamp() > recovered.timestamp() - 5 for e in lost.values()
    )
    held = scene.ask("spare", "SELECT parcel_no FROM parcel_hold WHERE released_at IS NULL")
    assert {e["parcel_no"] for e in lost.values()} <= set(held.splitlines())


def test_nobody_can_reach_the_damaged_database_any_more(scene: Scene) -> None:
    known = set(scene.acknowledged())
    new = until(lambda: set(scene.acknowledged()) - known, 30, "a branch to register")
    assert new <= scene.slips("spare")
    assert scene.ask("db-b", "SELECT pg_is_in_recovery()") == "t"
    scene.dr("journal", "verify", scene.run)
