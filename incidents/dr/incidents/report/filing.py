"""Reports as files: whole or not at all, so that nobody reads half a report."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dr.engine.core.events import Event
from dr.engine.core.faults import passage
from dr.engine.core.ports import RunRecord
from dr.incidents.reconciliation.reading import Checks
from dr.incidents.report.data import ReportData
from dr.incidents.report.reading import report_data
from dr.incidents.report.rendering import LANGUAGES, Format, file_name, render
from dr.incidents.report.voice import Voice, zone_of


@dataclass(frozen=True, slots=True)
class Filed:
    """What was written: the facts, the folder, and each file's SHA-256 by its name."""

    data: ReportData
    directory: Path
    files: Mapping[str, str]


def file_report(
    record: RunRecord,
    events: Sequence[Event],
    reports: Path,
    *,
    languages: Sequence[str] = LANGUAGES,
    formats: Sequence[Format] = tuple(Format),
    zone: str = "UTC",
    checks: Checks | None = None,
) -> Filed:
    """Write the report of a run below ``reports``, in a folder named after the run.

    The JSON form is always among the files: it says which row of the journal the others tell.

    Args:
        checks: of the branches' signatures, where somebody could check them.

    Raises:
        OSError: a file could not be written; those written before it are whole.
        UserError: nobody knows the time zone.
    """
    data = report_data(record, events, checks)
    directory = reports / record.id
    directory.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    for form in sorted({*formats, Format.JSON}, key=lambda form: form is Format.JSON):
        for language in languages[:1] if form is Format.JSON else languages:
            text = render(data, form, Voice(language, zone_of(zone)))
            name = file_name(form, language)
            files[name] = write_whole(directory / name, text)
    return Filed(data, directory, files)


def write_whole(path: Path, text: str | bytes) -> str:
    """Replace ``path`` in one stroke, on disk when it returns; return the SHA-256 of its bytes."""
    content = text.encode() if isinstance(text, str) else text
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as draft:
            draft.write(content)
            draft.flush()
            os.fsync(draft.fileno())
        Path(name).chmod(0o640)
        passage("before-report")
        Path(name).replace(path)
        passage("after-report")
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return hashlib.sha256(content).hexdigest()


def told_rows(directory: Path, events: Sequence[Event]) -> int | None:
    """Return how many rows of this journal the report in ``directory`` tells.

    None when there is no whole report, or it was made from another journal.
    """
    try:
        said = json.loads((directory / "report.json").read_text(encoding="utf-8"))["journal"]
        rows, head = int(said["rows"]), str(said["head"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not 0 < rows <= len(events) or events[rows - 1].hash != head:
        return None
    return rows
