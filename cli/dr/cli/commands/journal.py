"""``dr journal``."""

from __future__ import annotations

import click

from dr.cli.command import DrCommand, group, option
from dr.cli.completing import runs
from dr.cli.finding import run_id
from dr.cli.session import current
from dr.cli.text import N_, _, ngettext
from dr.engine.core.errors import ExitCode

journal = group("journal", N_("Check the journal of a run."))


@journal.command(
    "verify",
    cls=DrCommand,
    help=N_(
        "Check that no row of the journal was changed, lost or added by hand.\n\n"
        "Exit 0 when the chain of hashes holds, 1 when it does not; the first bad row is named."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option("--all", "everything", is_flag=True, help=N_("Check every run."))
def verify(run: str | None, everything: bool) -> int:
    """Check the chain."""
    session = current()
    desk = session.desk
    found = (
        [record.id for record in desk.runs()]
        if everything
        else [run_id(desk, run, unfinished=False)]
    )
    verdicts = {one: desk.verify(one) for one in found}
    if session.json:
        names = ("ok", "rows", "first_bad", "because", "head")
        data = [
            {"run": one, **{name: getattr(verdict, name) for name in names}}
            for one, verdict in verdicts.items()
        ]
        session.result({"v": 1, "runs": data})
    else:
        for one, verdict in verdicts.items():
            click.echo(f"{one}: {_words(verdict)}")
    intact = all(verdict.ok for verdict in verdicts.values())
    return ExitCode.DONE if intact else ExitCode.FAILED


def _words(verdict: object) -> str:
    rows = int(getattr(verdict, "rows", 0))
    counted = ngettext("{n} row", "{n} rows", rows).format(n=rows)
    if getattr(verdict, "ok", False):
        return _("intact, {rows}, head {head}").format(
            rows=counted, head=getattr(verdict, "head", "")
        )
    return _("NOT INTACT at row {row} of {rows}: {because}").format(
        row=getattr(verdict, "first_bad", "?"),
        rows=counted,
        because=_(str(getattr(verdict, "because", ""))),
    )
