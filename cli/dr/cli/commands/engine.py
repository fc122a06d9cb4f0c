"""``dr engine``: the engine process of a run, started by ``dr run`` and ``dr resume``."""

from __future__ import annotations

import click

from dr.cli.command import command, option
from dr.cli.network import enter_lab
from dr.cli.session import current
from dr.cli.text import N_


@command("engine", N_("The engine process of a run."), hidden=True)
@click.argument("run")
@option("--taken-by", "by", metavar="PERSON")
@option("--because", metavar="TEXT")
def engine(run: str, by: str | None, because: str | None) -> int:
    """Carry a run out in this process."""
    session = current()
    enter_lab(session)
    return int(session.desk.run_engine(run, (by, because or "") if by else None))
