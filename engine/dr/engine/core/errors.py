"""Errors, sorted by what is known about the world after them.

A message is lower case and says what happened and where; the hint is a sentence
that says what to type next.  Exit codes are published in docs/reference/exit-codes.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What the ``dr`` process says to the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    NOT_ALLOWED = 4
    REJECTED = 5
    PLAN_CHANGED = 6
    HELD = 7
    DEADLINE_MISSED = 8
    VIEW_LEFT = 130


class DrError(Exception):
    """Anything that dr tells a person instead of a traceback.

    Args:
        message: what happened and where, lower case, no full stop.
        hint: a sentence that says what to type next; empty when there is nothing to type.
        code: a stable word for scripts, the ``code`` of the ``--json`` error object.
    """

    exit_code: ExitCode = ExitCode.FAILED
    code: str = "failed"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class UserError(DrError):
    """The request cannot be carried out as it was put; nothing was changed."""

    exit_code = ExitCode.USAGE
    code = "usage"


class NotAllowedError(DrError):
    """The person may not do this."""

    exit_code = ExitCode.NOT_ALLOWED
    code = "not_allowed"


class PlanChangedError(DrError):
    """What would be carried out is no longer what was approved or reviewed."""

    exit_code = ExitCode.PLAN_CHANGED
    code = "plan_changed"


class HeldError(DrError):
    """Another engine holds this run, or this engine lost its lease."""

    exit_code = ExitCode.HELD
    code = "held"


class LockHeldError(HeldError):
    """A lock is another run's; nothing was written."""

    code = "lock_held"


class LapsedError(DrError):
    """What allowed an event was over when it was to be written; nothing was written."""

    code = "lapsed"


class MovedError(DrError):
    """The run moved on since what was to be written was decided; nothing was written."""

    code = "moved"


class JournalError(DrError):
    """The journal cannot be read or written; nothing acts without it."""

    code = "journal"


class JournalBusyError(JournalError):
    """The journal is locked or not reachable for the moment; asking again may help."""

    code = "journal_busy"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file or an input.

    ``where`` is ``file:line:column`` when known; ``path`` the keys that lead to the value.
    """

    message: str
    path: tuple[str | int, ...] = ()
    where: str = ""
    excerpt: str = ""
    hint: str = ""
    rule: str = ""
    severity: str = "error"


class RunbookError(UserError):
    """A runbook or inventory file is wrong; carries every problem at once."""

    code = "runbook"

    def __init__(self, message: str, problems: Sequence[Problem] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class ActionError(DrError):
    """An action did not do what it was asked; the subclass says what is known."""

    code = "action"

    def __init__(
        self, message: str, *, hint: str = "", facts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.facts: Mapping[str, Any] = facts or {}


class RetryableError(ActionError):
    """No effect; asking again may help: a refused connection, a lock held.

    ``reason`` is matched by the ``when`` list of a step's ``retry``:
    ``unreachable``, ``timeout``, ``busy`` or ``not_yet``.
    """

    code = "retryable"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "busy",
        hint: str = "",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, facts=facts)
        self.reason = reason


class RefusedError(ActionError):
    """No effect; asking again will not help: wrong credentials, wrong timeline."""

    code = "refused"


class FailedError(ActionError):
    """It ran, ended, and its end is known to be a failure: an exit code that is not 0.

    There may have been a partial effect, so ``once`` and ``irreversible`` steps are
    probed before anything is tried again.
    """

    code = "failed"


class LostContactError(ActionError):
    """There may or may not have been an effect: only a probe can tell."""

    code = "lost_contact"


class FencedError(ActionError):
    """The target's guard has seen a higher epoch: this engine may not act any more."""

    code = "fenced"
    exit_code = ExitCode.HELD
