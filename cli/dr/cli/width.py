"""Text measured in terminal cells: a Chinese character takes two; none of it moves the cursor."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator

from dr.engine.core.unseen import CONTROL, HIDDEN

_NO_BREAK_BEFORE = frozenset("，。、；：？！）」』】》…,.;:?!)]}%")
"""Marks that may not begin a line."""

_WIDE = 2

_PIECE = re.compile(r"\s+|[^\s]+")
_CONTROL = re.compile(f"[{CONTROL}]")
_HIDDEN = re.compile(f"[{HIDDEN}]")
_STEERING = re.compile(f"[\\x7f-\\x9f{HIDDEN}]")


def printable(text: str) -> str:
    """Return ``text`` with control characters made visible, as ``cat -v`` shows them.

    What a host put out is not to be trusted: an escape sequence in it could clear the screen or
    write a line that looks like one of dr's own.  New lines and tabs stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_number, _CONTROL.sub(_caret, text))


def one_line(text: str) -> str:
    """Return ``text`` printable and without line breaks: nothing in it can begin a line."""
    return printable(text).replace("\n", "^J").replace("\t", " ")


def json_text(data: object, *, indent: int | None = None) -> str:
    """Return ``data`` as JSON that steers no terminal: such characters are written as numbers."""
    text = json.dumps(data, ensure_ascii=False, default=str, indent=indent)
    return _STEERING.sub(lambda found: json.dumps(found.group())[1:-1], text)


def _number(found: re.Match[str]) -> str:
    return f"<U+{ord(found.group()):04X}>"


def _caret(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"M-^{chr(code - 0x40)}" if code >= 0x80 else f"^{chr(code ^ 0x40)}"  # noqa: PLR2004


def char_cells(char: str) -> int:
    """Return how many cells one character takes: 0, 1 or 2."""
    if unicodedata.combining(char) or unicodedata.category(char) in {"Cf", "Mn", "Me"}:
        return 0
    return _WIDE if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def cells(text: str) -> int:
    """Return how many cells ``text`` takes."""
    if text.isascii():
        return len(text)
    return sum(char_cells(char) for char in text)


def cut(text: str, width: int, mark: str = "~") -> str:
    """Return ``text`` within ``width`` cells; ``mark`` says that something is missing."""
    if cells(text) <= width:
        return text
    room, kept = width - cells(mark), ""
    for char in text:
        room -= char_cells(char)
        if room < 0:
            break
        kept += char
    return (kept + mark)[: max(width, 0)]


def pad(text: str, width: int) -> str:
    """Return ``text`` filled up with spaces to ``width`` cells, never cut."""
    return text + " " * max(0, width - cells(text))


def column(text: str, width: int) -> str:
    """Return ``text`` in exactly ``width`` cells."""
    return pad(cut(text, width), width)


def wrap(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """Break ``text`` into lines of at most ``width`` cells.

    Words stay whole unless one alone is wider than a line; between Chinese characters a line
    may end anywhere except before a closing mark.
    """
    lines: list[str] = []
    current, indent = first, first
    for piece in _pieces(text):
        fits = cells(current) + cells(piece.rstrip()) <= width
        if not fits and current.strip():
            lines.append(current.rstrip())
            current = indent = rest
        if current == indent:
            piece = piece.lstrip()  # noqa: PLW2901
        while cells(current) + cells(piece) > width and cells(piece.rstrip()) > width - cells(rest):
            head = cut(piece, max(2, width - cells(current)), "")
            lines.append(current + head)
            current, piece = rest, piece[len(head) :]  # noqa: PLW2901
        current += piece
    if current.strip() or not lines:
        lines.append(current.rstrip())
    return lines


def _pieces(text: str) -> Iterator[str]:
    """Yield what must stay together: a Latin word with its space, or one wide character."""
    held = ""
    for piece in _PIECE.findall(" ".join(text.split())):
        if piece.isspace():
            held += " "
            continue
        for part in _split_wide(piece):
            if held and (held.isspace() or part[0] not in _NO_BREAK_BEFORE):
                if held.isspace():
                    yield held
                    held = part
                    continue
                yield held
                held = part
            else:
                held += part
        # a space belongs to the word before it
        yield held
        held = ""
    if held:
        yield held


def _split_wide(piece: str) -> list[str]:
    parts: list[str] = []
    for char in piece:
        narrow = char_cells(char) < _WIDE
        joins = char in _NO_BREAK_BEFORE or (narrow and parts and char_cells(parts[-1][-1]) < _WIDE)
        if parts and joins:
            parts[-1] += char
        else:
            parts.append(char)
    return parts
