"""``dr init``."""

from __future__ import annotations

from pathlib import Path

import click

from dr.cli.command import command
from dr.cli.session import current
from dr.cli.text import N_, _


@command(
    "init",
    N_(
        "Make a new workspace.\n\n"
        "Writes dr.yaml, an inventory to fill in and a place for your own runbooks into DIRECTORY."
    ),
)
@click.argument("directory", type=click.Path(path_type=Path), default=".")
def init(directory: Path) -> None:
    """Make a new workspace."""
    from dr.inventory.scaffold import init_workspace

    session = current()
    written = [str(path) for path in init_workspace(directory)]
    if session.json:
        session.result({"v": 1, "directory": str(directory), "written": written})
        return
    for path in written:
        click.echo(path)
    session.say(
        _("next: fill in the inventory, then 'dr inventory check' in {directory}").format(
            directory=directory
        )
    )
