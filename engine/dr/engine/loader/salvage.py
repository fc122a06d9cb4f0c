"""Takes the wrong parts out of a file, so that the rest can be checked in the same go."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from dr.engine.core.errors import Problem
from dr.engine.loader.fileformat import RunbookFile
from dr.inventory.strictyaml.document import Document, Path

_ROUNDS: Final = 4
_UNNAMED: Final = "unreadable_"
_STEP_LISTS: Final = frozenset({"steps", "finally"})


@dataclass
class Salvaged:
    """What is left of a file, and where something was taken out."""

    file: RunbookFile
    removed: set[Path] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def is_affected(self, problem: Problem) -> bool:
        """Tell whether a problem may only come from what was taken out."""
        if any(problem.path[: len(path)] == path for path in self.removed):
            return True
        # a name that is not known may be that of a step whose id could not be read
        if _UNNAMED in problem.message + problem.hint:
            return True
        order_lost = any("needs" in path for path in self.removed)
        if order_lost and "may not have ended" in problem.message:
            return True
        return any(f"'{name}'" in problem.message for name in self.names)


def salvage(document: Document) -> Salvaged | None:
    """Return what can be checked of a wrong file; None when it is too far from a runbook."""
    data = copy.deepcopy(document.data)
    removed: set[Path] = set()
    names: set[str] = set()
    for _ in range(_ROUNDS):
        try:
            return Salvaged(RunbookFile.model_validate(data), removed, names)
        except ValidationError as error:
            for details in error.errors():
                loc = tuple(details["loc"])
                removed.add(_take_out(data, loc, details["type"] == "missing", names))
    return None


def _take_out(data: Any, loc: Path, is_missing: bool, names: set[str]) -> Path:
    """Remove the key at fault from the mapping it stands in, or give it a stand-in."""
    holder: Any = data
    path: Path = ()
    trail: list[tuple[Any, Path]] = []
    for part in loc:
        trail.append((holder, path))
        try:
            holder = holder[part]
        except (KeyError, IndexError, TypeError):
            break
        path = (*path, part)
    if is_missing:
        return _stand_in(holder if isinstance(holder, dict) else data, str(loc[-1]), path)
    if _is_step_place(path):
        _whole_step(trail, path, holder, names)
        return path
    return _drop(trail, path, names)


def _drop(trail: list[tuple[Any, Path]], path: Path, names: set[str]) -> Path:
    """Drop the nearest key above the fault that stands in a mapping; lists keep their order."""
    while path:
        holder, above = trail[len(path) - 1]
        key = path[-1]
        if isinstance(holder, dict) and key in holder:
            value = holder.pop(key)
            if key in ("id", "name"):
                names.add(str(value))
                _stand_in(holder, str(key), above)
            return path
        if isinstance(holder, list) and _is_step_place(path):
            _whole_step(trail, path, holder[int(key)], names)
            return path
        path = above
    return path


def _is_step_place(path: Path) -> bool:
    return len(path) > 1 and isinstance(path[-1], int) and path[-2] in _STEP_LISTS


def _whole_step(trail: list[tuple[Any, Path]], path: Path, step: Any, names: set[str]) -> None:
    """Put a step that does nothing in place of one that can not be read."""
    id_ = step.get("id") if isinstance(step, dict) else None
    siblings = trail[len(path) - 1][0]
    stand_in: dict[str, Any] = {"id": id_ if isinstance(id_, str) else _unnamed(path), "uses": ""}
    needs = step.get("needs") if isinstance(step, dict) else None
    if isinstance(needs, list) and all(isinstance(need, str) for need in needs):
        stand_in["needs"] = needs
    siblings[int(path[-1])] = stand_in
    if id_ is not None:
        names.add(str(id_))


def _stand_in(holder: Any, key: str, path: Path) -> Path:
    stand_ins = {"id": _unnamed(path), "name": "unreadable", "format": 1, "uses": "", "steps": []}
    if key in stand_ins:
        holder[key] = stand_ins[key]
    return (*path, key)


def _unnamed(path: Path) -> str:
    return _UNNAMED + "_".join(str(part) for part in path)
