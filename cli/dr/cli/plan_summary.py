"""What ``dr run`` says before it begins: a few lines of the plan, the rest is ``dr plan``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from dr.cli.lines import Line, line
from dr.cli.plan_screen import Data, gate_words, head
from dr.cli.text import _, ngettext
from dr.cli.width import wrap
from dr.cli.words import PHASE_WORDS, known, say


def draw_summary(plan: Data, *, kind: str, width: int = 80) -> list[Line]:
    """Return the phases, who approves, the rungs, and what can not be undone.

    How long it takes and what is lost is left out: before a host was asked nobody knows it.

    Args:
        plan: what ``Plan.to_data`` of the service returns.
        kind: lab, staging or production.
    """
    lines = head(plan, kind)
    lines += _wrapped(_phases(plan), width)
    for step in plan["steps"]:
        if step.get("gate"):
            text = f"@ {say(step.get('title')) or step['id']} [{step['id']}]: "
            today = step["gate"].get("who_today")
            lines += _wrapped(text + gate_words(step["gate"]), width, "" if today else "bad")
        elif step.get("rungs"):
            lines += _rungs(step, width)
    for_good = list(_irreversible(plan))
    if for_good:
        titles = ", ".join(f"{say(s.get('title')) or s['id']} [{s['id']}]" for s in for_good)
        lines += _wrapped(_("can not be undone: {steps}").format(steps=titles), width, "warn")
    command = f"dr plan {plan['runbook']}"
    return [*lines, line((_("every step: {command}").format(command=command), "dim"))]


def _wrapped(text: str, width: int, style: str = "") -> list[Line]:
    return [line((part, style)) for part in wrap(text, width, first="", rest="    ")]


def _phases(plan: Data) -> str:
    """Return the phases in their order, each with how many steps it has."""
    phase, of_steps = "", []
    for step in plan["steps"]:
        phase = str(step.get("phase") or phase)
        of_steps.append(phase)
    parts = [f"{known(PHASE_WORDS, name)} {len(list(same))}" for name, same in groupby(of_steps)]
    words = ngettext("{n} step: {phases}", "{n} steps: {phases}", len(of_steps))
    return words.format(n=len(of_steps), phases=", ".join(parts))


def _rungs(step: Data, width: int) -> list[Line]:
    able = [r for r in step["rungs"] if r.get("available") is not False]
    rest = [r for r in step["rungs"] if r.get("available") is False]
    lines = _wrapped(
        _("ways of '{step}': {rungs}").format(
            step=say(step.get("title")) or step["id"], rungs="; ".join(map(_name, able)) or "-"
        ),
        width,
    )
    if rest:
        text = _("not available: {because}").format(because="; ".join(map(_name, rest)))
        lines += [line((part, "dim")) for part in wrap(text, width, first="    ", rest="    ")]
    return lines


def _name(rung: Data) -> str:
    return say(rung.get("title")) or str(rung["name"])


def _irreversible(plan: Data) -> Iterator[Mapping[str, Any]]:
    """Yield the steps that can not be undone, without those of rungs nobody can take."""
    for step in plan["steps"]:
        inner = [
            s
            for rung in step.get("rungs") or ()
            if rung.get("available") is not False
            for s in rung.get("steps") or ()
        ]
        yield from (s for s in (step, *inner) if s.get("effect") == "irreversible")
