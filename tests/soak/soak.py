"""Runs that are hurt at random, and a truthful operator: nothing may happen twice or get lost.

    python -m tests.soak.soak --kills 300 [--seed N] [--journal sqlite|postgresql]

Everything is real: the ``dr`` command, its engine, OpenSSH, the hosts of a lab.  Prints a line a
run, what was killed, and every violation; exits 1 when there is one.  The seed decides which
kills are chosen; the moment at which each hits is the machine's.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from dr.engine.core.events import Kind
from dr.engine.core.view import RunView
from dr.lab.api import LabOptions, down, up
from tests.integration.postgres_server import own_server
from tests.soak.field import HOSTS, LAB, OFTEN, ONCE, Field
from tests.soak.injuries import SERVER, Injuries
from tests.soak.person import Person

RUN_LIMIT_S = 240.0
"""How long a run may take before it counts as stuck, in seconds."""


@dataclass
class Tally:
    """What a soak found."""

    runs: int = 0
    hits: dict[str, int] = field(default_factory=dict)
    resumed: int = 0
    asked: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How many kills hit."""
        return sum(self.hits.values())


def soak(
    scene: Field,
    kills: int,
    seed: int,
    *,
    most: int = 5,
    bounce: Callable[[], None] | None = None,
    say: Callable[[str], None] = print,
) -> Tally:
    """Carry runs out until ``kills`` have hit, at most ``most`` a run; return what was found.

    Where there is a server to be killed, the first run begins with that, whatever the dice say.
    """
    tally, dice = Tally(), random.Random(seed)  # noqa: S311 - dice, no secret
    while tally.kills < kills:
        first = bounce is not None and SERVER not in tally.hits
        one = Ordeal(scene, Injuries(scene, dice, dice.randint(1, most), bounce, first))
        found = one.go_through()
        tally.runs += 1
        tally.resumed += one.resumed
        tally.asked += len(one.person.said)
        for kind, count in one.injuries.hits.items():
            tally.hits[kind] = tally.hits.get(kind, 0) + count
        tally.violations += found
        hurt = ", ".join(f"{count} {kind}" for kind, count in one.injuries.hits.items()) or "none"
        say(f"{one.run}: {one.took_s:.0f} s; killed {hurt}; {one.resumed} resumed; "
            f"{len(one.person.said)} asked; {len(found)} violations")  # fmt: skip
        for violation in found:
            say(f"  VIOLATION {violation}")
    return tally


class Ordeal:
    """One run from its start to its end, through its injuries."""

    def __init__(self, scene: Field, injuries: Injuries) -> None:
        self.scene, self.injuries = scene, injuries
        self.person = Person(scene)
        self.run, self.resumed, self.took_s = "", 0, 0.0
        self._armed = False

    def go_through(self) -> list[str]:
        """Carry the run to its end; return what is wrong with it."""
        began = time.monotonic()
        with ExitStack() as stack:
            self.run = self._start(stack)
            view = self._endure(began)
        self.injuries.mend(everything=True)
        if self.scene.engine_lives():
            self.scene.kill_engine()
        self.took_s = time.monotonic() - began
        return self._wrong_with(view)

    def _start(self, stack: ExitStack) -> str:
        """Type ``dr run`` until there is a run: it may die before its first row is written."""
        before = self.scene.runs()
        while True:
            fault = self.injuries.fault()
            command = stack.enter_context(
                self.scene.beside("run", "soak", "--no-wait", fault=fault)
            )
            while command.poll() is None and self.scene.runs() == before:
                time.sleep(0.05)
            if self.scene.runs() > before:
                self._armed = bool(fault)
                return self.scene.run
            self.injuries.count("command")

    def _endure(self, began: float) -> RunView:
        while True:
            view = self.scene.view
            if view.state.ended and not self.scene.engine_lives():
                return view
            if time.monotonic() - began > RUN_LIMIT_S:
                return view
            self._attend(view)
            time.sleep(0.05)

    def _attend(self, view: RunView) -> None:
        self.injuries.mend()
        if not self.scene.engine_lives():
            if not view.state.ended:
                self._resume()
            return
        for asked in view.open_questions():
            self.person.answer(self.run, asked.question)
        self.injuries.strike()
        self._armed = self._armed and self.scene.engine_lives()

    def _resume(self) -> None:
        if self._armed:
            self.injuries.count("engine at a named point")
        fault = self.injuries.fault()
        self._armed = bool(fault)
        self.resumed += 1
        leases = len(self.scene.events(Kind.RUN_LEASE))
        with self.scene.beside("resume", self.run, "--detach", fault=fault) as command:
            end = time.monotonic() + 15
            while time.monotonic() < end and not self._has_come(command, leases):
                time.sleep(0.02)

    def _has_come(self, command: subprocess.Popen[str], leases: int) -> bool:
        """Whether the next engine has the run, or died on its way to it."""
        died = command.poll() is not None and command.returncode != 0
        return died or len(self.scene.events(Kind.RUN_LEASE)) > leases

    # -- the verdict

    def _wrong_with(self, view: RunView) -> list[str]:
        return [f"{self.run}: {found}" for found in self._findings(view)]

    def _findings(self, view: RunView) -> Iterator[str]:
        if str(view.state) != "succeeded":
            yield f"it ended {view.state}: {view.because}; {self.scene.engine_log()[-1500:]}"
        for step, hosts in ONCE.items():
            for host in hosts:
                count = self.scene.count(self.run, step, host)
                if count != 1:
                    yield f"the effect of '{step}' happened {count} times on {host}"
        for step, host in OFTEN.items():
            if not self.scene.count(self.run, step, host):
                yield f"the effect of '{step}' never happened on {host}"
        left = self.scene.count(self.run, "one", "x003")
        undone = self.scene.count(self.run, "one.undone", "x003")
        if (left, undone) != (0, 1):
            yield f"'one' happened {undone} times and stands {left} times after its undo"
        done = self.scene.dr("journal", "verify", self.run, expect=None)
        if done.returncode:
            yield f"its journal is not whole: {done.stdout}{done.stderr}"
        for host in HOSTS:
            if self.scene.works(host):
                yield f"a command still runs on {host}"


# -- by hand


def main() -> int:
    """Soak as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--journal", choices=["sqlite", "postgresql"], default="sqlite")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    # ended from outside it still takes its lab along
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"soak: {given.kills} kills, seed {seed}, journal on {given.journal}", flush=True)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="dr-soak-", dir="/var/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        database, bounce = "", None
        if given.journal == "postgresql":
            server = stack.enter_context(own_server())
            database, bounce = server.database(), server.crash
        lab = folder / "lab"
        stack.callback(down, lab)
        up(LabOptions(directory=lab, tie_pid=os.getpid(), **LAB))
        scene = Field(lab, database).equip()
        tally = soak(
            scene, given.kills, seed, bounce=bounce, say=lambda line: print(line, flush=True)
        )
    print(
        f"soak: {tally.kills} kills in {tally.runs} runs "
        f"({', '.join(f'{count} {kind}' for kind, count in sorted(tally.hits.items()))}); "
        f"{tally.resumed} resumed, {tally.asked} questions, {len(tally.violations)} violations"
    )
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
