#!/usr/bin/env python3
"""Write docs/reference/commands.md from the help of the commands themselves.

.venv/bin/python scripts/commands_page.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from dr.cli.app import VERBS, root_command
from dr.cli.text import ENGLISH, use

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/commands.md"
_COLUMNS = 80

_HEAD = """\
# Commands

This page is what `dr COMMAND --help` prints, written by `scripts/commands_page.py`; a test holds
the two together. The same help is there in Chinese: `dr --lang zh COMMAND --help`.

- Standard output carries the result, standard error progress, prompts and errors.
- `--json` prints one JSON object, for `run`, `attach`, `resume` and `log` one object a line; an
  error is `{"v": 1, "error": {"code", "message", "hint", "problems"}}` on standard output.
- On a terminal `run`, `attach` and `resume` show a screen that repaints itself; elsewhere, with
  `--plain`, `TERM=dumb` or `CI` one line for each change, local time first, and one each minute
  when nothing happens. `NO_COLOR` is obeyed. No meaning is carried by colour alone.
- Nobody is asked anything unless standard input is a terminal: elsewhere the command ends with
  exit code 2 and names the flag that would have answered.
- `run`, `attach` and `resume` keep following while the run waits for people, on a terminal and
  elsewhere; with `--no-wait` they end then, with exit code 3. Ctrl-C leaves the view with 130;
  the run goes on.
- The RUN may be left out when only one is not over; `last` is the newest, and a unique part of an
  id is enough. Exit codes are on their own page, [exit codes](exit-codes.md).

| variable | meaning |
|---|---|
| `DR_WORKSPACE` | the workspace, in place of `--workspace` |
| `DR_DATABASE_URL` | where the journal is, in place of the file in the workspace |
| `DR_LANG` | `en` or `zh` |
| `DR_PERSON` | who acts, in place of `--by` |
| `DR_KEY` | the private SSH key that signs, in place of `--key` |
| `DR_LAB` | the directory of the lab, in place of `--dir` |
"""


def pages() -> Iterator[tuple[str, str]]:
    """Yield each command with the help that it prints, in the order of ``dr --help``."""
    root = root_command()
    ctx = root.make_context("dr", [], resilient_parsing=True, terminal_width=_COLUMNS)
    yield "dr", root.get_help(ctx)
    for name, lazy in VERBS.items():
        command = root.get_command(ctx, name)
        if command is not None and not lazy.hidden:
            yield from _pages(command, ctx, f"dr {name}")


def _pages(command: click.Command, parent: click.Context, path: str) -> Iterator[tuple[str, str]]:
    words = path.rsplit(maxsplit=1)[-1]
    ctx = command.make_context(
        words, [], parent=parent, resilient_parsing=True, terminal_width=_COLUMNS
    )
    yield path, command.get_help(ctx)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            sub = command.get_command(ctx, name)
            if sub is not None:
                yield from _pages(sub, ctx, f"{path} {name}")


def page() -> str:
    """Return the whole page."""
    use(ENGLISH)
    parts = [f"## {path}\n\n```text\n{text.rstrip()}\n```\n" for path, text in pages()]
    return "\n".join([_HEAD, *parts])


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
