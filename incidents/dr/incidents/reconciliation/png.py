"""A strip of coloured squares as PNG, for documents that can not draw; no library is needed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

_SQUARE, _GAP = 13, 2
_PITCH = _SQUARE + _GAP
_WHITE = 0xFF

Colour = tuple[int, int, int]


def squares(marks: Sequence[int], palette: Sequence[Colour], per_row: int) -> bytes:
    """Return a picture of one square for each mark, row by row.

    Args:
        marks: indexes into ``palette``; at least one.
        per_row: how many squares stand in a row, 1 or more.
    """
    rows = [marks[start : start + per_row] for start in range(0, len(marks), per_row)]
    width = min(len(marks), per_row) * _PITCH - _GAP
    empty = bytes([0]) * width  # index 0 is the paper
    lines: list[bytes] = []
    for row in rows:
        line = b"".join(bytes([mark + 1]) * _SQUARE + bytes(_GAP) for mark in row)
        lines += [line[:width].ljust(width, b"\0")] * _SQUARE + [empty] * _GAP
    lines = lines[:-_GAP]
    raw = b"".join(b"\0" + line for line in lines)
    colours = bytes([_WHITE] * 3) + b"".join(bytes(colour) for colour in palette)
    head = struct.pack(">IIBBBBB", width, len(lines), 8, 3, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"PLTE", colours)
        + _chunk(b"IDAT", zlib.compress(raw, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
