"""Running the lab as somebody who is not root, when root runs the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dr.engine.core
import dr.lab

_NOBODY = 65534  # what every unmapped owner looks like
_PYTHONS = (sys.executable, "/usr/bin/python3")


@dataclass(frozen=True)
class OrdinaryUser:
    """An account of this machine, and a copy of the lab's code that it may read."""

    name: str
    uid: int
    gid: int
    folder: Path
    """Their own directory: code, cache and labs."""
    python: str

    @property
    def directory(self) -> Path:
        return self.folder / "lab"

    def words(self, *argv: str) -> list[str]:
        """Return a command that runs ``argv`` as this user, with this user's rights only."""
        user = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        user += ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--reset-env", "--"]
        environment = {
            "PYTHONPATH": self.folder / "code",
            "DR_LAB": self.directory,
            "DR_LAB_CACHE": self.folder / "cache",
            "DR_LAB_KEEP_LOG": "1",
        }
        settings = [f"{name}={value}" for name, value in environment.items()]
        # the umask of most people on Debian and Ubuntu: group-writable
        shell = ["sh", "-c", 'umask 002; cd "$DR_LAB/.."; exec "$@"', "sh"]
        return [*(user if os.geteuid() == 0 else []), "env", *settings, *shell, *argv]

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*argv), capture_output=True, text=True, check=False, timeout=120
        )

    def lab(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m dr.lab`` as this user."""
        return self.run(self.python, "-m", "dr.lab", *words)

    def inside(self, host: str, script: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script inside a host."""
        return self.lab("exec", host, "--", "sh", "-c", script)


def _account() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    users = [user for user in pwd.getpwall() if user.pw_uid not in {0, _NOBODY}]
    people = [user for user in users if user.pw_uid >= 1000]
    return (people or users)[0]


def ordinary_user(folder: Path) -> OrdinaryUser | None:
    """Settle an ordinary user in ``folder``; None when no Python here can be run by them.

    Args:
        folder: empty, and reachable for everybody.
    """
    account = _account()
    for package, below in ((dr.lab, "dr/lab"), (dr.engine.core, "dr/engine/core")):
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(package.__path__[0]), folder / "code" / below, ignore=skipped)
    if os.geteuid() == 0:
        subprocess.run(
            ["chown", "-R", f"{account.pw_uid}:{account.pw_gid}", str(folder)], check=True
        )
    for python in _PYTHONS:
        user = OrdinaryUser(account.pw_name, account.pw_uid, account.pw_gid, folder, python)
        if user.run(python, "-c", "import dr.lab.api").returncode == 0:
            return user
    return None


def files_of(folder: Path, allowed: Sequence[str]) -> list[str]:
    """List what lies in ``folder`` beside ``allowed``."""
    return sorted(path.name for path in folder.iterdir() if path.name not in allowed)
