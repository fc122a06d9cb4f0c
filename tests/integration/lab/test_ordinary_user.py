"""Somebody who is not root has a lab of their own, too."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deadline import WaitFor, wait_for
from tests.integration.lab.ordinary import OrdinaryUser, files_of, ordinary_user
from tests.integration.lab.traces import Traces, traces

pytestmark = pytest.mark.lab

_OBSTACLES = (
    "import json; from dr.lab.doctor import obstacles;"
    "print(json.dumps([[one.message, one.hint] for one in obstacles()]))"
)


@pytest.fixture(scope="module")
def user() -> Iterator[OrdinaryUser]:
    folder = Path(tempfile.mkdtemp(prefix="dr-lab-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        found = ordinary_user(folder)
        if found is None:
            pytest.skip("no Python from 3.11 on that an ordinary user of this machine may run")
        missing = json.loads(found.run(found.python, "-c", _OBSTACLES).stdout)
        if missing:
            pytest.skip(f"no lab for an ordinary user: {missing[0][0]}")
        yield found
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def lab(user: OrdinaryUser) -> Iterator[OrdinaryUser]:
    said = user.lab("up", "--branches", "1", "--no-staging", "--rows", "2000")
    assert said.returncode == 0, said.stderr
    seen = traces(user.directory)
    yield user
    if not user.directory.exists():
        return
    _down(user, seen)


def _down(user: OrdinaryUser, seen: Traces) -> None:
    said = user.lab("down")
    assert said.returncode == 0, said.stderr
    assert seen.left() == []
    assert files_of(user.folder, ["code", "cache"]) == []


def _sql(lab: OrdinaryUser, host: str, sql: str) -> str:
    psql = f'psql -qtAX -U postgres -h /run/postgresql -d registry -c "{sql}"'
    return lab.inside(host, psql).stdout.strip()


def test_nothing_of_the_lab_is_roots(lab: OrdinaryUser) -> None:
    status = json.loads(lab.lab("status").stdout)
    assert all(host["power"] == "on" for host in status["hosts"])
    assert status["branches"][0]["acknowledged"] > 0
    owners = {path.lstat().st_uid for path in lab.directory.rglob("*")}
    assert owners == {lab.uid}
    processes = {os.stat(f"/proc/{pid}").st_uid for pid, _ in traces(lab.directory).processes}
    assert processes == {lab.uid}


def test_business_and_files_can_be_spoilt(lab: OrdinaryUser) -> None:
    # refused, with nothing changed, until the branches have registered enough
    wait_for(lambda: lab.lab("spoil", "lost-holes", "--count", "1").returncode == 0, 30)
    said = lab.lab("spoil", "file-bom")
    assert said.returncode == 0, said.stderr
    lost, file = json.loads(lab.lab("truth").stdout)
    there = f"SELECT count(*) FROM registration WHERE slip = '{lost['key']}'"  # noqa: S608
    assert _sql(lab, "db-a", there) == "0"
    assert lab.inside("branch-01", f"head -c 3 {file['file']} | od -An -tx1").stdout.split() == [
        "ef",
        "bb",
        "bf",
    ]


def test_a_host_has_files_of_its_own_and_none_of_the_users(lab: OrdinaryUser) -> None:
    script = (
        "hostname; touch /etc/own /var/lib/dr/own /root/own && echo written;"
        f"ls {lab.directory} 2>/dev/null; ls /home; test -e /etc/own && id -un"
    )
    said = lab.inside("db-b", script).stdout.split()
    assert said == ["db-b", "written", lab.name, lab.name]
    assert not Path("/etc/own").exists()
    assert lab.inside("db-a", "test -e /etc/own").returncode == 1


def test_the_engines_key_opens_a_host_where_addresses_can_be_moved(lab: OrdinaryUser) -> None:
    keys = lab.directory / "workspace/keys"
    ssh = f"ssh -tt -o BatchMode=yes -i {keys}/engine_ed25519"
    ssh += f" -o UserKnownHostsFile={keys}/known_hosts {lab.name}@dr-a"
    remote = "ip addr add 198.18.1.77/16 dev eth0 && ip -br -4 addr show eth0"
    said = lab.lab("run", "--", "sh", "-c", f"{ssh} '{remote}'")
    assert "198.18.1.77/16" in said.stdout, said.stderr


def test_what_is_inside_the_labs_network_can_still_step_into_a_host(lab: OrdinaryUser) -> None:
    nested = f"{lab.python} -m dr.lab exec spare -- hostname"
    assert lab.lab("run", "--", "sh", "-c", nested).stdout == "spare\n"


def test_a_commands_end_inside_a_host_is_its_own(lab: OrdinaryUser) -> None:
    assert lab.inside("db-b", "exit 7").returncode == 7
    assert lab.lab("exec", "db-b", "--", "no-such-command").returncode == 127


def test_the_inventory_names_the_user(lab: OrdinaryUser) -> None:
    inventory = lab.directory / "workspace/inventory/lab"
    assert f"ansible_user: {lab.name}\n" in (inventory / "hosts.yaml").read_text()
    assert f"os_user: {lab.name}\n" in (inventory / "services.yaml").read_text()
    assert f"  user: {lab.name}\n" in (lab.directory / "workspace/dr.yaml").read_text()


def test_a_volume_that_only_root_can_break_is_refused_with_the_reason(lab: OrdinaryUser) -> None:
    for fault in ("storage-hung", "disk-full"):
        said = lab.lab("break", fault)
        assert said.returncode != 0
        assert "a directory of this machine's own file system" in said.stderr
        assert "'dr lab up --volume loop' as root" in said.stderr
    said = lab.lab("up", "--volume", "loop")
    assert "attaching a device is root's" in said.stderr


def test_spare_storage_takes_what_the_backup_host_gives(lab: OrdinaryUser) -> None:
    restore = "pgbackrest --stanza=registry restore && cat /var/lib/postgresql/*/main/PG_VERSION"
    said = lab.inside("spare", restore)
    assert said.returncode == 0, said.stderr
    assert said.stdout.strip().isdigit()


def test_a_host_that_loses_its_power_comes_back_with_its_database(
    lab: OrdinaryUser, wait_for: WaitFor
) -> None:
    boot = lab.inside("dr-a", "cat /proc/sys/kernel/random/boot_id").stdout
    for word in ("break", "heal"):
        assert lab.lab(word, "host-off", "dr-a").returncode == 0
    assert lab.inside("dr-a", "cat /proc/sys/kernel/random/boot_id").stdout != boot
    following = "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'dr-a'"
    wait_for(lambda: _sql(lab, "db-a", following) == "1", 30, "dr-a streaming again")


def test_the_standby_takes_over_when_the_files_of_the_primary_are_gone(
    lab: OrdinaryUser, wait_for: WaitFor
) -> None:
    assert lab.lab("break", "storage-killed").returncode == 0
    assert lab.inside("db-a", "find /var/lib/postgresql -type f").stdout == ""
    assert lab.lab("break", "host-off", "db-a").returncode == 0

    promote = "pg_ctl -D /var/lib/postgresql/*/main -w promote"
    assert lab.inside("db-b", promote).returncode == 0
    move = "ip addr add 198.18.1.100/16 dev eth0 && arping -q -c 1 -A -I eth0 198.18.1.100"
    said = lab.inside("db-b", move)
    assert said.returncode == 0, said.stderr

    def registered() -> int:
        branch = json.loads(lab.lab("status").stdout)["branches"][0]
        return 0 if branch["failing_since"] else int(branch["acknowledged"])

    before = wait_for(registered, 30, "business")
    wait_for(lambda: registered() > before, 10, "more business")


def test_down_leaves_nothing_behind(lab: OrdinaryUser) -> None:
    _down(lab, traces(lab.directory))


def test_a_kernel_that_allows_no_namespaces_is_an_obstacle_with_a_way_out(
    user: OrdinaryUser,
) -> None:
    # the limit holds inside the namespace that sets it, and nowhere else
    script = (
        "echo 0 > /proc/sys/user/max_user_namespaces;"
        f'"{user.python}" -c "$1"; "{user.python}" -m dr.lab up'
    )
    own = ["unshare", "--user", "--map-current-user", "--keep-caps"]
    said = user.run(*own, "sh", "-c", script, "sh", _OBSTACLES)
    [[message, hint]] = json.loads(said.stdout)
    assert message.startswith("this machine refuses new namespaces")
    assert "user.max_user_namespaces=10000" in hint
    assert message in said.stderr
    assert files_of(user.folder, ["code", "cache"]) == []


def test_a_missing_program_is_named_before_anything_is_made(user: OrdinaryUser) -> None:
    # a file that nobody can run in the place of the program
    script = (
        'for d in /usr/bin /bin; do mount --bind /dev/null "$(readlink -f $d)/pgbackrest"; done;'
        f'"{user.python}" -m dr.lab up'
    )
    own = ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"]
    said = user.run(*own, "sh", "-c", script)
    assert "there is no pgbackrest" in said.stderr
    assert "apt-get install --no-install-recommends pgbackrest" in said.stderr
    assert files_of(user.folder, ["code", "cache"]) == []
