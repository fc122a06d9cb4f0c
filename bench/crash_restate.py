"""Restate in the kill matrix: its server and a Python endpoint, killed and started together."""

from __future__ import annotations

import shlex
import urllib.error
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import peers
from crash_host import Host
from crash_http import CONFLICT, call, free_port, until_answered
from crash_process import Peer, here
from samples import ROOT, SkippedError

WANTED = here("crash_restate.txt")
SERVER = "1.7.12"
"""Of @restatedev/restate-server; Linux on x86-64 or arm64."""
_HOME = ROOT / "build/bench-restate"


class Restate(Peer):
    """Restate: started again, it calls its endpoint again by itself."""

    name = "Restate"

    def __init__(self) -> None:
        super().__init__()
        self._endpoint, self._ingress, self._admin, self._node = (free_port() for _ in range(4))

    def prepare(self, host: Host) -> None:
        """Forget every earlier run."""
        super().prepare(host)
        _binary()
        peers.python(WANTED)

    def command(self, verb: str) -> Sequence[str | Path]:  # noqa: ARG002 - it has one way
        """Return a shell that is the parent of both, so that they die as one."""
        server = [_binary(), "--no-logo", "--listen-mode", "tcp", "--base-dir", self.folder]
        endpoint = [peers.python(WANTED), here("crash_peer_restate.py"), self._endpoint]
        line = [shlex.join(map(str, words)) for words in (server, endpoint)]
        return ["sh", "-c", f"{line[0]} >server.log 2>&1 & {line[1]}; wait"]

    def environment(self) -> Mapping[str, str]:
        """Return its ports, all on loopback."""
        return {
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_BIND_PORT": str(self._node),
            "RESTATE_INGRESS__BIND_PORT": str(self._ingress),
            "RESTATE_ADMIN__BIND_PORT": str(self._admin),
            "RESTATE_ADVERTISED_HOST": "127.0.0.1",
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_NODE_NAME": "crash",
            "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "256MiB",
        }

    def begin(self, cut: str) -> None:
        """Start both, register the endpoint, send the workflow."""
        super().begin(cut)
        where = {"uri": f"http://127.0.0.1:{self._endpoint}", "use_http_11": False}
        until_answered(f"http://127.0.0.1:{self._admin}/deployments", where)
        until_answered(f"http://127.0.0.1:{self._ingress}/crash/1/run/send", "go")

    def approve(self) -> None:
        """Call the handler that resolves the durable promise."""
        try:
            until_answered(f"http://127.0.0.1:{self._ingress}/crash/1/agree", "yes")
        except urllib.error.HTTPError as error:
            if error.code != CONFLICT:  # a replay prints its question again; it is answered
                raise

    def ended(self) -> str:
        """Return the workflow's result."""
        with suppress(OSError):
            return str(call(f"http://127.0.0.1:{self._ingress}/restate/workflow/crash/1/output"))
        return ""

    def said(self) -> str:
        """Return what its server logged about the interrupted step."""
        return self.telling(self.folder / "server.log")


def _binary() -> Path:
    if not _found():
        package = f"@restatedev/restate-server@{SERVER}"
        words: list[str | Path] = ["npm", "install", "--silent", "--prefix", _HOME, package]
        _HOME.mkdir(parents=True, exist_ok=True)
        peers.run(words, "install Restate")
    if not _found():
        raise SkippedError(f"{package} holds no server for this machine")
    return _found()[0]


def _found() -> list[Path]:
    return list(_HOME.glob("node_modules/@restatedev/restate-server-linux-*/bin/restate-server"))
