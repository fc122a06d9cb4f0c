"""What every command of ``dr`` has: common options, help in both languages, wide characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.formatting import HelpFormatter

from dr.cli.session import Session
from dr.cli.text import CHINESE, ENGLISH, N_, _, shown
from dr.cli.text import use as use_language
from dr.cli.width import cells, pad, wrap

_DL_FIRST_MAX = 28
"""Beyond this many cells the second column of a definition list begins on its own line."""


class CellFormatter(HelpFormatter):
    """click's help, measured in cells instead of characters."""

    def write_text(self, text: str) -> None:
        """Write wrapped paragraphs; a paragraph after a line ``\\b`` keeps its lines."""
        margin = " " * self.current_indent
        blocks: list[str] = []
        for paragraph in text.strip().split("\n\n"):
            lines = [line.strip() for line in paragraph.strip().splitlines()]
            if lines and lines[0] == "\b":
                blocks.append("\n".join(margin + line for line in lines[1:]))
            else:
                joined = wrap(" ".join(lines), self.width, first=margin, rest=margin)
                blocks.append("\n".join(joined))
        self.write("\n\n".join(blocks) + "\n")

    def write_dl(
        self,
        rows: Iterable[tuple[str, str]],
        col_max: int = _DL_FIRST_MAX,
        col_spacing: int = 2,
    ) -> None:
        """Write terms and what they mean in two columns."""
        rows, margin = list(rows), " " * self.current_indent
        first = min(max((cells(term) for term, _ in rows), default=0), col_max) + col_spacing
        hang = " " * (self.current_indent + first)
        for term, meaning in rows:
            if cells(term) + col_spacing > first:
                self.write(f"{margin}{term}\n")
                lines = wrap(meaning, self.width, first=hang, rest=hang)
            else:
                lines = wrap(meaning, self.width, first=margin + pad(term, first), rest=hang)
            self.write("\n".join(lines) + "\n")


class DrContext(click.Context):
    """A context whose help is measured in cells."""

    formatter_class = CellFormatter


class DrOption(click.Option):
    """An option whose help is translated when it is shown."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the record with the help in the language in use."""
        written, self.help = self.help, shown(self.help)
        try:
            return super().get_help_record(ctx)
        finally:
            self.help = written


def common_options() -> list[click.Option]:
    """Return the options that every command takes, and ``dr`` itself before the command."""
    return [
        DrOption(
            ["-w", "--workspace"],
            type=click.Path(path_type=Path),
            metavar="DIR",
            expose_value=False,
            callback=_keep("workspace"),
            help=N_("The workspace: where dr.yaml lies."),
        ),
        DrOption(
            ["-e", "--env", "environment"],
            metavar="NAME",
            expose_value=False,
            callback=_keep("environment"),
            help=N_("The environment of the workspace to work in."),
        ),
        DrOption(
            ["--json", "as_json"],
            is_flag=True,
            expose_value=False,
            callback=_keep("json"),
            help=N_("Print JSON on standard output, errors included."),
        ),
        DrOption(
            ["--plain"],
            is_flag=True,
            expose_value=False,
            callback=_keep("plain"),
            help=N_("Plain lines: no colour, no live screen."),
        ),
        DrOption(
            ["--lang"],
            type=click.Choice(["en", "zh"]),
            expose_value=False,
            callback=_language,
            help=N_("The language to speak; else DR_LANG, else the locale."),
        ),
    ]


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        if value not in (None, False):
            setattr(ctx.ensure_object(Session), name, value)

    return keep


def _language(_ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        use_language(CHINESE if value == "zh" else ENGLISH)


class Translated(click.Command):
    """A command or group whose words are translated when they are shown."""

    context_class = DrContext

    def format_help_text(self, ctx: click.Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """Write the help in the language in use."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(shown(self.help))

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002
        """Return the first paragraph of the help in the language in use."""
        return " ".join(shown(self.help).split("\n\n")[0].split())

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return the option ``--help``, which click keeps in the language of its first use."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = _("Show this message and exit.")
        return option

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the pieces of the usage line, the word for options translated."""
        pieces = super().collect_usage_pieces(ctx)
        return [_("[OPTIONS]") if piece == "[OPTIONS]" else piece for piece in pieces]


class DrCommand(Translated):
    """A command with the common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *common_options()]


class DrGroup(Translated, click.Group):
    """A group of a few commands that live in one file."""

    command_class = DrCommand

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """List the commands with the first sentence of their help."""
        rows = [(name, one.get_short_help_str()) for name, one in self.commands.items()]
        with formatter.section(_("Commands")):
            formatter.write_dl(rows)


def group(name: str, help: str) -> DrGroup:
    """Return a group of commands.  ``help`` is a msgid."""
    return DrGroup(name, help=help, no_args_is_help=True, params=list(common_options()))


def command(
    name: str,
    help: str,
    *,
    hidden: bool = False,
) -> Callable[[Callable[..., Any]], DrCommand]:
    """Make a function a command.  ``help`` is a msgid, its first paragraph the short help."""

    def make(function: Callable[..., Any]) -> DrCommand:
        return click.command(name, cls=DrCommand, help=help, hidden=hidden)(function)

    return make


def option(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """Add an option whose help is translated when it is shown."""
    return click.option(*names, cls=DrOption, **attributes)


def pairs(values: Iterable[str], flag: str) -> dict[str, str]:
    """Read ``KEY=VALUE`` words.

    Raises:
        click.UsageError: a word has no ``=``.
    """
    found: dict[str, str] = {}
    for word in values:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise click.UsageError(
                _("{flag} takes KEY=VALUE, not {word!r}").format(flag=flag, word=word)
            )
        found[key.strip()] = value
    return found
