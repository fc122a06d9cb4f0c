"""``dr schema``."""

from __future__ import annotations

import click

from dr.cli.command import command
from dr.cli.session import current
from dr.cli.text import N_


@command(
    "schema",
    N_(
        "Print the JSON Schema of a file format.\n\n"
        "KIND is runbook (the default), or a file of the inventory such as services or people. "
        "Editors complete and check with it: see the first line of the shipped runbooks."
    ),
)
@click.argument("kind", default="runbook")
def schema(kind: str) -> None:
    """Print a schema."""
    from dr.engine.service.offline import schema_of

    current().result(schema_of(kind))
