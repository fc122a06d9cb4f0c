"""The index of one run in memory: a fold of the changes, with the refusals of the tables."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import assert_never

from dr.engine.core.events import Event
from dr.engine.journal import refusals
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
    changes,
)
from dr.engine.journal.records import NEW

Unit = tuple[str, str, int]


@dataclass
class Index:
    """What the tables must say about one run."""

    run: str
    state: str = NEW
    epoch: int = 0
    holder: str = ""
    locked: bool = True
    attempts: dict[Unit, tuple[AttemptState, int]] = field(default_factory=dict)
    questions: dict[str, QuestionState] = field(default_factory=dict)
    answers: set[tuple[str, str]] = field(default_factory=set)

    def copied(self) -> Index:
        """Return an index that can be changed and thrown away."""
        return replace(
            self,
            attempts=dict(self.attempts),
            questions=dict(self.questions),
            answers=set(self.answers),
        )

    def follow(self, event: Event) -> None:
        """Apply what ``event`` changes.

        Raises:
            HeldError, UserError, JournalError: a table would refuse it.
        """
        for change in changes(event, self.state):
            self.apply(change)

    def apply(self, change: Change) -> None:  # noqa: C901, PLR0912 - a kind, a case
        """Apply one change."""
        match change:
            case SetState(state=state):
                self.state = state
            case TakeLocks():
                self.locked = True
            case ReleaseLocks():
                self.locked = False
            case SetEpoch():
                self._take_over(change)
            case ClaimAttempt():
                self._claim(change)
            case MoveAttempt():
                unit = (change.step, change.host, change.number)
                if unit in self.attempts:
                    self.attempts[unit] = (change.state, self.attempts[unit][1])
            case OpenQuestion():
                if change.id in self.questions:
                    raise refusals.question_exists(self.run, change.id)
                self.questions[change.id] = QuestionState.OPEN
            case CloseQuestion():
                if change.id in self.questions:
                    self.questions[change.id] = QuestionState.CLOSED
            case AddAnswer():
                self._answer(change)
            case _:
                assert_never(change)

    def require_open(self, question: str) -> None:
        """Refuse unless ``question`` may be answered.

        Raises:
            UserError: it is unknown or closed.
        """
        if question not in self.questions:
            raise refusals.no_question(self.run, question)
        if self.questions[question] is not QuestionState.OPEN:
            raise refusals.question_closed(self.run, question)

    def _take_over(self, change: SetEpoch) -> None:
        self.epoch, self.holder = change.epoch, change.holder
        for unit, (state, epoch) in self.attempts.items():
            if state is AttemptState.RUNNING and epoch < change.epoch:
                self.attempts[unit] = (AttemptState.IN_DOUBT, epoch)

    def _claim(self, change: ClaimAttempt) -> None:
        unit = (change.step, change.host, change.number)
        if unit in self.attempts:
            raise refusals.attempt_claimed(self.run, *unit)
        self.attempts[unit] = (AttemptState.RUNNING, change.epoch)

    def _answer(self, change: AddAnswer) -> None:
        if change.question not in self.questions:
            raise refusals.no_question(self.run, change.question)
        if (change.question, change.by) in self.answers:
            raise refusals.already_answered(self.run, change.question, change.by)
        self.answers.add((change.question, change.by))
