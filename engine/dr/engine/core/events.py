"""What the journal holds: events, only ever added, and the words for them.

The data of each kind is listed beside it.  Values are JSON; moments are RFC 3339 in UTC,
durations seconds.  State is a fold over these (``core.view``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from dr.engine.core.canonical import chain_hash
from dr.engine.core.values import utc_text


class Kind(StrEnum):
    """Kinds of event.  Persisted; never renamed."""

    # the run
    RUN_CREATED = "run.created"  # runbook, environment, inputs, requester, mode, engine
    RUN_LEASE = "run.lease"  # epoch, holder
    RUN_BEHIND = "run.behind"  # seen: what hosts know of this run and the journal does not
    RUN_FACTS = "run.facts"  # name, facts, basis
    RUN_STATE = "run.state"  # state (RunState), because
    RUN_RECOVERED = "run.recovered"  # down_s, detected_at
    RUN_CLOSED = "run.closed"
    RUN_UNDONE = "run.undone"  # whole, stopped, left: [{step, host, because}]
    RUN_ENDED = "run.ended"  # state (succeeded|failed|aborted), because
    # a step as a whole
    STEP_PLANNED = "step.planned"  # hosts, batches
    STEP_WAITING = "step.waiting"  # for: gate|person|lock|batch|retry, until, question
    STEP_SKIPPED = "step.skipped"  # because, by
    STEP_CANCELLED = "step.cancelled"  # because
    STEP_FINISHED = "step.finished"  # state, outputs, because: ladders, gates, tasks, fan-outs
    STEP_REOPENED = "step.reopened"  # because: a stale fact, or an operator's retry
    RUNG_STARTED = "rung.started"  # rung, forecast
    RUNG_FAILED = "rung.failed"  # rung, because
    RUNG_CLOSED = "rung.closed"  # rung, how: undone|fenced|no_effect|person
    # an attempt of a step on a host
    INTENT = "attempt.intent"  # epoch, input_sha256, effect, describes, undo, input (redacted)
    HANDLE = "attempt.handle"  # handle
    RESULT = "attempt.result"  # outputs, facts
    FINISHED = "attempt.finished"  # state, outputs, error, retry_at, via
    LOST = "attempt.lost"  # error, message: now in doubt
    PROBED = "attempt.probed"  # presence, detail
    STOPPING = "attempt.stopping"  # handle: its job is about to be ended, because of an abort
    STOPPED = "attempt.stopped"  # outcome (ports.Ending), detail
    UNDO_INTENT = "undo.intent"  # epoch, describes, number, wish
    UNDO_HANDLE = "undo.handle"  # handle
    UNDO_FINISHED = "undo.finished"  # state (undone|undo_failed), error
    # questions to people
    QUESTION_OPENED = "question.opened"  # question (see core.questions.Question)
    QUESTION_ANSWERED = "question.answered"  # question, answer (see core.questions.Answer)
    QUESTION_ESCALATED = "question.escalated"  # question, to
    QUESTION_CLOSED = "question.closed"  # question, outcome, because, answers
    # the reconciliation with the branches (see core.reconciliation)
    RECONCILE_OPENED = "reconcile.opened"  # session, from, to, due, rule, branches, service, host
    RECONCILE_RECEIVED = "reconcile.received"  # branch, sha256, name, by, via, problem
    RECONCILE_COMPARED = "reconcile.compared"  # branch, evidence, entries, cases | problem
    RECONCILE_DECIDED = "reconcile.decided"  # branch, case, verb, by, resolution, reason, reference
    RECONCILE_SIGNED = "reconcile.signed"  # branch, digest, by, means, statement, signature
    RECONCILE_WAIVED = "reconcile.waived"  # branches, by, reason, expires, statement, signature
    RECONCILE_REMINDED = "reconcile.reminded"  # branches, people, nobodys | letters
    RECONCILE_CLOSED = "reconcile.closed"  # how (signed_off|waived), by, totals
    RECONCILE_REOPENED = "reconcile.reopened"  # by, because
    # what an operator wants; the engine obeys when it reads them
    OP_PAUSE = "op.pause"  # by
    OP_CONTINUE = "op.continue"  # by
    OP_ABORT = "op.abort"  # by, because, kill_jobs
    OP_RETRY = "op.retry"  # by, because
    OP_SKIP = "op.skip"  # by, because
    OP_TAKEOVER = "op.takeover"  # by, because, holder (whose it was), machine
    OP_ACCEPT = "op.accept"  # by, because: go on although the journal has lost events
    OP_UNDO = "op.undo"  # by, because, from
    OP_NOTE = "op.note"  # by, text
    # another plan for what has not begun (core.amendment)
    OP_AMEND = "op.amend"  # by, because, number, old, new, plan, diff, affected, questions
    RUN_AMENDED = "run.amended"  # number, old, new, plan_sha256, diff, by, because, approved_by


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before the journal gave it a number, a time and a hash.

    ``until`` is the first moment at which it may not happen any more: the journal compares it with
    the event's own time, in the transaction that would write it.
    """

    kind: Kind
    step: str | None = None
    host: str | None = None
    attempt: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the journal.  ``seq`` counts from 1 within the run, without gaps."""

    run: str
    seq: int
    at: datetime
    kind: Kind
    step: str | None
    host: str | None
    attempt: int | None
    epoch: int
    data: Mapping[str, Any]
    hash: str


def row_hash(  # noqa: PLR0913 - the columns of a row
    previous: str,
    *,
    run: str,
    seq: int,
    at: datetime,
    kind: str,
    step: str | None,
    host: str | None,
    attempt: int | None,
    epoch: int,
    data: Mapping[str, Any],
) -> str:
    """Return the hash that the row must carry when it follows a row with hash ``previous``."""
    return chain_hash(
        previous,
        {
            "run": run,
            "seq": seq,
            "at": utc_text(at),
            "kind": str(kind),
            "step": step,
            "host": host,
            "attempt": attempt,
            "epoch": epoch,
            "data": data,
        },
    )
