"""``dr inventory``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from dr.cli.command import DrCommand, group
from dr.cli.failure import problem_data, problem_lines
from dr.cli.lines import Line, line, painted
from dr.cli.session import current
from dr.cli.text import N_, _, ngettext
from dr.cli.width import cells, pad
from dr.cli.words import say
from dr.engine.core.errors import ExitCode, UserError

_KINDS = (
    "hosts",
    "groups",
    "services",
    "people",
    "people_groups",
    "suppliers",
    "branches",
    "backups",
)

inventory = group("inventory", N_("Show or check hosts, services and people."))


@inventory.command(
    "show",
    cls=DrCommand,
    help=N_(
        "Show what the inventory of the environment holds.\n\n"
        "WHAT is hosts, groups, services, people, people_groups, suppliers, branches or backups; "
        "NAME is one of them."
    ),
)
@click.argument("what", required=False, type=click.Choice(_KINDS), metavar="[WHAT]")
@click.argument("name", required=False)
def show(what: str | None, name: str | None) -> None:
    """Show the inventory."""
    session = current()
    snapshot = session.desk.inventory
    if what is None:
        data: Any = {kind: snapshot.get(kind, {}) for kind in _KINDS}
    else:
        data = snapshot.get(what, {})
    if name is not None:
        if name not in data:
            raise UserError(
                _("the inventory has no '{name}' among its {kind}").format(name=name, kind=what),
                hint=_("There are: {names}.").format(names=", ".join(data) or "-"),
            )
        data = {name: data[name]}
    if session.json:
        session.result({"v": 1, **({what: data} if what else data)})
        return
    lines: list[Line] = []
    for kind, entries in ({what: data} if what else data).items():
        lines += [line((str(kind), "strong")), *_entries(entries), ()]
    click.echo(painted(lines[:-1], colour=session.colour))


def _entries(entries: Mapping[str, Any]) -> list[Line]:
    width = max((cells(name) for name in entries), default=0)
    return [
        line("  ", (pad(name, width), ""), "  ", (_about(entry), "dim"))
        for name, entry in entries.items()
    ] or [line(("  -", "dim"))]


def _about(entry: object) -> str:
    if isinstance(entry, list | tuple):
        return ", ".join(map(str, entry))
    if not isinstance(entry, Mapping):
        return str(entry)
    title = say(entry.get("title") or entry.get("name"))
    names = ("address", "host", "site", "service", "phone", "email", "verified_on")
    facts = [str(entry[n]) for n in names if isinstance(entry.get(n), str)]
    if isinstance(entry.get("members"), list):
        facts.append(", ".join(map(str, entry["members"])))
    return "  ".join(part for part in (title, *facts) if part)


@inventory.command(
    "check",
    cls=DrCommand,
    help=N_(
        "Check every file of the inventory, and what they say of one another.\n\n"
        "All problems are shown at once, each with its place in the file. Exit 0 when there is "
        "none, 2 when there is an error."
    ),
)
def check() -> int:
    """Check the inventory."""
    session = current()
    problems = session.desk.check_inventory()
    errors = [p for p in problems if p.severity == "error"]
    if session.json:
        session.result({"v": 1, "problems": [problem_data(p) for p in problems]})
    else:
        for problem in problems:
            click.echo("\n".join(problem_lines(problem)))
        session.say(ngettext("{n} error", "{n} errors", len(errors)).format(n=len(errors)))
    return ExitCode.USAGE if errors else ExitCode.DONE
