"""Peers as processes: in a session of their own, killed whole, read from what they print."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

from crash_effect import ASKS
from crash_host import FOLDER, Host
from samples import ROOT

_TELLING = re.compile(
    r"doubt|interrupt|unknown(?!-)|recovering|may have|retrying|up-to-date|^-- |no matching",
    re.IGNORECASE,
)
_SEEN_AT_MOST = 3


class Peer(ABC):
    """A product that is one process, with its children.

    Attributes:
        folder: where it keeps what it remembers.
    """

    name = ""
    terminal = False
    """Whether it talks to a terminal only."""

    def __init__(self) -> None:
        self.folder = FOLDER / "peer"
        self.process: subprocess.Popen[bytes] | None = None
        self._input: int | None = None
        self._logs: list[Path] = []
        self._host: Host | None = None

    # -- what each has of its own

    @abstractmethod
    def command(self, verb: str) -> Sequence[str | Path]:
        """Return what is started; ``verb`` is begin or resume."""

    def environment(self) -> Mapping[str, str]:
        """Return what its processes have in their environment beside what all have."""
        return {}

    # -- the same for all

    @property
    def host(self) -> Host:
        """The host of the trial."""
        assert self._host is not None
        return self._host

    def prepare(self, host: Host) -> None:
        """Forget every earlier run."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._host, self._logs = host, []

    def begin(self, cut: str) -> None:
        """Start the run."""
        self._start("begin", {"CRASH_AT": cut} if cut else {})

    def resume(self) -> None:
        """Start it again."""
        self._start("resume", {})

    def lives(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Kill -9 the process and all its children, each by its id."""
        if self.process is not None:
            kill_all(self.process)

    def asks(self) -> bool:
        """Whether the process that lives has printed its question."""
        return self.lives() and ASKS in self.printed()

    def approve(self) -> None:
        """Type yes."""
        assert self._input is not None
        os.write(self._input, b"yes\r" if self.terminal else b"yes\n")

    def doubts(self, host: Host) -> bool:  # noqa: ARG002 - the product may look there
        """No peer has a question about an interrupted step."""
        return False

    def ended(self) -> str:
        """Return how it ended."""
        if self.lives() or self.process is None:
            return ""
        found = re.findall(r"^ended (\w+)", self.printed(), re.MULTILINE)
        return found[-1] if found else f"exit {self.process.returncode}"

    def said(self) -> str:
        """Return the lines after the resume that speak of what was interrupted."""
        return self.telling(self._logs[-1]) if self._logs else ""

    def telling(self, log: Path) -> str:
        """Return the first telling lines of a log."""
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        told = [_plain(line.strip()) for line in lines if _TELLING.search(line)]
        return " | ".join(list(dict.fromkeys(told))[:_SEEN_AT_MOST])

    def close(self) -> None:
        """End what was started."""
        self._end()

    # -- inside

    def _end(self) -> None:
        self.kill()
        if self._input is not None:
            os.close(self._input)
            self._input = None

    def printed(self) -> str:
        """Return what the newest process has printed."""
        return self._logs[-1].read_text(errors="replace") if self._logs else ""

    def environ(self) -> dict[str, str]:
        """Return the whole environment of its processes."""
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("DR_", "CRASH_"))}
        return {
            **kept,
            "LC_ALL": "C.UTF-8",
            "CRASH_FOLDER": str(self.folder),
            "CRASH_SSH": str(self.host.ssh_config),
            "CRASH_EFFECT": str(self.host.folder / "effect"),
            **self.environment(),
        }

    def _start(self, verb: str, more: Mapping[str, str]) -> None:
        self._end()
        log = self.folder / f"{len(self._logs)}.log"
        self._logs.append(log)
        theirs, self._input = pty.openpty()[::-1] if self.terminal else os.pipe()
        controlling = ["setsid", "--ctty"] if self.terminal else []  # becomes the program itself
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*controlling, *map(str, self.command(verb))],
                env={**self.environ(), **more},
                cwd=self.folder,
                stdin=theirs,
                stdout=theirs if self.terminal else out,
                stderr=subprocess.STDOUT,
                start_new_session=not self.terminal,
            )
        os.close(theirs)
        if self.terminal:
            Thread(target=_copy, args=(os.dup(self._input), log), daemon=True).start()


def _copy(terminal: int, log: Path) -> None:
    with log.open("ab", buffering=0) as out, suppress(OSError):
        while data := os.read(terminal, 4096):  # raises when the last process of it is gone
            out.write(data.replace(b"\r\n", b"\n"))
    os.close(terminal)


def here(name: str) -> Path:
    """Return a program of this folder."""
    return Path(__file__).with_name(name)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill -9 a process and everything below it, each by its id."""
    for pid in [process.pid, *_children(process.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _plain(line: str) -> str:
    """Return a line without colours, dates and the paths of this machine."""
    bare = re.sub(r"\x1b\[[0-9;]*m", "", line).replace(str(ROOT), "…")
    return re.sub(r"^\S*\d{2}:\d{2}:\d{2}\S*\s*(\|\s*)?", "", bare)[:200]


def _children(pid: int) -> list[int]:
    parents = dict(_parents())
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


def _parents() -> list[tuple[int, int]]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            found.append((int(entry.parent.name), int(fields[1])))
    return found
