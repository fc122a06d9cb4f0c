"""Rows of runs: how a record is fingerprinted, found and stamped into its first event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dr.engine.core.canonical import digest
from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import RunRecord
from dr.engine.core.states import RunState
from dr.engine.journal import refusals

NEW = RunState.RUNNING.value
"""The state of every new run; it moves by events only."""


def fingerprint(record: RunRecord) -> str:
    """Return the SHA-256 over everything in ``record`` that must never change."""
    return digest(replace(record, state="", epoch=0))


def stamped(record: RunRecord, drafts: Sequence[Draft]) -> list[Draft]:
    """Put the record's fingerprint into RUN_CREATED, so that the chain covers the row as well."""
    return [
        replace(draft, data={**draft.data, "record_sha256": fingerprint(record)})
        if draft.kind is Kind.RUN_CREATED
        else draft
        for draft in drafts
    ]


def resolve(wanted: str, newest_first: Iterable[str]) -> str:
    """Return the one run that ``wanted`` means: ``last``, a name, or a unique end or beginning.

    Raises:
        UserError: there is no such run, or several.
    """
    known = list(newest_first)
    if wanted in known:
        return wanted
    if wanted == "last":
        if known:
            return known[0]
        raise refusals.no_run(wanted)
    found = [run for run in known if wanted and run.endswith(wanted)]
    found = found or [run for run in known if wanted and run.startswith(wanted)]
    if not found:
        raise refusals.no_run(wanted)
    if len(found) > 1:
        raise refusals.several_runs(wanted, found)
    return found[0]
