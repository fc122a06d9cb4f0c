"""The live view on a real terminal (a pseudo terminal), from another process."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path

import pytest

from tests.sample_run import ASKS, RUN, SUCCEEDS
from tests.unit.cli.conftest import Journalled

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]")
_DEADLINE_S = 20.0


class Terminal:
    """A program on a terminal of 80 by 30 cells."""

    def __init__(self, pid: int, stream: int) -> None:
        self.pid, self._stream, self.raw = pid, stream, ""

    @property
    def text(self) -> str:
        """What was written so far, without escape sequences."""
        return _ESCAPE.sub("", self.raw)

    def wait_for(self, words: str) -> None:
        """Read until the words were written."""
        end = time.monotonic() + _DEADLINE_S
        while words not in self.text:
            assert time.monotonic() < end, f"{words!r} never came; got {self.text!r}"
            if not self._read():
                break
        assert words in self.text

    def end(self) -> int:
        """Read to the end and return the exit code."""
        end = time.monotonic() + _DEADLINE_S
        while self._read():
            assert time.monotonic() < end, "the program does not end"
        _pid, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        ready, _w, _x = select.select([self._stream], [], [], 0.2)
        if not ready:
            return True
        try:
            data = os.read(self._stream, 65536)
        except OSError:  # the other side is closed
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)


@contextmanager
def terminal(folder: Path, *words: str, **environ: str) -> Iterator[Terminal]:
    """Run ``dr`` on a terminal of its own."""
    command = [sys.executable, "-m", "dr.cli", *words]
    surroundings = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1", **environ}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "CI"):
        if name not in environ:
            surroundings.pop(name, None)
    pid, stream = pty.fork()
    if pid == 0:
        try:
            os.chdir(folder)
            os.execve(command[0], command, surroundings)  # noqa: S606
        finally:
            os._exit(127)
    ioctl(stream, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
    program = Terminal(pid, stream)
    try:
        yield program
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(stream)


def test_a_run_that_is_over_stays_on_the_screen(workspace: Path, journalled: Journalled) -> None:
    journalled(SUCCEEDS)
    with terminal(workspace, "attach", RUN) as program:
        assert program.end() == 0
        assert "SUCCEEDED" in program.text
        assert "Is the storage really gone?" in program.text
        assert "✓ done" in program.text
        assert "\x1b[" in program.raw


def test_control_c_leaves_the_view_and_says_that_the_run_goes_on(
    workspace: Path, journalled: Journalled
) -> None:
    journalled(ASKS)
    with terminal(workspace, "attach") as program:
        program.wait_for("proposed: Promote the standby, data loss 2.5s")
        os.kill(program.pid, signal.SIGINT)
        assert program.end() == 130
        assert f"the run goes on: dr attach {RUN}" in program.text
        assert "Traceback" not in program.text


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TERM": "dumb"}, ()),
        ({"CI": "1"}, ()),
        ({}, ("--plain",)),
    ],
)
def test_a_terminal_that_can_not_repaint_gets_plain_lines(
    workspace: Path, journalled: Journalled, environ: dict[str, str], words: tuple[str, ...]
) -> None:
    journalled(SUCCEEDS)
    with terminal(workspace, "attach", RUN, *words, **environ) as program:
        assert program.end() == 0
        assert "\x1b" not in program.raw
        assert "chen.wei approves" in program.text


def test_no_color_takes_the_colours_away_and_keeps_the_screen(
    workspace: Path, journalled: Journalled
) -> None:
    journalled(SUCCEEDS)
    with terminal(workspace, "attach", RUN, NO_COLOR="1") as program:
        assert program.end() == 0
        assert "SUCCEEDED" in program.text
        assert re.search(r"\x1b\[[0-9;]*3[0-7]m", program.raw) is None


def test_an_approver_is_asked_for_the_reason_and_may_still_turn_back(
    workspace: Path, journalled: Journalled
) -> None:
    journalled(ASKS)
    with terminal(workspace, "approve", "--by", "chen.wei", "--reason", "gone") as program:
        program.wait_for("choose (promote-standby, restore-cold-backup) [promote-standby]:")
        os.write(program._stream, b"\n")
        program.wait_for("Approve? [y/N]:")
        os.write(program._stream, b"n\n")
        assert program.end() == 130
        assert "interrupted" in program.text
