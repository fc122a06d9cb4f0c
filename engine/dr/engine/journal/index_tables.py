"""Bring the index tables into line with an event, within the transaction that adds it.

Every insert is ``ON CONFLICT DO NOTHING``: the count of rows says who was first, and the
transaction can still be asked who that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from dr.engine.journal import refusals
from dr.engine.journal.database import Transaction, first
from dr.engine.journal.projection import (
    AddAnswer,
    AttemptState,
    Change,
    ClaimAttempt,
    CloseQuestion,
    MoveAttempt,
    OpenQuestion,
    QuestionState,
    ReleaseLocks,
    SetEpoch,
    SetState,
    TakeLocks,
)
from dr.engine.journal.rows import record_of
from dr.engine.journal.statements import Statements


class IndexTables:
    """The index tables of one run within one transaction."""

    def __init__(self, tx: Transaction, sql: Statements, run: str) -> None:
        self._tx = tx
        self._sql = sql
        self._run = run

    def apply(self, change: Change) -> None:
        """Carry out one change.

        Raises:
            HeldError, UserError, JournalError: a unique key refuses it.
        """
        tx, sql, run = self._tx, self._sql, self._run
        match change:
            case SetState(state=state):
                tx.change(sql.set_state, {"run": run, "to": state})
            case TakeLocks():
                (record,) = tx.rows(sql.record, {"run": run})
                self.take_locks(record_of(record).locks)
            case ReleaseLocks():
                tx.change(sql.release_locks, {"run": run})
            case SetEpoch(epoch=epoch):
                tx.change(sql.set_epoch, {"run": run, "to": epoch})
                tx.change(sql.doubt_older, {"run": run, "to": epoch})
            case ClaimAttempt():
                self._claim(change)
            case MoveAttempt(step=step, host=host, number=number, state=to):
                unit = {"run": run, "step": step, "host": host, "number": number}
                tx.change(sql.move_attempt, {**unit, "to": to.value})
            case OpenQuestion():
                self._open_question(change)
            case CloseQuestion(id=question, outcome=outcome):
                tx.change(sql.close_question, {"run": run, "question": question, "to": outcome})
            case AddAnswer():
                self._add_answer(change)
            case _:
                assert_never(change)

    def take_locks(self, locks: Sequence[str]) -> None:
        """Take every lock in one order, so that two runs never wait for each other.

        Raises:
            HeldError: another run has one of them.
        """
        for name in sorted(set(locks)):
            if not self._tx.change(self._sql.take_lock, {"name": name, "run": self._run}):
                owner = first(self._tx.rows(self._sql.lock_owner, {"name": name}))
                if owner and owner[0] == self._run:
                    continue  # somebody's wish has taken it back already
                raise refusals.lock_held(name, owner[0] if owner else "that just ended")

    def require_open(self, question: str) -> None:
        """Refuse unless ``question`` may be answered.

        Raises:
            UserError: it is unknown or closed.
        """
        if self._question(question)[0] != QuestionState.OPEN.value:
            raise refusals.question_closed(self._run, question)

    def _question(self, question: str) -> tuple[str, str]:
        found = first(self._tx.rows(self._sql.question, {"run": self._run, "question": question}))
        if found is None:
            raise refusals.no_question(self._run, question)
        return found[0], found[1]

    def _claim(self, change: ClaimAttempt) -> None:
        values = {
            "run": self._run,
            "step": change.step,
            "host": change.host,
            "number": change.number,
            "state": AttemptState.RUNNING.value,
            "epoch": change.epoch,
            "key": change.key,
        }
        if not self._tx.change(self._sql.claim_attempt, values):
            raise refusals.attempt_claimed(self._run, change.step, change.host, change.number)

    def _open_question(self, change: OpenQuestion) -> None:
        values = {
            "run": self._run,
            "id": change.id,
            "step": change.step,
            "kind": change.kind,
            "state": QuestionState.OPEN.value,
            "nonce": change.nonce,
            "outcome": None,
            "seq": change.seq,
        }
        if not self._tx.change(self._sql.open_question, values):
            raise refusals.question_exists(self._run, change.id)

    def _add_answer(self, change: AddAnswer) -> None:
        _state, nonce = self._question(change.question)
        values = {
            "run": self._run,
            "seq": change.seq,
            "question": change.question,
            "by": change.by,
            "nonce": nonce,
        }
        if not self._tx.change(self._sql.add_answer, values):
            raise refusals.already_answered(self._run, change.question, change.by)
