"""The statements of the journal in one dialect, as texts that go to the driver as they are.

They are written in ``compiling`` with SQLAlchemy Core.  Nothing here imports it: SQLite's are kept
compiled in ``sqlite_texts``, because loading SQLAlchemy costs a command more than all its queries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

VERSION = "SELECT version_num FROM alembic_version"
RECORD_COLUMNS = (
    "id",
    "runbook",
    "runbook_sha256",
    "source",
    "file",
    "environment",
    "mode",
    "requester",
    "inputs",
    "inventory",
    "created",
    "locks",
    "state",
    "epoch",
    "title",
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A text for the driver, and how it wants its parameters, which are given by name."""

    sql: str
    bind: Callable[[Mapping[str, Any]], Any]
    names: tuple[str, ...] = ()


def in_order_of(sql: str, names: tuple[str, ...]) -> Statement:
    """Return a statement whose driver takes the parameters in the order of ``names``."""
    return Statement(sql, _in_order(names), names)


def by_name(sql: str) -> Statement:
    """Return a statement whose driver takes the parameters as a mapping."""
    return Statement(sql, _same)


def _same(params: Mapping[str, Any]) -> Mapping[str, Any]:
    return params


def _in_order(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Any]:
    # SQLite binds a tuple in a third of the time that it takes to look names up
    if len(names) == 1:
        (only,) = names
        return lambda params: (params[only],)
    return itemgetter(*names) if names else lambda _params: ()


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements in one dialect."""

    head: Statement
    advance: Statement
    advance_from: Statement
    set_state: Statement
    set_epoch: Statement
    doubt_older: Statement
    add_run: Statement
    add_snapshot: Statement
    add_event: Statement
    claim_attempt: Statement
    move_attempt: Statement
    open_question: Statement
    close_question: Statement
    question: Statement
    add_answer: Statement
    take_lock: Statement
    lock_owner: Statement
    release_locks: Statement
    locks: Statement
    events: Statement
    all_events: Statement
    last_event: Statement
    records: Statement
    record: Statement
    ids: Statement
    is_run: Statement
    attempts: Statement
    questions: Statement
    answers: Statement
    holder: Statement
    drop_worker: Statement
    version: Statement
    tables: Sequence[str]
