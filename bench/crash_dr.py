"""dr in the kill matrix: the real command, its engine process, its journal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from crash_host import FOLDER, Host
from samples import ROOT

from dr.engine.core.events import Event, Kind
from dr.engine.core.view import RunView, fold
from dr.engine.journal.sql import SqlJournal
from dr.engine.service.engines import holder_lives

_DR = ROOT / ".venv/bin/dr"
_FAULTS: Mapping[str, str] = {
    # look, settle, move: the third attempt
    "before:move": "before-perform:3",
    "after:move": "after-perform:3",
    "after:unmove": "after-undo:1",
    "": "",
}
_BOOK = """\
format: 1
name: crash
title: {{ en: Kill matrix, zh: 中断测试 }}
on_failure: ask
steps:
  - {{ id: look, uses: ssh.run, hosts: target, effect: read, with: {{ argv: [cat, /proc/uptime] }} }}
  - {{ id: settle, uses: ssh.run, hosts: target, effect: idempotent, with: {{ argv: [{effect}, settle] }} }}
  - id: move
    uses: ssh.run
    hosts: target
    effect: once
    with: {{ argv: [{effect}, move] }}
{probe}    undo: {{ uses: ssh.run, effect: once, with: {{ argv: [{effect}, unmove] }} }}
  - id: agree
    uses: gate.approve
    with: {{ ask: {{ en: Reopen?, zh: 是否恢复业务？ }}, approvers: {{ group: leadership }} }}
  - {{ id: reopen, uses: ssh.run, hosts: target, effect: once, with: {{ argv: [{effect}, reopen] }},
      on_failure: undo }}
"""  # noqa: E501 - lines of YAML
_PROBE = """\
    probe:
      uses: path.check
      with: {{ path: {folder}/seen.move }}
      when: "${{{{ result.state == 'present' }}}}"
"""
_HOSTS = """\
all:
  hosts:
    target:
      ansible_host: 127.0.0.1
      ansible_port: {port}
      ansible_user: {user}
      ansible_ssh_private_key_file: {folder}/client_key
      dr_known_hosts: {folder}/known_hosts
      dr_state_dir: {state}
"""
_PEOPLE = """\
format: 1
groups:
  leadership: {{ title: {{ en: Leadership, zh: 领导组 }}, members: [leader] }}
people:
  leader: {{ name: {{ en: Leader, zh: 组长 }}, phone: "+86-10-5550-0101",
            keys: ["{key}"] }}
  engineer: {{ name: {{ en: Engineer, zh: 工程师 }}, phone: "+86-10-5550-0102" }}
