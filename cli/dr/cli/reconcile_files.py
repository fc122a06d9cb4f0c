"""``dr reconcile``: the verbs that write files, and the list that comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from dr.cli.command import command, option
from dr.cli.completing import runs
from dr.cli.finding import run_id
from dr.cli.session import Session, current
from dr.cli.text import CHINESE, N_, _, language, ngettext
from dr.engine.core.errors import ExitCode

if TYPE_CHECKING:
    from dr.engine.service.worklists import Left, Taken

_LEFT = {
    "settled": N_("row {row}: case {case} is settled ({outcome}, {who}); it stays as it is"),
    "taken": N_("row {row}: case {case} was taken by {who} ({outcome}); it stays as it is"),
    "another": N_("row {row}: case {case} was filled in by {who}, who hands the list in with --by"),
}
_FOLDER = click.Path(path_type=Path, file_okay=False)
_RUN = click.argument("run", shell_complete=runs)
_BRANCHES = click.argument("branches", nargs=-1, metavar="[BRANCH]...")
_TO = option(
    "-o", "--output", "folder", type=_FOLDER, required=True, help=N_("The folder to write to.")
)


@command(
    "worklist",
    N_(
        "Write the open cases of branches as XLSX, to be filled in and handed back.\n\n"
        "One file for each BRANCH; without names for every branch with open cases. Every cell is "
        "text. Take a filled-in list back with 'dr reconcile resolve RUN --from FILE --by MAKER'."
    ),
)
@_RUN
@_BRANCHES
@_TO
def worklist(run: str, branches: tuple[str, ...], folder: Path) -> None:
    """Write work-lists."""
    session = current()
    show_files(session, run, session.desk.worklists.write(run, branches, folder))


@command(
    "corrections",
    N_(
        "Write the approved corrections for the registration application, as CSV and JSON.\n\n"
        "What is to be entered again, voided or adjusted and is not proven yet, in the original "
        "order of acceptance; each says whether that order can be kept. It is never SQL. In the "
        "CSV a value that a spreadsheet might carry out stands behind an apostrophe; the JSON has "
        "it exact."
    ),
)
@_RUN
@_BRANCHES
@_TO
def corrections(run: str, branches: tuple[str, ...], folder: Path) -> None:
    """Write corrections."""
    session = current()
    show_files(session, run, session.desk.worklists.corrections(run, branches, folder))


@command(
    "report",
    N_(
        "Write the report of the reconciliation: of the bureau, or of each BRANCH named.\n\n"
        "As .docx and HTML in both languages, in one when --lang is given, and for the bureau as "
        "JSON; every signature is checked again. Without --output among the reports of the run."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@_BRANCHES
@option("-o", "--output", "folder", type=_FOLDER, help=N_("The folder to write to."))
def report(run: str | None, branches: tuple[str, ...], folder: Path | None) -> None:
    """Write reports."""
    session = current()
    found = run_id(session.desk, run, unfinished=False)
    written = session.desk.reconciliation_reports.write(
        found, branches, folder=folder, languages=languages()
    )
    show_files(session, found, written)


FILE_COMMANDS = (worklist, corrections, report)


def languages() -> Sequence[str]:
    """Return both languages, or the one that was asked for on the command line."""
    context = click.get_current_context(silent=True)
    while context is not None:
        if context.get_parameter_source("lang") is ParameterSource.COMMANDLINE:
            return ("zh",) if language() == CHINESE else ("en",)
        context = context.parent
    return "en", "zh"


def show_files(session: Session, run: str, written: Sequence[Path]) -> None:
    if session.json:
        session.result({"v": 1, "run": run, "files": [str(path) for path in written]})
        return
    for path in written:
        session.tell(str(path))


def take_list_back(run: str, path: Path, by: str) -> ExitCode:
    """Propose what a filled-in list says, and say what became of each row."""
    session = current()
    taken = session.desk.worklists.take_back(run, path, by=by)
    if session.json:
        session.result({"v": 1, "run": run, **_taken_data(taken)})
    else:
        for left in taken.left:
            session.tell(_left(left))
        for told in _sums(taken):
            session.tell(told)
    waits = any(left.why == "another" for left in taken.left)
    return ExitCode.WAITING if waits else ExitCode.DONE


def _left(left: Left) -> str:
    return _(_LEFT[left.why]).format(
        row=left.row, case=left.case, who=left.who or "–", outcome=left.outcome
    )


def _sums(taken: Taken) -> list[str]:
    count = len(taken.proposed)
    told = [
        ngettext(
            "{branch}: {n} case proposed; another person approves it",
            "{branch}: {n} cases proposed; another person approves them",
            count,
        ).format(branch=taken.branch, n=count)
    ]
    if taken.same:
        many = len(taken.same)
        told.append(
            ngettext("{n} case said so already", "{n} cases said so already", many).format(n=many)
        )
    if taken.empty:
        told.append(
            ngettext(
                "{n} row was not filled in", "{n} rows were not filled in", taken.empty
            ).format(n=taken.empty)
        )
    return told


def _taken_data(taken: Taken) -> dict[str, object]:
    return {
        "branch": taken.branch,
        "proposed": taken.proposed,
        "same": taken.same,
        "left": [
            {"row": x.row, "case": x.case, "why": x.why, "who": x.who, "outcome": x.outcome}
            for x in taken.left
        ],
        "empty": taken.empty,
    }
