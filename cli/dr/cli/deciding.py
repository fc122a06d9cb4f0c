"""A decision on its way to a gate: who, what, why, and by which means it is proven."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dr.cli.session import Session
from dr.cli.text import _
from dr.engine.core.errors import UserError
from dr.engine.core.questions import Standing, Tally
from dr.inventory.ordinary import read_ordinary

WITNESSES = 2


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decides about a gate."""

    run: str
    question: str
    verdict: str
    by: str
    reason: str
    choice: str | None = None
    max_loss_s: float | None = None

    def statement(self, session: Session) -> str:
        """Return the canonical text that the person would sign."""
        text: str = session.desk.approvals.prepare_statement(
            self.run,
            self.question,
            by=self.by,
            verdict=self.verdict,
            reason=self.reason,
            choice=self.choice,
            max_loss_s=self.max_loss_s,
        )
        return text

    def sign_and_send(
        self, session: Session, key: Path | None, statement: Path | None, signature: Path | None
    ) -> Tally:
        """Hand the decision in: signed now with ``key``, or elsewhere as the two files.

        Raises:
            UserError: only one of the two files was given.
        """
        if (statement is None) != (signature is None):
            raise UserError(
                _("--statement and --signature belong together"),
                hint=_("Print the text with --print-statement, sign it, and name both files."),
            )
        proof: dict[str, Any] = {"key": key}
        if statement is not None and signature is not None:
            proof = {
                "statement": _text_of(statement),
                "signature": _text_of(signature),
            }
        approvals = session.desk.approvals
        if self.verdict == "reject":
            rejected: Tally = approvals.reject(
                self.run, self.question, by=self.by, reason=self.reason, **proof
            )
            return rejected
        tally: Tally = approvals.approve(
            self.run,
            self.question,
            by=self.by,
            reason=self.reason,
            choice=self.choice,
            max_loss_s=self.max_loss_s,
            **proof,
        )
        return tally

    def by_voice(self, session: Session, code: str, witnesses: Sequence[str]) -> Tally:
        """Hand in a decision that two witnesses heard.

        Raises:
            UserError: there are not two different witnesses.
        """
        if len(set(witnesses)) < WITNESSES or self.by in witnesses:
            raise UserError(
                _("an approval by voice needs two witnesses other than the approver"),
                hint=_("Add --witness PERSON twice."),
                code="witnesses",
            )
        tally: Tally = session.desk.approvals.voice(
            self.run,
            self.question,
            by=self.by,
            code=code,
            witnesses=tuple(witnesses),
            reason=self.reason,
            choice=self.choice,
            max_loss_s=self.max_loss_s,
        )
        return tally


def _text_of(path: Path) -> str:
    try:
        return read_ordinary(path)
    except UnicodeDecodeError:
        raise UserError(
            _("{path} is not text").format(path=path),
            hint=_("Name the two files that belong together: --statement and --signature."),
        ) from None


def signature_in(path: Path) -> str:
    """Return a signature made elsewhere.

    Raises:
        OSError: it is no ordinary file.
        UserError: it is no such signature; an empty one would be signed anew with a key found here.
    """
    try:
        signature = read_ordinary(path)
    except UnicodeDecodeError:
        signature = ""
    if not signature.lstrip().startswith("-----BEGIN SSH SIGNATURE-----"):
        raise UserError(
            _("{path} is no SSH signature").format(path=path),
            hint=_("Name the file that 'ssh-keygen -Y sign' wrote; its name ends in .sig."),
        )
    return signature


def said_by(session: Session, by: str | None, key: Path | None, statement: Path | None) -> str:
    """Return who decides: ``--by``, the statement, $DR_PERSON, else the owner of the key.

    Raises:
        UserError: none of them says it.
    """
    found = by or signed_text(statement, "approver") or os.environ.get("DR_PERSON")
    if found:
        return found
    if key is not None:
        return str(session.desk.approvals.person_of(key))
    raise UserError(
        _("who decides is not known"),
        hint=_("Add --by PERSON, or --key FILE with that person's key."),
        code="who",
    )


def signed_text(statement: Path | None, name: str) -> str:
    """Return a field of the text that was signed elsewhere; nothing without one."""
    if statement is None:
        return ""
    try:
        data = json.loads(read_ordinary(statement))
        return str(data.get(name) or "")
    except (ValueError, AttributeError, RecursionError):
        raise UserError(
            _("{path} is not a statement").format(path=statement),
            hint=_("Print one with --print-statement."),
        ) from None


def decided(session: Session, decision: Decision, tally: Tally) -> None:
    """Say what came of it."""
    if session.json:
        session.result(
            {
                "v": 1,
                "run": decision.run,
                "question": decision.question,
                "verdict": decision.verdict,
                "by": decision.by,
                "standing": str(tally.standing),
                "missing": tally.missing,
            }
        )
        return
    words = {
        Standing.APPROVED: _("gate '{question}' is approved"),
        Standing.REJECTED: _("gate '{question}' is rejected"),
        Standing.OPEN: _("gate '{question}' needs {missing} more"),
    }[tally.standing]
    session.tell(words.format(question=decision.question, missing=tally.missing))
    session.say(_("next: ") + f"dr attach {decision.run}")
