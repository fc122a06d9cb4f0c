"""Who dr is measured against: environments of their own, made when they are first needed."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from samples import ROOT, SkippedError

HERE = Path(__file__).parent
WANTED = HERE / "peers.txt"
_INSTALL_S = 600


@cache
def python(wanted: Path = WANTED) -> Path:
    """Return the interpreter that has every peer of a list of pinned ones.

    Raises:
        SkippedError: they cannot be had here; the text says why.
    """
    home = ROOT / "build" / ("bench-venv" if wanted == WANTED else f"bench-venv-{wanted.stem}")
    interpreter = home / "bin/python"
    stamp = home / "peers.txt"
    if stamp.is_file() and stamp.read_text() == wanted.read_text():
        return interpreter
    sys.stderr.write(f"bench: installing the peers into build/{home.name}\n")
    run([sys.executable, "-m", "venv", home], "make an environment")
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--requirement", wanted], "install the peers")
    stamp.write_text(wanted.read_text())
    return interpreter


def run(words: list[str | Path], what: str) -> None:
    """Run an installer to its end.

    Raises:
        SkippedError: it failed; the text has its last line.
    """
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_INSTALL_S, check=False
        )
    except FileNotFoundError:
        raise SkippedError(f"could not {what}: there is no {words[0]}") from None
    except subprocess.TimeoutExpired:
        raise SkippedError(f"could not {what} within {_INSTALL_S} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SkippedError(f"could not {what}: {last[0]}")


def versions(wanted: Path = WANTED) -> dict[str, str]:
    """Return the pinned versions by name."""
    lines = wanted.read_text().splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line)
