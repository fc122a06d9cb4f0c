"""A YAML document that remembers where each of its values was written."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from dr.engine.core.errors import Problem

Path = tuple[str | int, ...]

MAX_PROBLEMS: Final = 200
"""How many problems of one file are told; a file made to hurt has a million."""

_WIDEST_EXCERPT = 110


@dataclass(slots=True)
class Node:
    """Where one value stands.  Lines and columns count from 1.

    ``text_at`` is where the text of a scalar begins, after a quote mark; None when the text is
    folded, escaped or over several lines, so that offsets in it can not be shown exactly.
    ``members`` has the nodes of a mapping by key, ``keys`` where the keys themselves stand.
    ``size`` counts the values in it, ``height`` the levels below it, aliases expanded.
    """

    line: int
    column: int
    text_at: int | None = None
    members: Mapping[str, Node] = field(default_factory=dict)
    keys: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    items: Sequence[Node] = ()
    size: int = 1
    height: int = 0

    def child(self, key: str | int) -> Node | None:
        """Return the node of a member or item; None when there is none."""
        if isinstance(key, str):
            return self.members.get(key)
        return self.items[key] if 0 <= key < len(self.items) else None


@dataclass(frozen=True)
class Document:
    """Plain data (dict, list, str, int, float, bool, None) and the source it came from."""

    name: str
    text: str
    data: Any
    root: Node

    def position(
        self, path: Sequence[str | int] = (), *, key: bool = False, offset: int = 0
    ) -> tuple[int, int]:
        """Return line and column of the value at ``path``, or of the nearest value above it.

        Args:
            key: point at the key instead of its value.
            offset: characters into a text value, as far as that can be told.
        """
        node = self.root
        for depth, part in enumerate(path):
            last = depth == len(path) - 1
            if key and last and isinstance(part, str) and part in node.keys:
                return node.keys[part]
            below = node.child(part)
            if below is None:
                return node.line, node.column
            node = below
        if offset and node.text_at is not None:
            return node.line, node.text_at + offset
        return node.line, node.column

    def where(self, path: Sequence[str | int] = (), *, key: bool = False, offset: int = 0) -> str:
        """Return ``file:line:column`` of the value at ``path``."""
        line, column = self.position(path, key=key, offset=offset)
        return f"{self.name}:{line}:{column}"

    def problem(
        self,
        message: str,
        path: Sequence[str | int] = (),
        *,
        hint: str = "",
        key: bool = False,
        offset: int = 0,
        rule: str = "",
        severity: str = "error",
    ) -> Problem:
        """Return a problem that points at the value (or the key) at ``path``."""
        line, column = self.position(path, key=key, offset=offset)
        return problem_at(
            self.name,
            self.text,
            line,
            column,
            message,
            path=tuple(path),
            hint=hint,
            rule=rule,
            severity=severity,
        )


def problem_at(  # noqa: PLR0913 - the fields of a Problem
    name: str,
    text: str,
    line: int,
    column: int,
    message: str,
    *,
    path: Path = (),
    hint: str = "",
    rule: str = "",
    severity: str = "error",
) -> Problem:
    """Return a problem at a line and column of ``text``, both from 1."""
    return Problem(
        message=message,
        path=path,
        where=f"{name}:{line}:{column}",
        excerpt=excerpt(text, line, column),
        hint=hint,
        rule=rule,
        severity=severity,
    )


def excerpt(text: str, line: int, column: int) -> str:
    """Return the source line with its number, and a caret under ``column``; "" past the end."""
    lines = _lines(text)
    if not 1 <= line <= len(lines):
        return ""
    source = lines[line - 1].rstrip("\r")
    if not source.strip():
        return ""
    start = max(0, column - 1 - _WIDEST_EXCERPT * 2 // 3)
    shown = source[start : start + _WIDEST_EXCERPT]
    lead = "…" if start else ""
    pad = "".join(_blank(character) for character in lead + shown[: column - 1 - start])
    number = f"{line:5d}"
    return f"{number} | {lead}{shown}\n{' ' * len(number)} | {pad}^"


@lru_cache(maxsize=2)
def _lines(text: str) -> list[str]:
    """Return the lines of a file; its problems come one after the other, so it is cut once."""
    return text.split("\n")


def _blank(character: str) -> str:
    """Return white space as wide as ``character`` is on a terminal."""
    if character == "\t":
        return character
    return "  " if unicodedata.east_asian_width(character) in "WF" else " "


def format_problem(problem: Problem) -> str:
    """Write a problem as ``file:line:column: message``, the source line, a caret and the hint."""
    rule = f" [{problem.rule}]" if problem.rule else ""
    grade = "" if problem.severity == "error" else f"{problem.severity}: "
    head = f"{problem.where}: " if problem.where else ""
    parts = [f"{head}{grade}{problem.message}{rule}"]
    if problem.excerpt:
        parts.append(problem.excerpt)
    if problem.hint:
        parts.append(f"      hint: {problem.hint}")
    return "\n".join(parts)
