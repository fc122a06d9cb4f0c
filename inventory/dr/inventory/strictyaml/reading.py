"""Reads YAML strictly: one pass over the parser's events, bounded in size, depth and expansion.

Everything that two readers could understand differently is refused: duplicate keys, tags,
merge keys, keys that are not text, several documents in one file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dr.engine.core.errors import Problem, RunbookError
from dr.inventory.ordinary import open_ordinary
from dr.inventory.strictyaml.document import MAX_PROBLEMS, Document, Node, problem_at
from dr.inventory.strictyaml.scalars import resolve

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_EXPANDED = 10_000

# pure Python when PyYAML was built without libyaml: slower, the same events
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(source: Path | str, name: str | None = None) -> Document:
    """Read a file (``Path``) or a text (``str``).

    Args:
        name: what the file is called in messages; the path itself when not given.

    Raises:
        RunbookError: it can not be read, is no UTF-8 text, too big, or not strict YAML; carries
            every problem that could be told.
    """
    shown = name or (str(source) if isinstance(source, Path) else "<text>")
    raw = _bytes(source, shown) if isinstance(source, Path) else source.encode("utf-8", "replace")
    return _Composer(shown, _text(raw, shown)).compose()


def _bytes(path: Path, name: str) -> bytes:
    try:
        with open_ordinary(path) as stream:
            # one byte more than allowed tells a file that is too big, without reading all of it
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise RunbookError(
            f"{name}: there is no such file", hint="Check the path; 'ls' shows what is there."
        ) from None
    except OSError as error:
        raise RunbookError(f"{name} can not be read: {(error.strerror or '').lower()}") from None


def _text(raw: bytes, name: str) -> str:
    if len(raw) > MAX_BYTES:
        raise _refused(
            name,
            "the file is larger than 1 MB",
            "Split it; a runbook or inventory file is a few hundred lines of text.",
        )
    if b"\0" in raw:
        raise _refused(name, "this is a binary file, not YAML text", "Name a YAML file.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"this is not UTF-8 text: byte 0x{raw[error.start]:02x} at byte {error.start + 1}"
        raise _refused(name, message, "Save the file as UTF-8.") from None


def _refused(name: str, message: str, hint: str) -> RunbookError:
    problem = Problem(message=message, where=name, hint=hint)
    return RunbookError(f"{name}: {message}", [problem], hint=hint)


class _GaveUp(Exception):  # noqa: N818 - not an error of its own: the problems are in the list
    """Reading on makes no sense; the problems are already noted."""


@dataclass
class _Composer:
    """Builds data and nodes from events."""

    name: str
    text: str
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, tuple[Any, Node]] = field(default_factory=dict)
    open_anchors: set[str] = field(default_factory=set)
    expanded: int = 0

    def compose(self) -> Document:
        data: Any = None
        node = Node(1, 1)
        try:
            events = self._events()
            event = next(events, None)
            if event is not None:
                data, node = self._value(event, events, 0)
                self._only_one(events)
        except yaml.YAMLError as error:
            self.problems.append(self._syntax(error))
        except _GaveUp:
            pass
        if self.problems:
            raise RunbookError(
                f"{self.name} is not strict YAML: {counted(self.problems)}", self.problems
            )
        return Document(self.name, self.text, data, node)

    def _events(self) -> Iterator[Any]:
        """Yield the events of values; the stream's and documents' own are swallowed."""
        quiet = (
            yaml.StreamStartEvent,
            yaml.StreamEndEvent,
            yaml.DocumentStartEvent,
            yaml.DocumentEndEvent,
        )
        for event in yaml.parse(self.text, Loader=_LOADER):
            if isinstance(event, quiet):
                continue
            yield event

    def _only_one(self, events: Iterator[Any]) -> None:
        more = next(events, None)
        if more is not None:
            self._note(more, "a second document begins here", "Keep one document in a file.")

    def _value(self, event: Any, events: Iterator[Any], depth: int) -> tuple[Any, Node]:
        self._not_deeper(event, depth)
        if isinstance(event, yaml.AliasEvent):
            value, node = self._alias(event)
            self._not_deeper(event, depth + node.height)
            return value, node
        self._no_tag(event)
        anchor = event.anchor
        if anchor:
            self.open_anchors.add(anchor)
        if isinstance(event, yaml.ScalarEvent):
            value, node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value, node = self._sequence(event, events, depth)
        else:
            value, node = self._mapping(event, events, depth)
        if anchor:
            self.open_anchors.discard(anchor)
            self.anchors[anchor] = (value, node)
        return value, node

    def _not_deeper(self, event: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._note(event, f"nested more than {MAX_DEPTH} deep", "Write it flatter.")
            raise _GaveUp

    def _alias(self, event: Any) -> tuple[Any, Node]:
        known = self.anchors.get(event.anchor)
        if known is None or event.anchor in self.open_anchors:
            inside = event.anchor in self.open_anchors
            why = "stands inside its own anchor" if inside else "has no anchor before it"
            self._note(event, f"the alias '*{event.anchor}' {why}", "Write the value out.")
            return None, _node(event)
        self.expanded += known[1].size
        if self.expanded > MAX_EXPANDED:
            self._note(
                event, f"aliases expand to more than {MAX_EXPANDED} values", "Write fewer aliases."
            )
            raise _GaveUp
        return known

    def _no_tag(self, event: Any) -> None:
        # "!" alone is what the parser says of a quoted scalar in some versions
        if event.tag and event.tag != "!":
            self._note(event, f"the tag '{event.tag}' is not allowed", "Leave the tag out.")

    def _scalar(self, event: Any) -> tuple[Any, Node]:
        node = _node(event)
        width = event.end_mark.column - event.start_mark.column
        plain = not event.style
        quotes = 0 if plain else 1
        one_line = event.start_mark.line == event.end_mark.line
        if one_line and width == len(event.value) + 2 * quotes:
            node.text_at = node.column + quotes
        return (resolve(event.value) if plain else event.value), node

    def _sequence(self, event: Any, events: Iterator[Any], depth: int) -> tuple[Any, Node]:
        node, data, nodes = _node(event), [], []
        while not isinstance(inner := next(events), yaml.SequenceEndEvent):
            value, below = self._value(inner, events, depth + 1)
            data.append(value)
            nodes.append(below)
            node.size += below.size
            node.height = max(node.height, below.height + 1)
        node.items = nodes
        return data, node

    def _mapping(self, event: Any, events: Iterator[Any], depth: int) -> tuple[Any, Node]:
        node = _node(event)
        data: dict[str, Any] = {}
        members: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            key = self._key(inner, keys)
            if not isinstance(inner, (yaml.ScalarEvent, yaml.AliasEvent)):
                self._value(inner, events, depth + 1)
            value, below = self._value(next(events), events, depth + 1)
            node.size += below.size
            node.height = max(node.height, below.height + 1)
            if key is not None:
                data[key], members[key] = value, below
                keys[key] = (inner.start_mark.line + 1, inner.start_mark.column + 1)
        node.members, node.keys = members, keys
        return data, node

    def _key(self, event: Any, seen: dict[str, tuple[int, int]]) -> str | None:
        """Return the key as it is written (``on`` and ``8080`` are text); None when refused."""
        if not isinstance(event, yaml.ScalarEvent):
            self._note(event, "a key must be plain text", "Write the key as a word.")
            return None
        self._no_tag(event)
        key: str = event.value
        if key == "<<" and not event.style:
            self._note(event, "merge keys are not allowed", "Write the keys out.")
            return None
        if key in seen:
            self._note(
                event,
                f"the key '{key}' is written twice",
                f"It is already on line {seen[key][0]}; leave one of them out.",
            )
            return None
        return key

    def _note(self, event: Any, message: str, hint: str) -> None:
        mark = event.start_mark
        self.problems.append(
            problem_at(self.name, self.text, mark.line + 1, mark.column + 1, message, hint=hint)
        )
        if len(self.problems) >= MAX_PROBLEMS:
            raise _GaveUp

    def _syntax(self, error: yaml.YAMLError) -> Problem:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        message = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
        message = f"not YAML: {message}"
        if mark is None:
            return Problem(message=message, where=self.name, hint=_SYNTAX_HINT)
        return problem_at(
            self.name, self.text, mark.line + 1, mark.column + 1, message, hint=_SYNTAX_HINT
        )


def counted(problems: Sequence[Problem]) -> str:
    """Return how many problems there are, in words; past ``MAX_PROBLEMS`` nobody counted."""
    if len(problems) >= MAX_PROBLEMS:
        return f"{MAX_PROBLEMS} problems or more"
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"


_SYNTAX_HINT = "Check indentation, colons and quotes here and on the line above."


def _node(event: Any) -> Node:
    return Node(event.start_mark.line + 1, event.start_mark.column + 1)
