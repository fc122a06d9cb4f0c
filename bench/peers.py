"""Who dr is measured against: an environment of their own, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from samples import ROOT, SkippedError

HOME = ROOT / "build/bench-venv"
WANTED = Path(__file__).with_name("peers.txt")
_INSTALL_S = 600


@cache
def python() -> Path:
    """Return the interpreter that has every peer of ``peers.txt``.

    Raises:
        SkippedError: they cannot be had here; the text says why.
    """
    interpreter = HOME / "bin/python"
    stamp = HOME / "peers.txt"
    if stamp.is_file() and stamp.read_text() == WANTED.read_text():
        return interpreter
    sys.stderr.write("bench: installing the peers into build/bench-venv\n")
    _run([sys.executable, "-m", "venv", HOME], "make an environment")
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--requirement", WANTED], "install the peers")
    stamp.write_text(WANTED.read_text())
    return interpreter


def _run(words: list[str | Path], what: str) -> None:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SkippedError(f"could not {what} within {_INSTALL_S} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SkippedError(f"could not {what}: {last[0]}")


def versions() -> dict[str, str]:
    """Return the pinned versions by name."""
    lines = WANTED.read_text().splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line)
