"""How wide the terminal is."""

from __future__ import annotations

import shutil


def width() -> int:
    """Return the width in cells: that of the terminal, $COLUMNS, else 80."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)
