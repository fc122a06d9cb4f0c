"""Mail to the people of late branches: one worker, one letter after the other, never twice.

Whom a reminder goes to is in the journal before the first letter, and what became of the letters
after the last.  An engine that dies in between leaves them unknown: nobody writes them again, the
next reminder comes on its clock.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dr.engine.core.errors import DrError, LostContactError, RetryableError
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.ports import Attempt, World
from dr.engine.core.reminders import Reminder, Round, words
from dr.engine.core.view import QuestionView
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.crew import MAIL, Crew
from dr.engine.runtime.world import AttemptWorld

log = logging.getLogger("dr.runtime")

_PATIENCE = timedelta(seconds=15)
"""Longest conversation about one letter."""

_SILENT = 3
"""After so many letters in a row without an answer the others are not tried."""

_NO_ANSWER = frozenset({"unreachable", "timeout"})


@dataclass(frozen=True)
class _LetterWorld(AttemptWorld):
    """What a letter may use: all that is kept of it stands in the events about the reminder."""

    def history(self) -> Sequence[Event]:
        """No letter of this reminder was written before."""
        return ()

    def record_handle(self, handle: Mapping[str, Any]) -> None:
        """Whom it goes to is written down already."""

    def output(self, text: str) -> None:
        """The answer is written down with those of the others."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What became of a letter: accepted, refused, later (not sent) or unknown, and why."""

    fate: str
    because: str = ""
    silent: bool = False


@dataclass(frozen=True)
class Reminding:
    """Sends the letters of a reminder; no failure of mail is a failure of anything else."""

    context: RunContext
    crew: Crew

    @property
    def is_under_way(self) -> bool:
        """Whether letters of the last reminder are still being sent."""
        return self.crew.is_busy(MAIL)

    def send(self, asked: QuestionView, number: int, told: Round) -> None:
        """Have a worker send the letters of reminder ``number``, which is in the journal."""

        def work() -> None:
            fates: dict[tuple[str, str], list[str]] = {}
            for letter, answer in self._sent(asked, number, told):
                fates.setdefault((answer.fate, answer.because), []).append(letter.person)
            letters = [
                {"fate": fate, "because": because, "people": people}
                for (fate, because), people in sorted(fates.items())
            ]
            data = {"branches": [], "letters": letters}
            draft = Draft(Kind.RECONCILE_REMINDED, asked.question.step, data=data)
            self.context.recorder.write(draft)

        if told.letters:
            self.crew.do(MAIL, work)

    def _sent(
        self, asked: QuestionView, number: int, told: Round
    ) -> Iterator[tuple[Reminder, _Answer]]:
        silent = 0
        for letter in told.letters:
            attempt = self._attempt(asked.question.step, number, letter, told)
            world = _LetterWorld(self.context, attempt)
            if world.cancelled() or self.crew.dismissed or not asked.is_open:
                answer = _Answer("later", "the reconciliation or the run was over before it")
            elif silent >= _SILENT:
                answer = _Answer("later", "the mail server answered nobody before")
            else:
                answer = self._post(attempt, world, letter.person)
                silent = silent + 1 if answer.silent else 0
            yield letter, answer

    def _attempt(self, step: str, number: int, letter: Reminder, told: Round) -> Attempt:
        record = self.context.record
        subject, text = words(letter, told, record.id, record.inventory)
        return Attempt(
            run=record.id,
            step=f"{step}.remind-{number}",  # in the Message-ID: each reminder is another letter
            host=None,
            number=1,
            epoch=self.context.recorder.epoch,
            input={"to": [letter.person], "subject": subject.plain(), "text": text.plain()},
            timeout=_PATIENCE,
            drill=self.context.drill,
        )

    def _post(self, attempt: Attempt, world: World, person: str) -> _Answer:
        try:
            self.context.ports.actions.get("notify.send").perform(attempt, world)
        except LostContactError as error:
            return _Answer("unknown", _said(error, person), silent=True)
        except RetryableError as error:
            return _Answer("later", _said(error, person), silent=error.reason in _NO_ANSWER)
        except DrError as error:
            return _Answer("refused", _said(error, person))
        except Exception as error:
            log.exception("the letter to %s broke down", person)
            return _Answer("unknown", f"{type(error).__name__}: {error}")
        return _Answer("accepted")


def _said(error: DrError, person: str) -> str:
    """Return the server's own words where there are any: the message names the person."""
    facts = getattr(error, "facts", {})
    return str(facts.get("letters", {}).get(person, {}).get("answer") or error.message)
