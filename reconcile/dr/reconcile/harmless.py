"""Text for spreadsheets that no spreadsheet carries out, and no reader is misled by.  Pure."""

from __future__ import annotations

import re
from typing import Final

from dr.engine.core.unseen import CONTROL, HIDDEN

LONGEST_CELL: Final = 32_767
"""Characters that a cell can hold."""

_STARTS = "=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b"
"""What a formula or a command begins with; East Asian spreadsheets take the wide ones too."""

_UNSEEN = re.compile(f"[{CONTROL}{HIDDEN}\ufffe\uffff]")
_BLANKS = " \u00a0\u3000\u200b\u200c\u200d'"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def begins_formula(text: str) -> bool:
    """Whether a spreadsheet might carry ``text`` out; blanks before it do not count."""
    return text.startswith(tuple(_STARTS)) or text.lstrip(_BLANKS).startswith(tuple(_STARTS))


def cell_text(text: object) -> str:
    """Return ``text`` for a text cell: nothing hidden, nothing that reorders a line, not too long.

    It is not escaped: a text cell is never carried out.
    """
    shown = _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", str(text))
    return shown if len(shown) <= LONGEST_CELL else shown[: LONGEST_CELL - 1] + "…"


def csv_text(text: object) -> str:
    """Return ``text`` for a CSV cell: behind an apostrophe when a spreadsheet might carry it out.

    A plain negative number stays a number.  Who needs the exact text takes the JSON file.
    """
    shown = cell_text(text)
    if _NUMBER.fullmatch(shown) or not begins_formula(shown):
        return shown
    return f"'{shown}"
