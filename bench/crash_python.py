"""The peers that are one Python process: DBOS and doit."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import peers
from crash_process import Peer, here


class Doit(Peer):
    """doit: the same command again; ``run_once`` tasks, SQLite."""

    name = "doit"

    def command(self, verb: str) -> Sequence[str | Path]:  # noqa: ARG002 - it has one way
        """Return ``doit`` on the five tasks."""
        return [peers.python().with_name("doit"), "-f", here("crash_peer_dodo.py")]

    def ended(self) -> str:
        """Return its exit code in words."""
        return super().ended().replace("exit 0", "succeeded").replace("exit 1", "failed")


class Dbos(Peer):
    """DBOS: launched again, it recovers its pending workflows by itself."""

    name = "DBOS"

    def command(self, verb: str) -> Sequence[str | Path]:
        """Return the program."""
        return [peers.python(), here("crash_peer_dbos.py"), verb]

    def approve(self) -> None:
        """Send the workflow the message that it waits for."""
        subprocess.run(
            self.command("approve"), env=self.environ(), cwd=self.folder, check=True,
            capture_output=True, timeout=60,
        )  # fmt: skip
