"""The signature of a branch under its result, and leadership's waiver of what is left.

A branch signs a canonical text that names its evidence, every case and what became of it; the
text is good for that state only: a later difference voids the signature by itself.  Everything
that is needed to check it is in the journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dr.engine.core.approval import plan_code, same_code
from dr.engine.core.canonical import canonical_bytes
from dr.engine.core.errors import NotAllowedError, PlanChangedError, UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import Check
from dr.engine.core.reconciliation import Branch, BranchState, Session
from dr.engine.core.values import UNKNOWN, utc_text
from dr.engine.core.view import QuestionView, RunView
from dr.engine.service.authority import known_person, open_groups
from dr.engine.service.reconciling import Open, Reconciling, heads_of
from dr.engine.service.signing import check_signature, sign_as
from dr.engine.service.verification import bureau_of
from dr.inventory.directory import Directory

_WITNESSES = 2
_WAIVER_LASTS = timedelta(days=30)
"""How long a waived branch stays a debt that nobody is reminded of."""


def namespace(inventory: Mapping[str, Any]) -> str:
    """Return the signature namespace of sign-offs and waivers."""
    return f"dr-reconcile@{bureau_of(inventory)}"


@dataclass(frozen=True)
class BranchSigning:
    """Use cases of signing.

    Args:
        workspace: where a lab keeps its people's keys (``keys/people``).
    """

    reconciling: Reconciling
    workspace: Path | None = None

    def statement(self, run: str, branch: str) -> str:
        """Return the text that the branch would sign now, without a newline at its end.

        Raises:
            UserError: it is not ready to be signed.
        """
        at = self.reconciling.open(run)
        _require_ready(at, at.branch(branch), self.reconciling.clock.now())
        return at.session.text_of(at.branch(branch))

    def code(self, run: str, branch: str) -> str:
        """Return the 12 digits that are read over the telephone for :meth:`voice`."""
        at = self.reconciling.open(run)
        return _code(at.session, at.branch(branch))

    def sign(
        self,
        run: str,
        branch: str,
        *,
        by: str,
        key: Path | None = None,
        signature: str = "",
    ) -> Branch:
        """Sign for a branch, by its head's own key; or with a ``signature`` made elsewhere.

        Raises:
            NotAllowedError: the person does not sign for the branch, or the signature does not fit.
            PlanChangedError: the branch moved on while it was signed.
            UserError: cases are open, or nothing was compared.
        """
        at = self.reconciling.open(run)
        who = self._signer(at, at.branch(branch), by)
        text = at.session.text_of(at.branch(branch))
        signed = signature or sign_as(
            who, text, namespace(at.record.inventory), key=key,
            directory=Directory(at.record.inventory), workspace=self.workspace,
        )  # fmt: skip
        self._require_valid(at, who, text, signed)
        return self._write(run, branch, by, text, {"means": "signature", "signature": signed})

    def voice(
        self, run: str, branch: str, *, by: str, code: str, witnesses: Sequence[str]
    ) -> Branch:
        """Record a sign-off that was spoken over the telephone.

        Args:
            code: the digits as the head read them back.
            witnesses: two people who heard it, other than the head.
        """
        at = self.reconciling.open(run)
        self._signer(at, at.branch(branch), by)
        if not same_code(code, _code(at.session, at.branch(branch))):
            raise PlanChangedError(
                f"the code read back is not that of branch '{branch}' as it stands now",
                hint="Let the head look again, and read the 12 digits shown there.",
            )
        heard = _witnesses(at, by, witnesses)
        text = at.session.text_of(at.branch(branch))
        return self._write(run, branch, by, text, {"means": "voice", "witnesses": heard})

    def _write(self, run: str, branch: str, by: str, text: str, more: Mapping[str, Any]) -> Branch:
        def decide(at: Open) -> Sequence[Draft]:
            found = at.branch(branch)
            who = self._signer(at, found, by)
            if at.session.text_of(found) != text:
                raise PlanChangedError(
                    f"branch '{branch}' has moved on since it was signed",
                    hint=f"Look at it again: dr reconcile breaks {at.record.id} {branch}",
                )
            data = {
                "branch": branch,
                "digest": at.session.digest_of(found),
                "by": who,
                "statement": text,
                **more,
            }
            return [Draft(Kind.RECONCILE_SIGNED, at.session.step, data=data)]

        return self.reconciling.write(run, decide).branch(branch)

    def _signer(self, at: Open, branch: Branch, by: str) -> str:
        _require_ready(at, branch, self.reconciling.clock.now())
        inventory = at.record.inventory
        who = known_person(Directory(inventory), by)
        heads = heads_of(inventory, branch.name)
        if who not in heads:
            hint = (
                f"Ask one of: {', '.join(heads)}."
                if heads
                else (f"Declare `responsible:` of '{branch.name}' in branches.yaml.")
            )
            raise NotAllowedError(f"'{who}' does not sign for branch '{branch.name}'", hint=hint)
        made = [case for case in branch.cases.values() if case.maker == who]
        if made:
            raise NotAllowedError(
                f"'{who}' proposed case {made[0].found.id} and can not sign for it",
                hint="Let the deputy sign: maker and signer are two people.",
            )
        return who

    def _require_valid(self, at: Open, who: str, text: str, signature: str) -> None:
        check = check_signature(
            text, signature, who=who, people=at.record.inventory,
            namespace=namespace(at.record.inventory), at=self.reconciling.clock.now(),
        )  # fmt: skip
        if check.holds is not True:
            raise NotAllowedError(
                f"the signature of '{who}' does not count: {check.because}", hint=check.hint
            )

    # -- waiving

    def waive(
        self,
        run: str,
        branches: Sequence[str],
        *,
        by: str,
        reason: str,
        key: Path | None = None,
        lasts: timedelta = _WAIVER_LASTS,
    ) -> Session:
        """Let the session close without some branches, signed by leadership; they stay a debt.

        Raises:
            NotAllowedError: the person is not of the group that may waive.
            UserError: no reason, no branch, or one that has signed already.
        """
        if not reason.strip():
            raise UserError("a reason is missing", hint="Add --reason with a sentence.")
        at, now = self.reconciling.open(run), self.reconciling.clock.now()
        who = _waiver(at, by, now)
        text = _waiver_text(at, branches, reason, now, now + lasts)
        signed = sign_as(
            who, text, namespace(at.record.inventory), key=key,
            directory=Directory(at.record.inventory), workspace=self.workspace,
        )  # fmt: skip
        self._require_valid(at, who, text, signed)

        def decide(at: Open) -> Sequence[Draft]:
            if _waiver_text(at, branches, reason, now, now + lasts) != text:
                raise PlanChangedError(
                    "what is waived has moved on since it was signed",
                    hint=f"Look at it again: dr reconcile status {at.record.id}",
                )
            data = {
                "branches": list(branches),
                "digests": {n: at.session.digest_of(at.branch(n)) for n in branches},
                "by": who,
                "reason": reason,
                "expires": utc_text(now + lasts),
                "statement": text,
                "signature": signed,
            }
            return [Draft(Kind.RECONCILE_WAIVED, at.session.step, data=data)]

        return self.reconciling.write(run, decide).session


def _waiver_text(
    at: Open, branches: Sequence[str], reason: str, now: datetime, until: datetime
) -> str:
    """Return what leadership signs: every branch waived, as it stands, with its open cases."""
    if not branches:
        raise UserError("no branch is named", hint="Name the branches that are waived.")
    named = {}
    for name in branches:
        branch = at.branch(name)
        if at.session.state_of(branch, now) is BranchState.SIGNED:
            raise UserError(
                f"branch '{name}' has signed and needs no waiver",
                hint=f"See who has not: dr reconcile status {at.record.id}",
            )
        named[name] = [at.session.digest_of(branch), len(branch.open_cases)]
    said = {
        "v": 1,
        "session": at.session.id,
        "waives": named,
        "reason": reason,
        "expires": utc_text(until),
    }
    return canonical_bytes(said).decode()


def _waiver(at: Open, by: str, now: datetime) -> str:
    directory = Directory(at.record.inventory)
    who = known_person(directory, by)
    asked = _question(at.view, at.session)
    groups = open_groups(asked, now) if asked is not None else []
    people = [person for group in groups for person in directory.members(group)]
    if who not in people:
        hint = (
            f"Ask one of: {', '.join(people)}."
            if people
            else ("Name the group with `waiver:` in the step that opens the reconciliation.")
        )
        raise NotAllowedError(f"'{who}' may not waive what branches owe", hint=hint)
    return who


def _question(view: RunView, session: Session) -> QuestionView | None:
    asked = [q for q in view.questions.values() if q.question.step == session.step]
    return asked[-1] if asked else None


def _require_ready(at: Open, branch: Branch, now: datetime) -> None:
    state = at.session.state_of(branch, now)
    if state in {BranchState.CLEAN, BranchState.SIGNED}:
        return
    if not branch.answered:
        raise UserError(
            f"branch '{branch.name}' has not been compared yet",
            hint=f"Hand its ledger in: dr reconcile load {at.record.id} {branch.name} FILE",
        )
    if branch.open_cases:
        raise UserError(
            f"branch '{branch.name}' has {len(branch.open_cases)} cases that are not settled",
            hint=f"List them with: dr reconcile breaks {at.record.id} {branch.name}",
        )


def _witnesses(at: Open, by: str, names: Sequence[str]) -> list[str]:
    directory = Directory(at.record.inventory)
    heard = [known_person(directory, name) for name in names]
    signer = known_person(directory, by)
    if len(set(heard)) != _WITNESSES or len(heard) != _WITNESSES or signer in heard:
        raise NotAllowedError(
            "a spoken sign-off needs two different witnesses, other than who signs",
            hint="Add --witness twice, with two people who heard it.",
        )
    return heard


def _code(session: Session, branch: Branch) -> str:
    return plan_code(session.digest_of(branch), session.id)


def check_branch(session: Session, branch: Branch, inventory: Mapping[str, Any]) -> Check:
    """Say whether a branch's signature is its head's, over what the journal says of it.

    Needs no network and no journal but the fold; True, False, or UNKNOWN for one that was spoken.
    """
    signed = branch.signature
    if signed is None:
        return Check(holds=False, because=f"branch '{branch.name}' has not signed")
    if signed.digest != session.digest_of(branch) or signed.statement != session.text_of(branch):
        return Check(holds=False, because="the branch has moved on since it signed")
    if signed.by not in heads_of(inventory, branch.name):
        return Check(holds=False, because=f"'{signed.by}' does not sign for it")
    if signed.means == "voice":
        return Check(UNKNOWN, f"spoken, witnessed by {' and '.join(signed.witnesses)}")
    return check_signature(
        signed.statement, signed.signature, who=signed.by, people=inventory,
        namespace=namespace(inventory), at=signed.at,
    )  # fmt: skip
