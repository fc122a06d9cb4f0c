"""What a playbook run has left in its artifacts: results per host, and how far it came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_COUNTS = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "runner_on_skipped": "skipped",
}


@dataclass
class HostResult:
    """The tasks of one host, counted; ``last_error`` is what the last failure said."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    skipped: int = 0
    last_error: str = ""

    @property
    def state(self) -> str:
        """unreachable, failed, or ok."""
        if self.unreachable:
            return "unreachable"
        return "failed" if self.failed else "ok"


@dataclass
class Progress:
    """How far a playbook came.  ``is_complete`` when the final statistics were written."""

    hosts: dict[str, HostResult] = field(default_factory=dict)
    last_task: str = ""
    is_complete: bool = False

    def to_data(self) -> dict[str, Any]:
        """Return the results as JSON data."""
        return {
            name: {**vars(result), "state": result.state}
            for name, result in sorted(self.hosts.items())
        }


def progress(artifacts: Path) -> Progress:
    """Read the events of one run; what is half-written is left out."""
    seen = Progress()
    for event in _events(artifacts / "job_events"):
        kind = str(event.get("event"))
        data: Mapping[str, Any] = event.get("event_data") or {}
        if kind in {"playbook_on_task_start", "playbook_on_handler_task_start"}:
            seen.last_task = str(data.get("task") or data.get("name") or "")
        elif kind == "playbook_on_stats":
            seen.is_complete = True
        elif kind in _COUNTS and data.get("host"):
            _count(seen.hosts.setdefault(str(data["host"]), HostResult()), kind, data)
    return seen


def _count(result: HostResult, kind: str, data: Mapping[str, Any]) -> None:
    answer: Mapping[str, Any] = data.get("res") or {}
    name = _COUNTS[kind]
    if kind == "runner_on_failed" and data.get("ignore_errors"):
        name = "ok"
    setattr(result, name, getattr(result, name) + 1)
    if kind == "runner_on_ok" and answer.get("changed"):
        result.changed += 1
    if name in {"failed", "unreachable"}:
        result.last_error = str(answer.get("msg") or answer.get("stderr") or "")[:1000]


def _events(folder: Path) -> Iterator[Mapping[str, Any]]:
    # "12-uuid.json", written as "...-partial.json" first
    found = [path for path in folder.glob("*.json") if not path.name.endswith("-partial.json")]
    for path in sorted(found, key=lambda p: int(p.name.partition("-")[0])):
        try:
            yield json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
