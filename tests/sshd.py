"""A real OpenSSH server on loopback, on a free port, with keys of its own.

HOME is the server's folder: the real ~/.bashrc of whoever runs the tests would be read at every
command, and may take longer than the command.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import Any

from tests.deadline import wait_for

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 200:30:400
Subsystem sftp internal-sftp
SetEnv HOME={folder}
"""


@dataclass
class Sshd:
    """The server and what one needs to log in to it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    state_root: Path = field(default_factory=Path)

    def inventory(self, **changes: Any) -> dict[str, Any]:
        """Return an inventory snapshot with this server as host ``target``."""
        host = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": getuser(),
            "identity": str(self.folder / "client_key"),
            "known_hosts": str(self.folder / "known_hosts"),
            "jump": None,
            "vars": {"dr_state_dir": str(self.state_root)},
        }
        host.update(changes)
        return {
            "environment": {"name": "lab", "kind": "lab"},
            "hosts": {"target": host},
            "ssh": {"connect_timeout": "2s"},
        }

    def start(self) -> None:
        """Start the server and wait until it listens."""
        assert SSHD is not None
        Path("/run/sshd").mkdir(exist_ok=True)
        with (self.folder / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        wait_for(self._listens, 10, "sshd")

    def kill_everything(self) -> None:
        """Kill the listener and every connection of it, as a crash of the service would."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)  # else it takes a connection meanwhile
        for _ in range(100):
            connections = _children(self.process.pid)
            for pid in connections:
                with suppress(ProcessLookupError):  # it may be ending by itself
                    os.kill(pid, signal.SIGKILL)
            if not connections or all(_is_dead(pid) for pid in connections):
                break
        self.stop()

    def stop(self) -> None:
        """End the listener; open connections go on, as with the real service."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None
            # a child that was just forked holds the socket until it becomes a session
            wait_for(lambda: not self._listens(), 10, "the closed port")

    def change_host_key(self) -> None:
        """Do what a reinstallation does."""
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink()
        _keygen(self.folder / "host_key")
        self.stop()
        self.start()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


@contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    """Run a server whose files live in ``folder``."""
    _keygen(folder / "host_key")
    _keygen(folder / "client_key")
    shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(_CONFIG.format(port=port, folder=folder))
    kind, key, *_ = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    # the wrapper wants durable storage, and /tmp may be in memory
    state = tempfile.mkdtemp(prefix="dr-state-", dir="/var/tmp")
    server = Sshd(folder, port, state_root=Path(state))
    try:
        server.start()
        yield server
    finally:
        server.kill_everything() if server.process else None
        shutil.rmtree(state, ignore_errors=True)


def _keygen(path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True
    )


def _is_dead(pid: int) -> bool:
    """Whether a process is gone, or only its listener has not heard of it."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            == "Z"
        )
    except (FileNotFoundError, ProcessLookupError):
        return True


def _children(pid: int) -> list[int]:
    """Return all descendants of ``pid`` that still belong to sshd."""
    parents: Mapping[int, int] = dict(_parents())
    names = {p: _name(p) for p in parents}
    found: set[int] = set()
    new = {pid}
    while new:
        new = {
            p for p, above in parents.items() if above in new and names[p].startswith("sshd")
        } - found
        found |= new
    return sorted(found)


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = entry.read_text()
        except OSError:
            continue
        yield int(entry.parent.name), int(text.rpartition(")")[2].split()[1])


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
