"""``dr reconcile``: the verbs that take evidence in and compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from dr.cli.command import command, option
from dr.cli.completing import people, runs
from dr.cli.finding import person
from dr.cli.lines import painted
from dr.cli.network import enter_lab
from dr.cli.reconcile_shown import BY, now, show, show_branch
from dr.cli.reconciled import copy_data, copy_lines, preview_data, preview_lines
from dr.cli.sayings import say_error
from dr.cli.session import current
from dr.cli.text import N_, _
from dr.engine.core.errors import ExitCode


@command(
    "load",
    N_(
        "Hand in a branch's ledger, and compare the branch with it.\n\n"
        "The file is kept as evidence under its SHA-256. A later file replaces an earlier one in "
        "the comparison, never in the evidence; only this branch is compared again. A closed "
        "reconciliation is opened again by it. paper is a CSV sheet of receipts typed in, with "
        "the columns of ledgers.yaml; queue is work that was never sent; both add to a ledger. "
        "A photo is kept for people to look at, and changes nothing.\n\n"
        "--database asks the branch's own database, as branches.yaml and ledgers.yaml declare it."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("branch")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@option("--database", is_flag=True, help=N_("Ask its own database in place of FILE."))
@option(
    "--via",
    type=click.Choice(("file", "paper", "queue", "photo")),
    default="file",
    help=N_("How it came."),
)
@BY
def load(
    run: str, branch: str, file: Path | None, via: str, by: str | None, *, database: bool
) -> None:
    """Hand in evidence."""
    if database is (file is not None):
        raise click.UsageError(_("name a FILE, or --database"))
    session = current()
    enter_lab(session)
    with session.desk.comparing(run) as comparing:
        if file is None:
            done = comparing.load_database(run, branch, by=person(by))
        else:
            done = comparing.load(run, branch, file, by=person(by), via=via)
    show_branch(session, run, done)


@command(
    "copy",
    N_(
        "Compare the recovered database with another copy of it, such as the old primary's.\n\n"
        "Both are only read, where they lie; little more than what differs is moved. HOST is one "
        "of the inventory, with the same service's database running on it. Exit 3 when they "
        "differ.\n\n"
        "--hand-in takes what the copy has and the database has not, or has otherwise, as evidence "
        "of the branches it names, so that it becomes cases: a branch's own ledger goes first, and "
        "a branch that handed in nothing still has to answer."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("host")
@option("--everything", is_flag=True, help=N_("All records, and not those of the window only."))
@option("--hand-in", is_flag=True, help=N_("Make cases of what the copy has more, or otherwise."))
@BY
def copy(run: str, host: str, by: str | None, *, everything: bool, hand_in: bool) -> int:
    """Compare with a copy."""
    session = current()
    enter_lab(session)
    with session.desk.comparing(run) as comparing:
        found = comparing.copies.compare(run, host, everything=everything)
        taken = comparing.copies.hand_in(run, host, found, by=person(by)) if hand_in else None
    if session.json:
        session.result({"v": 1, "run": run, **copy_data(host, found, taken)})
    else:
        click.echo(painted(copy_lines(host, found, now()), colour=session.colour))
        for name in taken or ():
            session.tell(_("handed in for {branch}").format(branch=name))
    return ExitCode.WAITING if found.found else ExitCode.DONE


@command(
    "totals",
    N_(
        "Take a count and a total that a branch says on the telephone, when nothing else works.\n\n"
        "They count only while the branch has handed in nothing with lines."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("branch")
@click.argument("day", metavar="YYYY-MM-DD")
@click.argument("number", type=click.IntRange(min=0), metavar="COUNT")
@option("--amount", metavar="YUAN", help=N_("Their sum."))
@option("--first", default="", metavar="SERIAL", help=N_("The first form used."))
@option("--last", default="", metavar="SERIAL", help=N_("The last form used."))
@option(
    "--heard-by",
    "heard",
    multiple=True,
    metavar="PERSON",
    shell_complete=people,
    help=N_("Who heard it; twice."),
)
@BY
def totals(  # noqa: PLR0913, PLR0917 (one for each option)
    run: str,
    branch: str,
    day: str,
    number: int,
    amount: str | None,
    first: str,
    last: str,
    heard: tuple[str, ...],
    by: str | None,
) -> None:
    """Take totals."""
    session = current()
    enter_lab(session)
    with session.desk.comparing(run) as comparing:
        done = comparing.tell(
            run, branch, (day, number, amount, first, last), by=person(by), heard_by=heard
        )
    show_branch(session, run, done)


@command(
    "template",
    N_(
        "Write an empty ledger for a branch to fill in: CSV, or a workbook of text cells.\n\n"
        "FILE ends in .csv or .xlsx; it must not be there yet."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("branch")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def template(run: str, branch: str, file: Path) -> None:
    """Write a template."""
    session = current()
    session.desk.understanding.write_template(run, branch, file)
    if session.json:
        session.result({"v": 1, "file": str(file)})
    else:
        click.echo(str(file))


@command("preview", N_("Show how the first rows of a file would be understood; nothing is kept."))
@click.argument("run", shell_complete=runs)
@click.argument("branch")
@click.argument("file", type=click.Path(path_type=Path))
def preview(run: str, branch: str, file: Path) -> None:
    """Preview a file."""
    session = current()
    seen = session.desk.understanding.preview(run, branch, file)
    if session.json:
        session.result({"v": 1, **preview_data(seen)})
    else:
        click.echo(painted(preview_lines(seen), colour=session.colour))


@command(
    "recheck",
    N_(
        "Compare again with the recovered database: what was corrected is proven by it.\n\n"
        "With --fetch the ledgers of branches that dr can reach are read again first; exit 1 when "
        "one could not be. Without BRANCH all of them are compared."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("branches", nargs=-1, metavar="[BRANCH]...")
@option("--fetch", is_flag=True, help=N_("Read the branches' ledgers again first."))
def recheck(run: str, branches: tuple[str, ...], fetch: bool) -> int:
    """Compare again."""
    session = current()
    enter_lab(session)
    unread: Mapping[str, str] = {}
    with session.desk.comparing(run) as comparing:
        if fetch:
            unread = comparing.fetch(run, branches)
        else:
            comparing.recheck(run, branches)
    at = session.desk.reconciling.open(run)
    show(session, at.record.id, at.session, unread=unread)
    for name, because in unread.items():
        words = _("the ledger of {branch} could not be read again: {because}")
        session.say(words.format(branch=name, because=say_error(because)))
    return ExitCode.FAILED if unread else ExitCode.DONE


EVIDENCE_COMMANDS = (load, copy, totals, template, preview, recheck)
