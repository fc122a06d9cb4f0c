"""The host of the kill matrix: effects over real SSH, and a ledger of what truly happened.

An effect is one program on the host.  It appends a line to the ledger the moment its change is
there, and another when it ends; nothing that a product does or says can take a line away.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from samples import ROOT, SCRATCH, SkippedError

sys.path.insert(0, str(ROOT))

from tests.sshd import SSHD, Sshd, running_sshd

FOLDER = SCRATCH / "crash"

_EFFECT = """#!/bin/sh
cd "{folder}" || exit 9
[ ! -e "refuse.$1" ] || exit 3
echo "begun $1 $$" >>ledger && : >"seen.$1"
while [ -e "hold.$1" ]; do sleep 0.05; done
echo "ended $1 $$" >>ledger
"""
_SSH = """Host target
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/client_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
  BatchMode yes
"""


@dataclass(frozen=True)
class Line:
    """A line of the ledger: ``word`` is ``begun``, ``ended`` or the person's ``yes``."""

    word: str
    effect: str
    pid: int


@dataclass
class Host:
    """The host of one trial."""

    sshd: Sshd

    @property
    def folder(self) -> Path:
        """Where the effects and their ledger are."""
        return self.sshd.folder / "effects"

    @property
    def ssh_config(self) -> Path:
        """What ``ssh -F`` needs to reach the host as ``target``."""
        return self.sshd.folder / "ssh_config"

    def fresh(self) -> None:
        """Forget everything that happened."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        (self.folder / "ledger").touch()
        program = self.folder / "effect"
        program.write_text(_EFFECT.format(folder=self.folder))
        program.chmod(0o755)
        self.ssh_config.write_text(
            _SSH.format(port=self.sshd.port, user=getuser(), folder=self.sshd.folder)
        )

    def command(self, effect: str) -> list[str]:
        """Return what brings an effect about on the host."""
        return [str(self.folder / "effect"), effect]

    def hold(self, effect: str) -> None:
        """Let an effect take until it is released."""
        (self.folder / f"hold.{effect}").touch()

    def release(self) -> None:
        """Let every effect end."""
        for path in self.folder.glob("hold.*"):
            path.unlink()

    def refuse(self, effect: str) -> None:
        """Let an effect fail before it changes anything."""
        (self.folder / f"refuse.{effect}").touch()

    def yes(self) -> None:
        """Write down that the person said yes, before the product hears it."""
        with (self.folder / "ledger").open("a") as ledger:
            ledger.write("yes person 0\n")

    def ledger(self) -> list[Line]:
        """Return what happened, in order."""
        lines = (self.folder / "ledger").read_text().splitlines()
        words = [line.split() for line in lines]
        return [Line(word, effect, int(pid)) for word, effect, pid in words]

    def refuses(self, effect: str) -> bool:
        """Whether an effect fails before it changes anything."""
        return (self.folder / f"refuse.{effect}").exists()

    def begun(self, effect: str) -> int:
        """Return how often an effect happened."""
        return sum(line == Line("begun", effect, line.pid) for line in self.ledger())

    def running(self) -> list[int]:
        """Return the processes of effects that have begun, have not ended, and live."""
        found = self.ledger()
        ended = {line.pid for line in found if line.word == "ended"}
        begun = {line.pid for line in found if line.word == "begun"}
        return [pid for pid in sorted(begun - ended) if _is_effect(pid)]

    def lose(self) -> None:
        """Kill what runs on the host with everything around it, as its own power cut would."""
        for pid in self.running():
            for near in _session_of(pid):
                with suppress(ProcessLookupError):
                    os.kill(near, signal.SIGKILL)
        end = time.monotonic() + 10
        while self.running() and time.monotonic() < end:
            time.sleep(0.02)

    def clear(self) -> None:
        """Leave nothing running."""
        self.release()
        self.lose()


def _is_effect(pid: int) -> bool:
    try:
        return b"/effect" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _session_of(pid: int) -> list[int]:
    """Return the processes of a command's session, without the server that began it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            same = os.getsid(int(entry.parent.name)) == os.getsid(pid)
            if same and not entry.read_text().startswith("sshd"):
                found.append(int(entry.parent.name))
    return sorted(found, key=lambda one: one == pid)  # the command itself is the last


@contextmanager
def host() -> Iterator[Host]:
    """Run a host; it is gone afterwards.

    Raises:
        SkippedError: there is no OpenSSH server here.
    """
    if SSHD is None:
        raise SkippedError("no sshd on this machine: install openssh-server")
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "host").mkdir(parents=True)
    with running_sshd(FOLDER / "host") as sshd:
        found = Host(sshd)
        found.fresh()
        try:
            yield found
        finally:
            found.clear()
