"""Write a run's journal as one file, signed if wanted, and check such a file by itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dr.engine.core.errors import UserError
from dr.engine.core.ports import Check
from dr.engine.core.values import UNKNOWN, parse_utc
from dr.engine.journal.bundle import NAMESPACE, Body, HeadStatement, body, end_line
from dr.engine.journal.bundle_check import BundleVerdict, check
from dr.engine.journal.withholding import NAMES
from dr.engine.service.signing import allowed_signers, check_any, public_line, sign
from dr.engine.service.verification import bureau_of
from dr.inventory.directory import Directory
from dr.inventory.keys import parse_public_key
from dr.inventory.strictyaml.validation import did_you_mean

if TYPE_CHECKING:
    from dr.engine.journal.sql import SqlJournal
    from dr.engine.journal.verdict import Verdict

_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written.

    Attributes:
        signer: whose key signed it in the inventory of the run; "" when nobody there has the key;
            None when it is not signed.
    """

    path: Path
    run: str
    rows: int
    withheld_rows: int
    head: str
    sha256: str
    signer: str | None


@dataclass(frozen=True, slots=True)
class Checked:
    """A bundle that was checked.

    ``signature`` holds when somebody who is known signed the head, and its facts then say ``by``,
    ``key`` and ``source``: ``bundle`` (the run's inventory inside of it) or the file of signers.
    It is UNKNOWN without a signature, False when there is one that does not count.
    """

    verdict: BundleVerdict
    signature: Check

    @property
    def ok(self) -> bool:
        """Whether it may be relied on: all fits, and no signature is a false one."""
        return self.verdict.ok and self.signature.holds is not False


def export(
    journal: SqlJournal,
    run: str,
    path: Path,
    *,
    withhold: Sequence[str] = (),
    key: Path | None = None,
    now: datetime,
) -> Exported:
    """Write the bundle of ``run`` to ``path``, which must not be there yet; readable by its owner.

    Args:
        run: the full id.
        key: whose SSH key signs the head; None leaves it unsigned.

    Raises:
        UserError: nothing of such a name can be withheld, the file is there, or the key does not
            sign.
        JournalError: the journal does not verify.
    """
    for name in withhold:
        if name not in NAMES:
            raise UserError(
                f"nothing called '{name}' can be withheld",
                hint=did_you_mean(name, NAMES, otherwise="Name some of"),
            )
    record = journal.run(run)
    written = body(record, journal.rows(record.id), withhold)
    sha256 = hashlib.sha256(b"".join(line + b"\n" for line in written.lines)).hexdigest()
    statement, signature, signer = None, None, None
    if key is not None:
        namespace = NAMESPACE + bureau_of(record.inventory)
        statement = written.statement(sha256, now, namespace)
        signature = sign(statement.text(), namespace, key)
        signer = Directory(record.inventory).owner(parse_public_key(public_line(key))) or ""
    _write(path, written, end_line(sha256, statement, signature))
    return Exported(
        path, record.id, written.rows, written.withheld_rows, written.head, sha256, signer
    )


def _write(path: Path, written: Body, end: bytes) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UserError(
            f"the file {path} is there already",
            hint="Name another with -o: evidence is not written over.",
        ) from None
    try:
        with os.fdopen(number, "wb") as stream:
            for line in (*written.lines, end):
                stream.write(line + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def check_bundle(path: Path, signers: Path | None = None) -> Checked:
    """Check a bundle from its bytes; needs no database, workspace or network.

    Args:
        signers: an OpenSSH allowed_signers file, from elsewhere than the bundle; with it a
            signature is demanded.  Without it the people of the run's inventory in the bundle
            count.
    """
    with path.open("rb") as stream:
        verdict = check(stream)
    return Checked(verdict, _signature(verdict, signers))


def _signature(verdict: BundleVerdict, signers: Path | None) -> Check:
    if not verdict.ok:
        return Check(holds=UNKNOWN, because="not looked at")
    said = verdict.statement
    if said is None:
        return Check(
            holds=UNKNOWN if signers is None else False,
            because="it is not signed: nobody vouches that it is the whole journal",
        )
    if signers is not None:
        return _signed(said, verdict.signature, _text(signers), str(signers))
    people = _people(verdict.record)
    if people is None:
        return Check(
            holds=False,
            because="the people of the run are withheld, so nobody can be known by the signature",
            hint="Name a file of allowed signers with --signers.",
        )
    everybody = [k for who in Directory(people).people for k in Directory(people).keys(who)]
    known = allowed_signers(everybody, NAMESPACE + bureau_of(people))
    return _signed(said, verdict.signature, known, "bundle")


def _signed(said: HeadStatement, signature: str, signers: str, source: str) -> Check:
    at = parse_utc(said.issued)
    found = check_any(said.text(), signature, signers=signers, namespace=said.namespace, at=at)
    facts = {**found.facts, "source": source, "at": said.issued}
    return Check(holds=found.holds, because=found.because, hint=found.hint, facts=facts)


def _people(record: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    inventory = record.get("inventory") if record is not None else None
    return inventory if isinstance(inventory, Mapping) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(
            f"{path} is no file of allowed signers",
            hint="Each line is a name and a public key; 'man ssh-keygen' shows the format.",
        ) from None


def is_sqlite(path: Path) -> bool:
    """Whether the file is an SQLite database: a journal itself, or a copy of it."""
    with path.open("rb") as stream:
        return stream.read(len(_SQLITE)) == _SQLITE


def check_journal(path: Path) -> dict[str, Verdict]:
    """Check every run in an SQLite journal that may lie anywhere, also on a read-only disk.

    Raises:
        JournalError: it cannot be read, or is no journal.
    """
    from dr.engine.journal.quick import quick_runs
    from dr.engine.journal.sql import SqlJournal, sqlite_url

    journal = SqlJournal(sqlite_url(path.absolute()))
    try:
        return {run.id: journal.verify(run.id) for run in quick_runs(path)}
    finally:
        journal.close()
