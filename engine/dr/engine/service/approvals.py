"""Answers of people: approving, rejecting, voice, verdicts.  The faces call this.

Everything works with the journal alone: no network, no server.  What a person may do is decided
by the inventory that the run keeps, never by today's files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dr.engine.core import approval
from dr.engine.core.amendment import in_the_way
from dr.engine.core.approval import Statement
from dr.engine.core.errors import NotAllowedError, PlanChangedError, UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import Clock, Journal, RunRecord
from dr.engine.core.questions import SIGNED, Answer, Question, QuestionKind, Tally, tally
from dr.engine.core.values import utc_text
from dr.engine.core.view import QuestionView, fold
from dr.engine.service import choosing
from dr.engine.service.authority import Role, known_person, refuse_second, role_of
from dr.engine.service.evidence import read_evidence
from dr.engine.service.signing import public_line, sign_as
from dr.engine.service.standing_signing import Bounds, sign_standing
from dr.engine.service.verification import bureau_of, verify_answer
from dr.inventory.directory import Directory
from dr.inventory.keys import parse_public_key
from dr.inventory.strictyaml.validation import did_you_mean

VERDICTS: Mapping[QuestionKind, tuple[str, ...]] = {
    QuestionKind.TASK: ("done", "failed"),
    QuestionKind.DOUBT: ("done", "not-done", "failed"),
    QuestionKind.FAILURE: ("retry", "skip", "fail"),
    QuestionKind.FALLBACK: ("retry", "go-on", "fail"),
}
_WITNESSES = 2


@dataclass(frozen=True, slots=True)
class Ballot:
    """What somebody wants to say; a signature with its statement comes from elsewhere."""

    by: str
    verdict: str
    reason: str
    choice: str | None = None
    max_loss_s: float | None = None
    key: Path | None = None
    statement: str = ""
    signature: str = ""


@dataclass(frozen=True)
class _Hearing:
    """A question and everything that decides who may answer it."""

    record: RunRecord
    asked: QuestionView
    directory: Directory
    now: datetime
    late: tuple[str, ...] = ()
    """Of an amendment: steps that it would change and that have begun since."""

    @property
    def question(self) -> Question:
        return self.asked.question


class Approvals:
    """Accepts answers into the journal.

    Args:
        workspace: where a lab keeps its people's keys (``keys/people``).
        state: where file evidence is kept.
        standing: today's folder of standing authorisations.
        today: reads today's inventory snapshot: whose a key is, who signs beforehand.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        *,
        workspace: Path | None = None,
        state: Path | None = None,
        standing: Path | None = None,
        today: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._workspace = workspace
        self._state = state
        self._standing = standing
        self._today = today

    def approve(  # noqa: PLR0913 - what a person may say of a gate
        self,
        run: str,
        gate: str,
        *,
        by: str,
        reason: str,
        choice: str | None = None,
        max_loss_s: float | None = None,
        key: Path | None = None,
        statement: str = "",
        signature: str = "",
        expected_plan: str | None = None,
    ) -> Tally:
        """Approve a gate, signed; return how the gate stands then.

        Args:
            gate: the step's id, or the question's.
            choice: the rung to take; the proposed one when not given.
            max_loss_s: the greatest loss accepted, in seconds; the gate's own when not given.
            key: the private key; else one in the lab's workspace or in the agent.
            statement / signature: signed elsewhere, see :meth:`prepare_statement`.
            expected_plan: the hash, or the code, of the plan that the person was shown.

        Raises:
            NotAllowedError: the person does not count here, or the signature does not.
            PlanChangedError: the plan is not the one that was shown or signed.
            UserError: there is no such open gate, it was answered, or the choice is not open.
        """
        ballot = Ballot(by, "approve", reason, choice, max_loss_s, key, statement, signature)
        return self._decide(run, gate, ballot, expected_plan)

    def reject(
        self,
        run: str,
        gate: str,
        *,
        by: str,
        reason: str,
        key: Path | None = None,
        statement: str = "",
        signature: str = "",
    ) -> Tally:
        """Reject a gate, signed.  One rejection is enough; raises like :meth:`approve`."""
        ballot = Ballot(by, "reject", reason, None, None, key, statement, signature)
        return self._decide(run, gate, ballot, None)

    def prepare_statement(
        self,
        run: str,
        question: str,
        *,
        by: str,
        reason: str,
        verdict: str = "approve",
        choice: str | None = None,
        max_loss_s: float | None = None,
    ) -> str:
        """Return the text to sign on another machine, without a newline at its end.

        It is good until the expiry in it.  Raises like :meth:`approve`.
        """
        hearing = self._hear(run, question)
        ballot = Ballot(by, verdict, reason, choice, max_loss_s)
        return self._statement(hearing, ballot)[0].text()

    def voice(
        self,
        run: str,
        gate: str,
        *,
        by: str,
        code: str,
        witnesses: Sequence[str],
        reason: str,
        choice: str | None = None,
        max_loss_s: float | None = None,
    ) -> Tally:
        """Record an approval that was spoken: the last resort when nobody can sign.

        Args:
            code: the plan code as the approver read it back.
            witnesses: two people who heard it: neither the approver nor who started the run.
        """
        hearing = self._hear(run, gate, SIGNED)
        ballot = Ballot(by, "approve", reason, choice, max_loss_s)
        statement, role = self._statement(hearing, ballot)
        if not approval.same_code(code, self.plan_code(hearing.question)):
            raise PlanChangedError(
                f"the code read back is not that of the plan at '{hearing.question.step}'",
                hint=f"Let {by} open the gate again and read the 12 digits shown there.",
            )
        heard = _witnesses(hearing, statement.approver, witnesses)
        answer = _answer(statement, role, hearing.now, means="voice", witnesses=heard)
        return self._record(hearing, answer)

    def answer(  # noqa: PLR0913 - what a person may say of a question
        self,
        run: str,
        question: str,
        *,
        by: str,
        verdict: str,
        reason: str = "",
        evidence: Mapping[str, Any] | None = None,
        key: Path | None = None,
        statement: str = "",
        signature: str = "",
    ) -> Answer:
        """Answer a task, a doubt, a failure or a fallback.

        A verdict on a step of a guarded ladder needs a signature of the gate's group; other
        questions any person of the inventory.  A task of a group needs a member of it.
        """
        hearing = self._hear(run, question)
        asked = hearing.question
        if asked.kind in SIGNED:
            raise UserError(
                f"'{asked.step}' is a gate",
                hint=f"Type 'dr approve {run} {asked.step} --reason …', or 'dr reject'.",
            )
        ballot = Ballot(by, verdict, reason, None, None, key, statement, signature)
        said, role = self._statement(hearing, ballot)
        kept = read_evidence(
            asked.evidence,
            evidence or {},
            checklist=asked.checklist,
            complete=verdict == "done",
            keep=self._state / "evidence" if self._state else None,
        )
        if asked.approvers and asked.kind is not QuestionKind.TASK:
            answer = self._signed(hearing, ballot, said, role, evidence=kept)
        else:
            answer = _answer(said, role, hearing.now, means="terminal", evidence=kept)
        self._record(hearing, answer)
        return answer

    def plan_code(self, question: Question) -> str:
        """Return the 12 digits that stand for the plan of ``question`` when it is read aloud."""
        return approval.plan_code(question.plan_hash, question.nonce)

    def person_of(self, key: Path) -> str:
        """Return whose key it is, by today's people file.

        Raises:
            NotAllowedError: nobody's.
        """
        line = public_line(key)
        owner = Directory(self._today() if self._today else {}).owner(parse_public_key(line))
        if owner is None:
            raise NotAllowedError(
                f"the key {key} belongs to nobody in people.yaml",
                hint="Name yourself with --by PERSON, or add the .pub line under your keys.",
            )
        return owner

    def sign_standing(  # noqa: PLR0913 - the bounds of an authorisation
        self,
        *,
        runbook: str,
        rung: str | Sequence[str] | None,
        max_loss_s: float,
        expires: datetime,
        by: str,
        key: Path | None = None,
        reason: str = "",
        gates: Sequence[str] = (),
        runbook_sha256: str = "",
        name: str = "",
    ) -> Path:
        """Sign a standing authorisation, or add a signature to the one of the same bounds.

        Raises:
            UserError: this desk has no inventory to put it in, or a bound makes no sense.
            NotAllowedError: the signer is not in the inventory, or the key is not the signer's.
        """
        if self._today is None or self._standing is None:
            raise UserError("there is no inventory here", hint="Name one with --workspace DIR.")
        rungs = () if rung is None else (rung,) if isinstance(rung, str) else tuple(rung)
        bounds = Bounds(
            runbook, rungs, max_loss_s, expires, reason, tuple(gates), runbook_sha256, name
        )
        return sign_standing(
            self._standing, bounds, self._today(), by=by, key=key, now=self._clock.now(),
            workspace=self._workspace,
        )  # fmt: skip

    def how_it_stands(self, run: str, question: str) -> Tally:
        """Return how a question stands now."""
        hearing = self._hear(run, question, still_open=False)
        return tally(hearing.question, hearing.asked.answers, now=hearing.now)

    def _decide(self, run: str, gate: str, ballot: Ballot, expected_plan: str | None) -> Tally:
        hearing = self._hear(run, gate, SIGNED)
        _same_plan(hearing.question, expected_plan)
        statement, role = self._statement(hearing, ballot)
        return self._record(hearing, self._signed(hearing, ballot, statement, role))

    def _hear(
        self,
        run: str,
        wanted: str,
        kinds: Collection[QuestionKind] | None = None,
        *,
        still_open: bool = True,
    ) -> _Hearing:
        """Find the question, by its id or its step's, and who could answer it.

        Raises:
            UserError: there is none, or it is closed.
        """
        record = self._journal.run(run)
        view = fold(record.id, self._journal.events(record.id))
        found = [q for q in view.questions.values() if wanted in {q.question.id, q.question.step}]
        fitting = [q for q in found if kinds is None or q.question.kind in kinds]
        waiting = [q for q in fitting if q.is_open]
        if not fitting or (still_open and not waiting):
            raise _not_open(record, wanted, fitting, [q.question.id for q in view.open_questions()])
        if len(waiting) > 1:
            raise UserError(
                f"'{wanted}' has {len(waiting)} open questions",
                hint=f"Name one of: {', '.join(q.question.id for q in waiting)}.",
            )
        now = max(self._clock.now(), view.at) if view.at else self._clock.now()
        asked = (waiting or fitting)[-1]
        amends = asked.question.kind is QuestionKind.AMENDMENT and view.proposal is not None
        late = in_the_way(view, view.proposal) if amends and view.proposal else []
        return _Hearing(record, asked, Directory(record.inventory), now, tuple(late))

    def _statement(self, hearing: _Hearing, ballot: Ballot) -> tuple[Statement, Role]:
        """Return what the person would sign, after every rule but that of the signature."""
        asked, question, now = hearing.asked, hearing.question, hearing.now
        who = known_person(hearing.directory, ballot.by)
        role = role_of(asked, hearing.directory, who, now) if question.approvers else Role("")
        refuse_second(asked, who, role)
        allowed = question.verdicts or VERDICTS.get(question.kind, ("approve", "reject"))
        if ballot.verdict not in allowed:
            hint = did_you_mean(ballot.verdict, allowed, otherwise="Answer one of")
            raise UserError(f"'{ballot.verdict}' is no answer to '{question.step}'", hint=hint)
        signed = _read(ballot.statement) if ballot.statement else None
        if signed is not None:
            choosing.refuse_other_plan(signed, question, hearing.record.id)
        reason = ballot.reason or (signed.reason if signed else "")
        told_by_evidence = question.kind is QuestionKind.TASK and ballot.verdict == "done"
        if not reason.strip() and not told_by_evidence:
            raise UserError(
                f"a reason is missing for '{ballot.verdict}'", hint="Add --reason with a sentence."
            )
        choice, max_loss_s = None, None
        if ballot.verdict == "approve":
            choosing.refuse_late(hearing.record.id, hearing.late)
            choice = choosing.choice(question, ballot.choice or (signed.choice if signed else None))
            wanted = ballot.max_loss_s
            if wanted is None and signed is not None:
                wanted = signed.max_loss_s
            max_loss_s = choosing.greatest_loss_s(question, choice, wanted)
            choosing.refuse_disagreement(question, asked.answers, choice, now)
            choosing.refuse_lapsed(question, now)
        statement = approval.statement_for(
            question,
            run=hearing.record.id,
            environment=hearing.record.environment,
            by=who,
            role=str(role),
            decision=ballot.verdict,
            reason=reason,
            issued=now,
            choice=choice,
            max_loss_s=max_loss_s,
        )
        return statement, role

    def _signed(
        self,
        hearing: _Hearing,
        ballot: Ballot,
        statement: Statement,
        role: Role,
        *,
        evidence: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Return the answer with the person's signature, checked.

        Raises:
            NotAllowedError: the signature does not count.
            PlanChangedError: another plan was signed.
        """
        people = hearing.record.inventory
        namespace = approval.gate_namespace(bureau_of(people))
        if bool(ballot.signature) != bool(ballot.statement):
            raise UserError(
                "a signature and the statement that it signs belong together",
                hint="Type 'dr approve --print-statement' first, and sign exactly that file.",
            )
        if ballot.signature:
            signature, statement = ballot.signature, choosing.agreed(ballot.statement, statement)
        else:
            signature = sign_as(
                statement.approver, statement.text(), namespace, key=ballot.key,
                directory=hearing.directory, workspace=self._workspace,
            )  # fmt: skip
        answer = _answer(
            statement, role, hearing.now, means="signature", signature=signature, evidence=evidence
        )
        check = verify_answer(answer, people, run=hearing.record.id, question=hearing.question)
        if check.holds is not True:
            raise NotAllowedError(
                f"the answer of '{statement.approver}' does not count: {check.because}",
                hint=check.hint or "Sign the statement that 'dr approve --print-statement' shows.",
            )
        return answer

    def _record(self, hearing: _Hearing, answer: Answer) -> Tally:
        question = hearing.question
        data = {"question": question.id, "answer": answer.to_data()}
        draft = Draft(Kind.QUESTION_ANSWERED, question.step, question.host, data=data)
        self._journal.append(hearing.record.id, [draft], open_question=question.id)
        return tally(question, [*hearing.asked.answers, answer], now=hearing.now)


def _read(text: str) -> Statement:
    try:
        return Statement.read(text.removesuffix("\n"))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"this is no statement: {error}",
            hint="Sign what 'dr approve --print-statement' prints, byte for byte.",
        ) from None


def _same_plan(question: Question, expected: str | None) -> None:
    if expected is None or expected == question.plan_hash:
        return
    if approval.same_code(expected, approval.plan_code(question.plan_hash, question.nonce)):
        return
    raise PlanChangedError(
        f"the plan at '{question.step}' is not the one that was shown",
        hint="Look at it again with 'dr show', then approve what you see.",
    )


def _not_open(
    record: RunRecord, wanted: str, found: Sequence[QuestionView], waiting: Sequence[str]
) -> UserError:
    others = f"Open are: {', '.join(waiting)}." if waiting else f"Type 'dr status {record.id}'."
    if found:
        last = found[-1]
        how = f"closed: {last.outcome}"
        return UserError(f"'{wanted}' is {how}", hint=f"Nothing more can be said to it. {others}")
    return UserError(f"nothing is asked at '{wanted}'", hint=others)


def _witnesses(hearing: _Hearing, approver: str, witnesses: Sequence[str]) -> tuple[str, ...]:
    directory = hearing.directory
    heard = [known_person(directory, name) for name in witnesses]
    if len(heard) != _WITNESSES or len(set(heard)) != _WITNESSES:
        raise NotAllowedError(
            "a spoken approval needs two different witnesses",
            hint="Add --witness twice, with two people who heard it.",
        )
    requester = directory.person(hearing.record.requester) or hearing.record.requester
    barred = {approver, requester}
    barred |= {directory.person(name) or name for name in hearing.question.distinct_from}
    for name in heard:
        if name in barred:
            raise NotAllowedError(
                f"'{name}' can not witness: the approver and whoever started the run do not count",
                hint="Find another person of the inventory who heard it.",
            )
    return tuple(heard)


def _answer(
    statement: Statement,
    role: Role,
    now: datetime,
    *,
    means: str,
    signature: str = "",
    witnesses: tuple[str, ...] = (),
    evidence: Mapping[str, Any] | None = None,
) -> Answer:
    known: dict[str, Any] = dict(evidence or {})
    if role.group:
        known["role"] = role.group
    if role.seat:
        known["for"] = role.seat
    return Answer(
        by=statement.approver,
        verdict=statement.decision,
        at=utc_text(now),
        reason=statement.reason,
        choice=statement.choice,
        max_loss_s=statement.max_loss_s,
        means=means,
        statement=statement.text() if means != "terminal" else "",
        signature=signature,
        witnesses=witnesses,
        evidence=known,
        expires=statement.expires if statement.decision == "approve" else None,
    )
