"""``report.write``: put the run's report beside the journal."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.inputs import Inputs
from dr.engine.actions.notify_send import NotifySend
from dr.engine.core.errors import FailedError, RefusedError
from dr.engine.core.events import Event, Kind
from dr.engine.core.model import Effect
from dr.engine.core.ports import (
    Action,
    Attached,
    Attempt,
    Check,
    Forecast,
    Found,
    Outcome,
    Presence,
    Probe,
    World,
)
from dr.engine.core.values import Text
from dr.incidents.report.filing import Filed, file_report, told_rows
from dr.incidents.report.rendering import Format

_SILENT = frozenset({Kind.RUN_LEASE})
"""What a report need not tell before it counts as up to date; so do the step's own events."""


class ReportInputs(Inputs):
    """What ``with`` may hold; ``directory`` replaces the workspace's folder of reports."""

    languages: tuple[Literal["en", "zh"], ...] = ("en", "zh")
    formats: tuple[Literal["markdown", "json", "html"], ...] = ("markdown", "json", "html")
    directory: str | None = None
    timezone: str | None = None


class ReportWrite(Driver[ReportInputs]):
    """Folds the run's events into a report; it can be repeated, and works at any moment."""

    inputs = ReportInputs
    spec = specify(
        "report.write",
        "Write the report",
        "编写报告",
        ReportInputs,
        effects=(Effect.IDEMPOTENT,),
        probes=True,
        attaches=True,
        outputs={
            "directory": "string",
            "files": "map",
            "provisional": "boolean",
            "head": "string",
        },
    )

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say which files it would write."""
        given = self.given(attempt)
        forms, languages = ", ".join(given.formats), ", ".join(given.languages)
        return [
            f"write the report of the run ({forms}; {languages}) to {given.directory or 'reports'}/"
        ]

    def precheck(self, attempt: Attempt, world: World) -> Check:
        """Whether there is a folder to write to."""
        try:
            self._reports(attempt, world.inventory)
        except RefusedError as error:
            return Check(holds=False, because=error.message, hint=error.hint)
        return Check(holds=True)

    def probe(self, attempt: Attempt, world: World) -> Probe:
        """Done when the report there tells everything but this step and changes of engine."""
        events = world.history()
        try:
            directory = self._reports(attempt, world.inventory) / world.record().id
        except RefusedError as error:
            return Probe(Presence.UNKNOWN, error.message)
        rows = told_rows(directory, events)
        if rows is None:
            return Probe(Presence.ABSENT, f"no whole report of this run is in {directory}")
        missed = [event for event in events[rows:] if not _is_silent(event, attempt.step)]
        if missed:
            return Probe(
                Presence.ABSENT, f"the report there lacks {len(missed)} rows of the journal"
            )
        outputs = {
            "directory": str(directory),
            "files": _hashes(directory),
            "head": events[rows - 1].hash,
        }
        return Probe(Presence.DONE, f"{directory} tells the run up to row {rows}", outputs)

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Write the files, each whole or not at all."""
        given = self.given(attempt)
        reports = self._reports(attempt, world.inventory)
        zone = given.timezone or str(world.inventory.get("timezone") or "UTC")
        try:
            filed = file_report(
                world.record(),
                world.history(),
                reports,
                languages=given.languages,
                formats=[Format(form) for form in given.formats],
                zone=zone,
            )
        except OSError as error:
            raise FailedError(
                f"the report could not be written to {reports}: {error.strerror or error}",
                hint="Make room or set the rights, then type 'dr retry RUN STEP'.",
            ) from error
        world.output("".join(f"{filed.directory / name}\n" for name in filed.files))
        return _outcome(filed)

    def attach(self, attempt: Attempt, world: World) -> Attached:  # noqa: ARG002
        """It ran inside the engine that is gone; the files are whole, so it may be run again."""
        return Attached(Found.GONE, "it ran inside the engine that began it")

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:  # noqa: ARG002
        """Whether each file reads back as it was written."""
        directory = Path(str(outcome.outputs["directory"]))
        wanted: Mapping[str, str] = outcome.outputs["files"]
        found = _hashes(directory)
        wrong = sorted(name for name in wanted if found.get(name) != wanted[name])
        if wrong:
            because = f"{', '.join(wrong)} in {directory} is not what was written"
            return Check(holds=False, because=because, hint="Look at the disk: 'dr doctor'.")
        return Check(holds=True, because=f"{len(wanted)} files read back")

    def forecast(self, attempt: Attempt, world: World) -> Forecast:
        """A second or two: it reads the journal and writes a few small files."""
        basis = Text("measured on 10,000 rows", "以一万行实测")
        available = self.precheck(attempt, world)
        return Forecast(timedelta(seconds=1), timedelta(seconds=3), None, basis, available)

    def _reports(self, attempt: Attempt, inventory: Mapping[str, Any]) -> Path:
        given = self.given(attempt).directory or (inventory.get("paths") or {}).get("reports")
        if not given:
            raise RefusedError(
                "nobody said where reports are kept",
                hint="Give the step `with: { directory: /absolute/path }`.",
            )
        path = Path(str(given))
        if not path.is_absolute():
            raise RefusedError(
                f"the folder of reports '{given}' is not an absolute path",
                hint="Write it from the root of the file system on.",
            )
        return path


def _is_silent(event: Event, step: str) -> bool:
    return event.kind in _SILENT or event.step == step


def _hashes(directory: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.glob("report.*"))
    }


def _outcome(filed: Filed) -> Outcome:
    outputs = {
        "directory": str(filed.directory),
        "files": dict(filed.files),
        "provisional": filed.data.run.provisional,
        "head": filed.data.journal.head,
    }
    return Outcome(outputs=outputs)


def report_actions() -> list[Action]:
    """Return the actions that write and send words: they need no connection to a host."""
    return [ReportWrite(), NotifySend()]
