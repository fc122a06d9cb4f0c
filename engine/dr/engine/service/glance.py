"""A quick look at runs without opening a desk: no schema, no SQLAlchemy, no driver.

``dr status``, shell completion and the entering of a lab's network come through here.  It reads
only what it needs of dr.yaml, and forgives what it does not: the strict reading with all
problems at once is done by the desk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dr.engine.core.errors import UserError
from dr.engine.core.view import RunView, fold
from dr.inventory.ordinary import read_ordinary

if TYPE_CHECKING:
    from dr.engine.journal.quick import QuickRun

FILE = "dr.yaml"
WORKSPACE_VARIABLE = "DR_WORKSPACE"
DATABASE_VARIABLE = "DR_DATABASE_URL"
LAB_VARIABLE = "DR_LAB"
JOURNAL = "journal.sqlite3"


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a quick look needs of a workspace.  All paths are absolute."""

    directory: Path
    state: Path
    lab: Path | None
    environments: Mapping[str, str]
    """Name to kind."""
    default_environment: str = ""
    lab_host: str = ""
    """On which host of the lab this workspace lies; empty: its control host."""

    @property
    def journal(self) -> Path:
        """The SQLite file of the journal; it may not exist yet."""
        return self.state / JOURNAL


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run in a list of runs."""

    id: str
    runbook: str
    environment: str
    mode: str
    state: str
    created: str
    requester: str = ""


def default_lab() -> Path:
    """Return the directory of the lab when none is named: $DR_LAB, else one per user."""
    named = os.environ.get(LAB_VARIABLE)
    return Path(named) if named else Path(f"/var/tmp/dr-lab-{os.getuid()}")  # noqa: S108 (the lab checks its owner)


def find_workplace(explicit: Path | None = None, start: Path | None = None) -> Workplace | None:
    """Return the workspace to use; None when there is none.

    Looks at ``explicit``, $DR_WORKSPACE, the folder one stands in and its parents, and last at
    the workspace of the user's own lab.

    Raises:
        UserError: the place that was named has no dr.yaml, or it can not be read.
    """
    named = explicit or _from_environment()
    if named is not None:
        folder = named.parent if named.name == FILE else named
        if not (folder / FILE).is_file():
            raise UserError(
                f"there is no {FILE} in {folder}",
                hint=f"Type 'dr init {folder}' to make a workspace there.",
            )
        return _read(folder.absolute())
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents, default_lab() / "workspace"):
        if (folder / FILE).is_file():
            return _read(folder)
    return None


def _from_environment() -> Path | None:
    named = os.environ.get(WORKSPACE_VARIABLE)
    return Path(named).expanduser() if named else None


def _read(folder: Path) -> Workplace:
    import yaml

    try:
        data = yaml.load(read_ordinary(folder / FILE), Loader=_loader(yaml))  # noqa: S506 (a safe loader)
    except RecursionError:
        raise UserError(
            f"{folder / FILE} is nested too deeply",
            hint="Type 'dr inventory check' to see every problem.",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(
            f"{folder / FILE} is not YAML: {str(error).splitlines()[0]}",
            hint="Type 'dr inventory check' to see every problem.",
        ) from None
    top = data if isinstance(data, dict) else {}
    lab = top.get("lab")
    lab = lab if isinstance(lab, dict) else {}
    directory = lab.get("directory")
    return Workplace(
        directory=folder,
        state=folder / str(top.get("state") or ".dr"),
        lab=folder / str(directory) if directory else None,
        environments=_kinds(top.get("environments")),
        default_environment=str(top.get("default_environment") or ""),
        lab_host=str(lab.get("host") or ""),
    )


def _loader(yaml: Any) -> Any:
    """The safe loader, in C where PyYAML was built with it."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _kinds(environments: object) -> dict[str, str]:
    if not isinstance(environments, dict):
        return {}
    return {
        str(name): str(entry.get("kind", "")) if isinstance(entry, dict) else ""
        for name, entry in environments.items()
    }


def quick_journal(place: Workplace) -> Path | None:
    """Return the journal's file when it can be read the quick way, else None."""
    if os.environ.get(DATABASE_VARIABLE) or not place.journal.is_file():
        return None
    return place.journal


def runs(journal: Path) -> list[RunLine]:
    """List the runs, newest first."""
    from dr.engine.journal.quick import quick_runs

    return [_line(row) for row in quick_runs(journal)]


def _line(row: QuickRun) -> RunLine:
    return RunLine(
        id=row.id,
        runbook=row.runbook,
        environment=row.environment,
        mode=row.mode,
        state=row.state,
        created=row.created.isoformat(),
        requester=row.requester,
    )


def view(journal: Path, run: str) -> RunView:
    """Return how a run stands."""
    from dr.engine.journal.quick import quick_events

    return fold(run, quick_events(journal, run))


def resolve(lines: Sequence[RunLine], named: str) -> RunLine:
    """Return the run that ``named`` means: an id, a unique part of its end, or ``last``.

    Raises:
        UserError: there is none, or there are several.
    """
    if named == "last" and lines:
        return lines[0]
    exact = [one for one in lines if one.id == named]
    found = exact or [one for one in lines if one.id.endswith(named) or one.id.startswith(named)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"'{named}' may be any of: {', '.join(one.id for one in found)}",
            hint="Write more of the run's id.",
        )
    raise UserError(f"there is no run '{named}'", hint="Type 'dr status' to see all runs.")


def has_no_runs(place: Workplace) -> bool:
    """Return whether the journal is a file that nobody has made yet."""
    return not os.environ.get(DATABASE_VARIABLE) and not place.journal.is_file()
