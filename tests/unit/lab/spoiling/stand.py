"""A lab at rest, made up: what spoiling is planned on, without a lab."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dr.lab.business import LEDGER_COLUMNS
from dr.lab.office import slip_number
from dr.lab.spoiling.plans import Book, Case, Row, Stand, Wish

BRANCHES = ("branch-01", "branch-02", "branch-03")
_BEGIN = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def case(branch: str, number: int) -> Case:
    """Return a case on which both sides agree."""
    index = BRANCHES.index(branch)
    at = _BEGIN + timedelta(seconds=30 * number + index)
    record = {
        "key": slip_number(branch, at, number),
        "receipt": str(30_000 + 3 * number + index),
        "certificate": str((index + 1) * 1_000_000 + 3 + number),
        "parcel": f"P{number * 7 + index:07d}",
        "kind": "first" if number % 4 == 0 else "transfer",
        "clerk": f"clerk-{number % 4}",
        "at": at.isoformat(timespec="milliseconds"),
        "branch": branch,
        "holder": "王伟",
        "amount": "" if number % 4 == 0 else f"{number}000.50",
        "status": "issued",
    }
    return Case(record, {**record, "outcome": "acknowledged"})


def stand(count: int = 40, branches: tuple[str, ...] = BRANCHES) -> Stand:
    """Return a lab in which each branch did ``count`` cases."""
    cases = [case(branch, number) for number in range(1, count + 1) for branch in branches]
    books = {
        branch: Book(branch, tuple(_line(one) for one in cases if one.branch == branch))
        for branch in branches
    }
    used = frozenset(one.serial for one in cases)
    receipts = tuple(range(90_000, 90_999))
    central = {one.key: one.central for one in cases}
    return Stand(books, frozenset(), tuple(cases), central, receipts, used, used)


def _line(one: Case) -> Row:
    line = {head: one.ledger[word] for word, head in LEDGER_COLUMNS.items()}
    return {**line, "detail": ""}


def wish(what: str, count: int = 3, seed: int = 1, branch: str = "") -> Wish:
    """Return a wish."""
    return Wish(what, count, seed, 1, branch)
