"""A command on 20 and on 50 hosts of a lab at once: dr, asyncssh, ansible, pyinfra.

Run as a program it enters the lab's control network and measures there; ``rows`` brings a lab
up, calls it and takes the lab down again.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import peers
from samples import SCRATCH, Measured, Row, SkippedError, Worker, in_turns

HERE = Path(__file__).resolve().parent
SIZES = (20, 50)
AIM = 1.2
_LIMIT = timedelta(seconds=30)
_NOTES = {
    "dr": "its connections kept; 'exit 0' in a shell",
    "asyncssh": "its connections kept; 'exit 0' in a shell",
    "ansible": "-m raw, forks for every host, ControlPersist warm; start-up is in it",
    "dr, new connections": "key exchange and login on every host",
    "asyncssh, new connections": "key exchange and login on every host",
    "ansible, new connections": "-m raw, forks for every host; start-up is in it",
    "pyinfra, new connections": "exec, --parallel for every host; start-up is in it",
    "dr, a whole step": "ssh.run that acts: journal, wrapper, lock and job on each host",
    "ansible, a module": "-m command with pipelining, warm: what a step of ansible does",
}


def rows(python: str, rounds: int) -> list[Row]:
    """Return the rows; needs root and what a lab needs.

    Raises:
        SkippedError: no lab can be had here.
    """
    from dr.engine.core.errors import DrError
    from dr.lab.api import LabOptions, down, up

    directory = Path(f"/var/tmp/dr-lab-bench-{os.getpid()}")  # noqa: S108 - as every lab's
    try:
        up(LabOptions(directory=directory, only_ssh=True, extra=max(SIZES), tie_pid=os.getpid()))
    except DrError as error:
        raise SkippedError(f"no lab: {error.message}") from error
    try:
        done = subprocess.run(
            [python, __file__, str(directory), str(rounds)],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SkippedError(f"the measuring process left with {done.returncode}")
        return [Row(**row) for row in json.loads(done.stdout)]
    finally:
        down(directory)


def _measure(workspace: Path, rounds: int) -> list[Row]:
    from dr.inventory.snapshot import snapshot
    from dr.inventory.workspace import read_workspace

    inventory = snapshot(read_workspace(workspace), "lab")
    found: list[Row] = []
    for size in SIZES:
        names = [name for name in sorted(inventory["hosts"]) if name.startswith("x")][:size]
        ours = OurConnections(inventory, workspace, names)
        warm, cold, whole = _asked(ours, inventory, workspace, names, rounds)
        ours.close()
        heading = f"a command on {size} hosts"
        found += _rows(f"{heading}, connections kept", warm, "dr")
        found += _rows(f"{heading}, new connections", cold, "dr, new connections")
        found += _rows(f"{heading}, as a step", whole, "dr, a whole step")
    return found


def _asked(
    ours: OurConnections, inventory: dict[str, Any], workspace: Path, names: list[str], rounds: int
) -> tuple[Measured, Measured, Measured]:
    keys = workspace / "keys"
    hosts = [inventory["hosts"][name]["address"] for name in names]
    with _Asyncssh(hosts, keys) as asyncssh:
        ansible = Ansible(workspace, names)
        step = WholeStep(inventory, workspace, names)
        for warmed in (ours.seconds, ansible.raw, asyncssh.warm, step.seconds, ansible.command):
            _tried(warmed)
        warm = in_turns(
            rounds,
            {
                "dr": _often(ours.seconds),
                "asyncssh": _often(asyncssh.warm),
                "ansible": ansible.raw,
            },
        )
        cold = in_turns(
            rounds,
            {
                "dr, new connections": ours.cold_seconds,
                "asyncssh, new connections": asyncssh.cold,
                "ansible, new connections": ansible.cold,
                "pyinfra, new connections": lambda: pyinfra(hosts, keys),
            },
        )
        whole = in_turns(
            rounds, {"dr, a whole step": step.seconds, "ansible, a module": ansible.command}
        )
        step.close()
    return warm, cold, whole


def _often(seconds: Callable[[], float]) -> Callable[[], float]:
    """A sample of what takes a twentieth of a second is the median of nine."""
    return lambda: statistics.median(seconds() for _ in range(9))


def _tried(seconds: Callable[[], float]) -> None:
    try:
        seconds()
    except SkippedError:
        return  # it says so again, with its reason, when it is measured


def _rows(heading: str, measured: Measured, own: str) -> list[Row]:
    others = {s: measured.median(s) for s in measured.samples if s != own}
    known = {s: value for s, value in others.items() if value is not None}
    best = min(known, key=lambda s: known[s]) if known else ""
    return [
        Row(
            heading,
            subject,
            measured.median(subject),
            ratio=measured.ratio(subject, best if subject == own else own) if best else None,
            against=best if subject == own else own,
            aim=AIM if subject == own and best else None,
            note=f"skipped: {measured.skipped[subject]}"
            if subject in measured.skipped
            else _NOTES[subject],
            samples=measured.samples[subject],
        )
        for subject in measured.samples
    ]


class OurConnections:
    """dr's own SSH connections, used by one thread a host as attempts use them."""

    def __init__(self, inventory: dict[str, Any], workspace: Path, names: list[str]) -> None:
        from dr.engine.actions.transport.ssh import SshConnections

        self._make = lambda: SshConnections(inventory, workspace)
        self._names = names
        self._kept = self._make()
        self._pool = ThreadPoolExecutor(len(names))

    def seconds(self) -> float:
        """Return how long the command took on all hosts, in milliseconds."""
        return self._on_all(self._kept)

    def cold_seconds(self) -> float:
        """Return the same with connections that are new."""
        fresh = self._make()
        try:
            return self._on_all(fresh)
        finally:
            fresh.close()

    def _on_all(self, connections: Any) -> float:
        from dr.engine.actions.observations import PING

        def one(name: str) -> bool:
            return bool(connections.observer(name).observe(PING, timeout=_LIMIT).ok)

        began = time.perf_counter()
        assert all(self._pool.map(one, self._names))
        return 1e3 * (time.perf_counter() - began)

    def close(self) -> None:
        """Close what was kept."""
        self._kept.close()
        self._pool.shutdown()


