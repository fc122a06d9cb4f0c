"""A workspace with real SSH servers, the real ``dr`` beside it, and people with keys."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from dr.engine.core.events import Event, Kind
from dr.engine.core.view import RunView, fold
from dr.engine.journal.sql import SqlJournal
from dr.engine.service.engines import holder_lives
from tests.deadline import wait_for
from tests.sshd import SSHD, Sshd, running_sshd

DR = Path(sys.executable).with_name("dr")
LIMIT_S = 60
PEOPLE = ("ana", "bo", "cai")

_HOST = """\
    {name}:
      ansible_host: 127.0.0.1
      ansible_port: {port}
      ansible_user: {user}
      dr_state_dir: {state}
      ansible_ssh_private_key_file: {folder}/client_key
      dr_known_hosts: {folder}/known_hosts
"""
_PEOPLE = """\
format: 1
groups:
  leadership: {{ title: {{ en: Leaders, zh: 领导组 }}, members: [ana, bo] }}
  support: {{ title: {{ en: Support, zh: 技术组 }}, members: [cai] }}
people:
"""


@dataclass
class Said:
    """What one call of ``dr`` said."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The object of ``--json``."""
        return json.loads(self.out)


@dataclass
class Place:
    """The workspace; ``hosts`` are the servers of the hosts ``a`` and ``b``."""

    folder: Path
    hosts: dict[str, Sshd]
    environ: dict[str, str]
    run: str = ""
    keys: dict[str, Path] = field(default_factory=dict)

    # -- the command

    def dr(self, *words: str, code: int | None = 0, **more: str) -> Said:
        """Call ``dr``; ``code`` is how it must end, None anyhow; ``more`` is its environment."""
        done = subprocess.run(
            [DR, *words],
            cwd=self.folder,
            env={**self.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert code is None or done.returncode == code, (words, said, self.engine_log()[-3000:])
        assert "Traceback" not in said.out + said.err, said
        return said

    def beside(self, *words: str) -> subprocess.Popen[str]:
        """Begin a call of ``dr`` beside the test, with all that it says on standard output."""
        return subprocess.Popen(
            [DR, *words],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def book(self, name: str, steps: str, more: str = "") -> str:
        """Write a runbook of these steps, and return its name."""
        text = f"format: 1\nname: {name}\ntitle: {{ en: T, zh: 题 }}\n{more}steps:\n{steps}"
        (self.folder / "runbooks" / f"{name}.yaml").write_text(text, encoding="utf-8")
        return name

    def start(self, name: str, *words: str, **more: str) -> str:
        """Run a runbook beside the test; return the id of its run."""
        process = subprocess.Popen(
            [DR, "run", name, *words],
            cwd=self.folder,
            env={**self.environ, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stderr is not None
        said, found = "", None
        for line in process.stderr:
            said += line
            found = re.search(r"run (R-\d{8}-[a-z0-9]+) has begun", line)
            if found:
                break
        process.kill()  # the view; the engine is a process of its own
        process.communicate()
        assert found, said
        self.run = found[1]
        return self.run

    # -- the journal

    def events(self, kind: Kind | None = None, step: str | None = None) -> list[Event]:
        """Return events of the run."""
        with SqlJournal(f"sqlite:///{self.folder}/.dr/journal.sqlite3") as journal:
            found = journal.events(self.run)
        return [
            e
            for e in found
            if (kind is None or e.kind is kind) and (step is None or e.step == step)
        ]

    @property
    def view(self) -> RunView:
        """The run, folded."""
        return fold(self.run, self.events())

    def states(self) -> dict[str, str]:
        """Return the state of each step."""
        return {name: str(step.state) for name, step in self.view.steps.items()}

    def until(self, condition: Any, what: str, deadline_s: float = 30) -> Any:
        """Wait for something about the run."""
        return wait_for(lambda: condition(self.view), deadline_s, f"{what}\n{self.engine_log()}")

    def wait_end(self, state: str, deadline_s: float = 40) -> RunView:
        """Wait until the run is over; it must have ended so, its chain whole."""
        self.until(lambda view: view.state.ended, f"the end of {self.run}", deadline_s)
        wait_for(lambda: not self.engine_lives(), 20, "the engine to leave")
        assert str(self.view.state) == state, self.view.because
        self.dr("journal", "verify", self.run)
        return self.view

    # -- the engine

    def engine_lives(self) -> bool:
        """Say whether the newest engine lives."""
        return bool(self.view.holder) and holder_lives(self.view.holder) is not False

    def kill_engine(self) -> None:
        """Kill -9 the engine, and wait until it is gone."""
        with suppress(ProcessLookupError):
            os.kill(int(self.view.holder.split()[2]), signal.SIGKILL)
        wait_for(lambda: not self.engine_lives(), 10, "the engine's death")

    def engine_log(self) -> str:
        """Return what the engines wrote."""
        logs = sorted((self.folder / ".dr/logs").glob("*/engine.log"))
        return "\n".join(path.read_text("utf-8")[-3000:] for path in logs)

    def stop_engines(self) -> None:
        """End every engine of this workspace, by its process id."""
        path = self.folder / ".dr/journal.sqlite3"
        if not path.exists():
            return
        with SqlJournal(f"sqlite:///{path}") as journal:
            runs = [fold(r.id, journal.events(r.id)).holder for r in journal.runs()]
        for holder in runs:
            if holder and holder_lives(holder):
                os.kill(int(holder.split()[2]), signal.SIGKILL)

    # -- the hosts

    def mark(self, name: str) -> Path:
        """Return the path of a file that commands of the hosts may write."""
        return self.folder.parent / name

    def read(self, name: str) -> list[str]:
        """Return the lines of such a file; none when there is no such file."""
        path = self.mark(name)
        return path.read_text().split() if path.exists() else []


def alive(pids: Sequence[str]) -> list[str]:
    """Return those of ``pids`` that are processes."""
    return [pid for pid in pids if _state(pid) not in {"", "Z"}]


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@contextmanager
def a_place(folder: Path) -> Iterator[Place]:
    """Make a workspace with the hosts ``a`` and ``b``; end everything afterwards."""
    if SSHD is None:
        pytest.skip("openssh-server is not installed")
    workspace = folder / "workspace"
    for name in ("inventory", "runbooks", "keys/people"):
        (workspace / name).mkdir(parents=True)
    with ExitStack() as stack:
        hosts = {}
        for name in ("a", "b"):
            (folder / name).mkdir()
            hosts[name] = stack.enter_context(running_sshd(folder / name))
        _write_files(workspace, hosts)
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("DR_", "LC_", "LANG"))}
        more = {"DR_PERSON": "cai", "LC_ALL": "C.UTF-8", "COLUMNS": "100", "CI": ""}
        environ = {**kept, **more, "DR_LAB": "/nonexistent"}
        place = Place(workspace, hosts, environ)
        place.keys = {who: workspace / "keys/people" / who for who in PEOPLE}
        try:
            yield place
        finally:
            place.stop_engines()


def _write_files(workspace: Path, hosts: dict[str, Sshd]) -> None:
    (workspace / "dr.yaml").write_text(
        "format: 1\nbureau: { en: B, zh: 局 }\ndefault_environment: lab\nenvironments:\n"
        "  lab: { kind: lab, inventory: inventory }\n"
        "  prod: { kind: production, inventory: inventory }\nrunbooks: [runbooks]\n"
    )
    lines = [
        _HOST.format(name=name, port=s.port, user=getuser(), state=s.state_root, folder=s.folder)
        for name, s in hosts.items()
    ]
    groups = "  children:\n    both: { hosts: { a: {}, b: {} } }\n"
    (workspace / "inventory/hosts.yaml").write_text("all:\n  hosts:\n" + "".join(lines) + groups)
    (workspace / "inventory/services.yaml").write_text("format: 1\nservices: {}\n")
    people = _PEOPLE.format()
    for who in PEOPLE:
        key = workspace / "keys/people" / who
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(key)], check=True
        )
        public = key.with_suffix(".pub").read_text().strip()
        people += (
            f"  {who}: {{ name: {{ en: {who}, zh: {who} }}, email: {who}@b.example,\n"
            f"    keys: ['{public}'] }}\n"
        )
    (workspace / "inventory/people.yaml").write_text(people, encoding="utf-8")
