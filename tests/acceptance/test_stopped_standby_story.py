"""No standby is damaged, but none runs: one server was stopped, the other host is off.

The tests are one story told in order: each finds the lab as the one before left it.
"""

from __future__ import annotations

import pytest

from dr.engine.core.events import Kind
from dr.lab.api import break_, heal
from dr.lab.enter import in_host
from tests.acceptance.scene import PSQL, Scene, until

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def stop_server(scene: Scene, host: str) -> None:
    """Stop a host's PostgreSQL as an administrator does: in order, and nothing is damaged."""
    programs = scene.ask(host, "SELECT setting FROM pg_config WHERE name = 'BINDIR'")
    data = scene.ask(host, "SHOW data_directory")
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--reset-env", "--"]
    scene.on(host, *user, f"{programs}/pg_ctl", "-D", data, "-s", "-w", "-m", "fast", "stop")


def test_one_standby_is_stopped_the_other_switched_off_and_then_the_storage_dies(
    scene: Scene,
) -> None:
    until(lambda: len(scene.acknowledged()) > 12, 40, "the branches to register")
    stop_server(scene, "db-b")
    break_(scene.lab, "host-off", "dr-a")
    scene.notes["archived"] = scene.slips("db-a")
    segment = scene.ask("db-a", "SELECT pg_walfile_name(pg_switch_wal())")
    archived = "SELECT last_archived_wal FROM pg_stat_archiver"
    until(lambda: scene.ask("db-a", archived) >= segment, 40, "the log to be archived")
    break_(scene.lab, "storage-killed", "db-a")


def test_the_rung_of_the_standby_is_not_possible_and_says_what_each_host_does(
    scene: Scene,
) -> None:
    scene.dr("run", "storage-failure", "--requester", "li.na", "--no-wait", expect=3)
    opened = scene.wait_event(Kind.QUESTION_OPENED, "choose").data["question"]
    options = {o["name"]: o for o in opened["options"]}
    assert options["promote-standby"]["available"] is False
    because = options["promote-standby"]["because"]
    assert because["en"].startswith(
        "no host was seen that could take over: db-b answers, its PostgreSQL does not ("
    )
    assert "; dr-a does not answer (no answer within " in because["en"]
    assert "db-b 可达，但其 PostgreSQL 无应答" in because["zh"]
    assert "dr-a 无应答" in because["zh"]
    assert "damaged" not in because["en"]


def test_the_cold_backup_is_proposed_and_the_standby_can_not_be_chosen(scene: Scene) -> None:
    opened = scene.wait_event(Kind.QUESTION_OPENED, "choose").data["question"]
    proposed = [o for o in opened["options"] if o["proposed"]]
    assert [o["name"] for o in proposed] == ["restore-cold-backup"]
    assert proposed[0]["loss_known"] is True
    refused = scene.approve("chen.wei", "--choice", "promote-standby", expect=2)
    assert "'promote-standby' can not be chosen" in refused.stderr
    assert scene.events(Kind.QUESTION_ANSWERED) == []


def test_the_run_ends_with_a_verified_database_that_branches_write_to(scene: Scene) -> None:
    scene.approve("chen.wei")
    assert str(scene.wait_end(150).state) == "succeeded"
    assert scene.outputs("database")["rung"] == "restore-cold-backup"
    assert "promote" not in scene.states()
    assert scene.states()["prove"] == "succeeded"
    assert scene.notes["archived"] <= scene.slips("spare")
    assert scene.ask("spare", "SELECT pg_is_in_recovery()") == "f"
    known = set(scene.acknowledged())
    new = until(lambda: set(scene.acknowledged()) - known, 30, "a branch to register")
    assert new <= scene.slips("spare")


def test_what_the_backup_lacks_is_listed_as_lost(scene: Scene) -> None:
    acknowledged = scene.acknowledged()  # before the database is asked: branches go on
    lost = acknowledged.keys() - scene.slips("spare")
    assert scene.outputs("branches")["loss_records"] == len(lost)
    assert scene.outputs("branches")["unknown_branches"] == []
    scene.dr("journal", "verify", scene.run)


def test_a_standby_that_is_started_again_is_no_second_primary(scene: Scene) -> None:
    heal(scene.lab, "host-off", "dr-a")
    heal(scene.lab, "postgres-killed", "db-b")
    until(lambda: answers(scene, "db-b") and answers(scene, "dr-a"), 30, "both to answer")
    for host in ("db-b", "dr-a"):
        assert scene.ask(host, "SELECT pg_is_in_recovery()") == "t"


def answers(scene: Scene, host: str) -> bool:
    """Say whether the database of a host answers."""
    return in_host(scene.lab, host, [*PSQL, "SELECT 1"]).stdout.strip() == "1"
