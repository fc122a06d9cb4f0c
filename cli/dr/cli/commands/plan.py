"""``dr plan``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dr.cli.command import command, option, pairs
from dr.cli.completing import runbooks
from dr.cli.lines import painted
from dr.cli.network import enter_lab
from dr.cli.plan_screen import draw_plan
from dr.cli.session import current
from dr.cli.terminal import width
from dr.cli.text import N_, _
from dr.engine.core.errors import ExitCode


@command(
    "plan",
    N_(
        "Show what a runbook would do, and whether it fits the RTO.\n\n"
        "Nothing is sent to any host, unless --probe asks what is already done: then only "
        "read-only looks are taken, by connections that can not write. "
        "Exit 0 when it could run, 1 when it could not."
    ),
)
@click.argument("runbook", shell_complete=runbooks)
@option("-i", "--input", "inputs", multiple=True, metavar="KEY=VALUE", help=N_("An input."))
@option("--drill", is_flag=True, help=N_("Plan a drill: steps do what they declare for drills."))
@option("--probe", is_flag=True, help=N_("Ask the hosts what is already done; reads only."))
@option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help=N_("Write the plan to a file, for 'dr run --plan'."),
)
@option("--details", is_flag=True, help=N_("Also show the commands of each step."))
def plan(
    runbook: str,
    inputs: tuple[str, ...],
    drill: bool,
    probe: bool,
    output: Path | None,
    details: bool,
) -> int:
    """Show a plan."""
    session = current()
    given = pairs(inputs, "--input")
    if probe:
        enter_lab(session)
    desk = session.desk
    data = desk.plan(runbook, given, probe=probe, mode="drill" if drill else "real").to_data()
    if output is not None:
        text = json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True)
        output.write_text(text + "\n", encoding="utf-8")
        session.say(_("plan written to {path}").format(path=output))
    if session.json:
        session.result(data)
    else:
        lines = draw_plan(data, kind=str(desk.environment.kind), width=width(), details=details)
        click.echo(painted(lines, colour=session.colour))
    return ExitCode.FAILED if data.get("ready") is False else ExitCode.DONE
