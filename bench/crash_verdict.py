"""What a death led to, in words: a pure reading of a trial's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNDO = "after the undo, before its record"
_UNDONE = frozenset({"undone", "failed"})
"""How the undo variant ends well: the last step was refused, the effect taken back."""


def verdict(trial: Mapping[str, Any]) -> str:
    """Return the verdict on a trial, as it stands in the JSON of a day.

    ``counts`` are lines of the ledger; see ``crash_trial.Trial`` for the other keys.
    """
    if "skipped" in trial:
        return f"not measured: {trial['skipped']}"
    counted = [_counted(trial), *(words for name, words in _WRONG.items() if trial[name])]
    if trial["asked"]:
        counted.append("a person was asked")
    if not _well_ended(trial):
        counted.append(f"the run ended wrongly: {trial['state'] or 'still waiting'}")
    return "; ".join(counted)


_WRONG = {
    "overlap": "two of it at the same time",
    "unapproved": "went on before anybody said yes",
    "ahead": "went on while it still ran",
    "cut_off": "its death ended the effect half-way",
}


def holds(trial: Mapping[str, Any]) -> bool | None:
    """Whether each effect happened once, in order, to the right end; None: not measured."""
    if "skipped" in trial:
        return None
    careful = {effect: trial["counts"][effect] for effect in ("move", "unmove", "reopen")}
    wanted = {"move": 1, "unmove": int(_undo(trial)), "reopen": int(not _undo(trial))}
    return careful == wanted and not any(trial[name] for name in _WRONG) and _well_ended(trial)


def _counted(trial: Mapping[str, Any]) -> str:
    step, counts = trial["counts"]["move"], trial["counts"]
    if not _undo(trial):
        return _times(step)
    also = "" if step == 1 else f", and the step {_times(step)}"
    return f"undone {_times(counts['unmove'])}{also}"


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "TWICE"}.get(count, f"{count} TIMES")


def _undo(trial: Mapping[str, Any]) -> bool:
    return bool(trial["moment"] == UNDO)


def _well_ended(trial: Mapping[str, Any]) -> bool:
    return trial["state"] in (_UNDONE if _undo(trial) else {"succeeded"})
