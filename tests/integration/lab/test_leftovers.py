"""A lab goes away whole, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from dr.lab.api import LabOptions, break_, down, in_host, is_up, up
from dr.lab.errors import LabUsageError
from dr.lab.plan import accounts
from dr.lab.testing import SMALL, LabFactory
from dr.lab.visitors import is_visitor
from dr.lab.volume import loops_of
from tests.deadline import WaitFor
from tests.integration.lab.traces import traces, world_pid

pytestmark = pytest.mark.lab


def _lab(directory: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "dr.lab", "--dir", str(directory), *words]


def test_down_leaves_no_process_network_mount_loop_or_file(lab_factory: LabFactory) -> None:
    directory = lab_factory(staging=False)
    seen = traces(directory)
    assert len(seen.networks) >= 10

    down(directory)

    assert seen.left() == []
    assert list(directory.parent.iterdir()) == []


def test_killing_the_world_ends_everything(lab_factory: LabFactory, wait_for: WaitFor) -> None:
    directory = lab_factory(staging=False)
    break_(directory, "host-frozen", "db-b")
    seen = traces(directory)

    os.kill(world_pid(directory), signal.SIGKILL)

    wait_for(lambda: seen.left() == [], 15, f"nothing left of {directory}")
    down(directory)
    assert list(directory.parent.iterdir()) == []


@pytest.mark.parametrize("world_dies_first", [False, True])
def test_down_ends_what_stepped_into_the_lab(
    lab_factory: LabFactory, wait_for: WaitFor, world_dies_first: bool
) -> None:
    directory = lab_factory(only_ssh=True)
    with subprocess.Popen(_lab(directory, "run", "--", "sleep", "600")) as visitor:
        wait_for(lambda: is_visitor(visitor.pid, directory), 10, "the visitor's step inside")
        if world_dies_first:
            os.kill(world_pid(directory), signal.SIGKILL)

        down(directory)

        assert visitor.wait(5) == -signal.SIGTERM


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's volumes can hang")
def test_a_hung_storage_does_not_keep_down_from_ending(lab_factory: LabFactory) -> None:
    directory = lab_factory(staging=False, branches=1)
    break_(directory, "storage-hung", "db-a")
    seen = traces(directory)

    down(directory)

    assert seen.left() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root attaches a loop device")
def test_the_loop_device_of_a_container_with_the_same_paths_is_not_ours(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "lab", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
        (folder / "volume.ext4").write_bytes(bytes(1 << 20))
    container = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && exec cat', theirs, ours],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with container:
        assert container.stdin
        assert container.stdout
        container.stdin.write(b"mounted\n")
        container.stdin.flush()
        container.stdout.readline()
        inside = ["nsenter", "--mount", f"--target={container.pid}"]
        attach = ["losetup", "--find", "--show", str(ours / "volume.ext4")]
        device = subprocess.check_output([*inside, *attach], text=True).strip()
        try:
            look = (
                "import sys; from pathlib import Path; from dr.lab.volume import loops_of;"
                "print(*loops_of(Path(sys.argv[1])))"
            )
            seen_inside = subprocess.check_output(
                [*inside, sys.executable, "-c", look, str(ours)], text=True
            )
            seen_here = loops_of(ours)
        finally:
            subprocess.check_call(["losetup", "--detach", device])
            container.stdin.close()

    assert seen_inside.split() == [Path(device).name]
    assert seen_here == []


def test_an_up_that_is_killed_half_way_leaves_nothing(tmp_path: Path, wait_for: WaitFor) -> None:
    directory = tmp_path / "lab"
    mark = directory / "lab.json"
    with subprocess.Popen(_lab(directory, "up", "--no-staging")) as bringing_up:
        try:
            wait_for(lambda: mark.exists() and "pid" in json.loads(mark.read_text()), 30, "a world")
            seen = traces(directory)
        finally:
            bringing_up.kill()

    wait_for(lambda: seen.left() == [], 15, "nothing left")
    down(directory)
    assert list(tmp_path.iterdir()) == []


def test_a_down_that_is_killed_half_way_is_finished_by_the_next(
    lab_factory: LabFactory, wait_for: WaitFor
) -> None:
    directory = lab_factory(**SMALL)
    seen = traces(directory)
    hosts = len(list((directory / "hosts").iterdir()))
    with subprocess.Popen(_lab(directory, "down")) as taking_down:
        wait_for(lambda: _count(directory / "hosts") < hosts, 15, "the first file gone")
        taking_down.kill()

    down(directory)

    assert seen.left() == []
    assert list(directory.parent.iterdir()) == []


def _count(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_a_lab_goes_away_whole_whichever_of_its_processes_were_killed(
    lab_factory: LabFactory,
) -> None:
    directory = lab_factory(**SMALL)
    seen = [traces(directory)]
    # the hosts' first processes last: everything of a host ends with its own
    for name in ("office", "mail", "postgres", "sshd", "lab-wires", "init"):
        victims = seen[-1].named(name)
        assert victims, f"no process is called {name}"
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        seen.append(traces(directory))

    down(directory)

    assert [left for one in seen for left in one.left()] == []
    assert list(directory.parent.iterdir()) == []


def test_a_second_up_is_refused_and_disturbs_nothing(lab_factory: LabFactory) -> None:
    directory = lab_factory(only_ssh=True)
    before = world_pid(directory)

    with pytest.raises(LabUsageError, match=r"a lab is up in .* already") as refused:
        up(LabOptions(directory=directory, only_ssh=True))

    assert "'dr lab down'" in refused.value.hint
    assert world_pid(directory) == before
    assert in_host(directory, "control", ["true"]).returncode == 0
    down(directory)


@pytest.mark.parametrize("umask", ["000", "077"])
def test_a_lab_does_not_care_for_the_umask(umask: str, tmp_path: Path) -> None:
    directory = tmp_path / "lab"
    words = _lab(directory, "up", "--no-staging", "--branches", "1", "--volume", "dir")
    try:
        shell = ["sh", "-c", f'umask {umask}; exec "$@"', "sh"]
        said = subprocess.run([*shell, *words], capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        # sshd refuses keys below a directory that others may write
        keys = directory / "workspace/keys"
        ssh = ["ssh", "-o", "BatchMode=yes", "-i", str(keys / "engine_ed25519")]
        ssh += [
            "-o",
            f"UserKnownHostsFile={keys}/known_hosts",
            f"{accounts().login}@db-b",
            "hostname",
        ]
        words = _lab(directory, "run", "--", *ssh)
        said = subprocess.run(words, capture_output=True, text=True, check=False)
        assert said.stdout == "db-b\n", said.stderr
    finally:
        down(directory)


def test_a_lab_ends_with_its_owner(tmp_path: Path, wait_for: WaitFor) -> None:
    directory = tmp_path / "lab"
    owner = subprocess.Popen(["sleep", "600"])
    up(LabOptions(directory=directory, only_ssh=True, tie_pid=owner.pid))
    seen = traces(directory)

    owner.kill()
    owner.wait()

    wait_for(lambda: seen.left() == [], 15, "nothing left")
    down(directory)


def test_a_lab_whose_directory_is_removed_ends(lab_factory: LabFactory, wait_for: WaitFor) -> None:
    directory = lab_factory(only_ssh=True)
    seen = traces(directory)

    directory.rename(directory.with_name("elsewhere"))

    wait_for(lambda: seen.left() == [], 15, "nothing left")
    down(directory.with_name("elsewhere"))


def test_a_lab_from_before_a_reboot_is_taken_away_by_the_next_up(tmp_path: Path) -> None:
    directory = tmp_path / "lab"
    (directory / "hosts/db-a").mkdir(parents=True)
    stale = {"version": 1, "pid": os.getpid(), "started": 1, "boot_id": "another", "path": ""}
    (directory / "lab.json").write_text(json.dumps(stale))

    up(LabOptions(directory=directory, only_ssh=True, tie_pid=os.getpid()))

    assert is_up(directory)
    assert not (directory / "hosts/db-a").exists()
    down(directory)


def test_a_directory_that_is_no_lab_is_never_removed(tmp_path: Path) -> None:
    precious = tmp_path / "papers" / "letter"
    precious.parent.mkdir()
    precious.write_text("dear")

    with pytest.raises(LabUsageError, match="not empty and is no lab"):
        down(precious.parent)

    assert precious.read_text() == "dear"


def test_two_labs_at_once_do_not_disturb_each_other(lab_factory: LabFactory) -> None:
    one, two = lab_factory(only_ssh=True, extra=1), lab_factory(only_ssh=True, extra=1)
    in_host(one, "x001", ["touch", "/root/here"])

    break_(one, "host-off", "control")

    assert in_host(two, "control", ["true"]).returncode == 0
    assert in_host(two, "x001", ["test", "-e", "/root/here"]).returncode == 1
    down(one)
    assert is_up(two)
