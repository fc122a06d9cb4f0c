"""What an amendment would change in a run under way, and what it must not touch.  Pure.

A run's plan is its runbook, inputs and inventory.  An amendment puts another plan in its place as a
whole; what has begun stays as it began.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from dr.engine.core.canonical import digest, plain, texts
from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Runbook, Step
from dr.engine.core.ports import RunRecord
from dr.engine.core.questions import QuestionKind
from dr.engine.core.states import StepState
from dr.engine.core.view import QuestionView, RunView, StepView

STEP = "@amendment"
"""Stands where a question names its step; no step can be called so."""

GATE = "gate.approve"
"""The action of a step that guards what comes after it."""

PEOPLE = ("people", "people_groups", "bureau", "environment", "branches")
"""Parts of an inventory that say who may decide; a run keeps them to its end."""

KEPT = ("standing", "revoked")
"""What was signed beforehand: of these a run has what it began with, whatever is there now."""

Names = Callable[[Any], Iterable[tuple[str | int, ...]]]
"""Returns the names that the expressions in a value use: ``Expressions.names_in``."""

Change = dict[str, Any]

_READ_WHOLE = {"branches": ("reconcile.", "business.", "backup.")}
"""Parts of an inventory that actions of these names read without naming an entry."""

_UNSEEN = ("sha256", "paths")
_NO_RULE = ("ask",)


def who_decides(inventory: Mapping[str, Any], section: str) -> Any:
    """Return what a part of an inventory says of who may decide; of branches only their people."""
    said = inventory.get(section)
    if section != "branches":
        return plain(said)
    return {name: [b.get("responsible"), b.get("group")] for name, b in (said or {}).items()}


def as_amended(record: RunRecord, view: RunView) -> RunRecord:
    """Return the record with the plan that is in force: that of the newest amendment, if any."""
    plan = view.plan
    if plan is None:
        return record
    return replace(
        record,
        source=plan["source"],
        file=plan["file"],
        runbook_sha256=plan["runbook_sha256"],
        inputs=dict(plan["inputs"]),
        inventory=dict(plan["inventory"]),
        title=dict(plan["created"]["title"]),
    )


def bound(run: str, proposal: Mapping[str, Any]) -> str:
    """Return the hash that people sign: the run, both plans, who, why and the difference."""
    names = ("number", "old", "new", "by", "because", "diff")
    said = {name: proposal[name] for name in names}
    return digest({"v": 1, "run": run, **said, "plan_sha256": digest(proposal["plan"])})


# -- what differs


def difference(old: Runbook, new: Runbook, before: RunRecord, after: RunRecord) -> dict[str, Any]:
    """Return what differs, as JSON data that people are shown and sign.

    Returns:
        ``steps`` with ``added``, ``removed`` and ``changed`` (each with ``id``, ``title``,
        ``uses``, ``hosts``; changed ones with ``keys``, a map of key to ``old`` and ``new``),
        ``runbook`` and ``inputs`` (name to ``old`` and ``new``), ``inventory`` (``section``,
        ``name``, ``how`` and ``keys``).  All of them are empty when nothing differs.
    """
    was, becomes = old.by_id, new.by_id
    both = [step for step in new.walk() if step.id in was]
    changed = [(step, _pairs(_own(was[step.id]), _own(step))) for step in both]
    return {
        "steps": {
            "added": [_named(step) for step in new.walk() if step.id not in was],
            "removed": [_named(step) for step in old.walk() if step.id not in becomes],
            "changed": [{**_named(step), "keys": keys} for step, keys in changed if keys],
        },
        "runbook": _pairs(_head(old), _head(new)),
        "inputs": _pairs(plain(before.inputs), plain(after.inputs)),
        "inventory": list(_entries(plain(before.inventory), plain(after.inventory))),
    }


def is_nothing(diff: Mapping[str, Any]) -> bool:
    """Whether a difference is none."""
    rest = (diff["runbook"], diff["inputs"], diff["inventory"])
    return not any(diff["steps"].values()) and not any(rest)


def in_brief(diff: Mapping[str, Any]) -> str:
    """Return a difference as one line of names: ``+added -removed ~changed``."""
    signs = (("added", "+"), ("removed", "-"), ("changed", "~"))
    parts = [f"{sign}{step['id']}" for kind, sign in signs for step in diff["steps"][kind]]
    parts += [f"~{name}" for name in (*diff["inputs"], *diff["runbook"])]
    parts += [f"~{entry['section']}/{entry['name']}" for entry in diff["inventory"]]
    return " ".join(parts)


def closing(asked: QuestionView, outcome: str, because: str) -> Draft:
    """Return the event that closes a question, of a gate or of an amendment."""
    question = asked.question
    data = {
        "question": question.id,
        "outcome": outcome,
        "because": because,
        "answers": [answer.by for answer in asked.answers],
    }
    step = None if question.kind is QuestionKind.AMENDMENT else question.step
    return Draft(Kind.QUESTION_CLOSED, step, question.host, None, data)


def open_amendment(view: RunView) -> list[QuestionView]:
    """Return the open questions of the amendment that is being decided; [] when there is none."""
    kind = QuestionKind.AMENDMENT
    return [asked for asked in view.open_questions() if asked.question.kind is kind]


def amendments_first(view: RunView) -> list[QuestionView]:
    """Return the open questions; who approves a gate before an amendment decides twice."""
    first = QuestionKind.AMENDMENT
    return sorted(view.open_questions(), key=lambda asked: asked.question.kind is not first)


def _named(step: Step) -> Change:
    return {
        "id": step.id,
        "title": step.title.plain(),
        "uses": step.uses,
        "hosts": plain(step.hosts),
    }


def _own(step: Step) -> dict[str, Any]:
    """Return the step as flat data: all that is said of it but where; of rungs only the frame."""
    data = {f.name: plain(getattr(step, f.name)) for f in fields(step)}
    for name in ("where", "id", "rungs"):
        data.pop(name)
    given = data.pop("with_")
    data |= {f"with.{name}": value for name, value in given.items()}
    for rung in step.rungs:
        frame = plain(replace(rung, steps=()))
        data[f"try.{rung.name}"] = {**frame, "steps": [inner.id for inner in rung.steps]}
    if step.rungs:
        data["try"] = [rung.name for rung in step.rungs]
    return data


def _head(runbook: Runbook) -> dict[str, Any]:
    names = ("title", "plan", "owner", "rto", "rpo", "on_failure")
    return {name: plain(getattr(runbook, name)) for name in names}


def _pairs(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Change]:
    return {
        name: {"old": old.get(name), "new": new.get(name)}
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    }


def _entries(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for section in dict.fromkeys([*old, *new]):
        was, becomes = old.get(section), new.get(section)
        if section in _UNSEEN or was == becomes:
            continue
        if not isinstance(was, Mapping) or not isinstance(becomes, Mapping):
            yield _entry(section, section, was, becomes)
            continue
        for name, pair in _pairs(was, becomes).items():
            yield _entry(section, name, pair["old"], pair["new"])


def _entry(section: str, name: str, old: Any, new: Any) -> Change:
    how = "added" if old is None else "removed" if new is None else "changed"
    inside = isinstance(old, Mapping) and isinstance(new, Mapping)
    keys = _pairs(old, new) if inside else {"": {"old": old, "new": new}}
    return {"section": section, "name": name, "how": how, "keys": keys if how == "changed" else {}}


# -- what it must not touch


def begun(seen: StepView | None) -> bool:
    """Whether anything of a step has happened: it was asked about, tried, skipped or reopened."""
    if seen is None:
        return False
    tried = any(unit.attempt or unit.intent for unit in list(seen.units.values()))
    return seen.state is not StepState.PENDING or bool(seen.visit) or tried or seen.fan_out


def affected(old: Runbook, service: str | None, diff: Mapping[str, Any], names: Names) -> list[str]:
    """List the steps of the old plan that would not be what they are, in page order.

    Their own definition differs or is gone, they are a ladder of such a step, or what they refer
    to differs: an input, the service, or an entry of the inventory that they name.

    Args:
        service: the service that the run is about, which ``service.`` in an expression means.
    """
    steps = diff["steps"]
    differ = {step["id"] for kind in ("changed", "removed") for step in steps[kind]}
    found = []
    for step in old.walk():
        inside = [step.id, *(s.id for rung in step.rungs for s in rung.steps)]
        if differ.intersection(inside) or _refers(step, service, diff, names):
            found.append(step.id)
    return found


def _refers(step: Step, service: str | None, diff: Mapping[str, Any], names: Names) -> bool:
    said = _own(step)
    named = bool(entry_names(diff).intersection(texts(said)))
    sections = {str(entry["section"]) for entry in diff["inventory"]}
    whole = any(step.uses.startswith(_READ_WHOLE.get(one, ("\0",))) for one in sections)
    return named or whole or _reads(names(said), service, diff)


def _reads(
    said: Iterable[tuple[str | int, ...]],
    service: str | None,
    diff: Mapping[str, Any],
    steps: Collection[str] = (),
) -> bool:
    """Whether one of the names stands for something that differs; ``steps`` are such steps."""
    for root, *rest in said:
        named = rest[0] if rest else None
        if root == "inputs" and (named is None or named in diff["inputs"]):
            return True
        if root == "service" and service in entry_names(diff):
            return True
        if root == "steps" and named in steps:
            return True
    return False


def entry_names(diff: Mapping[str, Any]) -> set[str]:
    """Return the names of the entries of the inventory that differ: hosts, groups, services …"""
    return {str(entry["name"]) for entry in diff["inventory"]}


def in_the_way(view: RunView, proposal: Mapping[str, Any]) -> list[str]:
    """List the steps that have begun and would not be what they are; empty when it may be done.

    Beside those that the plan alone tells, such as act, or acted, on what differs: the host, or a
    value that their attempt was sent with.
    """
    wanted, entries = set(proposal["affected"]), entry_names(proposal["diff"])
    return [
        seen.id
        for seen in list(view.steps.values())
        if begun(seen) and (seen.id in wanted or entries.intersection(_used(seen)))
    ]


def _used(seen: StepView) -> Iterator[str]:
    for unit in list(seen.units.values()):
        if unit.host:
            yield unit.host
        yield from texts((unit.intent or {}).get("input"))
        yield from texts(unit.handle)


# -- gates


def gates(runbook: Runbook) -> list[Step]:
    """List the steps that guard others, in page order."""
    return [step for step in runbook.walk() if step.uses == GATE]


def behind(runbook: Runbook, gate: str) -> list[str]:
    """List the steps that wait for ``gate``, directly or through others, in page order."""
    found = {gate}
    waiting = [step for step in runbook.walk() if step.id != gate]
    while True:
        new = {s.id for s in waiting if found.intersection(_waits_for(s))} - found
        if not new:
            return [step.id for step in waiting if step.id in found]
        found |= new


def _waits_for(step: Step) -> tuple[str, ...]:
    return (*step.needs, step.ladder) if step.ladder else step.needs


@dataclass(frozen=True, slots=True)
class Weaker:
    """A rule of approval that would change: of ``gate``, which would not guard ``step``.

    ``step`` is "" when the gate itself differs, is gone, or refers to something that differs.
    """

    gate: str
    step: str = ""


def weakened(
    old: Runbook, new: Runbook, service: str | None, diff: Mapping[str, Any], names: Names
) -> Weaker | None:
    """Return the first rule of approval that would change; None when every rule stays.

    All of a gate counts but the sentence that it asks, and so does the gate of an undo.
    """
    differ = set(affected(old, service, diff, names))
    for gate in gates(old):
        kept = new.by_id.get(gate.id)
        if kept is None or _rules(gate) != _rules(kept):
            return Weaker(gate.id)
        if _reads(names(_rules(gate)), service, diff, differ):
            return Weaker(gate.id)
        lost = set(behind(old, gate.id)) & set(new.by_id) - set(behind(new, gate.id))
        if lost:
            return Weaker(gate.id, min(lost))
    for step in old.walk():
        kept = new.by_id.get(step.id)
        if kept is not None and _undo_gate(step) != _undo_gate(kept):
            return Weaker(step.id)
    return None


def _rules(gate: Step) -> dict[str, Any]:
    said = {name: value for name, value in gate.with_.items() if name not in _NO_RULE}
    also = (gate.condition, gate.drill, gate.on_failure, gate.deadline)
    return {"uses": gate.uses, "with": plain(said), "also": plain(also)}


def _undo_gate(step: Step) -> Any:
    return plain(step.undo.gate) if step.undo is not None else None
