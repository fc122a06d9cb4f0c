"""The DR centre's control host: the same lab and journal, another machine to every engine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dr.engine.core.events import Kind
from dr.engine.service.engines import process_start
from dr.lab.workspace import SECOND, workspace_folder
from tests.acceptance.scene import Scene
from tests.deadline import wait_for

SHORT_S = 3
"""The shortest lease there is; most tests wait for one to lapse."""

WRONG_CLOCK = Path(__file__).with_name("wrong_clock")
"""Where Python finds a clock that is wrong; see the file there."""

EFFECTS = {"first": "db-b", "one": "db-b", "two": "spare", "three": "dr-a", "last": "db-b"}
"""Where each step of the runbook ``two`` leaves a line; one, two and three run side by side."""
_NEEDS = {"first": "ask", "last": "one, two, three"}
_HEAD = """format: 1
name: two
title: { en: Two engines, zh: 两个引擎 }
on_failure: fail
steps:
  - { id: ask, uses: human.task, with: { group: support, instructions: { en: x, zh: x } } }
"""
_STEP = """  - id: %(step)s
    needs: [%(needs)s]
    uses: ssh.run
    hosts: %(host)s
    effect: once
    with: { shell: "echo ran >>/root/$DR_RUN.%(step)s" }
    probe:
      uses: path.check
      with: { path: "/root/${{ run.id }}.%(step)s" }
      when: "${{ result.state == 'present' }}"
"""


def book() -> str:
    """Return the runbook ``two``."""
    steps = [
        _STEP % {"step": step, "host": host, "needs": _NEEDS.get(step, "first")}
        for step, host in EFFECTS.items()
    ]
    return _HEAD + "".join(steps)


class Site(Scene):
    """What is typed on one control host, with a short lease; ``host`` names the machine."""

    host = "control"
    lease_s = SHORT_S
    clock_wrong_s = 0
    """By how many seconds the clock of this host is wrong, for every process of ``dr`` on it."""

    @property
    def workspace(self) -> Path:
        """This host's copy of the lab's workspace."""
        return workspace_folder(self.lab, self.host)

    def environment(self, fault: str = "") -> dict[str, str]:
        """Return the environment of a ``dr`` process."""
        words = {**super().environment(fault), "DR_LEASE_S": str(self.lease_s)}
        if self.clock_wrong_s:
            path = [str(WRONG_CLOCK), *filter(None, [words.get("PYTHONPATH")])]
            words |= {"PYTHONPATH": ":".join(path), "DR_TEST_CLOCK_S": str(self.clock_wrong_s)}
        return words

    def engine_lives(self) -> bool:
        """Say whether the process of the newest engine lives, whichever machine it is on."""
        holder = self.view.holder
        return bool(holder) and lives(holder)

    # -- a run that is about to act

    def begin(self, runbook: str = "two") -> str:
        """Start a run, let its engine go, and answer its first task; return its id."""
        self.dr("run", runbook, "--no-wait", expect=3)
        os.kill(self.engine_pid(), signal.SIGTERM)
        wait_for(lambda: not self.engine_lives(), 20, "the first engine's end")
        self.dr("answer", self.run, "ask", "done", "--by", "zhou.jie")
        return self.run

    @contextmanager
    def engine(self, fault: str) -> Iterator[str]:
        """Resume the run with a fault armed, as holder; end that engine by its id afterwards."""
        before = len(self.events(Kind.RUN_LEASE))
        self.dr("resume", self.run, "--detach", fault=fault)
        wait_for(lambda: len(self.events(Kind.RUN_LEASE)) > before, 30, "the engine's lease")
        holder = self.view.holder
        try:
            yield holder
        finally:
            if lives(holder):
                os.kill(pid_of(holder), signal.SIGKILL)

    def effects(self) -> dict[str, int]:
        """Return how often each step of ``two`` took effect on its host: the truth."""
        found = {}
        for step, host in EFFECTS.items():
            path = self.upper(host, f"/root/{self.run}.{step}")
            found[step] = len(path.read_text("utf-8").splitlines()) if path.exists() else 0
        return found


class SecondSite(Site):
    """What is typed on the control host of the DR centre."""

    host = SECOND

    def take_over(self, *words: str, expect: int = 0) -> str:
        """Take the newest run over and return what was said."""
        because = ["--because", "the machine room is dark", "--by", "sun.hao", "--detach"]
        done = self.dr("takeover", self.run, *because, *words, expect=expect)
        return done.stdout + done.stderr


def two_sites(lab: Path, database: str) -> tuple[Site, SecondSite]:
    """Return both control hosts of a lab, with the runbook ``two`` on each."""
    sites = Site(lab, database), SecondSite(lab, database)
    for site in sites:
        (site.workspace / "runbooks/two.yaml").write_text(book(), "utf-8")
    return sites


def pid_of(holder: str) -> int:
    """Return the process id of an engine."""
    return int(holder.split()[2])


def lives(holder: str) -> bool:
    """Say whether the process of an engine lives; all hosts of a lab share this machine's ids."""
    words = holder.split()
    return process_start(int(words[2])) == words[4]


def is_frozen(holder: str) -> bool:
    """Say whether the process of an engine is stopped."""
    with suppress(OSError):
        stat = Path(f"/proc/{pid_of(holder)}/stat").read_text("ascii", "replace")
        return stat.rsplit(")", 1)[1].split()[0] == "T"
    return False
