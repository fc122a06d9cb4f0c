"""A host is a machine of its own, and stays inside the lab."""

from __future__ import annotations

import json
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from dr.lab.api import break_, heal, in_host, status
from dr.lab.errors import LabUsageError
from dr.lab.plan import accounts
from tests.deadline import WaitFor

pytestmark = pytest.mark.lab


def _run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dr.lab", "--dir", str(directory), "run", "--", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _boot_id(directory: Path, host: str) -> str:
    return in_host(directory, host, ["cat", "/proc/sys/kernel/random/boot_id"]).stdout.strip()


def test_a_boot_id_is_the_hosts_own_and_new_at_every_boot(lab_directory: Path) -> None:
    before = _boot_id(lab_directory, "control-dr")
    machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    in_host(lab_directory, "control-dr", ["touch", "/var/lib/dr/kept", "/run/lost"])

    break_(lab_directory, "host-off", "control-dr")
    heal(lab_directory, "host-off", "control-dr")

    after = _boot_id(lab_directory, "control-dr")
    assert len({machine, before, after, _boot_id(lab_directory, "spare")}) == 4
    assert in_host(lab_directory, "control-dr", ["test", "-e", "/var/lib/dr/kept"]).returncode == 0
    assert in_host(lab_directory, "control-dr", ["test", "-e", "/run/lost"]).returncode == 1


def test_a_host_has_no_way_out_of_the_lab(lab_directory: Path) -> None:
    routes = in_host(lab_directory, "db-a", ["ip", "route"]).stdout.split("\n")
    assert [route for route in routes if route] == [
        "198.18.0.0/16 dev eth0 proto kernel scope link src 198.18.1.11 "
    ]


def test_a_host_cannot_see_the_checkout_the_lab_or_the_machines_keys(lab_directory: Path) -> None:
    checkout = Path(__file__).parents[3]
    for path in (checkout / "pyproject.toml", lab_directory / "workspace"):
        assert in_host(lab_directory, "db-a", ["test", "-e", str(path)]).returncode == 1
    keys = in_host(lab_directory, "db-a", ["ls", "/etc/ssh"]).stdout.split()
    assert "ssh_host_rsa_key" not in keys


def test_the_engines_key_opens_every_host_and_host_keys_are_known(lab_directory: Path) -> None:
    keys = lab_directory / "workspace/keys"
    for host in ("db-a", "dr-a", "branch-03", "stg-spare", "backup"):
        words = ["ssh", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={keys}/known_hosts"]
        said = _run(
            lab_directory,
            *words,
            "-i",
            str(keys / "engine_ed25519"),
            f"{accounts().login}@{host}",
            "hostname",
        )
        assert said.stdout.strip() == host, said.stderr


def test_entering_changes_the_network_and_keeps_the_files(lab_directory: Path) -> None:
    said = _run(lab_directory, "sh", "-c", "ip -br -4 addr show eth0; getent hosts registry-db; ls")
    assert "198.18.1.5/16" in said.stdout
    assert "198.18.1.100" in said.stdout
    assert not Path("/sys/class/net/br-core").exists()


def test_entering_twice_is_entering_once(lab_directory: Path) -> None:
    code = (
        "import os, pathlib; from dr.lab.enter import enter;"
        f"d = pathlib.Path({str(lab_directory)!r});"
        "enter(d); one = os.stat('/proc/self/ns/mnt').st_ino;"
        "enter(d); print(one == os.stat('/proc/self/ns/mnt').st_ino)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "True\n"


def test_entering_loads_nothing_but_the_standard_library() -> None:
    code = "import sys, dr.lab.enter; print(*sorted(m for m in sys.modules if '.' not in m))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"yaml", "click", "rich", "paramiko", "pydantic"} & set(said.stdout.split())


def test_the_line_to_the_dr_centre_takes_its_time(lab_directory: Path) -> None:
    code = (
        "import socket, time\n"
        "def took():\n"
        "  began = time.monotonic()\n"
        "  socket.create_connection(('198.18.2.5', 22), 5).close()\n"
        "  return time.monotonic() - began\n"
        "print(min(took() for _ in range(5)))"
    )
    seconds = float(_run(lab_directory, sys.executable, "-c", code).stdout)
    assert 0.010 <= seconds < 0.1


def test_mail_to_the_control_host_is_kept(lab_directory: Path, wait_for: WaitFor) -> None:
    code = (
        "import smtplib\n"
        "smtplib.SMTP('198.18.1.5', 25, timeout=5).sendmail("
        "'dr@lab.example', ['chen.wei@lab.example'], 'Subject: hello\\n\\n.dot\\nbody')"
    )
    assert smtplib  # the client is the standard library's
    said = _run(lab_directory, sys.executable, "-c", code)
    assert said.returncode == 0, said.stderr
    letters = wait_for(lambda: list((lab_directory / "mail").glob("*.eml")), 5, "a letter")
    text = letters[0].read_text()
    assert "chen.wei@lab.example" in text
    assert "\n.dot\n" in text


def test_status_counts_what_each_branch_registers(lab_directory: Path, wait_for: WaitFor) -> None:
    def counts() -> list[int]:
        return [branch["acknowledged"] for branch in status(lab_directory).branches]

    before = counts()
    assert len(before) == 3
    wait_for(
        lambda: all(now > then for now, then in zip(counts(), before, strict=True)), 10, "business"
    )


def test_what_a_branch_has_acknowledged_is_in_the_register(lab_directory: Path) -> None:
    ledger = in_host(lab_directory, "branch-01", ["cat", "/var/lib/registry/ledger.csv"]).stdout
    lines = [line.split(",") for line in ledger.splitlines()[1:]]
    receipts = [line[2] for line in lines if line[7] == "acknowledged"]
    assert receipts
    sql = f"SELECT count(*) FROM registration WHERE receipt_no IN ({','.join(receipts)})"  # noqa: S608
    psql = ["psql", "-qtAX", "-U", "postgres", "-h", "/run/postgresql", "-d", "registry", "-c", sql]
    assert in_host(lab_directory, "db-a", psql).stdout.strip() == str(len(receipts))


def test_an_unknown_fault_or_host_is_answered_with_the_nearest_name(lab_directory: Path) -> None:
    with pytest.raises(LabUsageError) as wrong:
        break_(lab_directory, "storage-kiled")
    assert wrong.value.hint == "Did you mean 'storage-killed'?"
    with pytest.raises(LabUsageError) as wrong:
        break_(lab_directory, "host-off", "db-z")
    assert wrong.value.hint == "Did you mean 'db-b'?"


def test_the_inventory_is_one_that_ansible_understands(lab_directory: Path) -> None:
    inventory = lab_directory / "workspace/inventory/lab/hosts.yaml"
    tool = Path(sys.executable).parent / "ansible-inventory"
    said = subprocess.run(
        [str(tool), "-i", str(inventory), "--list"], capture_output=True, text=True, check=True
    )
    hosts = json.loads(said.stdout)["_meta"]["hostvars"]
    assert hosts["dr-a"]["dr_site"] == "dr"
    assert "stg-a" not in hosts