"""


class Dr:
    """The real ``dr`` in a workspace of its own."""

    def __init__(self, *, probes: bool = False) -> None:
        self.name = "dr, with a probe" if probes else "dr"
        self._probes = probes
        self._workspace = FOLDER / "dr"
        self._key = FOLDER / "leader"
        self._answered: set[str] = set()
        self._command: subprocess.Popen[bytes] | None = None

    def prepare(self, host: Host) -> None:
        """Write a new workspace."""
        shutil.rmtree(self._workspace, ignore_errors=True)
        self._answered = set()
        self._dr("init", str(self._workspace), anywhere=True)
        self._write("dr.yaml", self._read("dr.yaml").replace("{ kind: production,", "{ kind: lab,"))
        if not self._key.exists():
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self._key)]
            subprocess.run(words, check=True)
        inventory = "inventory/production"
        for name in ("suppliers", "branches", "backups"):
            (self._workspace / inventory / f"{name}.yaml").unlink()
        self._write(f"{inventory}/services.yaml", "format: 1\nservices: {}\n")
        line = self._key.with_suffix(".pub").read_text().strip()
        self._write(f"{inventory}/people.yaml", _PEOPLE.format(key=line))
        where = {"port": host.sshd.port, "folder": host.sshd.folder, "state": host.sshd.state_root}
        user = host.sshd.inventory()["hosts"]["target"]["user"]
        self._write(f"{inventory}/hosts.yaml", _HOSTS.format(user=user, **where))
        probe = _PROBE.format(folder=host.folder) if self._probes else ""
        book = _BOOK.format(effect=host.folder / "effect", probe=probe)
        self._write("runbooks/crash.yaml", book)

    def begin(self, cut: str) -> None:
        """Type ``dr run``; an engine that is to die does so at a named point."""
        words = [_DR, "run", "crash", "--requester", "engineer"]
        self._command = subprocess.Popen(
            words, env=_environment(_FAULTS[cut]), cwd=self._workspace, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        end = time.monotonic() + 30
        while not self._holder() and time.monotonic() < end:
            time.sleep(0.05)

    def lives(self) -> bool:
        """Whether the run's engine lives."""
        return bool(holder_lives(self._holder()))

    def kill(self) -> None:
        """Kill the engine."""
        os.kill(int(self._holder().split()[2]), signal.SIGKILL)

    def resume(self) -> None:
        """Type ``dr resume``."""
        self._dr("resume", self._id(), "--detach")

    def asks(self) -> bool:
        """Whether the gate is open."""
        return any(asked.question.kind == "gate" for asked in self._view().open_questions())

    def approve(self) -> None:
        """Approve with the leader's key."""
        self._dr("approve", self._id(), "agree", "--by", "leader", "--key", str(self._key),
                 "--reason", "agreed", "--yes")  # fmt: skip

    def doubts(self, host: Host) -> bool:
        """Say of a step in doubt what the ledger says, once."""
        open_ = (asked.question for asked in self._view().open_questions())
        new = [q for q in open_ if q.kind == "doubt" and q.id not in self._answered]
        for question in new:
            absent = "failed" if host.refuses(question.step) else "not-done"
            verdict = "done" if host.begun(question.step) else absent
            self._answered.add(question.id)
            self._dr("resolve", self._id(), question.id, "--as", verdict, "--by", "engineer",
                     "--because", "read the ledger")  # fmt: skip
        return bool(new)

    def ended(self) -> str:
        """Return the run's state once it has one of the last."""
        view = self._view()
        return str(view.state) if view.state.ended and not self.lives() else ""

    def said(self) -> str:
        """Return how its journal says that the doubt was settled."""
        return told(self._events())

    def close(self) -> None:
        """End the engine, if one lives."""
        if self.lives():
            self.kill()
        if self._command is not None:
            self._command.kill()
            self._command.wait()

    # -- inside

    def _dr(self, *words: str, anywhere: bool = False) -> None:
        where = ROOT if anywhere else self._workspace
        done = subprocess.run(
            [_DR, *words],
            env=_environment(),
            cwd=where,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=90,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"dr {' '.join(words)}: exit {done.returncode}: {done.stderr}")

    def _read(self, name: str) -> str:
        return (self._workspace / name).read_text(encoding="utf-8")

    def _write(self, name: str, text: str) -> None:
        (self._workspace / name).write_text(text, encoding="utf-8")

    def _events(self) -> list[Event]:
        path = self._workspace / ".dr/journal.sqlite3"
        if not path.exists():
            return []
        with SqlJournal(f"sqlite:///{path}") as journal:
            runs = journal.runs()
            return list(journal.events(runs[0].id)) if runs else []

    def _view(self) -> RunView:
        events = self._events()
        return fold(events[0].run, events)

    def _holder(self) -> str:
        return (self._view().holder or "") if self._events() else ""

    def _id(self) -> str:
        return self._events()[0].run


def _environment(fault: str = "") -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DR_")}
    armed = {"DR_FAULT": fault} if fault else {}
    return {**kept, "DR_LANG": "en", "TERM": "dumb", **armed}


def told(events: Sequence[Event]) -> str:
    """Return how a journal says that steps in doubt were settled, in its own words."""
    lost = {(e.step, e.attempt) for e in events if e.kind is Kind.LOST}
    found = []
    for event in events:
        via = str(event.data.get("via", ""))
        if event.kind is Kind.LOST:
            found.append(f"{event.step} in doubt")
        elif event.kind is Kind.FINISHED and (event.step, event.attempt) in lost:
            found.append(f"{event.step} {event.data['state']}" + (f" via {via}" if via else ""))
        elif event.kind is Kind.UNDO_FINISHED:
            found.append(f"undo of {event.step}: {event.data['state']}")
    return "; ".join(found)
