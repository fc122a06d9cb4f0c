"""The line to a site can be made slow and lossy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dr.lab.api import set_wire, status
from dr.lab.errors import LabUsageError

pytestmark = pytest.mark.lab

_CONNECT = (
    "import socket, sys, time\n"
    "def took():\n"
    "  began = time.monotonic()\n"
    "  socket.create_connection(('198.18.2.5', 22), 2).close()\n"
    "  return time.monotonic() - began\n"
    "print(min(took() for _ in range(3)))"
)


def _connect(directory: Path) -> subprocess.CompletedProcess[str]:
    lab = [sys.executable, "-m", "dr.lab", "--dir", str(directory), "run", "--"]
    return subprocess.run(
        [*lab, sys.executable, "-c", _CONNECT], capture_output=True, text=True, check=False
    )


def test_a_line_can_be_made_slow_and_quick_again(small_lab: Path) -> None:
    assert set_wire(small_lab, "dr", delay_ms=60)["delay_ms"] == 60
    assert float(_connect(small_lab).stdout) >= 0.120

    set_wire(small_lab, "dr", delay_ms=1)
    assert float(_connect(small_lab).stdout) < 0.120


def test_a_line_that_loses_everything_is_silent_though_it_is_up(small_lab: Path) -> None:
    changed = set_wire(small_lab, "dr", loss=1.0)
    try:
        assert changed["up"]
        assert "timed out" in _connect(small_lab).stderr
    finally:
        set_wire(small_lab, "dr", loss=0.0)
    assert _connect(small_lab).returncode == 0


def test_changing_one_thing_of_a_line_keeps_the_other(small_lab: Path) -> None:
    set_wire(small_lab, "br01", delay_ms=7)
    set_wire(small_lab, "br01", loss=0.01)
    wire = status(small_lab).wires["br01"]
    assert (wire["delay_ms"], wire["loss"]) == (7, 0.01)
    set_wire(small_lab, "br01", delay_ms=2.5, loss=0)


@pytest.mark.parametrize(
    ("site", "change", "message"),
    [
        ("main", {"delay_ms": 1}, "a plain cable"),
        ("dr", {"delay_ms": -1}, "delay is 0 to 10000 ms"),
        ("dr", {"loss": 1.5}, "loses 0 to 1"),
        ("mars", {"loss": 0.5}, "no site is called 'mars'"),
    ],
)
def test_a_line_that_cannot_be_is_refused(
    site: str, change: dict[str, float], message: str, small_lab: Path
) -> None:
    before = status(small_lab).wires["dr"]["delay_ms"]
    with pytest.raises(LabUsageError, match=message):
        set_wire(small_lab, site, **change)
    assert status(small_lab).wires["dr"]["delay_ms"] == before
