"""``dr reconcile``: branches compare, correct and sign off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from dr.cli.command import DrCommand, group, option
from dr.cli.completing import people, runs
from dr.cli.deciding import signature_in
from dr.cli.finding import person, run_id
from dr.cli.lines import painted
from dr.cli.network import enter_lab
from dr.cli.reconcile_evidence import EVIDENCE_COMMANDS
from dr.cli.reconcile_files import FILE_COMMANDS, languages, take_list_back
from dr.cli.reconcile_shown import BY, now, show, show_branch, show_cases
from dr.cli.reconciled import (
    case_data,
    case_lines,
    form_lines,
)
from dr.cli.session import current
from dr.cli.text import N_, _, ngettext
from dr.engine.core.errors import ExitCode
from dr.engine.core.reconciliation import BranchState, Resolution

_KEY = option(
    "--key", type=click.Path(path_type=Path, dir_okay=False), help=N_("Your private SSH key.")
)
_RESOLUTIONS = tuple(str(each) for each in Resolution)

reconcile = group("reconcile", N_("Have the branches compare, correct and sign off."))


def _add(name: str, text: str) -> Callable[[Callable[..., Any]], click.Command]:
    return reconcile.command(name, cls=DrCommand, help=text)


@_add(
    "open",
    N_(
        "Open the reconciliation of a run that compared its branches and ended without one.\n\n"
        "A run whose runbook has a step 'uses: reconcile.close' opens it by itself."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@BY
def open_(run: str | None, by: str | None) -> None:
    """Open a session."""
    session = current()
    found = session.desk.reconciling.begin(run_id(session.desk, run, unfinished=False), person(by))
    show(session, found.record.id, found.session)


@_add(
    "status",
    N_(
        "Show how the branches stand: who handed in, what is open, what it is worth.\n\n"
        "Exit 0 when the reconciliation is closed, 3 while branches are awaited."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option("--all", "everything", is_flag=True, help=N_("List the branches that have signed too."))
def status(run: str | None, everything: bool) -> int:
    """Show how a session stands."""
    session = current()
    at = session.desk.reconciling.open(run_id(session.desk, run, unfinished=False))
    show(session, at.record.id, at.session, everything=everything)
    return ExitCode.DONE if at.session.closed else ExitCode.WAITING


@_add(
    "breaks",
    N_(
        "List what differs between the branches and the recovered database.\n\n"
        "With BRANCH only its own; with --all also what is settled. A case is named by the first "
        "characters of its id."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("branch", required=False)
@option("--all", "everything", is_flag=True, help=N_("List what is settled too."))
def breaks(run: str, branch: str | None, everything: bool) -> int:
    """List cases."""
    session = current()
    at = session.desk.reconciling.open(run)
    branches = [at.branch(branch)] if branch else list(at.session.branches.values())
    cases = [c for b in branches for c in b.cases.values() if everything or c.is_open]
    if session.json:
        session.result({"v": 1, "run": at.record.id, "cases": [case_data(c) for c in cases]})
    else:
        click.echo(painted(case_lines(cases), colour=session.colour))
        session.say(ngettext("{n} case", "{n} cases", len(cases)).format(n=len(cases)))
    return ExitCode.WAITING if any(case.is_open for case in cases) else ExitCode.DONE


for _command in EVIDENCE_COMMANDS:  # in the order of the work, as the help lists them
    reconcile.add_command(_command)


@_add(
    "resolve",
    N_(
        "Say what is to be done about a case; who does is its maker.\n\n"
        "re-enter, void and adjust change the database through the registration application; only "
        "a new comparison proves them. accept and lost are settled once another person agrees "
        "with 'dr reconcile approve'. refer leaves it open for somebody else.\n\n"
        "--from takes a list of 'dr reconcile worklist' that was filled in: all of it, or none "
        "when a row is wrong. Exit 3 when rows are left for another maker to hand in."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("cases", nargs=-1, metavar="[CASE]...")
@option(
    "--from",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=N_("A filled-in work-list, in place of CASE, --as, --reason and --reference."),
)
@option(
    "--as",
    "resolution",
    type=click.Choice(_RESOLUTIONS),
    help=N_("What is to be done."),
)
@option("--reason", metavar="TEXT", default="", help=N_("Why; goes into the journal."))
@option("--reference", metavar="TEXT", default="", help=N_("Where the correction was entered."))
@BY
def resolve(
    run: str,
    cases: tuple[str, ...],
    file: Path | None,
    resolution: str | None,
    reason: str,
    reference: str,
    by: str | None,
) -> int:
    """Propose."""
    if file is not None:
        if cases or resolution or reason or reference:
            raise click.UsageError(_("--from takes everything from the list: name nothing else"))
        return take_list_back(run, file, person(by))
    if not cases or resolution is None:
        raise click.UsageError(
            _("name cases and what is to be done with --as, or a list with --from")
        )
    session, who = current(), person(by)
    session.desk.reconciling.propose(
        run, *cases, resolution=resolution, by=who, reason=reason, reference=reference
    )
    show_cases(session, run, cases)
    return ExitCode.DONE


@_add("approve", N_("Agree to what was proposed for cases; who proposed it can not."))
@click.argument("run", shell_complete=runs)
@click.argument("cases", nargs=-1, required=True, metavar="CASE...")
@BY
def approve(run: str, cases: tuple[str, ...], by: str | None) -> None:
    """Approve."""
    session, who = current(), person(by)
    session.desk.reconciling.approve(run, *cases, by=who)
    show_cases(session, run, cases)


@_add("dispute", N_("Send what was proposed for cases back; they are open again."))
@click.argument("run", shell_complete=runs)
@click.argument("cases", nargs=-1, required=True, metavar="CASE...")
@option("--reason", metavar="TEXT", default="", help=N_("Why; goes into the journal."))
@BY
def dispute(run: str, cases: tuple[str, ...], reason: str, by: str | None) -> None:
    """Dispute."""
    session, who = current(), person(by)
    session.desk.reconciling.dispute(run, *cases, by=who, reason=reason)
    show_cases(session, run, cases)


@_add("assign", N_("Give cases to somebody of their branch."))
@click.argument("run", shell_complete=runs)
@click.argument("cases", nargs=-1, required=True, metavar="CASE...")
@option("--to", "owner", metavar="PERSON", required=True, help=N_("Who is to see to them."))
@BY
def assign(run: str, cases: tuple[str, ...], owner: str, by: str | None) -> None:
    """Assign."""
    session = current()
    session.desk.reconciling.assign(run, cases, by=person(by), owner=owner)
    show_cases(session, run, cases)


@_add(
    "statement",
    N_(
        "Print the text that a branch signs, to be signed on another machine.\n\n"
        "With --code: the 12 digits that its head reads back over the telephone."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("branch")
@option("--code", is_flag=True, help=N_("Print the digits instead."))
def statement(run: str, branch: str, code: bool) -> None:
    """Print a statement."""
    signing = current().desk.branch_signing
    click.echo(signing.code(run, branch) if code else signing.statement(run, branch))


@_add(
    "signoff",
    N_(
        "Sign for a branch: its ledger, the result and every resolution, with its head's own key."
        "\n\n"
        "What was signed elsewhere, with 'ssh-keygen -Y sign' over the text of 'dr reconcile "
        "statement': --signature FILE. A later difference voids the signature."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("branch")
@_KEY
@option(
    "--signature",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=N_("A signature made elsewhere over the statement as it is now."),
)
@BY
def signoff(
    run: str, branch: str, key: Path | None, signature: Path | None, by: str | None
) -> None:
    """Sign for a branch."""
    session = current()
    made = signature_in(signature) if signature else ""
    done = session.desk.branch_signing.sign(run, branch, by=person(by), key=key, signature=made)
    show_branch(session, run, done)


@_add(
    "voice",
    N_(
        "Record a sign-off that was spoken over the telephone and heard by two witnesses.\n\n"
        "DIGITS are those of 'dr reconcile statement --code', as the head read them back."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("branch")
@click.argument("digits")
@option(
    "--witness",
    "witnesses",
    multiple=True,
    metavar="PERSON",
    shell_complete=people,
    help=N_("Who heard it; twice."),
)
@BY
def voice(run: str, branch: str, digits: str, witnesses: tuple[str, ...], by: str | None) -> None:
    """Record a spoken sign-off."""
    session = current()
    done = session.desk.branch_signing.voice(
        run, branch, by=person(by), code=digits, witnesses=witnesses
    )
    show_branch(session, run, done)


@_add(
    "waive",
    N_(
        "Let the reconciliation close without some branches, signed by leadership.\n\n"
        "They are named in the report and stay a debt. Without BRANCH: all that have not signed."
    ),
)
@click.argument("run", shell_complete=runs)
@click.argument("branches", nargs=-1, metavar="[BRANCH]...")
@option("--reason", metavar="TEXT", default="", help=N_("Why; goes into the journal."))
@_KEY
@BY
def waive(
    run: str, branches: tuple[str, ...], reason: str, key: Path | None, by: str | None
) -> None:
    """Waive branches."""
    session = current()
    at = session.desk.reconciling.open(run)
    named = list(branches) or [
        name
        for name, branch in at.session.branches.items()
        if at.session.state_of(branch, now()) is not BranchState.SIGNED
    ]
    done = session.desk.branch_signing.waive(run, named, by=person(by), reason=reason, key=key)
    show(session, at.record.id, done)


@_add(
    "certificates",
    N_(
        "Account for numbered certificates: issued, used, void, stolen, missing, double.\n\n"
        "The register is serial-blocks.csv of the inventory, as the run keeps it; used numbers are "
        "counted in the recovered database. Counts and ranges of stolen forms are for the superior "
        "body: with --output they are written as .docx and HTML in both languages, in one when "
        "--lang is given. Exit 1 when a stolen form was used."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help=N_("Write the report into this folder."),
)
def certificates(run: str | None, folder: Path | None) -> int:
    """Account for certificates."""
    session = current()
    found = run_id(session.desk, run, unfinished=False)
    enter_lab(session)
    with session.desk.comparing(found) as comparing:
        forms = comparing.forms(found)
    written: Sequence[Path] = ()
    if folder is not None:
        reports = session.desk.reconciliation_reports
        written = reports.certificates(found, forms, folder=folder, languages=languages())
    if session.json:
        told = {} if folder is None else {"files": [str(path) for path in written]}
        branches = [each.to_data() for each in forms]
        session.result({"v": 1, "run": found, "branches": branches, **told})
    else:
        click.echo(painted(form_lines(forms), colour=session.colour))
        for path in written:
            session.tell(str(path))
    return ExitCode.FAILED if any(each.stolen_used for each in forms) else ExitCode.DONE


@_add(
    "close",
    N_(
        "Close the reconciliation, now that its rule is met.\n\n"
        "An engine that waits for it closes it by itself."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@BY
def close(run: str | None, by: str | None) -> None:
    """Close a session."""
    session = current()
    found = run_id(session.desk, run, unfinished=False)
    show(session, found, session.desk.reconciling.close(found, by=person(by)))


@_add("reopen", N_("Open a closed reconciliation again."))
@click.argument("run", shell_complete=runs)
@option("--because", metavar="TEXT", default="", help=N_("Why; goes into the journal."))
@BY
def reopen(run: str, because: str, by: str | None) -> None:
    """Open a session again."""
    session = current()
    done = session.desk.reconciling.reopen(run, by=person(by), because=because)
    show(session, run, done)


for _command in FILE_COMMANDS:
    reconcile.add_command(_command)
