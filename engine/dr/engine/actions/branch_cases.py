"""What a comparison found, as the cases of a session; and the evidence that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dr.engine.core.canonical import digest
from dr.engine.core.reconciliation import Found, Resolution
from dr.reconcile.comparison import BranchResult, Record
from dr.reconcile.ledger import Entry

_ID_DIGITS = 10


def evidence_folder(inventory: Mapping[str, Any]) -> Path | None:
    """Return where what branches hand in is kept; None where nothing may be written."""
    state = (inventory.get("paths") or {}).get("state")
    return Path(str(state)) / "evidence" if state else None


def result_data(run: str, result: BranchResult, evidence: str) -> dict[str, Any]:
    """Return what ``reconcile.compared`` says of a branch."""
    return {
        "evidence": evidence,
        "entries": result.entries,
        "cases": [found.to_data() for found in cases_of(run, result)],
    }


def cases_of(run: str, result: BranchResult) -> Iterator[Found]:
    """Yield a case for each difference; what only one word explains is no case."""
    for entry in result.lost:
        yield _missing(run, result.branch, entry, "missing_central", Resolution.RE_ENTER)
    for entry in result.open:
        yield _missing(run, result.branch, entry, "in_flight", Resolution.RE_ENTER)
    for entry, record in result.differing:
        yield _differing(run, result.branch, entry, record)
    for record in result.unlisted:
        yield Found(
            id=case_id(run, "extra_central", result.branch, record.key),
            branch=result.branch,
            what="extra_central",
            key=record.key,
            parcel=record.parcel,
            central=_of_record(record),
            proposed=Resolution.REFER,
        )


def case_id(run: str, what: str, branch: str, key: str) -> str:
    """Return the id of a difference; the same difference has the same one in each comparison."""
    return digest([run, what, branch, key])[:_ID_DIGITS]


def _missing(run: str, branch: str, entry: Entry, what: str, proposed: Resolution) -> Found:
    return Found(
        id=case_id(run, what, branch, entry.key),
        branch=branch,
        what=what,
        key=entry.key,
        parcel=entry.parcel,
        amount=entry.row.get("amount", ""),
        ledger=dict(entry.row),
        proposed=proposed,
    )


def _differing(run: str, branch: str, entry: Entry, record: Record) -> Found:
    fields = [n for n, v in entry.numbers.items() if n in record.numbers and record.numbers[n] != v]
    if entry.parcel and record.parcel and entry.parcel != record.parcel:
        fields.insert(0, "parcel")
    return Found(
        id=case_id(run, "different", branch, entry.key),
        branch=branch,
        what="different",
        key=entry.key,
        parcel=entry.parcel,
        amount=entry.row.get("amount", ""),
        ledger=dict(entry.row),
        central=_of_record(record),
        fields=tuple(fields),
        proposed=Resolution.ADJUST,
        match="key",
    )


def _of_record(record: Record) -> dict[str, str]:
    return {"key": record.key, "parcel": record.parcel} | {
        name: str(number) for name, number in record.numbers.items()
    }
