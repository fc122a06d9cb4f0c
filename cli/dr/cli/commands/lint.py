"""``dr lint``."""

from __future__ import annotations

from typing import Any

import click

from dr.cli.command import command, option
from dr.cli.completing import runbook_files
from dr.cli.failure import problem_data, problem_lines
from dr.cli.session import Session, current
from dr.cli.text import N_, ngettext
from dr.engine.core.errors import ExitCode


@command(
    "lint",
    N_(
        "Check runbooks without touching anything.\n\n"
        "FILES are runbooks by name or by path; without any, every runbook of the workspace. "
        "All problems are shown at once, each with its place in the file. "
        "Exit 0 when there is none, 2 when there is an error."
    ),
)
@click.argument("files", nargs=-1, shell_complete=runbook_files)
@option(
    "--release",
    is_flag=True,
    help=N_("Also what a released runbook must have: both languages everywhere."),
)
def lint(files: tuple[str, ...], release: bool) -> int:
    """Check runbooks."""
    session = current()
    from dr.engine.service.offline import lint_files, runbook_paths

    problems = lint_files(runbook_paths(_workspace(session), files), release=release)
    errors = [p for p in problems if p.severity == "error"]
    if session.json:
        session.result({"v": 1, "problems": [problem_data(p) for p in problems]})
    else:
        for problem in problems:
            click.echo("\n".join(problem_lines(problem)))
        counted = ngettext("{n} error", "{n} errors", len(errors)).format(n=len(errors))
        session.say(counted)
    return ExitCode.USAGE if errors else ExitCode.DONE


def _workspace(session: Session) -> Any:
    """Return the workspace to look names up in; None where there is none."""
    from dr.engine.service.glance import find_workplace

    return session.desk.workspace if find_workplace(session.workspace) else None
