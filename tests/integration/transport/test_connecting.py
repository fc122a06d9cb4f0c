"""Reaching a host: who answers, whether it lets us in, and what is said when not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dr.engine.actions.conformance import RecordingWorld
from dr.engine.actions.hosts import StorageError
from dr.engine.actions.observations import ADDRESSES, PING, Observation
from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.errors import RefusedError, RetryableError
from tests.deadline import wait_for
from tests.integration.transport.test_jobs import an_attempt
from tests.sshd import Sshd

SECOND = timedelta(seconds=5)


@contextmanager
def connected(inventory: dict[str, Any], read_only: bool = False) -> Iterator[SshConnections]:
    """Make connections and close them."""
    made = SshConnections(inventory, Path("/nonexistent"), read_only=read_only)
    try:
        yield made
    finally:
        made.close()


def ping(inventory: dict[str, Any], host: str = "target") -> int:
    """Ask ``host`` for a sign of life."""
    with connected(inventory) as connections:
        return connections.observer(host).observe(PING, timeout=SECOND).exit_code


def test_a_changed_host_key_is_refused_and_the_host_is_named(sshd: Sshd) -> None:
    assert ping(sshd.inventory()) == 0
    sshd.change_host_key()

    with pytest.raises(RefusedError, match=r"target .* shows another host key") as refused:
        ping(sshd.inventory())

    assert "ssh-keygen -R" in refused.value.hint


def test_an_unknown_host_key_is_refused_with_the_way_to_fetch_it(sshd: Sshd) -> None:
    (sshd.folder / "known_hosts").write_text("")

    with pytest.raises(RefusedError, match="is not known") as refused:
        ping(sshd.inventory())

    assert f"ssh-keyscan -p {sshd.port} 127.0.0.1" in refused.value.hint


def test_a_missing_known_hosts_file_knows_nobody(sshd: Sshd) -> None:
    with pytest.raises(RefusedError, match="is not known"):
        ping(sshd.inventory(known_hosts="/nonexistent/known_hosts"))


def test_a_key_that_the_host_does_not_accept_is_refused(sshd: Sshd) -> None:
    shutil.copy(sshd.folder / "host_key", sshd.folder / "wrong_key")

    with pytest.raises(RefusedError, match=r"does not let .* in: .*wrong_key"):
        ping(sshd.inventory(identity=str(sshd.folder / "wrong_key")))


def test_a_missing_key_file_is_named(sshd: Sshd) -> None:
    with pytest.raises(RefusedError, match="no key file /nonexistent/key"):
        ping(sshd.inventory(identity="/nonexistent/key"))


def test_the_agent_is_asked_when_no_key_is_named(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL
    )
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        wait_for((tmp_path / "agent").exists, 5)
        subprocess.run(
            ["ssh-add", "-q", str(sshd.folder / "client_key")],
            check=True,
            stderr=subprocess.DEVNULL,
            timeout=10,
        )
        assert ping(sshd.inventory(identity=None)) == 0
    finally:
        agent.terminate()
        agent.wait(5)


def test_a_closed_port_is_unreachable(sshd: Sshd) -> None:
    sshd.stop()

    with pytest.raises(RetryableError) as unreachable:
        ping(sshd.inventory())

    assert unreachable.value.reason == "unreachable"


def test_a_frozen_host_is_a_timeout(sshd: Sshd) -> None:
    assert sshd.process is not None
    os.kill(sshd.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(RetryableError) as frozen:
            ping(sshd.inventory())
    finally:
        os.kill(sshd.process.pid, signal.SIGCONT)

    assert frozen.value.reason == "timeout"


def test_a_server_that_is_no_ssh_server_is_a_timeout(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        known = (sshd.folder / "known_hosts").read_text().replace(str(sshd.port), str(port))
        (sshd.folder / "known_hosts").write_text(known)

        with pytest.raises(RetryableError) as late:
            ping(sshd.inventory(port=port))

    assert late.value.reason == "timeout"


def test_a_host_behind_a_jump_host_is_reached(sshd: Sshd) -> None:
    inventory = sshd.inventory()
    inventory["hosts"]["behind"] = {**inventory["hosts"]["target"], "jump": "target"}

    assert ping(inventory, "behind") == 0


def test_jump_hosts_in_a_circle_are_refused(sshd: Sshd) -> None:
    with pytest.raises(RefusedError, match="circle"):
        ping(sshd.inventory(jump="target"))


def test_an_unknown_host_is_refused(sshd: Sshd) -> None:
    with pytest.raises(RefusedError, match="no host 'nowhere'"):
        ping(sshd.inventory(), "nowhere")


def test_a_connection_that_died_is_opened_again(sshd: Sshd) -> None:
    with connected(sshd.inventory()) as connections:
        observer = connections.observer("target")
        assert observer.observe(PING, timeout=SECOND).ok
        sshd.kill_everything()
        sshd.start()
        assert observer.observe(PING, timeout=SECOND).ok


def test_more_commands_than_a_connection_takes_run_at_once(sshd: Sshd) -> None:
    codes: list[int] = []
    with connected(sshd.inventory()) as connections:
        actor = connections.actor("target")
        barrier = threading.Barrier(25)

        def run(number: int) -> None:
            barrier.wait(20)
            attempt = an_attempt(step=f"step{number}")
            codes.append(actor.job(attempt, RecordingWorld(), script="sleep 0.5; exit 7").exit_code)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(25)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert codes == [7] * 25


def test_read_only_connections_have_no_actor(sshd: Sshd) -> None:
    with connected(sshd.inventory(), read_only=True) as connections:
        with pytest.raises(RefusedError, match="read-only"):
            connections.actor("target")
        observer = connections.observer("target")
        assert observer.observe(PING, timeout=SECOND).ok
        assert not hasattr(observer, "job")


def test_only_registered_observations_are_sent(sshd: Sshd, tmp_path: Path) -> None:
    with connected(sshd.inventory()) as connections:
        observer = connections.observer("target")
        forged = Observation("ping", f"touch {tmp_path}/forged")
        with pytest.raises(ValueError, match="not in the table"):
            observer.observe(forged, timeout=SECOND)
        assert observer.observe(ADDRESSES, timeout=SECOND).stdout.startswith("[")
    assert not (tmp_path / "forged").exists()


def test_files_are_read_and_absence_is_an_answer(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("abcdef")
    with connected(sshd.inventory()) as connections:
        observer = connections.observer("target")
        found = observer.stat(str(tmp_path / "file"), timeout=SECOND)
        assert found is not None
        assert (found.size_bytes, found.is_file, found.is_dir) == (6, True, False)
        assert observer.read(str(tmp_path / "file"), max_bytes=3, timeout=SECOND) == b"abc"
        assert observer.stat(str(tmp_path / "none"), timeout=SECOND) is None
        assert observer.read(str(tmp_path / "none"), max_bytes=3, timeout=SECOND) is None
        assert "file" in (observer.listing(str(tmp_path), timeout=SECOND) or [])
        with pytest.raises(StorageError):
            observer.read(str(tmp_path), max_bytes=3, timeout=SECOND)
        assert len(observer.boot_id()) == 36


def test_sudo_that_asks_for_a_password_is_refused(
    sshd: Sshd, tmp_path: Path, world: RecordingWorld
) -> None:
    """The words are sudo's own; the program stands in for it where sudo is not installed."""
    sudo = tmp_path / "bin" / "sudo"
    sudo.parent.mkdir()
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    sudo.chmod(0o755)
    config = sshd.folder / "sshd_config"
    text = config.read_text().replace("SetEnv", f"SetEnv PATH={sudo.parent}:/usr/bin:/bin")
    config.write_text(text)
    sshd.stop()
    sshd.start()
    inventory = sshd.inventory()
    inventory["hosts"]["target"]["vars"]["ansible_become"] = True

    with connected(inventory) as connections, pytest.raises(RefusedError, match="password"):
        connections.actor("target").job(an_attempt(), world, ["true"])


def test_noise_of_the_login_shell_is_no_output(
    sshd: Sshd, tmp_path: Path, world: RecordingWorld
) -> None:
    (tmp_path / "noisy").write_text(
        '#!/bin/sh\necho welcome; echo warning >&2\nexec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n'
    )
    (tmp_path / "noisy").chmod(0o755)
    keys = (sshd.folder / "authorized_keys").read_text()
    (sshd.folder / "authorized_keys").write_text(f'command="{tmp_path}/noisy" {keys}')

    with connected(sshd.inventory()) as connections:
        done = connections.actor("target").job(an_attempt(), world, script="echo a; echo b >&2")

    assert (done.stdout, done.stderr) == ("a\n", "b\n")
