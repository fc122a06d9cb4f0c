"""Prefect in the kill matrix: a server of its own, and one process for each flow run."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import peers
from crash_host import FOLDER, Host
from crash_http import free_port, patiently
from crash_process import Peer, here, kill_all
from samples import SkippedError

WANTED = here("crash_prefect.txt")
_HOME = FOLDER / "prefect"
_START_S = 120


class Prefect(Peer):
    """Prefect: the run is marked as crashed, as its automation does, and retried by its command."""

    name = "Prefect"

    def __init__(self) -> None:
        super().__init__()
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    def prepare(self, host: Host) -> None:
        """Forget every earlier run; start a new server."""
        super().prepare(host)
        program = peers.python(WANTED).with_name("prefect")
        shutil.rmtree(_HOME, ignore_errors=True)
        _HOME.mkdir()
        words = [program, "server", "start", "--host", "127.0.0.1", "--port", str(self._port)]
        with (_HOME / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                words, env=self.environ(), cwd=_HOME, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + _START_S
        while not self._answers():
            if time.monotonic() > end or self._server.poll() is not None:
                raise SkippedError(f"its server did not start within {_START_S} s")
            time.sleep(0.3)

    def command(self, verb: str) -> Sequence[str | Path]:
        """Return the flow, or the command that retries it."""
        python, program = peers.python(WANTED), here("crash_peer_prefect.py")
        if verb == "begin":
            return [python, program]
        words = [python.with_name("prefect"), "flow-run", "retry", self._run()]
        return [*words, "--entrypoint", f"{program}:book"]

    def environment(self) -> Mapping[str, str]:
        """Return where its server is, and that nothing leaves the machine."""
        return {
            "PREFECT_HOME": str(_HOME),
            "PREFECT_API_URL": f"http://127.0.0.1:{self._port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_CLI_COLORS": "false",
            "DO_NOT_TRACK": "1",
        }

    def resume(self) -> None:
        """Mark the run as crashed, as the automation of "detect zombie flows" does; retry it."""
        state = {"type": "CRASHED", "name": "Crashed"}
        self._call(f"flow_runs/{self._run()}/set_state", {"state": state, "force": True})
        super().resume()

    def asks(self) -> bool:
        """Whether the run is paused."""
        return (
            super().asks() and self._call(f"flow_runs/{self._run()}")["state"]["name"] == "Paused"
        )

    def approve(self) -> None:
        """Resume the paused run with the answer; a pause that is just beginning refuses it."""
        end = time.monotonic() + 30
        while not self._accepts():
            if time.monotonic() > end:
                raise SkippedError("it did not take the answer to its question")
            time.sleep(0.3)

    def _accepts(self) -> bool:
        taken = self._call(f"flow_runs/{self._run()}/resume", {"run_input": {"yes": True}})
        return bool(taken["status"] == "ACCEPT")

    def close(self) -> None:
        """End the flow and the server."""
        super().close()
        if self._server is not None:
            kill_all(self._server)
            self._server = None

    def _run(self) -> str:
        return (self.folder / "prefect-run").read_text()

    def _answers(self) -> bool:
        try:
            return self._call("health") is True
        except OSError:
            return False

    def _call(self, path: str, body: Any = None) -> Any:
        return patiently(f"http://127.0.0.1:{self._port}/api/{path}", body)
