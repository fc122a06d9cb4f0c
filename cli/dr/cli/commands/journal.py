"""``dr journal``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dr.cli.command import DrCommand, group, option
from dr.cli.completing import runs
from dr.cli.finding import run_id
from dr.cli.sayings import say_error
from dr.cli.session import Session, current
from dr.cli.text import N_, _, ngettext
from dr.engine.core.errors import ExitCode, UserError

if TYPE_CHECKING:
    from dr.engine.service.bundles import Checked, Exported

_SIGNATURES = (
    N_("it is not signed: nobody vouches that it is the whole journal"),
    N_("it was signed by a key that is nobody's, or did not count at that moment"),
    N_("the people of the run are withheld, so nobody can be known by the signature"),
    N_("the signature does not fit what it signs"),
)
"""What ``service.bundles`` says of a signature that does not count."""

journal = group("journal", N_("Check the journal of a run, or write it as evidence."))


@journal.command(
    "verify",
    cls=DrCommand,
    help=N_(
        "Check that no row of the journal was changed, lost or added by hand.\n\n"
        "Exit 0 when the chain of hashes holds, 1 when it does not; the first bad row is named. "
        "Instead of a run, a file: what 'dr journal export' wrote, or an SQLite journal (a "
        "read-only copy will do). For a file no workspace, database or network is needed."
    ),
)
@click.argument("run", required=False, metavar="[RUN|FILE]", shell_complete=runs)
@option("--all", "everything", is_flag=True, help=N_("Check every run."))
@option(
    "--signers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=N_(
        "Who may have signed the bundle: an OpenSSH allowed_signers file. Else the people of the "
        "run's own inventory."
    ),
)
def verify(run: str | None, everything: bool, signers: Path | None) -> int:
    """Check the chain."""
    session = current()
    if run and _is_file(run):
        from dr.engine.service.bundles import check_bundle, check_journal, is_sqlite

        path = Path(run)
        if is_sqlite(path):
            return _runs_verified(session, check_journal(path))
        return _bundle_verified(session, path, check_bundle(path, signers))
    desk = session.desk
    found = (
        [record.id for record in desk.runs()]
        if everything
        else [run_id(desk, run, unfinished=False)]
    )
    return _runs_verified(session, {one: desk.verify(one) for one in found})


@journal.command(
    "export",
    cls=DrCommand,
    help=N_(
        "Write the journal of a run to one file that is checked anywhere.\n\n"
        "'dr journal verify FILE' checks it without dr's database. Secrets are not in the journal "
        "and so not in the file. --withhold leaves out more; the chain is still checked, but of "
        "what is withheld only that it has not been exchanged since. --sign adds your signature "
        "over the newest event: without one nobody can say that the end is not cut off."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=N_("The file to write; it must not be there yet."),
)
@option(
    "--withhold",
    metavar="NAMES",
    multiple=True,
    help=N_("Leave out outputs, evidence, reasons, inputs, inventory: names with commas."),
)
@option(
    "--sign",
    "key",
    metavar="KEY",
    type=click.Path(path_type=Path, dir_okay=False),
    help=N_("Sign with this private SSH key, or its .pub when the agent has it."),
)
def export(run: str | None, output: Path, withhold: tuple[str, ...], key: Path | None) -> None:
    """Write a bundle."""
    session = current()
    names = [name.strip() for words in withhold for name in words.split(",") if name.strip()]
    found = run_id(session.desk, run, unfinished=False)
    done = session.desk.export(found, output, withhold=names, key=key)
    if session.json:
        session.result({"v": 1, **_export_data(done)})
        return
    click.echo(
        _("{path}: {rows}, head {head}").format(
            path=done.path, rows=_counted(done.rows), head=done.head
        )
    )
    session.say(_export_words(done))


def _is_file(word: str) -> bool:
    path = Path(word)
    if path.is_file():
        return True
    if "/" in word:
        raise UserError(
            _("there is no file {path}").format(path=word),
            hint=_("Type 'ls -l {path}' to see why.").format(path=word),
        )
    return False


def _export_data(done: Exported) -> Mapping[str, Any]:
    return {
        "run": done.run,
        "path": str(done.path),
        "rows": done.rows,
        "withheld_rows": done.withheld_rows,
        "head": done.head,
        "sha256": done.sha256,
        "signed_by": done.signer,
    }


def _export_words(done: Exported) -> str:
    words = []
    if done.withheld_rows:
        words.append(_("{rows} withheld").format(rows=_counted(done.withheld_rows)))
    if done.signer is None:
        words.append(_("not signed"))
    elif done.signer:
        words.append(_("signed by {person}").format(person=done.signer))
    else:
        words.append(
            _("signed with a key that is nobody's in the run's inventory: check it with --signers")
        )
    return "; ".join(words)


def _runs_verified(session: Session, verdicts: Mapping[str, Any]) -> int:
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


def _bundle_verified(session: Session, path: Path, checked: Checked) -> int:
    verdict, facts = checked.verdict, checked.signature.facts
    if session.json:
        names = ("run", "ok", "rows", "withheld_rows", "first_bad", "because", "head")
        said = {name: getattr(verdict, name) for name in names}
        signed = {
            "holds": checked.signature.holds if isinstance(checked.signature.holds, bool) else None,
            "because": checked.signature.because,
            **{name: facts.get(name) for name in ("by", "key", "at", "source")},
        }
        record = "proven" if verdict.record is not None else "withheld" if verdict.ok else None
        session.result({"v": 1, "file": str(path), **said, "record": record, "signature": signed})
    else:
        click.echo(f"{verdict.run or path}: {_words(verdict)}")
        if verdict.ok:
            for line in (*_withheld_words(checked), _signature_words(checked)):
                click.echo(f"  {line}")
    return ExitCode.DONE if checked.ok else ExitCode.FAILED


def _withheld_words(checked: Checked) -> list[str]:
    verdict = checked.verdict
    if not verdict.withheld:
        return []
    words = _("withheld: {names}; {rows} show only their hash").format(
        names=", ".join(verdict.withheld), rows=_counted(verdict.withheld_rows)
    )
    record = [] if verdict.record is not None else [_("the run's own record is withheld")]
    return [words, *record]


def _signature_words(checked: Checked) -> str:
    signature, facts = checked.signature, checked.signature.facts
    if signature.holds is False:
        return _("NOT SIGNED by anybody known: {because}").format(
            because=say_error(signature.because)
        )
    if signature.holds is not True:
        return _("not signed: nobody vouches that nothing is missing at the end")
    words = _("signed by {person} at {moment} with {key}").format(
        person=facts["by"], moment=facts["at"], key=facts["key"]
    )
    if facts["source"] != "bundle":
        return words
    return _("{words}; by the bundle's own list of people").format(words=words)


def _counted(rows: int) -> str:
    return ngettext("{n} row", "{n} rows", rows).format(n=rows)


def _words(verdict: Any) -> str:
    if verdict.ok:
        return _("intact, {rows}, head {head}").format(
            rows=_counted(verdict.rows), head=verdict.head
        )
    return _("NOT INTACT at row {row}, after {rows} that fit: {because}").format(
        row=verdict.first_bad or "?",
        rows=_counted(verdict.rows),
        because=say_error(verdict.because),
    )
