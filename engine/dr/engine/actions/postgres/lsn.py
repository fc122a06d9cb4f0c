"""Positions in the write-ahead log as numbers."""

from __future__ import annotations


def parse_lsn(text: str | None) -> int | None:
    """Read ``16/B374D848``; None stays None."""
    if not text:
        return None
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def format_lsn(position: int | None) -> str:
    """Write a position as PostgreSQL does; ``unknown`` for None."""
    return "unknown" if position is None else f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
