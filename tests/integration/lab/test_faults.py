"""Each fault looks to an SSH client and to a PostgreSQL client as the real one does.

The tests run in this order on one lab: the last ones are past healing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from dr.lab.api import break_, down, heal, in_host, status
from dr.lab.errors import LabError, LabUsageError
from dr.lab.testing import LabFactory
from tests.deadline import WaitFor

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="loop volumes and the user postgres are root's"),
]

OK, REFUSED, SILENT, ERROR = "ok", "refused", "silent", "error"
_PROOF = "UPDATE parcel SET area_m2 = area_m2 WHERE parcel_no = 'TEST-0000'"


@dataclass(frozen=True)
class View:
    """What a client in the control host's network meets."""

    port: str
    ssh: str
    read: str
    write: str


def _run(directory: Path, script: str) -> subprocess.CompletedProcess[str]:
    lab = [sys.executable, "-m", "dr.lab", "--dir", str(directory), "run", "--"]
    return subprocess.run([*lab, "bash", "-c", script], capture_output=True, text=True, check=False)


def _look(directory: Path, address: str) -> View:
    keys = directory / "workspace/keys"
    ssh = f"ssh -o BatchMode=yes -i {keys}/engine_ed25519 -o UserKnownHostsFile={keys}/known_hosts"
    base = f"timeout 3 env PGCONNECT_TIMEOUT=2 psql -qtAX -h {address} -d registry"
    commands = {
        "port": f"timeout 2 bash -c '</dev/tcp/{address}/22'",
        "ssh": f"timeout 3 {ssh} -o ConnectTimeout=2 root@{address} true",
        "read": f"PGPASSWORD=$(cat {keys}/dr_reader.password) {base} -U dr_reader "  # noqa: S608
        "-c 'SELECT sum(length(clerk)) FROM registration'",
        "write": f'PGPASSWORD=$(cat {keys}/app.password) {base} -U app -c "{_PROOF}"',
    }
    # all at once: a silent host costs its time-out only one time
    script = "cd $(mktemp -d)\n"
    for name, command in commands.items():
        script += f"({command}) >{name}.out 2>&1; echo $? >{name}.rc &\n".replace(
            f"({command})", f"{{ ({command})"
        ).replace(" &\n", "; } &\n")
    script += (
        "wait\nfor n in port ssh read write; do echo $n $(cat $n.rc $n.out | tr -d '\\r'); done"
    )
    answers = {}
    for line in _run(directory, script).stdout.strip().split("\n"):
        name, code, *words = line.split()
        answers[name] = _read(int(code), " ".join(words))
    return View(**answers)


def _as_application(directory: Path, sql: str) -> subprocess.CompletedProcess[str]:
    password = f"PGPASSWORD=$(cat {directory}/workspace/keys/app.password)"
    psql = "timeout 30 psql -qtAX -v ON_ERROR_STOP=1 -h 198.18.1.11 -d registry -U app"
    return _run(directory, f'{password} {psql} -c "{sql}"')


def _read(code: int, said: str) -> str:
    if code == 0:
        return OK
    said = said.lower()
    if code == 124 or "timeout expired" in said or "timed out" in said:
        return SILENT
    return REFUSED if "refused" in said else ERROR


@pytest.fixture(scope="module")
def lab(fresh_lab: Path) -> Path:
    return fresh_lab


def _db_a(directory: Path) -> View:
    return _look(directory, "198.18.1.11")


def test_a_whole_lab_answers(lab: Path) -> None:
    assert _db_a(lab) == View(OK, OK, OK, OK)


@pytest.mark.parametrize("fault", ["link-down", "host-off"])
def test_a_host_without_line_or_power_is_silent(fault: str, lab: Path, wait_for: WaitFor) -> None:
    break_(lab, fault, "db-a")
    try:
        assert _db_a(lab) == View(SILENT, SILENT, SILENT, SILENT)
        wait_for(
            lambda: all(branch["failing_since"] for branch in status(lab).branches), 10, "failures"
        )
    finally:
        heal(lab, fault, "db-a")
    wait_for(lambda: _db_a(lab) == View(OK, OK, OK, OK), 20, "db-a back")
    # nobody fenced it: it takes its service address back, too
    wait_for(
        lambda: not any(branch["failing_since"] for branch in status(lab).branches), 20, "business"
    )


def test_a_frozen_host_takes_connections_and_says_nothing(lab: Path) -> None:
    break_(lab, "host-frozen", "db-a")
    try:
        assert _db_a(lab) == View(OK, SILENT, SILENT, SILENT)
    finally:
        heal(lab, "host-frozen", "db-a")
    assert _db_a(lab) == View(OK, OK, OK, OK)


def test_a_cut_line_parts_the_site_but_not_its_hosts(lab: Path) -> None:
    break_(lab, "wan-cut", "dr")
    try:
        assert _look(lab, "198.18.2.11").port == SILENT
        near = in_host(lab, "control-dr", ["bash", "-c", "timeout 2 true </dev/tcp/dr-a/22"])
        assert near.returncode == 0
    finally:
        heal(lab, "wan-cut", "dr")
    assert _look(lab, "198.18.2.11").port == OK


def test_losing_the_machine_room_spares_the_control_host_and_the_dr_centre(
    lab: Path, wait_for: WaitFor
) -> None:
    break_(lab, "site-off", "main")
    try:
        off = {host["name"] for host in status(lab).hosts if host["power"] == "off"}
        assert off == {"db-a", "db-b", "spare", "backup"}
        assert _look(lab, "198.18.2.11").port == OK
    finally:
        heal(lab, "site-off", "main")
    wait_for(lambda: _db_a(lab) == View(OK, OK, OK, OK), 20, "db-a back")


