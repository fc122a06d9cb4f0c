"""``dr engine``: the engine process of a run, started by ``dr run`` and ``dr resume``."""

from __future__ import annotations

import click

from dr.cli.command import command
from dr.cli.network import enter_lab
from dr.cli.session import current
from dr.cli.text import N_


@command("engine", N_("The engine process of a run."), hidden=True)
@click.argument("run")
def engine(run: str) -> int:
    """Carry a run out in this process."""
    session = current()
    enter_lab(session)
    return int(session.desk.run_engine(run))
