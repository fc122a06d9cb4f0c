"""Every sentence with which a journal refuses, so that all journals refuse in the same words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from dr.engine.core.errors import (
    HeldError,
    JournalError,
    LapsedError,
    LockHeldError,
    MovedError,
    UserError,
)
from dr.engine.core.values import utc_text


def no_run(wanted: str) -> UserError:
    """There is no such run."""
    if wanted == "last":
        return UserError("no run has been started yet", hint="Type 'dr run RUNBOOK' to start one.")
    return UserError(f"no run is called '{wanted}'", hint="Type 'dr status' to list the runs.")


def no_snapshot(run: str) -> JournalError:
    """The run is there, and what it began with is not."""
    return JournalError(
        f"what run {run} began with is no longer in the journal",
        hint=f"Type 'dr journal verify {run}' to see what was changed.",
        code="journal_damaged",
    )


def several_runs(wanted: str, found: Iterable[str]) -> UserError:
    """The abbreviation fits more than one run."""
    return UserError(
        f"'{wanted}' fits several runs: {', '.join(sorted(found)[:5])}",
        hint="Type more of the run's name.",
    )


def run_exists(run: str) -> UserError:
    """A run of this name was written before."""
    return UserError(
        f"there is already a run called '{run}'", hint=f"Type 'dr resume {run}' to go on with it."
    )


def lock_held(lock: str, run: str) -> LockHeldError:
    """A lock is another run's."""
    return LockHeldError(
        f"lock '{lock}' is held by run {run}",
        hint=f"Type 'dr attach {run}' to follow that run, or 'dr abort {run}' to end it.",
    )


def moved_on(run: str, after: int, newest: int) -> MovedError:
    """Something was written since it was read."""
    return MovedError(
        f"run {run} has moved on from event {after} to {newest} meanwhile",
        hint="Look at it again, then decide.",
    )


def run_held(run: str, holder: str) -> HeldError:
    """A living engine has the run."""
    return HeldError(
        f"run {run} is held by {holder or 'another engine'}",
        hint=f"Type 'dr attach {run}' to follow it.",
    )


def lease_lost(run: str, epoch: int, newest: int) -> HeldError | JournalError:
    """Another engine took the run after this one; or the journal forgot that this one did."""
    if newest < epoch:
        return epoch_lost(run, epoch, newest)
    return HeldError(
        f"this engine lost run {run}: its epoch is {epoch}, the newest is {newest}",
        hint=f"Type 'dr attach {run}' to follow the engine that has it now.",
        code="lease_lost",
    )


def epoch_lost(run: str, epoch: int, newest: int) -> JournalError:
    """The database is behind: it does not know that this engine took the run."""
    return JournalError(
        f"the journal has lost events of run {run} that were kept: this engine has epoch {epoch}, "
        f"the newest there is {newest}",
        hint="The database was replaced by an older one; find out which is right, "
        f"then type 'dr resume {run}'.",
        code="journal_behind",
    )


def events_lost(run: str, seq: int) -> JournalError:
    """The database is behind what this process saw kept: a standby that lacks the last commits."""
    return JournalError(
        f"the journal has lost events of run {run} that were kept: number {seq} is not there",
        hint="The database was replaced by an older one; find out which is right, "
        f"then type 'dr resume {run}'.",
        code="journal_behind",
    )


def attempt_claimed(run: str, step: str, host: str, number: int) -> HeldError:
    """Somebody else began this attempt."""
    where = f" on {host}" if host else ""
    return HeldError(
        f"attempt {number} of step '{step}'{where} in run {run} is already claimed",
        hint=f"Type 'dr show {run}' to see who began it.",
        code="claimed",
    )


def lapsed(step: str | None, until: datetime) -> LapsedError:
    """What allowed the step to act is over."""
    return LapsedError(
        f"what allowed step '{step}' to begin lapsed at {utc_text(until)}",
        hint="Type 'dr status' to see which gate is asked again.",
    )


def question_exists(run: str, question: str) -> JournalError:
    """A question of this name was opened before."""
    return JournalError(
        f"question '{question}' of run {run} was opened before",
        hint=f"Type 'dr show {run}' to see its questions.",
        code="journal_conflict",
    )


def no_question(run: str, question: str) -> UserError:
    """Nobody asked that."""
    return UserError(
        f"run {run} has no question '{question}'",
        hint=f"Type 'dr show {run}' to see its questions.",
    )


def question_closed(run: str, question: str) -> UserError:
    """The question takes no more answers."""
    return UserError(
        f"question '{question}' of run {run} is closed",
        hint=f"Type 'dr show {run}' to see how it was answered.",
    )


def already_answered(run: str, question: str, by: str) -> UserError:
    """One person, one answer."""
    return UserError(
        f"'{by}' has already answered question '{question}' of run {run}",
        hint=f"Type 'dr show {run}' to see the answers.",
    )
