"""Rows to records and events, and back."""

from __future__ import annotations

import json
from typing import Any

from dr.engine.core.errors import JournalError
from dr.engine.core.events import Event, Kind
from dr.engine.core.ports import RunRecord
from dr.engine.core.states import RunState
from dr.engine.core.values import parse_utc, utc_text
from dr.engine.journal.database import Row
from dr.engine.journal.records import NEW
from dr.engine.journal.sealing import Head, Sealed, data_text


def event_of(row: Row) -> Event:
    """Return the event that a row of table ``event`` holds.

    Raises:
        JournalError: the row is not what a journal of this version writes.
    """
    run, seq, at, kind, step, host, attempt, epoch, data, row_hash = row
    try:
        return Event(
            run,
            seq,
            parse_utc(at),
            Kind(kind),
            _text_or_none(step),
            _text_or_none(host),
            None if attempt is None else _whole(attempt),
            _whole(epoch),
            mapping_of(data),
            row_hash,
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise JournalError(
            f"event {seq} of run {run} cannot be read: {error}",
            hint=f"Type 'dr journal verify {run}' to see whether it was changed.",
            code="journal_damaged",
        ) from error


def _text_or_none(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{value!r} is no text")


def _whole(value: Any) -> int:
    if isinstance(value, int):
        return value
    raise TypeError(f"{value!r} is no whole number")


def mapping_of(text: str) -> dict[str, Any]:
    """Return the mapping that a column holds as JSON.

    Raises:
        ValueError: it is no JSON.
        TypeError: it is something else.
    """
    found = json.loads(text)
    if isinstance(found, dict):
        return found
    raise TypeError(f"{text[:40]!r} is no mapping")


def event_values(sealed: Sealed) -> dict[str, Any]:
    """Return the columns of an event's row."""
    event = sealed.event
    return {
        "run": event.run,
        "seq": event.seq,
        "at": sealed.at_text,
        "kind": event.kind.value,
        "step": event.step,
        "host": event.host,
        "attempt": event.attempt,
        "epoch": event.epoch,
        "data": sealed.data_text,
        "hash": event.hash,
    }


def head_of(row: Row) -> Head:
    """Return the end of the chain from ``(epoch, state, seq, hash, at)``."""
    _epoch, _state, seq, row_hash, at = row
    try:
        return Head(_whole(seq), row_hash, parse_utc(at))
    except (ValueError, TypeError, AttributeError) as error:
        raise JournalError(
            f"the row of a run cannot be read: {error}",
            hint="Type 'dr journal verify RUN' to see what was changed.",
            code="journal_damaged",
        ) from error


def record_of(row: Row) -> RunRecord:
    """Return the record from a row with ``statements.RECORD_COLUMNS``.

    Raises:
        JournalError: the row is not what a journal writes.
    """
    (
        run, runbook, sha256, source, file, environment, mode, requester,
        inputs, inventory, created, locks, state, epoch, title,
    ) = row  # fmt: skip
    try:
        return RunRecord(
            id=run,
            runbook=runbook,
            runbook_sha256=sha256,
            source=source,
            file=file,
            environment=environment,
            mode=mode,
            requester=requester,
            inputs=mapping_of(inputs),
            inventory=mapping_of(inventory),
            created=parse_utc(created),
            locks=tuple(json.loads(locks)),
            state=str(RunState(state)) if state != NEW else state,
            epoch=_whole(epoch),
            title=mapping_of(title),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise JournalError(
            f"the row of run {run} cannot be read: {error}",
            hint=f"Type 'dr journal verify {run}' to see what was changed.",
            code="journal_damaged",
        ) from error


def run_values(record: RunRecord) -> dict[str, Any]:
    """Return the columns of a new run's row in table ``run``."""
    start = Head()
    return {
        "id": record.id,
        "runbook": record.runbook,
        "runbook_sha256": record.runbook_sha256,
        "file": record.file,
        "environment": record.environment,
        "mode": record.mode,
        "requester": record.requester,
        "created": utc_text(record.created),
        "locks": data_text(record.locks)[1],
        "title": data_text(record.title)[1],
        "state": NEW,
        "epoch": 0,
        "seq": start.seq,
        "hash": start.hash,
        "at": utc_text(start.at),
    }


def snapshot_values(record: RunRecord) -> dict[str, Any]:
    """Return the columns of a new run's row in table ``snapshot``."""
    return {
        "run": record.id,
        "source": record.source,
        "inputs": data_text(record.inputs)[1],
        "inventory": data_text(record.inventory)[1],
    }
