"""SSH keys: of hosts, of the engine, of the database's user, and of the lab's people."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path


def make_keys(wanted: Mapping[Path, str]) -> None:
    """Make an Ed25519 key pair at every path, with its comment; all at once."""
    running = []
    for path, comment in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
        running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
    for process in running:
        if process.wait() != 0:
            raise subprocess.CalledProcessError(process.returncode, process.args)


def public_key(path: Path) -> str:
    """Return the public half of the pair at ``path``: kind, key and comment."""
    return path.with_name(f"{path.name}.pub").read_text().strip()
