"""No standby is left, and the cold backup with its log comes back onto the spare storage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dr.engine.core.errors import RefusedError
from dr.engine.core.events import Event, Kind
from dr.engine.core.ports import Found, Presence
from dr.engine.core.values import parse_utc, utc_text
from dr.lab.api import break_
from dr.lab.enter import in_host
from tests.deadline import wait_for
from tests.integration.recovery.conftest import Site

pytestmark = [pytest.mark.lab, pytest.mark.slow]

STORY: dict[str, Any] = {}


def fenced(site: Site) -> dict[str, Any]:
    if "proof" not in STORY:
        STORY["proof"] = site.perform("postgres.fence", "db-a").outputs["proof"]
    return {"proof": STORY["proof"]}


def restore(site: Site, host: str, **given: Any) -> Any:
    attempt = site.attempt("backup.restore", host, set="registry-db", timeout="4m", **given)
    return site.inside(lambda: site.actions["backup.restore"].perform(attempt, site.world))


def test_the_backup_is_found_usable(site: Site) -> None:
    outputs = site.perform("backup.check", set="registry-db").outputs
    assert outputs["usable"] is True
    assert [c["copy"] for c in outputs["candidates"] if not c["usable"]] == ["tape"]


def forecast_loss(site: Site, **given: Any) -> timedelta:
    """Return what a restore onto the spare host is forecast to lose."""
    attempt = site.attempt("backup.restore", "spare", set="registry-db", **given)
    forecast = site.inside(lambda: site.actions["backup.restore"].forecast(attempt, site.world))
    assert isinstance(forecast.loss, timedelta)
    return forecast.loss


def test_stopping_the_recovery_early_counts_as_loss(site: Site) -> None:
    found = site.perform("backup.check", set="registry-db").outputs["consistent_at"]
    early = parse_utc(found) + timedelta(seconds=1)
    psql = ["psql", "-XAtq", "-h", "/run/postgresql", "-U", "postgres", "-c"]
    switch = "SELECT txid_current(), pg_walfile_name(pg_switch_wal())"
    segment = in_host(site.lab, "db-a", [*psql, switch]).stdout.strip().rpartition("|")[2]
    last = [*psql, "SELECT last_archived_wal FROM pg_stat_archiver"]
    wait_for(lambda: in_host(site.lab, "db-a", last).stdout.strip() >= segment, 20, "the archive")
    late = utc_text(datetime.now(UTC) + timedelta(minutes=1))
    whole = forecast_loss(site, detected_at=late)
    part = forecast_loss(site, detected_at=late, target_time=utc_text(early))
    assert whole < part == parse_utc(late) - early


def test_nothing_is_restored_while_a_primary_writes(site: Site) -> None:
    with pytest.raises(RefusedError, match="no proof"):
        restore(site, "spare")


def test_a_host_with_data_is_never_restored_over(site: Site) -> None:
    break_(site.lab, "postgres-killed", "db-b")
    with pytest.raises(RefusedError, match="is not empty"):
        restore(site, "db-b", requires=fenced(site))


def accepting(seconds: float | None) -> Event:
    """Return the end of a gate at which people chose the backup and accepted a loss."""
    outputs = {"choice": "restore-cold-backup", "max_loss_s": seconds}
    at = datetime.now(UTC)
    data = {"state": "succeeded", "outputs": outputs}
    return Event("run-1", 1, at, Kind.STEP_FINISHED, "choose", None, None, 1, data, "")


def test_nothing_is_restored_that_loses_more_than_the_gate_accepted(site: Site) -> None:
    late = utc_text(datetime.now(UTC) + timedelta(minutes=10))
    attempt = site.attempt(
        "backup.restore", "spare", set="registry-db", detected_at=late, requires=fenced(site)
    )
    action = site.actions["backup.restore"]
    forecast_s = forecast_loss(site, detected_at=late).total_seconds()
    assert forecast_s >= 60

    site.world.past = [accepting(30.0)]
    before = len(site.world.handles)
    with pytest.raises(RefusedError, match="would be lost, accepted was 30s") as refused:
        site.inside(lambda: action.perform(attempt, site.world))
    assert refused.value.hint == "Have the greater loss approved, or take the next rung."
    assert refused.value.facts["loss_s"] == forecast_s
    assert len(site.world.handles) == before
    assert site.inside(lambda: action.probe(attempt, site.world)).presence is Presence.ABSENT

    site.world.past = [accepting(forecast_s)]
    assert site.inside(lambda: action.precheck(attempt, site.world)).holds is True
    site.world.past = []


def test_a_step_s_own_limit_goes_before_what_the_gate_accepted(site: Site) -> None:
    late = utc_text(datetime.now(UTC) + timedelta(minutes=10))
    site.world.past = [accepting(3600.0)]
    with pytest.raises(RefusedError, match="accepted was 1m"):
        restore(site, "spare", requires=fenced(site), detected_at=late, max_loss="1m")
    site.world.past = []


def test_the_newest_backup_comes_back_with_its_log(site: Site) -> None:
    proof = fenced(site)
    attempt = site.attempt(
        "backup.restore", "spare", set="registry-db", requires=proof, timeout="4m"
    )
    action = site.actions["backup.restore"]
    outcome = site.inside(lambda: action.perform(attempt, site.world))
    check = site.inside(lambda: action.verify(attempt, site.world, outcome))
    assert check.holds is True, check.because
    outputs = outcome.outputs
    assert outputs["host"] == "spare"
    STORY["attempt"] = attempt
    assert outputs["timeline"] == 2
    assert outputs["system_id"] == STORY["proof"]["system_id"]
    STORY["outputs"] = outputs


def test_an_engine_that_died_meanwhile_finds_the_restore_and_its_outputs(site: Site) -> None:
    action = site.actions["backup.restore"]
    attached = site.inside(lambda: action.attach(STORY["attempt"], site.world))
    assert attached.found is Found.ENDED
    assert attached.outcome is not None
    assert attached.outcome.outputs == STORY["outputs"]


def test_the_restored_server_archives_nothing(site: Site) -> None:
    words = ["psql", "-XAtq", "-h", "/run/postgresql", "-U", "postgres", "-c"]
    shown = in_host(site.lab, "spare", [*words, "SHOW archive_mode"]).stdout.strip()
    assert shown == "off"
    command = in_host(site.lab, "spare", [*words, "SHOW archive_command"]).stdout.strip()
    assert "pgbackrest" not in command


def test_a_restore_made_before_is_recognised_and_not_repeated(site: Site) -> None:
    attempt = site.attempt("backup.restore", "spare", set="registry-db", requires=fenced(site))
    action = site.actions["backup.restore"]
    probe = site.inside(lambda: action.probe(attempt, site.world))
    assert probe.presence is Presence.DONE
    assert probe.outputs["recovered_to"] == STORY["outputs"]["recovered_to"]
    with pytest.raises(RefusedError, match="a primary that writes"):
        restore(site, "spare", requires=fenced(site))


def test_undoing_a_restore_sets_the_data_aside_and_deletes_nothing(site: Site) -> None:
    attempt = site.attempt("backup.restore", "spare", set="registry-db", requires=fenced(site))
    action = site.actions["backup.restore"]
    outcome = site.inside(lambda: action.undo(attempt, site.world))
    aside = outcome.outputs["aside"]
    assert in_host(site.lab, "spare", ["cat", f"{aside}/PG_VERSION"]).stdout.strip() == "15"
    probe = site.inside(lambda: action.probe(attempt, site.world))
    assert probe.presence is Presence.ABSENT
