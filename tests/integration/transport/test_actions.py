"""The general actions against real hosts, ports and playbooks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dr.engine.actions.ansible.process import is_alive
from dr.engine.actions.conformance import RecordingWorld
from dr.engine.actions.path_check import PathCheck
from dr.engine.actions.standard import standard_actions
from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.errors import (
    FailedError,
    LostContactError,
    RefusedError,
    RetryableError,
)
from dr.engine.core.model import Effect
from dr.engine.core.ports import Action, Attempt, Found, Outcome
from dr.engine.core.values import Secret
from tests.deadline import WaitFor
from tests.integration.transport.test_jobs import an_attempt
from tests.sshd import Sshd


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with a folder for playbooks."""
    (tmp_path / "playbooks").mkdir()
    return tmp_path


def action(name: str, connections: SshConnections, workspace: Path) -> Action:
    """Return a shipped action."""
    return standard_actions(connections, workspace=workspace, plugins=False).get(name)


def reading(**inputs: Any) -> Attempt:
    """Return an attempt of a step that only reads."""
    return an_attempt(effect=Effect.READ, input=inputs)


# -- ssh.run


def test_ssh_run_judges_by_exit_code(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    run = action("ssh.run", connections, workspace)

    fine = run.perform(
        an_attempt(input={"shell": 'echo " $DR_STEP "; exit 2', "ok_codes": [0, 2]}), world
    )
    assert fine.outputs == {"stdout": "act", "stderr": "", "exit_code": 2}

    with pytest.raises(FailedError, match=r"exit code 3: no space left") as failed:
        run.perform(an_attempt(number=2, input={"shell": "echo no space left >&2; exit 3"}), world)
    assert failed.value.facts["exit_code"] == 3


def test_ssh_run_finds_its_command_again_and_judges_it(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    run = action("ssh.run", connections, workspace)
    attempt = an_attempt(input={"argv": ["false"]})
    with pytest.raises(FailedError):
        run.perform(attempt, world)

    found = run.attach(attempt, world)

    assert found.found is Found.ENDED
    assert isinstance(found.error, FailedError)


def test_ssh_run_shows_no_secret_and_passes_it(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    run = action("ssh.run", connections, workspace)
    attempt = an_attempt(
        input={"shell": 'test "$DR_KEY" = sesame', "env": {"DR_KEY": Secret("sesame", "env:K")}}
    )

    assert "sesame" not in run.describe(attempt)[0].replace("= sesame", "")
    assert "DR_KEY=***" in run.describe(attempt)[0]
    assert run.perform(attempt, world).outputs["exit_code"] == 0


def test_shell_text_with_an_expression_is_a_problem(
    connections: SshConnections, workspace: Path
) -> None:
    run = action("ssh.run", connections, workspace)

    found = run.validate({"shell": "rm -rf ${{ inputs.path }}"})

    assert [problem.rule for problem in found] == ["shell-template"]


# -- path.check


def test_a_path_is_present_or_absent(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    check = action("path.check", connections, workspace)
    (workspace / "file").write_text("x")

    present = check.perform(reading(path=str(workspace / "file")), world).outputs
    absent = check.perform(reading(path=str(workspace / "none"), pause="10ms"), world).outputs

    assert (present["state"], present["looks"], present["size_bytes"]) == ("present", 1, 1)
    assert (absent["state"], absent["looks"]) == ("absent", 2)


def test_a_host_that_is_down_makes_its_paths_unreachable(
    sshd: Sshd, connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    check = action("path.check", connections, workspace)
    sshd.stop()

    seen = check.perform(reading(path="/etc", pause="10ms"), world).outputs

    assert seen["state"] == "unreachable"


class _LateAnswers:
    """Real connections whose first SFTP answers come too late, as those of a busy storage do."""

    def __init__(self, real: SshConnections, late: int) -> None:
        self._real = real
        self._late = late

    def observer(self, host: str) -> Any:
        """Return the host, with its first looks late."""
        observer = self._real.observer(host)
        stat = observer.stat

        def look(path: str, *, timeout: timedelta) -> Any:
            self._late -= 1
            if self._late >= 0:
                raise RetryableError("it did not answer", reason="timeout")
            return stat(path, timeout=timeout)

        observer.stat = look  # type: ignore[method-assign]
        return observer

    def actor(self, host: str) -> Any:
        """Return the real host."""
        return self._real.actor(host)

    def close(self) -> None:
        """The real ones are closed by their fixture."""


@pytest.mark.parametrize(("late", "state", "looks"), [(1, "present", 2), (9, "hangs", 2)])
def test_one_slow_answer_is_no_hang(
    late: int,
    state: str,
    looks: int,
    connections: SshConnections,
    workspace: Path,
    world: RecordingWorld,
) -> None:
    check = PathCheck(_LateAnswers(connections, late))

    seen = check.perform(reading(path=str(workspace), within="200ms", pause="10ms"), world).outputs

    assert (seen["state"], seen["looks"]) == (state, looks)


def test_a_read_that_hangs_holds_up_nobody_else(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    check = action("path.check", connections, workspace)
    fifo = workspace / "fifo"
    os.mkfifo(fifo)  # opening one that nobody writes blocks, as on a frozen file system
    observer = connections.observer("target")

    with pytest.raises(RetryableError) as late:
        observer.read(str(fifo), max_bytes=1, timeout=timedelta(milliseconds=200))
    seen = check.perform(reading(path=str(workspace)), world).outputs

    assert late.value.reason == "timeout"
    assert seen["state"] == "present"


# -- tcp.check, http.check, wait.until


def test_tcp_check_tells_open_from_refused(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    check = action("tcp.check", connections, workspace)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        opened = check.perform(reading(address="127.0.0.1", port=port), world).outputs
    refused = check.perform(reading(address="127.0.0.1", port=port), world).outputs

    assert opened["state"] == "open"
    assert refused["state"] == "refused"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = 503 if self.path.startswith("/down") else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"all is well")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def web_server() -> Iterator[int]:
    """Serve pages on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_http_check_wants_the_status_and_the_words(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    check = action("http.check", connections, workspace)
    with web_server() as port:
        url = f"http://127.0.0.1:{port}"
        assert check.perform(reading(url=url, match="is well"), world).outputs["ok"]
        assert not check.perform(reading(url=url, match="is bad"), world).outputs["ok"]
        down = check.perform(reading(url=f"{url}/down?token=abc"), world)
    gone = check.perform(reading(url=url), world).outputs

    assert (down.outputs["ok"], down.outputs["status"]) == (False, 503)
    assert "abc" not in world.log + json.dumps(dict(down.facts))
    assert (gone["ok"], gone["state"], gone["status"]) == (False, "refused", None)


def test_wait_until_ends_when_the_answer_comes(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    wait = action("wait.until", connections, workspace)
    file = workspace / "there"
    timer = threading.Timer(0.3, file.touch)
    timer.start()
    asked = {"uses": "path.check", "with": {"path": str(file), "times": 1}}

    ended = wait.perform(
        reading(check=asked, until={"state": "present"}, every="50ms", within="10s"), world
    )
    timer.join()

    assert ended.outputs["result"]["state"] == "present"
    assert ended.outputs["asked"] > 1


def test_wait_until_gives_up_with_what_it_saw_last(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    wait = action("wait.until", connections, workspace)
    asked = {"uses": "path.check", "with": {"path": str(workspace / "never"), "times": 1}}

    with pytest.raises(RetryableError, match="state is absent") as late:
        wait.perform(
            reading(check=asked, until={"state": "present"}, every="50ms", within="200ms"), world
        )

    assert late.value.reason == "not_yet"


def test_wait_until_refuses_what_does_not_only_read(
    connections: SshConnections, workspace: Path
) -> None:
    wait = action("wait.until", connections, workspace)

    found = wait.validate({"check": {"uses": "postgres.promote"}, "until": {}})

    assert "does not only read" in found[0].message


# -- ansible.playbook

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: first
      raw: echo started >> {folder}/starts
    - name: second
      raw: while [ ! -e {folder}/go ]; do sleep 0.1; done; {end}
      no_log: false
"""


def a_playbook(workspace: Path, *, end: str = "true") -> str:
    """Write a playbook that waits for the file ``go``."""
    (workspace / "playbooks" / "p.yml").write_text(PLAY.format(folder=workspace, end=end))
    return "playbooks/p.yml"


needs_ansible = pytest.mark.skipif(
    shutil.which("ansible-playbook", path=str(Path(sys.executable).parent)) is None
    or shutil.which("ssh") is None,
    reason="ansible-playbook or ssh is not installed",
)


@needs_ansible
def test_a_playbook_reports_per_host_and_forgets_its_secrets(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    play = action("ansible.playbook", connections, workspace)
    (workspace / "go").touch()
    attempt = an_attempt(
        timeout=timedelta(seconds=60),
        input={
            "playbook": a_playbook(workspace),
            "extra_vars": {"password": Secret("sesame", "env:X")},
        },
    )

    outcome = play.perform(attempt, world)

    assert outcome.outputs["hosts"]["target"]["state"] == "ok"
    assert outcome.outputs["last_task"] == "second"
    assert play.verify(attempt, world, outcome).holds is True
    assert "second" in world.log
    files = [p for p in (workspace / ".dr").rglob("*") if p.is_file()]
    assert not [p for p in files if b"sesame" in p.read_bytes()]
    assert play.attach(replace(attempt, handle=world.handles[-1]), world).found is Found.ENDED


@needs_ansible
def test_a_failing_playbook_names_host_and_error(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    play = action("ansible.playbook", connections, workspace)
    (workspace / "go").touch()
    attempt = an_attempt(
        timeout=timedelta(seconds=60), input={"playbook": a_playbook(workspace, end="exit 9")}
    )

    with pytest.raises(FailedError, match="target: failed") as failed:
        play.perform(attempt, world)

    assert failed.value.facts["hosts"]["target"]["ok"] == 1


@needs_ansible
def test_a_playbook_outlives_its_engine_and_is_found_again(
    connections: SshConnections, workspace: Path, world: RecordingWorld, wait_for: WaitFor
) -> None:
    play = action("ansible.playbook", connections, workspace)
    inputs = {"playbook": a_playbook(workspace)}
    with pytest.raises(LostContactError, match="last task seen"):
        play.perform(an_attempt(timeout=timedelta(seconds=3), input=inputs), world)
    wait_for((workspace / "starts").exists, 30)
    again = an_attempt(input=inputs, handle=world.handles[-1], timeout=timedelta(seconds=0.5))
    assert play.attach(again, world).found is Found.UNKNOWN

    (workspace / "go").touch()
    found = play.attach(replace(again, timeout=timedelta(seconds=60)), world)

    assert found.found is Found.ENDED
    assert isinstance(found.outcome, Outcome)
    assert (workspace / "starts").read_text() == "started\n"


def killed(folder: Path) -> bool:
    """Kill what runs for a playbook; say whether all is gone, also what was born meanwhile."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"DR_PLAYBOOK_JOB={folder}".encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
    return not is_alive(folder)


@needs_ansible
def test_a_killed_playbook_is_gone_and_the_last_task_is_named(
    connections: SshConnections, workspace: Path, world: RecordingWorld, wait_for: WaitFor
) -> None:
    play = action("ansible.playbook", connections, workspace)
    attempt = an_attempt(timeout=timedelta(seconds=2), input={"playbook": a_playbook(workspace)})
    with pytest.raises(LostContactError):
        play.perform(attempt, world)
    wait_for((workspace / "starts").exists, 30)
    folder = Path(world.handles[-1]["folder"])
    wait_for(lambda: "second" in (folder / "artifacts/run/stdout").read_text(), 30)
    wait_for(lambda: killed(folder), 20, "the end of the playbook's processes")

    found = play.attach(replace(attempt, handle=world.handles[-1]), world)
    (workspace / "go").touch()

    assert found.found is Found.GONE
    assert "second" in found.detail


@needs_ansible
def test_a_playbook_that_is_not_there_is_refused(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    play = action("ansible.playbook", connections, workspace)
    attempt = an_attempt(input={"playbook": "playbooks/none.yml"})

    assert play.precheck(attempt, world).holds is False
    with pytest.raises(RefusedError):
        play.perform(attempt, world)


def test_an_ansible_that_never_started_is_withdrawn(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    play = action("ansible.playbook", connections, workspace)
    boot = subprocess.run(
        ["cat", "/proc/sys/kernel/random/boot_id"], check=True, capture_output=True, text=True
    ).stdout.strip()
    handle = {"folder": str(workspace / ".dr" / "x" / "1"), "boot": boot}

    found = play.attach(an_attempt(handle=handle, input={"playbook": "p.yml"}), world)

    assert found.found is Found.NEVER_STARTED
