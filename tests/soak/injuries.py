"""What the soak does to a run: deaths of the engine, of sessions and jobs, of links and servers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from dr.engine.core.faults import POINTS
from dr.lab.api import break_, heal
from dr.lab.enter import in_host
from tests.soak.field import FOLDER, HOSTS, Field

_ARMED = 0.6
"""The share of engines that are to die at a named point."""

_PAUSE_S = 1.0
"""The mean time between two other kills."""

SERVER = "journal's server"
"""What the death of the journal's database server is counted as."""


@dataclass
class Injuries:
    """Hurts one run at random moments, and counts what really hit something.

    Args:
        planned: how many kills the run is to have.
        bounce: kills the journal's database server and starts it again; None where there is none.
        server_first: whether that server is what is killed first.
    """

    scene: Field
    dice: random.Random
    planned: int
    bounce: Callable[[], None] | None = None
    server_first: bool = False
    hits: dict[str, int] = field(default_factory=dict)
    _next: float = 0.0
    _unplugged: dict[str, float] = field(default_factory=dict)

    @property
    def left(self) -> bool:
        """Whether the run is to be hurt further."""
        return sum(self.hits.values()) < self.planned

    def fault(self) -> str:
        """Return the point and visit at which the next engine is to die; empty: it is not."""
        if not self.left or self.dice.random() > _ARMED:
            return ""
        point = self.dice.choice([p for p in POINTS if p != "lease-taken"])
        most = 40 if "append" in point else 8
        return f"{point}:{self.dice.randint(1, most)}"

    def strike(self) -> None:
        """Hurt something, when it is time."""
        if not self.left or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self.dice.expovariate(1 / _PAUSE_S)
        if self.server_first:
            self.server_first = False
            self._database()
            return
        kinds: list[Callable[[], None]] = [self._engine, self._session, self._job, self._link]
        if self.bounce is not None:
            kinds.append(self._database)
        self.dice.choice(kinds)()

    def mend(self, *, everything: bool = False) -> None:
        """Plug in again what was unplugged long enough."""
        for host, until in list(self._unplugged.items()):
            if everything or time.monotonic() >= until:
                del self._unplugged[host]
                heal(self.scene.lab, "link-down", host)

    def count(self, kind: str) -> None:
        """Count a kill that hit."""
        self.hits[kind] = self.hits.get(kind, 0) + 1

    def _engine(self) -> None:
        if self.scene.engine_lives():
            with suppress(ProcessLookupError):
                self.scene.kill_engine()
                self.count("engine")

    def _session(self) -> None:
        if self._kill("^sshd: root"):
            self.count("ssh session")

    def _job(self) -> None:
        if self._kill(f"{FOLDER}/[eur]"):
            self.count("remote job")

    def _kill(self, pattern: str) -> bool:
        """Kill what fits on the first host that has it, in a random order."""
        for host in self.dice.sample(HOSTS, len(HOSTS)):
            done = in_host(self.scene.lab, host, ["pkill", "-KILL", "-f", pattern], timeout_s=20)
            if done.returncode == 0:
                return True
        return False

    def _link(self) -> None:
        host = self.dice.choice(HOSTS)
        if host not in self._unplugged:
            break_(self.scene.lab, "link-down", host)
            self._unplugged[host] = time.monotonic() + self.dice.uniform(0.3, 6)
            self.count("link")

    def _database(self) -> None:
        assert self.bounce is not None
        self.bounce()
        self.count(SERVER)
