"""A workspace and the real ``dr`` beside it, and what every error of it must look like."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dr.engine.core.errors import JournalError
from dr.engine.service.desk import open_desk
from dr.engine.service.engines import holder_lives
from tests.deadline import wait_for

DR = Path(sys.executable).with_name("dr")
LIMIT_S = 60

_HEAD = """\
format: 1
name: {name}
title: {{ en: Bad day, zh: 倒霉的一天 }}
on_failure: fail
{more}steps:
{steps}
"""

TASK = "  - { id: ask, uses: human.task, with: { group: support, instructions: { en: x, zh: x } } }"
"""A step that waits for a person and touches nothing."""


@dataclass(frozen=True)
class Said:
    """What one call of ``dr`` said."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> dict[str, Any]:
        """The error object of ``--json``."""
        return dict(json.loads(self.out)["error"])

    @property
    def data(self) -> Any:
        """The result of ``--json``."""
        return json.loads(self.out)


@dataclass
class Workplace:
    """A folder to call ``dr`` in."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def dr(
        self,
        *words: str,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        **more: Any,
    ) -> Said:
        """Call the real ``dr``; a traceback anywhere fails the test."""
        done = subprocess.run(
            [*prefix, DR, *words],
            cwd=self.folder,
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
            **more,
        )
        out, err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
        assert "Traceback" not in out + err, out + err
        assert "unexpected error" not in out + err, out + err
        return Said(done.returncode, out, err)

    def refused(self, *words: str, code: int, **more: Any) -> str:
        """Call ``dr``, which must end with ``code``; return the message after checking its form.

        The same call with ``--json`` must say the same in an error object.
        """
        said = self.dr(*words, **more)
        assert said.code == code, (said.out, said.err)
        message, hint = well_formed(said.err)
        as_json = self.dr(*words, "--json", **more)
        assert as_json.code == code
        assert (as_json.error["message"], as_json.error["hint"]) == (message, hint)
        assert re.fullmatch(r"[a-z_]+", as_json.error["code"])
        return message

    def runbook(self, name: str, steps: str, more: str = "") -> str:
        """Write a runbook of these steps; return its name."""
        path = self.folder / "runbooks" / f"{name}.yaml"
        path.write_text(_HEAD.format(name=name, steps=steps, more=more), encoding="utf-8")
        return name

    def begun(self, runbook: str, code: int = 3) -> str:
        """Run a runbook until it waits or is over; return the id of its run."""
        said = self.dr("run", runbook, "--no-wait")
        assert said.code == code, (said.out, said.err)
        found = re.search(r"run (R-\d{8}-[a-z0-9]+) has begun", said.err)
        assert found, said.err
        return found[1]

    def state(self, run: str) -> str:
        """Return the state of a run."""
        return str(self.dr("status", run, "--json").data["state"])

    def ends(self, run: str, state: str, deadline_s: float = 20) -> None:
        """Wait until the run is over; it must have ended as ``state``, its chain whole."""
        desk = open_desk(self.folder, None)
        wait_for(lambda: desk.view(run).state.ended, deadline_s, f"the end of {run}")
        assert str(desk.view(run).state) == state
        assert desk.verify(run).ok
        desk.journal.close()

    def engine(self, run: str) -> int:
        """Return the process id of the engine that has the run."""
        desk = open_desk(self.folder, None)
        holder = desk.view(run).holder or ""
        desk.journal.close()
        assert holder_lives(holder), holder
        return int(holder.split()[2])

    def stop_engines(self) -> None:
        """End the engines of this workspace, each by its own process id."""
        for holder in self._holders():
            if holder_lives(holder):
                os.kill(int(holder.split()[2]), signal.SIGTERM)
                wait_for(lambda h=holder: not holder_lives(h), 10, "the end of an engine")  # type: ignore[misc]

    def _holders(self) -> list[str]:
        if not (self.folder / ".dr" / "journal.sqlite3").exists():
            return []
        desk = open_desk(self.folder, None)
        try:
            return [desk.view(record.id).holder or "" for record in desk.unfinished()]
        except JournalError:
            return []  # damaged by the test: nothing ran there
        finally:
            with contextlib.suppress(JournalError):
                desk.journal.close()


def well_formed(text: str) -> tuple[str, str]:
    """Return message and hint; the message is lower case, the hint a sentence."""
    lines = text.strip().splitlines()
    message = [line for line in lines if line.startswith("error: ")]
    hints = [line for line in lines if line.startswith("hint: ")]
    assert len(message) == 1, text
    assert len(hints) == 1, text
    said, hint = message[0].removeprefix("error: "), hints[0].removeprefix("hint: ")
    assert said[0] == said[0].lower(), said
    assert not said.endswith("."), said
    assert hint[0].isupper(), hint
    return said, hint


def surroundings(**more: str) -> dict[str, str]:
    """Return an environment without anything of the person who runs the tests."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("DR_", "LC_", "LANG"))}
    kept.pop("CI", None)
    own = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "100", "DR_LAB": "/nonexistent/dr-lab"}
    return {**kept, **own, **more}
