"""The field of the soak: hosts whose files say what really happened, whoever claims otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dr.lab.enter import in_host
from tests.acceptance.scene import Scene

HERE = Path(__file__).resolve().parent
HOSTS = ("x001", "x002", "x003", "x004")
FOLDER = "/var/lib/soak"
ONCE = {
    "probed": ("x002",),
    "blind": ("x001",),
    "point": ("x003",),
    "three": ("x004",),
    "fan": HOSTS,
    "last": ("x002",),
}
"""Where each careful step has its one effect."""
OFTEN = {"safe": "x001", "report": "x001"}
"""Where each step that may be repeated has its effect."""
LAB: Mapping[str, Any] = {"only_ssh": True, "extra": len(HOSTS), "staging": False}
"""Options of the lab that the field lies in."""

# the first line comes with the file, in one moment: a probe sees all of the effect or nothing
_EFFECT = """#!/bin/sh
pause() { sleep "0.$(printf %03d "$(od -An -N1 -tu1 /dev/urandom)")"; }
cd /var/lib/soak || exit 9
pause
echo "$DR_ATTEMPT" >".new.$$" && sync ".new.$$"
ln ".new.$$" "$DR_RUN.$DR_STEP" 2>/dev/null || cat ".new.$$" >>"$DR_RUN.$DR_STEP"
rm -f ".new.$$"
pause
"""
_UNDO = """#!/bin/sh
cd /var/lib/soak || exit 9
[ ! -e "$DR_RUN.$1" ] || mv "$DR_RUN.$1" "$DR_RUN.$1.undone"
"""
_REFUSE = """#!/bin/sh
exit 3
"""


class Field(Scene):
    """A lab of plain hosts with the runbook ``soak`` in its workspace."""

    def equip(self) -> Field:
        """Put the runbook and the commands of its steps where they belong; return self."""
        book = (HERE / "soak.yaml").read_text("utf-8")
        (self.workspace / "runbooks/soak.yaml").write_text(book, "utf-8")
        for host in HOSTS:
            for name, text in (("effect", _EFFECT), ("undo", _UNDO), ("refuse", _REFUSE)):
                path = f"{FOLDER}/{name}"
                words = f"mkdir -p {FOLDER} && cat >{path} && chmod 755 {path}"
                self.on(host, "sh", "-c", words, stdin=text)
        return self

    def count(self, run: str, step: str, host: str) -> int:
        """Return how often a step's effect happened on a host: the truth."""
        path = self.upper(host, f"{FOLDER}/{run}.{step}")
        return len(path.read_text("utf-8").splitlines()) if path.exists() else 0

    def works(self, host: str) -> bool:
        """Say whether a command of the soak is running on a host."""
        found = in_host(self.lab, host, ["pgrep", "-f", f"{FOLDER}/[eur]"], timeout_s=20)
        return found.returncode == 0
