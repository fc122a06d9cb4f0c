"""``dr standing``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from dr.cli.asking import reason_for
from dr.cli.command import DrCommand, group, option
from dr.cli.completing import people, runbooks
from dr.cli.deciding import said_by
from dr.cli.session import current
from dr.cli.text import N_, _
from dr.engine.core.errors import UserError
from dr.engine.core.values import parse_duration

standing = group("standing", N_("Sign an authorisation beforehand, within bounds."))


@standing.command(
    "sign",
    cls=DrCommand,
    help=N_(
        "Sign a standing authorisation.\n\n"
        "It answers the gates of RUNBOOK that allow it, as long as the way back, the data loss and "
        "the day are within its bounds; the report names it each time. Anything outside still asks "
        "people."
    ),
)
@click.argument("runbook", shell_complete=runbooks)
@option(
    "--rung",
    "rungs",
    multiple=True,
    required=True,
    metavar="RUNG",
    help=N_("A way back that it covers; may be given several times."),
)
@option(
    "--gate",
    "gates",
    multiple=True,
    metavar="GATE",
    help=N_("A gate that it answers; without it every one that allows it."),
)
@option("--reason", metavar="TEXT", help=N_("Why; required, goes into every report that uses it."))
@option("--max-loss", metavar="TIME", required=True, help=N_("The greatest data loss it covers."))
@option(
    "--expires",
    metavar="DAY",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    help=N_("The last day that it holds, such as 2027-12-31."),
)
@option(
    "--by",
    metavar="PERSON",
    shell_complete=people,
    help=N_("Who signs; else $DR_PERSON, else whose key it is."),
)
@option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="DR_KEY",
    help=N_("Your private SSH key; else $DR_KEY, else the SSH agent."),
)
def sign(
    runbook: str,
    rungs: tuple[str, ...],
    gates: tuple[str, ...],
    reason: str | None,
    max_loss: str,
    expires: datetime,
    by: str | None,
    key: Path | None,
) -> None:
    """Sign a standing authorisation."""
    session = current()
    try:
        loss_s = parse_duration(max_loss).total_seconds()
    except ValueError as error:
        raise UserError(
            str(error), hint=_("Write a number and a unit, such as 30s or 5m.")
        ) from None
    # the whole of the last day, where the person is
    end = expires.replace(hour=23, minute=59, second=59).astimezone()
    path = session.desk.approvals.sign_standing(
        runbook=runbook,
        rung=rungs,
        gates=gates,
        reason=reason_for(session, reason, "--reason"),
        max_loss_s=loss_s,
        expires=end,
        by=said_by(session, by, key, None),
        key=key,
    )
    if session.json:
        session.result({"v": 1, "path": str(path)})
    else:
        click.echo(path)
