"""What needs neither a workspace nor a journal: checking runbook files and printing schemas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dr.engine.core.errors import Problem, RunbookError, UserError
from dr.engine.loader.jsonschema import schema
from dr.engine.loader.linting import lint
from dr.engine.loader.loading import load
from dr.engine.service.catalog import find_runbook, runbook_files
from dr.engine.service.wiring import offline_actions
from dr.inventory.reading import inventory_schemas
from dr.inventory.workspace import Workspace

RUNBOOK = "runbook"


def runbook_paths(workspace: Workspace | None, names: Sequence[str]) -> list[Path]:
    """Return the files of runbooks given by name or path; every known one without names.

    Raises:
        UserError: there is no such runbook.
    """
    if names:
        return [find_runbook(workspace, name) for name in names]
    return [path for path, _shipped in runbook_files(workspace)]


def lint_files(paths: Iterable[Path], *, release: bool = False) -> list[Problem]:
    """Return every problem of the runbook files, errors of loading among them."""
    actions = offline_actions()
    found: list[Problem] = []
    for path in paths:
        try:
            found.extend(lint(load(path, actions=actions), actions, release=release))
        except RunbookError as error:
            found.extend(error.problems or (Problem(error.message, hint=error.hint),))
    return found


def schema_of(kind: str = RUNBOOK) -> dict[str, Any]:
    """Return the JSON Schema of a kind of file.

    Raises:
        UserError: there is no such kind.
    """
    if kind == RUNBOOK:
        return schema(offline_actions())
    known = inventory_schemas()
    if kind not in known:
        raise UserError(
            f"there is no schema for '{kind}'",
            hint=f"Known: {', '.join([RUNBOOK, *sorted(known)])}.",
        )
    return dict(known[kind])
