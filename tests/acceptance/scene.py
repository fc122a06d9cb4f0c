"""A lab seen from outside: the real ``dr`` process, its journal, and what the hosts say."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dr.engine.core.events import Event, Kind
from dr.engine.core.view import RunView, fold
from dr.engine.journal.sql import SqlJournal
from dr.engine.service.engines import holder_lives
from dr.lab.enter import in_host
from tests.deadline import wait_for

DR = Path(__file__).resolve().parents[2] / ".venv/bin/dr"
_KEPT = ("HOME", "LANG", "TMPDIR", "USER", "DR_LAB_CACHE", "PYTHONPATH")
PSQL = ["psql", "-XAtq", "-h", "/run/postgresql", "-U", "postgres", "-d", "registry", "-c"]


@dataclass
class Scene:
    """One lab, and everything a test asks of it.

    Args:
        lab: the lab's directory.
        database: where the journal is, as DR_DATABASE_URL; empty is the workspace's own file.
    """

    lab: Path
    database: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        """The lab's workspace."""
        return self.lab / "workspace"

    # -- the command

    def environment(self, fault: str = "") -> dict[str, str]:
        """Return the environment of a ``dr`` process."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        words = {
            **kept,
            "PATH": f"{DR.parent}:{os.environ['PATH']}",
            "DR_WORKSPACE": str(self.workspace),
            "DR_LANG": "en",
            "TERM": "dumb",
        }
        if self.database:
            words["DR_DATABASE_URL"] = self.database
        if fault:
            words["DR_FAULT"] = fault
        return words

    def typed(self, *words: str | Path) -> list[str]:
        """Return the words of a command; a run ends without its branches unless a test wants it."""
        said = [str(word) for word in words]
        named = said[:2] in (["run", "storage-failure"], ["plan", "storage-failure"])
        closes = any(word.startswith("closing=") for word in said)
        return [*said, "--input", "closing=later"] if named and not closes else said

    def dr(
        self,
        *words: str | Path,
        expect: int | None = 0,
        fault: str = "",
        limit_s: float = 90,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``dr`` to its end; ``expect`` is the exit code that it must have, None any."""
        done = subprocess.run(
            [DR, *self.typed(*words)],
            env=self.environment(fault),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        said = f"dr {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert expect is None or done.returncode == expect, f"{said}\n{self.engine_log()}"
        return done

    def json(self, *words: str, expect: int | None = 0) -> Any:
        """Run ``dr --json`` and return the object it prints."""
        return json.loads(self.dr(*words, "--json", expect=expect).stdout)

    @contextmanager
    def beside(self, *words: str, fault: str = "") -> Iterator[subprocess.Popen[str]]:
        """Run ``dr`` beside the test, in a session of its own; end it by its id when done."""
        process = subprocess.Popen(
            [DR, *self.typed(*words)],
            env=self.environment(fault),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def approve(self, by: str = "chen.wei", *words: str, gate: str = "", **more: Any) -> Any:
        """Approve the open gate with the key of ``by``, in the newest run."""
        run_and_gate = [self.run, gate] if gate else []
        reason = ["--reason", "seen with my own eyes"]
        key = [] if "--key" in words or "--voice" in words else ["--key", str(self.key(by))]
        return self.dr("approve", *run_and_gate, "--by", by, *reason, "--yes", *key, *words, **more)

    def key(self, person: str) -> Path:
        """Return the private key of a person of the lab."""
        return self.workspace / "keys" / "people" / person

    # -- the journal

    @property
    def url(self) -> str:
        """Where the journal is."""
        return self.database or f"sqlite:///{self.workspace}/.dr/journal.sqlite3"

    @property
    def run(self) -> str:
        """The newest run's id."""
        with SqlJournal(self.url) as journal:
            return journal.run("last").id

    def runs(self) -> int:
        """Return how many runs there are."""
        if not self.database and not (self.workspace / ".dr/journal.sqlite3").exists():
            return 0
        with SqlJournal(self.url) as journal:
            return len(journal.runs())

    def events(self, kind: Kind | None = None, step: str | None = None) -> list[Event]:
        """Return the newest run's events."""
        with SqlJournal(self.url) as journal:
            found = journal.events(journal.run("last").id)
        return [
            e
            for e in found
            if (kind is None or e.kind is kind) and (step is None or e.step == step)
        ]

    @property
    def view(self) -> RunView:
        """The newest run, folded."""
        events = self.events()
        return fold(events[0].run, events)

    def outputs(self, step: str) -> Mapping[str, Any]:
        """Return what a step of the newest run put out."""
        return self.view.steps[step].outputs

    def states(self) -> dict[str, str]:
        """Return the state of each step of the newest run."""
        return {name: str(step.state) for name, step in self.view.steps.items()}

    # -- the engine

    def engine_pid(self) -> int:
        """Return the process id of the newest run's engine."""
        return int(self.view.holder.split()[2])

    def engine_lives(self) -> bool:
        """Say whether it lives."""
        holder = self.view.holder
        return bool(holder) and bool(holder_lives(holder))

    def engine_log(self) -> str:
        """Return what the engines of all runs wrote."""
        logs = sorted((self.workspace / ".dr/logs").glob("*/engine.log"))
        return "\n".join(path.read_text("utf-8")[-4000:] for path in logs)

    def kill_engine(self) -> None:
        """Kill -9 the engine and wait until it is gone."""
        with suppress(ProcessLookupError):
            os.kill(self.engine_pid(), signal.SIGKILL)
        wait_for(lambda: not self.engine_lives(), 10, "the engine's death")

    def resume_until_death(self, fault: str) -> str:
        """Resume with a fault armed; return the step that was under way when the engine died."""
        before = len(self.events(Kind.RUN_LEASE))
        self.dr("resume", self.run, "--detach", fault=fault)
        wait_for(
            lambda: len(self.events(Kind.RUN_LEASE)) > before and not self.engine_lives(),
            60,
            f"the engine's death at {fault}\n{self.engine_log()[-2000:]}",
        )
        assert not self.view.state.ended, f"the run ended before {fault}"
        return self.under_way()

    def under_way(self) -> str:
        """Return the step whose attempt has begun and has no written end; empty when none."""
        begun = ""
        for event in self.events():
            if event.kind is Kind.INTENT:
                begun = event.step or ""
            elif event.kind is Kind.FINISHED and event.step == begun:
                begun = ""
        return begun

    def wait_event(self, kind: Kind, step: str | None = None, deadline_s: float = 40) -> Event:
        """Wait for an event of the newest run and return it."""
        what = f"{kind} of {step or 'the run'}"
        return wait_for(lambda: self.events(kind, step), deadline_s, what)[-1]

    def wait_end(self, deadline_s: float = 60) -> RunView:
        """Wait until the newest run is over."""
        wait_for(lambda: self.events(Kind.RUN_ENDED), deadline_s, "the run's end")
        wait_for(lambda: not self.engine_lives(), 20, "the engine to leave")
        return self.view

    # -- the hosts

    def on(self, host: str, *argv: str, stdin: str = "") -> str:
        """Run a command inside a host as root and return what it printed."""
        done = in_host(self.lab, host, argv, stdin=stdin, timeout_s=60)
        assert done.returncode == 0, f"{host}: {argv}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def ask(self, host: str, sql: str) -> str:
        """Ask the database of a host as its superuser."""
        return self.on(host, *PSQL, sql)

    def upper(self, host: str, path: str) -> Path:
        """Return where a host's own file lies on this machine."""
        return self.lab / "hosts" / host / "upper" / path.lstrip("/")

    def jobs(self, host: str) -> dict[str, list[str]]:
        """Return the attempts of each job that a host has, by the job's step."""
        root = self.upper(host, "/var/lib/dr/jobs")
        found: dict[str, list[str]] = {}
        for folder in sorted(root.iterdir()) if root.is_dir() else []:
            run, step, *_ = folder.name.split("+")
            if run == self.run:
                found.setdefault(step, []).extend(sorted(p.name for p in folder.iterdir()))
        return found

    def begun_jobs(self, host: str, step: str) -> list[str]:
        """Return the attempts of a step's job whose command really began."""
        root = self.upper(host, "/var/lib/dr/jobs")
        begun = root.glob(f"{self.run}+{step}+*/*/process")
        return sorted(path.parent.name for path in begun)

    def job_runs(self, host: str, step: str, attempt: int) -> bool:
        """Say whether the command of a job has begun and has not ended."""
        root = self.upper(host, "/var/lib/dr/jobs")
        jobs = root.glob(f"{self.run}+{step}+*/{attempt}")
        return any((job / "process").exists() and not (job / "exit").exists() for job in jobs)

    def timeline(self, host: str) -> int:
        """Return the timeline that a primary writes on."""
        return int(self.ask(host, "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"))

    def switches(self, host: str) -> int:
        """Return how many timeline switches a database remembers."""
        files = self.on(
            host, "sh", "-c", "ls /var/lib/postgresql/15/main/pg_wal | grep -c 'history$' || true"
        )
        return int(files)

    def ledger(self, branch: str) -> list[dict[str, str]]:
        """Return the whole lines of a branch's ledger."""
        text = self.upper(branch, "/var/lib/registry/ledger.csv").read_text("utf-8")
        whole = text[: text.rfind("\n") + 1]
        return list(csv.DictReader(whole.splitlines()))

    def acknowledged(self) -> dict[str, dict[str, str]]:
        """Return every line that a branch holds as acknowledged, by its slip."""
        lines = [entry for branch in BRANCHES for entry in self.ledger(branch)]
        return {e["slip"]: e for e in lines if e["outcome"] == "acknowledged"}

    def slips(self, host: str) -> set[str]:
        """Return the slips that the database of a host knows."""
        return set(self.ask(host, "SELECT slip FROM registration").splitlines())


BRANCHES = ("branch-01", "branch-02", "branch-03")


def until(condition: Callable[[], Any], deadline_s: float = 20, what: str = "") -> Any:
    """Wait for a condition, asking ten times a second: each look costs a process."""
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer or time.monotonic() >= end:
            assert answer, f"{what or 'the condition'} did not come true within {deadline_s:g} s"
            return answer
        time.sleep(0.1)


def moment(text: str) -> datetime:
    """Return an RFC 3339 moment."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def words_of(lines: Sequence[str]) -> str:
    """Return lines as one text without line breaks, as a reader takes them in."""
    return " ".join(" ".join(lines).split())
