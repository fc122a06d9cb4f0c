"""The register opens in stages, keeps held parcels closed, and can be restored from its backup."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dr.lab import business
from dr.lab.api import in_host
from dr.lab.postgres import SOCKET_DIR, as_postgres, find_installation
from tests.deadline import WaitFor

pytestmark = pytest.mark.lab


def _as_superuser(directory: Path, sql: str, host: str = "stg-a") -> str:
    psql = ["psql", "-qtAX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h", SOCKET_DIR]
    done = in_host(directory, host, [*psql, "-d", "registry", "-c", sql])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _as_application(directory: Path, sql: str) -> subprocess.CompletedProcess[str]:
    password = (directory / "workspace/keys/app.password").read_text()
    target = "postgresql://app@registry-db-staging/registry"
    words = ["env", f"PGPASSWORD={password}", "psql", "-qtAX", "-v", "VERBOSITY=verbose"]
    return in_host(directory, "control", [*words, "-c", sql, target])


def _transfer(parcel: str, slip: str) -> str:
    return (
        "INSERT INTO registration (branch, slip, clerk, parcel_no, kind, accepted_at) "  # noqa: S608
        f"VALUES ('branch-01', '{slip}', 'clerk-1', '{parcel}', 'transfer', now())"
    )


@pytest.fixture
def staging(lab_directory: Path) -> Path:
    """Return the lab; its staging register is found and left fully open."""
    for sql in business.FULL:
        _as_superuser(lab_directory, sql)
    return lab_directory


def test_the_write_check_can_be_repeated_and_adds_one_row_at_most(staging: Path) -> None:
    before = _as_superuser(staging, "SELECT count(*), max(receipt_no) FROM registration")
    for _ in range(2):
        done = _as_application(staging, business.WRITE_CHECK)
        assert done.returncode == 0, done.stderr
    assert _as_superuser(staging, "SELECT count(*), max(receipt_no) FROM registration") == before


def test_the_application_cannot_write_while_the_register_is_read_only(staging: Path) -> None:
    for sql in business.READ_ONLY:
        _as_superuser(staging, sql)
    for sql in (business.WRITE_CHECK, _transfer("P0000001", "t/1")):
        assert "RG001" in _as_application(staging, sql).stderr
    assert _as_application(staging, "SELECT count(*) FROM parcel").returncode == 0
    for sql in business.FULL:
        _as_superuser(staging, sql)


def test_a_held_parcel_is_closed_until_full_opening_and_others_are_not(staging: Path) -> None:
    _as_superuser(staging, "INSERT INTO parcel_hold (parcel_no, reason) VALUES ('P0000002', 't')")
    for sql in business.HELD:
        _as_superuser(staging, sql)
    assert _as_superuser(staging, business.STAGE) == "held"

    assert "RG002" in _as_application(staging, _transfer("P0000002", "t/2")).stderr
    other = _as_application(staging, _transfer("P0000003", "t/3"))
    assert other.returncode == 0, other.stderr

    for sql in business.FULL:
        _as_superuser(staging, sql)
    assert _as_application(staging, _transfer("P0000002", "t/4")).returncode == 0


def test_the_application_can_neither_open_the_register_nor_delete_from_it(staging: Path) -> None:
    for sql in (business.FULL[1], "DELETE FROM registration WHERE receipt_no = 1"):
        assert "42501" in _as_application(staging, sql).stderr


def test_the_backup_restores_what_a_branch_registered_since_it_was_made(
    lab_directory: Path, wait_for: WaitFor
) -> None:
    receipt = _as_superuser(lab_directory, "SELECT max(receipt_no) FROM registration", "db-a")
    segment = _as_superuser(lab_directory, "SELECT pg_walfile_name(pg_switch_wal())", "db-a")
    archived = "SELECT last_archived_wal FROM pg_stat_archiver"
    wait_for(lambda: _as_superuser(lab_directory, archived, "db-a") >= segment, 20, "the archive")

    installation = find_installation()
    restore = in_host(
        lab_directory, "spare", [*as_postgres(), "pgbackrest", "--stanza=registry", "restore"]
    )
    assert restore.returncode == 0, restore.stderr
    control = [*as_postgres(), installation.program("pg_ctl"), "-D", installation.data_dir]
    settings = "-c archive_mode=off"
    log = ["-o", settings, "-l", "/var/log/postgresql/postgresql.log"]
    assert in_host(lab_directory, "spare", [*control, *log, "-w", "start"]).returncode == 0

    found = f"SELECT count(*) FROM registration WHERE receipt_no = {receipt}"  # noqa: S608
    wait_for(lambda: _as_superuser(lab_directory, found, "spare") == "1", 20, "the newest case")
    in_host(lab_directory, "spare", [*control, "-m", "immediate", "stop"])
    in_host(lab_directory, "spare", ["find", installation.data_dir, "-mindepth", "1", "-delete"])
