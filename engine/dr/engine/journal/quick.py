"""Read an SQLite journal with the standard library alone, for ``dr status`` and completion.

Opens the file read-only, runs no migration, takes no lock and imports neither SQLAlchemy nor
Alembic: a shell's completion must answer at once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dr.engine.core.errors import JournalError
from dr.engine.core.events import Event
from dr.engine.core.states import RunState
from dr.engine.core.values import parse_utc
from dr.engine.journal.records import NEW
from dr.engine.journal.rows import event_of, mapping_of
from dr.engine.journal.sqlite_errors import damaged, journal_error, unreadable
from dr.engine.journal.sqlite_looking import look

_RUNS = """
SELECT run.id, runbook, environment, mode, requester, created, run.state, run.epoch, run.seq,
       run.at, title,
       (SELECT json_group_array(question.id) FROM question
         WHERE question.run = run.id AND question.state = 'open')
FROM run ORDER BY created DESC, run.id DESC
"""
_EVENTS = """
SELECT run, seq, at, kind, step, host, attempt, epoch, data, hash
FROM event WHERE run = ? AND seq > ? ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class QuickRun:
    """A run in a list; ``questions`` are the ids of the open ones, ``at`` its last event's time."""

    id: str
    runbook: str
    environment: str
    mode: str
    requester: str
    created: datetime
    state: str
    epoch: int
    events: int
    at: datetime
    title: dict[str, str]
    questions: tuple[str, ...]


def quick_runs(path: Path | str) -> list[QuickRun]:
    """List the runs of the journal at ``path``, newest first; none when there is no file.

    Raises:
        JournalError: the file is there but cannot be read, or is no journal.
    """
    return [_readable(row, Path(path)) for row in _rows(Path(path), _RUNS, ())]


def quick_events(path: Path | str, run: str, after: int = 0) -> list[Event]:
    """Return the events of ``run`` (its full id) with ``seq`` greater than ``after``.

    Raises:
        JournalError: the file is there but cannot be read, or is no journal.
    """
    return [event_of(row) for row in _rows(Path(path), _EVENTS, (run, after))]


def _rows(path: Path, sql: str, params: tuple[object, ...]) -> list[tuple[Any, ...]]:
    if not path.exists() or not path.stat().st_size:
        return []
    with _said(path), closing(look(path)) as connection:
        if not connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name IN ('event', 'question')"
        ).fetchone():
            raise JournalError(
                f"{path} is not a journal of dr",
                hint="Look at 'state' in dr.yaml.",
                code="journal_foreign",
            )
        return connection.execute(sql, params).fetchall()


def _readable(row: tuple[Any, ...], path: Path) -> QuickRun:
    try:
        return _run(row)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, f"the row of run {row[0]} cannot be read: {error}") from error


def _run(row: tuple[Any, ...]) -> QuickRun:
    *plain, created, state, epoch, events, at, title, questions = row
    run, runbook, environment, mode, requester = plain
    return QuickRun(
        id=run,
        runbook=runbook,
        environment=environment,
        mode=mode,
        requester=requester,
        created=parse_utc(created),
        state=str(RunState(state)) if state != NEW else state,
        epoch=int(epoch),
        events=int(events),
        at=parse_utc(at),
        title=mapping_of(title),
        questions=tuple(sorted(json.loads(questions))),
    )


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise journal_error(error, path) from error
    except UnicodeDecodeError as error:
        raise damaged(path, f"text in it is no UTF-8: {error.reason}") from error
    except OSError as error:
        raise unreadable(error, path) from error
