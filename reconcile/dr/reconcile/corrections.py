"""Approved corrections for the registration application: CSV and JSON, never SQL.  Pure.

The order of acceptance decides the priority of rights, so corrections keep it; where business
that was accepted later on the same parcel is in the database already, that is said, for then the
order can not be kept by entering again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from dr.engine.core.reconciliation import PROVEN, Case, CaseState, Resolution, Session
from dr.engine.core.values import utc_text
from dr.reconcile.canon import canoniser
from dr.reconcile.harmless import csv_text
from dr.reconcile.shape import BUREAU_ZONE, Column, Kind

VERSION: Final = 1
_LATE = datetime.max.replace(tzinfo=UTC)
_code = canoniser(Column("number", Kind.CODE), BUREAU_ZONE)


class Order(StrEnum):
    """Whether entering a case again keeps the original order of acceptance."""

    KEPT = "kept"
    NOT_KEPT = "not_kept"
    UNKNOWN = "unknown"
    NOT_NEEDED = "not_needed"  # it is in the database already: voided or adjusted there


@dataclass(frozen=True, slots=True)
class Accepted:
    """A piece of business as a compared ledger has it.

    ``at`` is when it was accepted, aware UTC, None when the ledger does not say; ``line`` of the
    ledger orders what was accepted in the same moment.
    """

    branch: str
    key: str
    at: datetime | None
    line: int
    parcel: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """An approved correction; ``later`` is the business that was accepted after it."""

    case: Case
    at: datetime | None
    line: int | None
    order: Order
    because: str = ""
    later: tuple[Accepted, ...] = ()


def corrections_of(
    session: Session, branches: Collection[str], ledgers: Mapping[str, Sequence[Accepted]]
) -> list[Correction]:
    """Return the corrections of ``branches`` that are approved and not proven, in their order.

    Args:
        ledgers: what each branch's compared ledger holds, of every branch of the session that
            could be read; those that are not among them make an order unknown.
    """
    known = {(a.branch, _same(a.key)): a for of in ledgers.values() for a in of}
    unread = [name for name in session.branches if name not in ledgers]
    present = _present(session, ledgers)
    silent = _unlisted(session)
    found = [
        _correction(case, known, present, unread, silent)
        for name in branches
        for case in session.branches[name].cases.values()
        if case.state is CaseState.APPROVED and case.resolution in PROVEN
    ]
    return sorted(found, key=_place)


def _same(number: str) -> str:
    """Return a number so that two ways of writing it are the same."""
    return _code(number) or ""


def _place(correction: Correction) -> tuple[datetime, int, str, str]:
    found = correction.case.found
    return correction.at or _LATE, correction.line or 0, found.branch, found.id


def _present(
    session: Session, ledgers: Mapping[str, Sequence[Accepted]]
) -> dict[str, list[Accepted]]:
    """Return by parcel what ledgers hold and the database has."""
    absent = {
        (branch.name, _same(case.found.key))
        for branch in session.branches.values()
        for case in branch.cases.values()
        if not case.found.central and (case.is_open or case.how == "accepted")
    }
    found: dict[str, list[Accepted]] = {}
    for of in ledgers.values():
        for accepted in of:
            if accepted.parcel and (accepted.branch, _same(accepted.key)) not in absent:
                found.setdefault(_same(accepted.parcel), []).append(accepted)
    return found


def _unlisted(session: Session) -> set[str]:
    """Return the parcels with business in the database that no ledger dates."""
    return {
        _same(case.found.parcel)
        for branch in session.branches.values()
        for case in branch.cases.values()
        if case.found.central and not case.found.ledger and case.is_open
    }


def _correction(
    case: Case,
    known: Mapping[tuple[str, str], Accepted],
    present: Mapping[str, Sequence[Accepted]],
    unread: Sequence[str],
    silent: Collection[str],
) -> Correction:
    found = case.found
    own = known.get((found.branch, _same(found.key)))
    at, line = (own.at, own.line) if own else (None, None)
    if case.resolution is not Resolution.RE_ENTER:
        return Correction(case, at, line, Order.NOT_NEEDED)
    if own is None or own.at is None:
        return Correction(case, at, line, Order.UNKNOWN, "when it was accepted is not known")
    if not found.parcel:
        return Correction(case, at, line, Order.UNKNOWN, "its parcel is not known")
    parcel = _same(found.parcel)
    others = [a for a in present.get(parcel, ()) if (a.branch, a.key) != (own.branch, own.key)]
    later = tuple(a for a in others if _after(a, own))
    if later:
        because = "business accepted later on the parcel is in the database"
        return Correction(case, at, line, Order.NOT_KEPT, because, later)
    doubt = next(_doubts(parcel, own, others, unread, silent), "")
    return Correction(case, at, line, Order.UNKNOWN if doubt else Order.KEPT, doubt)


def _after(other: Accepted, own: Accepted) -> bool:
    if other.at is None or own.at is None:
        return False
    if other.at == own.at:
        return other.branch == own.branch and other.line > own.line
    return other.at > own.at


def _doubts(
    parcel: str,
    own: Accepted,
    others: Iterable[Accepted],
    unread: Sequence[str],
    silent: Collection[str],
) -> Iterator[str]:
    """Yield why nobody can say that nothing later is in the database."""
    for other in others:
        if other.at is None:
            yield f"when {other.key} of {other.branch} on the parcel was accepted is not known"
        elif other.at == own.at and other.branch != own.branch:
            yield f"{other.key} of {other.branch} on the parcel was accepted in the same moment"
    if parcel in silent:
        yield "the database has business on the parcel that no ledger lists"
    if unread:
        yield f"the ledgers of {len(unread)} branches were not compared"


# -- files


def corrections_data(
    run: str, session: Session, corrections: Sequence[Correction]
) -> dict[str, Any]:
    """Return the corrections as JSON data, exact to the letter."""
    return {
        "kind": "dr.corrections",
        "v": VERSION,
        "run": run,
        "session": session.id,
        "cases": [_data(number, each) for number, each in enumerate(corrections, 1)],
    }


def _data(number: int, correction: Correction) -> dict[str, Any]:
    case, found = correction.case, correction.case.found
    return {
        "number": number,
        "do": str(case.resolution),
        "branch": found.branch,
        "case": found.id,
        "what": found.what,
        "key": found.key,
        "parcel": found.parcel,
        "amount": found.amount or None,
        "accepted_at": utc_text(correction.at) if correction.at else None,
        "line": correction.line,
        "order": str(correction.order),
        "order_because": correction.because,
        "later": [
            {"branch": a.branch, "key": a.key, "accepted_at": utc_text(a.at) if a.at else None}
            for a in correction.later
        ],
        "fields": list(found.fields),
        "ledger": dict(found.ledger),
        "central": dict(found.central),
        "maker": case.maker,
        "checker": case.checker,
        "reason": case.reason,
        "reference": case.reference,
    }


_FLAT = (
    "number", "do", "branch", "case", "what", "key", "parcel", "amount", "accepted_at", "line",
    "order", "order_because", "maker", "checker", "reason", "reference",
)  # fmt: skip


def corrections_csv(corrections: Sequence[Correction]) -> str:
    """Return the corrections as CSV with a byte-order mark, safe to open in a spreadsheet.

    A value that a spreadsheet might carry out stands behind an apostrophe; the JSON has it exact.
    """
    rows = [_data(number, each) for number, each in enumerate(corrections, 1)]
    sides = {
        side: list(dict.fromkeys(name for row in rows for name in row[side]))
        for side in ("ledger", "central")
    }
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    extra = [f"{side}.{name}" for side, names in sides.items() for name in names]
    writer.writerow([*_FLAT, "later", "fields", *map(csv_text, extra)])
    for row in rows:
        flat = ["" if row[name] is None else csv_text(row[name]) for name in _FLAT]
        later = "; ".join(f"{a['branch']} {a['key']} {a['accepted_at']}" for a in row["later"])
        values = [row[side].get(name, "") for side, names in sides.items() for name in names]
        writer.writerow(
            [*flat, csv_text(later), csv_text(", ".join(row["fields"])), *map(csv_text, values)]
        )
    return "\ufeff" + out.getvalue()