class WholeStep:
    """One step on every host through the engine, its connections kept from step to step."""

    def __init__(self, inventory: dict[str, Any], workspace: Path, names: list[str]) -> None:
        from dr.engine.actions.standard import standard_actions
        from dr.engine.actions.transport.ssh import SshConnections

        self._connections = SshConnections(inventory, workspace)
        self._actions = standard_actions(self._connections)
        self._inventory = inventory
        self._source = (
            "format: 1\nname: bench\ntitle: { en: Bench, zh: 测量 }\nsteps:\n"
            "  - id: all\n    uses: ssh.run\n    with: { argv: ['true'] }\n"
            f"    hosts: [{', '.join(names)}]\n    effect: idempotent\n"
            '    strategy: { batches: ["100%"] }\n'
        )
        self._number = 0

    def seconds(self) -> float:
        """Return how long the run took from its first turn to its end, in milliseconds."""
        from noop_engine import executor_of

        from dr.engine.journal.sql import SqlJournal
        from dr.engine.loader.loading import load

        self._number += 1
        folder = SCRATCH / "step"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        book = load(self._source, actions=self._actions, file="bench")
        # an id of its own: the hosts remember the jobs of a run
        run = f"R-20261101-b{os.getpid()}x{self._number}"
        with SqlJournal(f"sqlite:///{folder}/journal.sqlite3") as journal:
            executor = executor_of(
                folder, journal, book, self._actions, run=run, inventory=self._inventory
            )
            began = time.perf_counter()
            state = executor.run()
            took = time.perf_counter() - began
        if state != "succeeded":
            raise SkippedError(f"the step ended as {state}")
        return 1e3 * took

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()


class _Asyncssh:
    """asyncssh in the peers' environment."""

    def __init__(self, hosts: list[str], keys: Path) -> None:
        self._request = {
            "hosts": hosts,
            "identity": str(keys / "engine_ed25519"),
            "known_hosts": str(keys / "known_hosts"),
        }
        self._worker: Worker | None = None

    def warm(self) -> float:
        return self._ask(cold=False)

    def cold(self) -> float:
        return self._ask(cold=True)

    def _ask(self, *, cold: bool) -> float:
        if self._worker is None:
            self._worker = Worker([peers.python(), HERE / "peer_asyncssh.py"])
        return 1e3 * float(self._worker.ask(**self._request, cold=cold)["seconds"])

    def __enter__(self) -> _Asyncssh:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._worker is not None:
            self._worker.__exit__(None, None, None)


class Ansible:
    """The ``ansible`` program with a fork for every host."""

    def __init__(self, workspace: Path, names: list[str]) -> None:
        self._inventory = workspace / "inventory/lab/hosts.yaml"
        self._hosts = ",".join(names)
        self._forks = str(len(names))
        self._folder = SCRATCH / "ansible"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._paths = 0

    def raw(self) -> float:
        """Return the time of a raw command over connections kept by ControlPersist."""
        return self._call("raw", "exit 0", self._folder / "kept")

    def command(self) -> float:
        """Return the time of the module ``command``, pipelined, over the same."""
        return self._call("command", "true", self._folder / "kept")

    def cold(self) -> float:
        """Return the time of a raw command over new connections."""
        self._paths += 1
        return self._call("raw", "exit 0", self._folder / f"new{self._paths}")

    def _call(self, module: str, command: str, sockets: Path) -> float:
        words = [Path(sys.executable).with_name("ansible"), self._hosts, "-i", self._inventory]
        words += ["-m", module, "-a", command, "-f", self._forks]
        env = {
            **os.environ,
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=60s",
        }
        return _program_ms([str(word) for word in words], env)


def pyinfra(hosts: list[str], keys: Path) -> float:
    """Return the time of ``pyinfra ... exec``, in milliseconds."""
    program = peers.python().with_name("pyinfra")
    words = [str(program), ",".join(hosts), "--yes", "--parallel", str(len(hosts))]
    words += ["--ssh-user", "root", "--ssh-key", str(keys / "engine_ed25519")]
    words += ["--data", f"ssh_known_hosts_file={keys / 'known_hosts'}", "exec", "--", "exit 0"]
    return _program_ms(words, dict(os.environ))


def _program_ms(words: list[str], env: dict[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        words,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"]
        raise SkippedError(f"{Path(words[0]).name} left with {done.returncode}: {last[0][:200]}")
    return 1e3 * took


if __name__ == "__main__":
    from dr.lab.enter import enter

    LAB = Path(sys.argv[1])
    enter(LAB)
    measured_rows = _measure(LAB / "workspace", int(sys.argv[2]))
    sys.stdout.write(json.dumps([row.__dict__ for row in measured_rows]))
