"""The storage of the primary dies, and a standby takes over for real.

The tests of this file are one story told in order: each finds the lab as the one before left it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dr.engine.actions.postgres.observatory import Roles
from dr.engine.actions.postgres.proof import recheck_proof
from dr.engine.actions.postgres.service import read_service
from dr.engine.core.errors import RefusedError
from dr.engine.core.ports import Presence
from dr.lab.api import break_, heal
from dr.lab.enter import in_host
from tests.deadline import WaitFor
from tests.integration.recovery.conftest import RealClock, Site

pytestmark = [pytest.mark.lab, pytest.mark.slow]

STORY: dict[str, Any] = {}


def look(site: Site) -> Mapping[str, Any]:
    roles = Roles(site.connections, site.inventory, RealClock())
    return site.inside(lambda: roles.look("registry"))


def psql(site: Site, host: str, sql: str) -> str:
    words = ["psql", "-XAtq", "-h", "/run/postgresql", "-U", "postgres", "-d", "registry"]
    return in_host(site.lab, host, [*words, "-c", sql]).stdout.strip()


def test_roles_are_seen_and_not_read_from_the_inventory(site: Site) -> None:
    seen = look(site)
    assert (seen["primary"]["host"], seen["primary"]["basis"]) == ("db-a", "observed")
    assert (seen["standby"]["host"], seen["standby"]["healthy"]) == ("db-b", True)
    assert seen["members"]["spare"]["answers"] is False


def test_the_standby_s_pages_are_read_and_found_whole(site: Site) -> None:
    outputs = site.perform("postgres.assess").outputs
    assert outputs["intact"] == "intact"
    assert "every page" in outputs["intact_basis"]


def test_a_standby_is_not_fenced(site: Site) -> None:
    attempt = site.attempt("postgres.fence", "db-b")
    with pytest.raises(RefusedError, match="is a standby"):
        site.inside(lambda: site.actions["postgres.fence"].perform(attempt, site.world))


def test_nothing_is_promoted_without_a_proof(site: Site) -> None:
    attempt = site.attempt("postgres.promote", "db-b")
    with pytest.raises(RefusedError, match="no proof that the old primary is fenced"):
        site.inside(lambda: site.actions["postgres.promote"].perform(attempt, site.world))


def test_a_forged_proof_does_not_survive_the_second_look(site: Site) -> None:
    forged = {"kind": "proof", "means": "stopped", "host": "db-a", "survives_reboot": True}
    attempt = site.attempt("postgres.promote", "db-b", requires={"proof": forged})
    with pytest.raises(RefusedError, match="db-a is not fenced any more"):
        site.inside(lambda: site.actions["postgres.promote"].perform(attempt, site.world))


def test_with_its_storage_dead_the_holder_of_the_address_is_the_primary(
    site: Site, wait_for: WaitFor
) -> None:
    break_(site.lab, "storage-killed", "db-a")
    wait_for(lambda: not look(site)["members"]["db-a"]["answers"], 20, "the database to die")
    assert look(site)["old_primary"]["host"] == "db-a"


def test_the_dead_primary_is_fenced_although_its_storage_gives_errors(site: Site) -> None:
    proof = site.perform("postgres.fence", "db-a").outputs["proof"]
    assert proof["kind"] == "proof"
    assert proof["survives_reboot"] is True
    assert proof["system_id"] == look(site)["standby"]["system_id"]
    STORY["proof"] = proof


def test_the_standby_is_promoted_and_the_other_one_follows_it(
    site: Site, wait_for: WaitFor
) -> None:
    proof = {"proof": STORY["proof"]}
    outputs = site.perform("postgres.promote", "db-b", requires=proof).outputs
    assert (outputs["host"], outputs["timeline"]) == ("db-b", 2)
    assert outputs["loss_s"] is not None
    STORY["recovered_to"] = outputs["recovered_to"]
    slots = psql(site, "db-b", "SELECT slot_name FROM pg_replication_slots")
    assert slots == "dr_a"


def test_a_promotion_made_before_is_recognised_with_the_same_outputs(site: Site) -> None:
    attempt = site.attempt("postgres.promote", "db-b", requires={"proof": STORY["proof"]})
    probe = site.inside(lambda: site.actions["postgres.promote"].probe(attempt, site.world))
    assert probe.presence is Presence.DONE
    assert probe.outputs["host"] == "db-b"
    assert probe.outputs["recovered_to"] == STORY["recovered_to"]
    seen = look(site)
    assert (seen["old_primary"]["host"], seen["standby"]["host"]) == ("db-a", "db-b")


def test_a_restore_is_no_way_back_once_another_host_writes(site: Site) -> None:
    restore = site.actions["backup.restore"]
    attempt = site.attempt("backup.restore", "spare", set="registry-db")
    said = site.inside(lambda: restore.forecast(attempt, site.world))
    assert said.available.holds is False
    assert "db-b writes already" in said.available.because
    promote = site.attempt("postgres.promote", "db-b")
    said = site.inside(lambda: site.actions["postgres.promote"].forecast(promote, site.world))
    assert (said.available.holds, said.loss) == (True, timedelta())


def test_a_second_host_is_not_promoted(site: Site) -> None:
    attempt = site.attempt("postgres.promote", "dr-a", requires={"proof": STORY["proof"]})
    with pytest.raises(RefusedError, match="would make two"):
        site.inside(lambda: site.actions["postgres.promote"].perform(attempt, site.world))


def test_the_promoted_primary_is_not_fenced(site: Site) -> None:
    attempt = site.attempt("postgres.fence", "db-b")
    with pytest.raises(RefusedError, match="fenced already"):
        site.inside(lambda: site.actions["postgres.fence"].perform(attempt, site.world))


def test_business_is_shut_before_a_branch_can_reach_it(site: Site) -> None:
    outcome = site.perform("business.reopen", stage="read_only", host="db-b")
    assert outcome.outputs["stage"] == "read_only"
    assert "RG001" in str(outcome.facts["said"])


def test_the_address_moves_and_a_branch_finds_the_new_host(site: Site) -> None:
    proof = {"proof": STORY["proof"]}
    site.perform("address.move", to="db-b", requires=proof)
    attempt = site.attempt("address.move", to="db-b", requires=proof)
    probe = site.inside(lambda: site.actions["address.move"].probe(attempt, site.world))
    assert probe.presence is Presence.DONE
    file = in_host(site.lab, "db-b", ["cat", "/etc/dr-addresses"]).stdout
    assert "198.18.1.100/16 eth0" in file


def test_business_opens_with_held_parcels_and_branches_write_again(
    site: Site, wait_for: WaitFor
) -> None:
    before = int(psql(site, "db-b", "SELECT count(*) FROM registration"))
    outputs = site.perform(
        "business.reopen", stage="held", since=STORY["recovered_to"], host="db-b"
    ).outputs
    assert outputs["unknown_branches"] == []
    held = psql(site, "db-b", "SELECT count(*) FROM parcel_hold WHERE released_at IS NULL")
    assert int(held) == outputs["held"]
    wait_for(
        lambda: int(psql(site, "db-b", "SELECT count(*) FROM registration")) > before,
        30,
        "a branch to register again",
    )


def test_each_branch_gets_the_list_of_what_is_missing(site: Site) -> None:
    outputs = site.perform("reconcile.branches", since=STORY["recovered_to"]).outputs
    assert outputs["complete"] is True
    assert sorted(outputs["branches"]) == ["branch-01", "branch-02", "branch-03"]
    assert outputs["loss_records"] == sum(b["missing"] for b in outputs["branches"].values())
    assert len(outputs["files"]) == 3
    assert all(Path(f).read_text("utf-8").startswith("\ufefffinding") for f in outputs["files"])
    json.dumps(outputs)  # the journal keeps it


def test_a_branch_that_can_not_be_read_is_unknown_and_not_without_loss(site: Site) -> None:
    break_(site.lab, "host-off", "branch-03")
    try:
        outputs = site.perform("reconcile.branches", since=STORY["recovered_to"]).outputs
    finally:
        heal(site.lab, "host-off", "branch-03")
    assert outputs["unknown_branches"] == ["branch-03"]
    assert outputs["branches"]["branch-03"]["missing"] is None
    assert outputs["loss_records"] is None
    assert outputs["loss_s"] is None


def test_the_old_primary_stays_fenced_when_it_is_switched_off_and_on(
    site: Site, wait_for: WaitFor
) -> None:
    service = read_service(site.inventory, "registry")

    def proven() -> bool:
        check = site.inside(
            lambda: recheck_proof(STORY["proof"], site.connections, service, site.inventory)
        )
        return check.holds is True

    break_(site.lab, "host-off", "db-a")
    assert proven()
    heal(site.lab, "host-off", "db-a")
    wait_for(lambda: look(site)["members"]["db-a"]["reachable"], 20, "db-a to boot")
    assert proven()
    assert look(site)["members"]["db-a"]["answers"] is False
