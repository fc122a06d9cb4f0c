"""What a run started outside of its engine, and what an abort made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dr.cli.lines import Line, line
from dr.cli.outline import outline_of
from dr.cli.reasons import say_reason
from dr.cli.text import N_, _
from dr.cli.words import known
from dr.engine.core.states import StepState
from dr.engine.core.view import RunView, StepView, UnitView

_DELICATE = frozenset({"once", "irreversible"})

JOB_WORDS: Mapping[str, str] = {
    "ended": N_("its command has ended"),
    "never_started": N_("its command never began"),
    "gone": N_("its command does not run any more; nobody saw its end"),
    "running": N_("its command was told to end and still runs"),
    "unknown": N_("unknown whether its command still runs"),
    "left": N_("its command was left to come to its end"),
}
"""What became of a command that an abort was to end."""


def delicate_jobs(view: RunView) -> list[str]:
    """Return the commands under way that an abort would leave: ``promote @ db-b``."""
    outline = outline_of(view)
    return [
        place_of(step, unit)
        for step in view.steps.values()
        for unit in step.units.values()
        if unit.state in {StepState.RUNNING, StepState.IN_DOUBT}
        and unit.handle
        and (known_step := outline.steps.get(step.id)) is not None
        and known_step.effect in _DELICATE
    ]


def place_of(step: StepView, unit: UnitView) -> str:
    """Return a step and its host in one word."""
    return f"{step.id} @ {unit.host}" if unit.host else step.id


def job_words(stop: Mapping[str, Any]) -> str:
    """Return what became of a command, with the detail."""
    words = known(JOB_WORDS, str(stop.get("outcome", "")))
    detail = say_reason(stop.get("detail"))
    return f"{words}: {detail}" if detail else words


def job_lines(view: RunView) -> list[Line]:
    """Return a line for each command of which it is not certain that it has ended."""
    lines = [
        line((f"! {place_of(step, unit)} ", "alarm"), job_words(unit.stop or {}))
        for step, unit in view.jobs_left()
    ]
    left = any((unit.stop or {}).get("outcome") == "left" for _step, unit in view.jobs_left())
    if left and not view.state.ended:
        command = f"dr abort {view.id} --kill-jobs --because …"
        lines.append(line("  " + _("to end it as well: {command}").format(command=command)))
    return lines


def jobs_data(view: RunView) -> list[dict[str, Any]]:
    """Return the same as JSON data."""
    return [
        {"step": step.id, "host": unit.host, **(unit.stop or {})} for step, unit in view.jobs_left()
    ]
