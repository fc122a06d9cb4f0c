"""What a report lays out: sections of tables in one language, without a layout."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of a table; notes stand below it.

    ``tone`` is good, bad, doubt, wait, faint, code, number or "".
    """

    text: str
    tone: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences, and a table; either may be missing."""

    id: str
    title: str
    notes: tuple[Cell, ...] = ()
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