def test_a_killed_postgresql_refuses_and_stays_down(lab: Path, wait_for: WaitFor) -> None:
    break_(lab, "postgres-killed", "db-a")
    try:
        wait_for(lambda: _db_a(lab) == View(OK, OK, REFUSED, REFUSED), 10, "refused")
    finally:
        heal(lab, "postgres-killed", "db-a")
    assert _db_a(lab) == View(OK, OK, OK, OK)


def test_a_fenced_host_comes_back_without_database_and_address(
    lab: Path, wait_for: WaitFor
) -> None:
    in_host(lab, "db-a", ["touch", "/var/lib/dr/fenced/registry"])
    break_(lab, "host-off", "db-a")
    heal(lab, "host-off", "db-a")
    wait_for(lambda: _db_a(lab).ssh == OK, 10, "db-a back")

    assert _db_a(lab) == View(OK, OK, REFUSED, REFUSED)
    assert "198.18.1.100" not in in_host(lab, "db-a", ["ip", "addr"]).stdout

    in_host(lab, "db-a", ["rm", "/var/lib/dr/fenced/registry"])
    break_(lab, "host-off", "db-a")
    heal(lab, "host-off", "db-a")
    wait_for(lambda: _db_a(lab) == View(OK, OK, OK, OK), 20, "db-a back")
    assert "198.18.1.100" in in_host(lab, "db-a", ["ip", "addr"]).stdout


def test_a_hung_storage_keeps_writers_waiting(lab: Path, wait_for: WaitFor) -> None:
    break_(lab, "storage-hung", "db-a")
    try:
        seen = _db_a(lab)
        assert (seen.port, seen.write) == (OK, SILENT)
    finally:
        heal(lab, "storage-hung", "db-a")
    wait_for(lambda: _db_a(lab) == View(OK, OK, OK, OK), 20, "db-a back")


def test_a_full_disk_fails_whoever_writes_and_keeps_nothing_of_it(
    lab: Path, wait_for: WaitFor
) -> None:
    # new pages: the table must grow, and cannot
    many = (
        "INSERT INTO registration (branch, slip, clerk, parcel_no, kind, accepted_at) "
        "SELECT 'branch-01', 'full/' || n, 'clerk-1', 'P0000001', 'first', now() "
        "FROM generate_series(1, 20000) AS n"
    )
    log = ["grep", "-q", "No space left on device", "/var/log/postgresql/postgresql.log"]
    assert in_host(lab, "db-a", log).returncode == 1
    break_(lab, "disk-full", "db-a")
    try:
        # an error while the table cannot grow; no server at all once its own log has no room
        assert _as_application(lab, many).returncode != 0
        wait_for(lambda: in_host(lab, "db-a", log).returncode == 0, 20, "the reason in the log")
        assert _db_a(lab).ssh == OK
    finally:
        heal(lab, "disk-full", "db-a")

    # it may still be recovering, or have ended when it could not
    if wait_for(lambda: {_db_a(lab).read} & {OK, REFUSED}, 30, "an end of recovery") == {REFUSED}:
        heal(lab, "postgres-killed", "db-a")
    wait_for(lambda: _db_a(lab) == View(OK, OK, OK, OK), 20, "db-a back")
    kept = _as_application(lab, "SELECT count(*) FROM registration WHERE slip LIKE 'full/%'")
    assert kept.stdout.strip() == "0"
    assert _as_application(lab, f"BEGIN; {many}; ROLLBACK").returncode == 0


def test_damaged_pages_are_noticed_by_readers_and_not_by_writers(
    lab: Path, wait_for: WaitFor
) -> None:
    break_(lab, "postgres-killed", "db-a")
    heal(lab, "postgres-killed", "db-a")  # its cache holds the good pages no more
    break_(lab, "storage-corrupted", "db-a")

    wait_for(lambda: _db_a(lab).write == OK, 10, "writes")
    assert _db_a(lab) == View(OK, OK, ERROR, OK)
    with pytest.raises(LabUsageError, match="cannot be healed"):
        heal(lab, "storage-corrupted", "db-a")


def test_a_killed_storage_is_an_io_error_and_its_replacement_is_empty(lab: Path) -> None:
    break_(lab, "storage-killed", "db-a")
    seen = _db_a(lab)
    assert (seen.port, seen.ssh) == (OK, OK)
    # it answers with errors until it must write its log, and then it gives up
    assert {seen.read, seen.write} <= {ERROR, REFUSED}
    said = in_host(lab, "db-a", ["bash", "-c", "cat /var/lib/postgresql/*/main/PG_VERSION"])
    assert "Input/output error" in said.stderr

    heal(lab, "storage-killed", "db-a")

    found = in_host(lab, "db-a", ["find", "/var/lib/postgresql", "-type", "f"])
    assert (found.returncode, found.stdout) == (0, "")
    owner = in_host(lab, "db-a", ["bash", "-c", "stat -c %U:%a /var/lib/postgresql/*/main"])
    assert owner.stdout == "postgres:700\n"
    assert _db_a(lab).read == REFUSED


def test_a_directory_loses_its_files_and_is_never_hung_or_filled(lab_factory: LabFactory) -> None:
    directory = lab_factory(staging=False, branches=0, volume="dir")
    for fault in ("storage-hung", "disk-full"):
        with pytest.raises(LabError, match="a directory of this machine's own file system"):
            break_(directory, fault)

    break_(directory, "storage-killed", "db-a")

    found = in_host(directory, "db-a", ["find", "/var/lib/postgresql", "-type", "f"])
    assert found.stdout == ""
    heal(directory, "storage-killed", "db-a")
    owner = in_host(directory, "db-a", ["bash", "-c", "stat -c %U:%a /var/lib/postgresql/*/main"])
    assert owner.stdout == "postgres:700\n"
    down(directory)
