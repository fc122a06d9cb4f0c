"""Where runbooks are found: the workspace's own before the shipped ones."""

from __future__ import annotations

import difflib
import errno
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dr.engine.core.errors import RunbookError, UserError
from dr.engine.core.model import Runbook
from dr.engine.core.ports import Actions
from dr.engine.core.values import Text
from dr.engine.loader.loading import load
from dr.inventory.workspace import Workspace

_NAMES = "Look at the names with: dr show runbooks"
_SHIPPED = "shipped_runbooks"
_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class RunbookEntry:
    """A runbook that can be run by name.  ``problem`` says why it can not be read."""

    name: str
    title: Text
    file: Path
    shipped: bool
    problem: str = ""


def shipped_folder() -> Path:
    """Return the folder of the shipped runbooks: in the wheel, else in the checkout."""
    inside = Path(__file__).parent / _SHIPPED
    return inside if inside.is_dir() else Path(__file__).parents[4] / "runbooks"


def runbook_files(workspace: Workspace | None) -> Iterator[tuple[Path, bool]]:
    """Yield every runbook file and whether it is a shipped one; own ones hide shipped ones."""
    seen: set[str] = set()
    own = workspace.runbooks if workspace else ()
    for folder, shipped in [*((f, False) for f in own), (shipped_folder(), True)]:
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            if path.suffix in _ENDINGS and path.stem not in seen:
                seen.add(path.stem)
                yield path, shipped


def entries(workspace: Workspace | None, actions: Actions) -> list[RunbookEntry]:
    """List the runbooks with their titles, unreadable ones with the reason."""
    found = []
    for path, shipped in runbook_files(workspace):
        try:
            runbook = load(path, actions=actions)
            found.append(RunbookEntry(path.stem, runbook.title, path, shipped))
        except RunbookError as error:
            found.append(RunbookEntry(path.stem, Text(path.stem), path, shipped, error.message))
    return found


def find_runbook(workspace: Workspace | None, name: str) -> Path:
    """Return the file of a runbook given by name or path.

    Raises:
        UserError: there is none; the hint names the nearest.
    """
    if name.endswith(_ENDINGS) or "/" in name:
        return _file(Path(name))
    known = {path.stem: path for path, _ in runbook_files(workspace)}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(sorted(known))}."
    raise UserError(f"no runbook is called '{name}'", hint=hint, code="unknown_runbook")


def _file(path: Path) -> Path:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        said = "" if error.errno == errno.ENOENT else f": {(error.strerror or '').lower()}"
        raise UserError(f"there is no file {path}{said}", hint=_NAMES) from None
    except ValueError:  # a name with a zero byte
        raise UserError(f"there is no file {str(path)!r}", hint=_NAMES) from None
    if not stat.S_ISREG(mode):
        raise UserError(f"{path} is not an ordinary file", hint=_NAMES)
    return path


def load_runbook(workspace: Workspace | None, name: str, actions: Actions) -> Runbook:
    """Load and check a runbook given by name or path.

    Raises:
        RunbookError: it is wrong; carries every problem.
    """
    return load(find_runbook(workspace, name), actions=actions)
