"""Names that a runbook writes out, looked up in the inventory before anything starts.

A gate for a group that is not there would be found out in the middle of the night, after the
fence, when nobody can answer it.  Names that an expression makes are only known later.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dr.engine.core.errors import Problem
from dr.engine.core.model import Runbook, Step

_EXPRESSION = "${{"
_TASK = "human.task"
_BACKUPS = "backup."


def unknown_names(runbook: Runbook, inventory: Mapping[str, Any]) -> list[Problem]:
    """List the hosts, groups, services and backup sets that the inventory does not have.

    A step that has a condition may be for another inventory: of it only people are looked up.
    """
    return [problem for step in runbook.walk() for problem in _of_step(step, inventory)]


def _of_step(step: Step, inventory: Mapping[str, Any]) -> Iterator[Problem]:
    for group in _people(step):
        yield from _missing(step, "group of people", group, inventory.get("people_groups", {}))
    if step.condition is not None:
        return
    places = {**inventory.get("hosts", {}), **inventory.get("groups", {})}
    for name in _hosts(step):
        yield from _missing(step, "host or group of hosts", name, places)
    if step.uses:
        service, backups = step.with_.get("service"), step.with_.get("set")
        yield from _missing(step, "service", service, inventory.get("services", {}))
        if step.uses.startswith(_BACKUPS):
            yield from _missing(step, "backup set", backups, inventory.get("backups", {}))


def _people(step: Step) -> Iterator[Any]:
    gates = [step.with_]
    if step.undo is not None and step.undo.gate is not None:
        gates.append(step.undo.gate)
    for said in gates:
        yield _group(said.get("approvers"))
        yield said.get("group") if step.uses == _TASK else None
        on_timeout = said.get("on_timeout")
        if isinstance(on_timeout, Mapping):
            yield from (_group(each) for each in on_timeout.get("escalate", ()))


def _group(value: Any) -> Any:
    return value.get("group") if isinstance(value, Mapping) else value


def _hosts(step: Step) -> Iterator[Any]:
    calls = (step.precheck, step.probe, step.verify, step.undo)
    for hosts in (step.hosts, *(call.hosts for call in calls if call is not None)):
        yield from hosts if isinstance(hosts, list | tuple) else [hosts]


def _missing(step: Step, kind: str, name: Any, known: Iterable[str]) -> Iterator[Problem]:
    if not isinstance(name, str) or not name or _EXPRESSION in name or name in known:
        return
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(names) or 'none'}."
    message = f"step '{step.id}': the inventory has no {kind} '{name}'"
    yield Problem(message, where=step.where, hint=hint)
