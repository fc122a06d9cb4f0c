"""What one call of ``dr`` knows: the options that every command shares, and the opened desk."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dr.cli.width import json_text, printable

if TYPE_CHECKING:
    from dr.engine.service.desk import Desk

_UNSET_TERMINALS = frozenset({"", "dumb", "unknown"})


@dataclass
class Session:
    """The shared options of one call.  The desk is opened when a command first asks for it."""

    workspace: Path | None = None
    environment: str | None = None
    json: bool = False
    plain: bool = False
    _desk: Desk | None = None

    @property
    def desk(self) -> Desk:
        """The service layer on the workspace, opened on first use."""
        if self._desk is None:
            from dr.engine.service.desk import open_desk

            self._desk = open_desk(self.workspace, self.environment)
            context = click.get_current_context(silent=True)
            if context is not None:
                context.call_on_close(self._desk.close)
        return self._desk

    @property
    def live(self) -> bool:
        """Whether a screen that repaints itself is wanted and possible."""
        return not (self.json or self.plain) and screen_possible(os.environ) and tty(sys.stdout)

    @property
    def colour(self) -> bool:
        """Whether escape sequences may be written to standard output."""
        return (
            not self.plain
            and "NO_COLOR" not in os.environ
            and os.environ.get("TERM", "") not in _UNSET_TERMINALS
            and tty(sys.stdout)
        )

    @property
    def asks(self) -> bool:
        """Whether a person sits at the keyboard and may be asked."""
        return not self.json and tty(sys.stdin) and tty(sys.stderr)

    def result(self, data: Mapping[str, Any] | list[Any]) -> None:
        """Print one JSON object on standard output."""
        click.echo(json_text(data, indent=2))

    def row(self, data: Mapping[str, Any]) -> None:
        """Print one line of NDJSON on standard output, at once."""
        click.echo(json_text(data))

    def say(self, text: str) -> None:
        """Tell the person something that is not the result."""
        click.echo(printable(text), err=True)

    def tell(self, text: str) -> None:
        """Print a line of the result."""
        click.echo(printable(text))


def tty(stream: Any) -> bool:
    """Return whether ``stream`` is a terminal; a closed one is none."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def screen_possible(environ: Mapping[str, str]) -> bool:
    """Return whether the terminal can repaint: not a dumb one, not a build server."""
    return environ.get("TERM", "") not in _UNSET_TERMINALS and not environ.get("CI")


def marks_ascii() -> bool:
    """Return whether standard output can not carry marks outside ASCII."""
    encoding = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "")
    return not encoding.startswith("utf")


def current() -> Session:
    """Return the session of the command that runs."""
    return click.get_current_context().ensure_object(Session)
