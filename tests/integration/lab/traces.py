"""What a lab leaves on the machine while it is up, to look for afterwards."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dr.lab.volume import loops_of


@dataclass(frozen=True)
class Traces:
    """Everything of one lab that the kernel knows."""

    directory: Path
    processes: frozenset[tuple[int, int]]
    """pid and start time"""
    networks: frozenset[int]
    taken: int
    """When they were noted, in clock ticks since the machine's start."""

    def named(self, name: str) -> list[int]:
        """Return the processes that ``ps`` calls ``name``."""
        found = []
        for pid, start in self.processes:
            with suppress(OSError):
                if _start(pid) == start and Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    found.append(pid)
        return found

    def left(self) -> list[str]:
        """List what is still there, files apart."""
        found = [f"process {pid}" for pid, start in self.processes if _start(pid) == start]
        # the kernel gives the number of a network that is gone to a new one, as of another lab
        old = {pid for pid in _pids() if (start := _start(pid)) and start <= self.taken}
        found += [f"network {one}" for one in self.networks & _networks(old)]
        found += loops_of(self.directory)
        mounts = Path("/proc/self/mountinfo").read_text()
        if str(self.directory) in mounts:
            found.append("a mount")
        return found


def world_pid(directory: Path) -> int:
    """Return the pid of the lab's first process."""
    pid: int = json.loads((directory / "lab.json").read_text())["pid"]
    return pid


def traces(directory: Path) -> Traces:
    """Note what the lab that is up in ``directory`` consists of."""
    pids = _descendants(world_pid(directory))
    processes = frozenset((pid, _start(pid) or 0) for pid in pids)
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    taken = int(uptime_s * os.sysconf("SC_CLK_TCK"))
    return Traces(directory, processes, frozenset(_networks(pids)), taken)


def _pids() -> set[int]:
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _start(pid: int) -> int | None:
    """Return when a process began; None when it ended, read out by its parent or not yet."""
    with suppress(OSError):
        stat = _stat(pid)
        return None if stat[0] in "ZX" else int(stat[19])
    return None


def _descendants(world: int) -> set[int]:
    parents = {}
    for pid in _pids():
        with suppress(OSError):
            parents[pid] = int(_stat(pid)[1])
    found = {world}
    while new := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= new
    return found


def _networks(pids: set[int]) -> set[int]:
    found = set()
    for pid in pids:
        with suppress(OSError):
            found.add(os.stat(f"/proc/{pid}/ns/net").st_ino)
    return found
