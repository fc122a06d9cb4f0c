"""The screen that repaints itself.  The only module that imports rich; only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dr.cli.lines import Line

_LOOKS = {
    "good": "green",
    "bad": "bold red",
    "warn": "bold yellow",
    "busy": "cyan",
    "dim": "dim",
    "strong": "bold",
    "alarm": "bold white on red",
}


class LiveScreen:
    """A region of the terminal that always shows the newest picture."""

    def __init__(self, *, colour: bool) -> None:
        self._console = Console(file=sys.stdout, no_color=not colour, highlight=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            vertical_overflow="crop",
            # nothing else is written meanwhile, and a stand-in for stdout hides its encoding
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    @property
    def width(self) -> int:
        """Width of the terminal in cells."""
        return self._console.width

    @property
    def height(self) -> int:
        """Height of the terminal in rows, less the one the cursor stands in."""
        return max(10, self._console.height - 1)

    def paint(self, lines: Iterable[Line]) -> None:
        """Show ``lines`` in place of what was shown before."""
        picture = Text("\n", no_wrap=True).join(
            Text.assemble(*[(span.text, _LOOKS.get(span.style, "")) for span in one])
            for one in lines
        )
        self._live.update(picture, refresh=True)
