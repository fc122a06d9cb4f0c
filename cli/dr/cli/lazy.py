"""A group whose sub-commands are imported only when they are called.

Three places of click would import every command: listing them in the help, completing their
names, and looking one up.  Only the last is left.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from dr.cli.command import Translated
from dr.cli.text import _


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command lives, and what the list of commands says of it."""

    target: str  # module:attribute
    help: str  # a msgid; a test holds it against the command's own
    hidden: bool = False


class LazyGroup(Translated, click.Group):
    """A group over a table of :class:`Lazy` commands, in the order of the table."""

    def __init__(self, *args: Any, commands_at: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the table."""
        return list(self.commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command called ``cmd_name``."""
        lazy = self.commands_at.get(cmd_name)
        if lazy is None:
            return None
        module, _sep, attribute = lazy.target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which one was perhaps meant."""
        name = args[0]
        if name not in self.commands_at and not name.startswith("-"):
            shown = [n for n, lazy in self.commands_at.items() if not lazy.hidden]
            near = difflib.get_close_matches(name, shown, n=1)
            message = _("No such command {name!r}.").format(name=name)
            if near:
                message += " " + _("Did you mean '{name}'?").format(name=near[0])
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        shown = {name: lazy for name, lazy in self.commands_at.items() if not lazy.hidden}
        rows = [(name, _(lazy.help)) for name, lazy in shown.items()]
        with formatter.section(_("Commands")):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names without importing them, else options."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=_(lazy.help))
            for name, lazy in self.commands_at.items()
            if name.startswith(incomplete) and not lazy.hidden
        ]
