"""Which rows of a run an export holds back, so that what was asked to be withheld is not in it.

A row is held back as a whole: its hash covers all of its data, and the hash is what joins the
chain.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dr.engine.core.canonical import plain
from dr.engine.core.events import Event, Kind
from dr.engine.core.ports import RunRecord

_FIELDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "outputs": (
        ("", "outputs"),
        ("", "facts"),
        ("", "error"),
        ("", "message"),
        ("", "detail"),
        ("", "question.card"),
    ),
    "evidence": (("", "answer.evidence"), ("reconcile.compared", "cases")),
    "reasons": (
        ("", "answer.reason"),
        ("op.", "because"),
        ("op.", "text"),
        ("reconcile.", "reason"),
        ("reconcile.", "because"),
    ),
    "inputs": (
        ("run.created", "inputs"),
        ("", "input"),
        ("", "describes"),
        ("", "plan.inputs"),
        ("", "diff.inputs"),
    ),
    "inventory": (("", "plan.inventory"), ("", "diff.inventory")),
}
"""Name to (beginning of the kind, path in the data); what an error says is what a step put out."""

NAMES = tuple(_FIELDS)
"""What can be withheld."""
IN_RECORD = frozenset({"inputs", "inventory"})
"""What stands in the run's own record, which is then withheld as a whole."""

_LONG = 6
"""A withheld text of this length is looked for inside of others, a shorter one as the whole."""
_WORD = re.compile(r"[\w./:+-]+")


@dataclass
class Withheld:
    """What is held back: rows by number, each with the names that are why; and the record."""

    rows: dict[int, tuple[str, ...]] = field(default_factory=dict)
    record: bool = False


def withheld(record: RunRecord, events: Sequence[Event], names: Iterable[str]) -> Withheld:
    """Return what has to be held back for ``names``.

    Beside the rows that have such a field: rows that repeat what stood in one (as the input of a
    later step repeats an output), where it is a text of at least six characters, or the whole
    of a value.  What the record shows anyway (names of hosts, words of the runbook) is not
    looked for.
    """
    wanted = sorted(set(names))
    found = Withheld(record=bool(IN_RECORD & set(wanted)))
    public = set() if found.record else _public(record)
    for name in wanted:
        hidden: list[Any] = [record.inputs] if name == "inputs" else []
        hidden += [record.inventory] if name == "inventory" else []
        own: set[int] = set()
        for event in events:
            values = list(_values(name, event))
            if values:
                own.add(event.seq)
                hidden += values
        own |= _of_tasks(events, own) if name == "evidence" else set()
        copies = _Copies({t for value in hidden for t in _leaves(value)} - public)
        for event in events:
            if event.seq in own or copies.are_in(event.data):
                found.rows[event.seq] = (*found.rows.get(event.seq, ()), name)
    return found


def _values(name: str, event: Event) -> Iterator[Any]:
    for kind, path in _FIELDS[name]:
        value: Any = event.data if event.kind.startswith(kind) else None
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value not in (None, "", {}, []):
            yield value


def _of_tasks(events: Sequence[Event], answered: set[int]) -> set[int]:
    """Return the ends of the steps that were answered so: their outputs are the evidence."""
    steps = {e.step for e in events if e.seq in answered}
    ends = {Kind.STEP_FINISHED, Kind.FINISHED, Kind.QUESTION_CLOSED}
    return {e.seq for e in events if e.step in steps and e.kind in ends}


def _leaves(value: Any) -> Iterator[str]:
    """Yield every text and number in ``value``, numbers as they are written."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
        if len(text) >= _LONG:  # a small number is everywhere
            yield text


def _public(record: RunRecord) -> set[str]:
    leaves = set(_leaves(plain(record)))
    return leaves | {word for leaf in leaves for word in _WORD.findall(leaf)}


class _Copies:
    """Finds texts again: short ones as a whole value, long ones anywhere, in one walk."""

    def __init__(self, texts: set[str]) -> None:
        self._texts = texts - {""}
        self._long: dict[str, list[str]] = {}
        for text in self._texts:
            if len(text) >= _LONG:
                self._long.setdefault(text[:_LONG], []).append(text)

    def are_in(self, data: Mapping[str, Any]) -> bool:
        """Whether any of the texts stands in ``data``."""
        return bool(self._texts) and any(
            leaf in self._texts or self._within(leaf) for leaf in _leaves(data)
        )

    def _within(self, leaf: str) -> bool:
        return any(
            leaf.startswith(text, at)
            for at in range(len(leaf) - _LONG + 1)
            for text in self._long.get(leaf[at : at + _LONG], ())
        )
