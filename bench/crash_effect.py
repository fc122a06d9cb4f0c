"""What a peer's step calls: the effect over ``ssh``, and the death of its own process group.

Run in the peers' environment; the standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess

ASKS = "Reopen? Say yes:"
"""What a product prints when it waits for the person."""


def cut(moment: str, name: str) -> None:
    """Kill -9 the whole process group when this is the moment that was asked for."""
    if os.environ.get("CRASH_AT") == f"{moment}:{name}":
        os.killpg(0, signal.SIGKILL)


def effect(name: str) -> str:
    """Bring an effect about on the host.

    Raises:
        RuntimeError: the host refused.
    """
    cut("before", name)
    words = ["ssh", "-F", os.environ["CRASH_SSH"], "target", os.environ["CRASH_EFFECT"], name]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, check=False)
    cut("after", name)
    if done.returncode:
        raise RuntimeError(f"'{name}' ended with {done.returncode}")
    return "done"


def look() -> str:
    """Read something of the host."""
    words = ["ssh", "-F", os.environ["CRASH_SSH"], "target", "cat", "/proc/uptime"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
