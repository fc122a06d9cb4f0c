"""What the verbs of ``dr reconcile`` show when they are done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import click

from dr.cli.command import option
from dr.cli.completing import people
from dr.cli.lines import painted
from dr.cli.reconciled import branch_lines, case_data, case_lines, session_data, session_lines
from dr.cli.session import Session
from dr.cli.text import N_
from dr.engine.core.reconciliation import Branch
from dr.engine.core.reconciliation import Session as Reconciliation

BY = option(
    "--by", metavar="PERSON", shell_complete=people, help=N_("Who says so; else $DR_PERSON.")
)


def now() -> datetime:
    """Return the moment: states of a session depend on it."""
    return datetime.now(UTC)


def show(
    session: Session,
    run: str,
    found: Reconciliation,
    *,
    everything: bool = False,
    unread: Mapping[str, str] | None = None,
) -> None:
    """Show how a session stands; ``unread`` are branches whose ledger could not be read again."""
    if session.json:
        told = {} if unread is None else {"unread": unread}
        data = session_data(run, found, now(), found.branches.values())
        session.result({"v": 1, **data, **told})
    else:
        lines = session_lines(run, found, now(), everything=everything)
        click.echo(painted(lines, colour=session.colour))


def show_branch(session: Session, run: str, done: Branch) -> None:
    """Show how a branch stands."""
    at = session.desk.reconciling.open(run)
    if session.json:
        session.result({"v": 1, **session_data(at.record.id, at.session, now(), [done])})
    else:
        click.echo(painted(branch_lines(at.session, [done], now()), colour=session.colour))


def show_cases(session: Session, run: str, cases: tuple[str, ...]) -> None:
    """Show cases as they stand now."""
    at = session.desk.reconciling.open(run)
    found = [at.case(case)[1] for case in cases]
    if session.json:
        session.result({"v": 1, "run": at.record.id, "cases": [case_data(c) for c in found]})
    else:
        click.echo(painted(case_lines(found), colour=session.colour))
