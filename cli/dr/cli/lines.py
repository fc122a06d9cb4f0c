"""Lines with styles, made by pure functions and painted at the edge.

A style is a word such as ``good`` or ``bad``; what it looks like is decided by whoever paints:
escape sequences, rich, or nothing at all.  No meaning is ever carried by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click

from dr.cli.width import cells, cut, one_line

STYLES: dict[str, dict[str, object]] = {
    "": {},
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow", "bold": True},
    "busy": {"fg": "cyan"},
    "dim": {"dim": True},
    "strong": {"bold": True},
    "alarm": {"fg": "white", "bg": "red", "bold": True},
}


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line; what could steer a terminal or end the line is shown, not obeyed."""

    text: str
    style: str = ""

    def __post_init__(self) -> None:
        # here, so that no screen can forget it
        if not (self.text.isascii() and self.text.isprintable()):
            object.__setattr__(self, "text", one_line(self.text))


Line = tuple[Span, ...]


def line(*parts: str | Span | tuple[str, str]) -> Line:
    """Return a line of pieces: text, ``(text, style)`` or spans."""
    spans: list[Span] = []
    for part in parts:
        if isinstance(part, Span):
            spans.append(part)
        elif isinstance(part, tuple):
            spans.append(Span(part[0], part[1]))
        else:
            spans.append(Span(part))
    return tuple(spans)


def text_of(one: Line) -> str:
    """Return the words of a line without styles or trailing space."""
    return "".join(span.text for span in one).rstrip()


def fitted(one: Line, width: int) -> Line:
    """Return the line cut to ``width`` cells."""
    room, kept = width, []
    for span in one:
        if room <= 0:
            break
        piece = cut(span.text, room)
        kept.append(Span(piece, span.style))
        room -= cells(piece)
    return tuple(kept)


def painted(lines: Iterable[Line], *, colour: bool) -> str:
    """Return the lines as text for the terminal."""
    if not colour:
        return "\n".join(text_of(one) for one in lines)
    return "\n".join(_escaped(one) for one in lines)


def _escaped(one: Sequence[Span]) -> str:
    return "".join(
        click.style(span.text, **STYLES[span.style]) if span.style else span.text  # type: ignore[arg-type]
        for span in one
    )
