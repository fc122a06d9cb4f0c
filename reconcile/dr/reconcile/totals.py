"""Totals by telephone against the centre: all that an office without a ledger can give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from dr.reconcile.breaks import BreakClass
from dr.reconcile.by_hand import Total
from dr.reconcile.classify import Book
from dr.reconcile.relation import Relation

_DAY = "YYYY-MM-DD"


def central_totals(
    relation: Relation, branches: Iterable[str], days: Iterable[str]
) -> Mapping[tuple[str, str], Total]:
    """Return what the centre has by branch and day of the bureau's zone."""
    shape = relation.shape
    day = f"substr({relation.plain(shape.moment)}, 1, 10)"
    amount = f'sum(q."{shape.amount}"::numeric)' if shape.amount else "NULL"
    serial = f'q."{shape.serial}"::text' if shape.serial else "NULL::text"
    found = relation.ask(
        f"""
SELECT q."branch"::text, {day}, count(*), {amount}, min({serial} COLLATE "C"),
       max({serial} COLLATE "C")
FROM {relation.source} WHERE q."branch"::text = ANY(%(branches)s::text[])
  AND {day} = ANY(%(days)s::text[]) GROUP BY 1, 2""",
        {"branches": sorted(set(branches)), "days": sorted(set(days))},
    )
    return {
        (str(branch), str(when)): Total(
            str(when), int(n), None if total is None else Decimal(total), first or "", last or ""
        )
        for branch, when, n, total, first, last in found
    }


def note_totals(book: Book, relation: Relation, told: Mapping[str, Iterable[Total]]) -> None:
    """Note the days of which branch and centre do not have the same totals."""
    said = {(branch, t.day): t for branch, totals in told.items() for t in totals}
    if not said:
        return
    known = central_totals(relation, (b for b, _ in said), (d for _, d in said))
    for (branch, day), total in sorted(said.items()):
        central = known.get((branch, day), Total(day, 0, Decimal(0) if book.shape.amount else None))
        notes = _differences(total, central)
        if notes:
            made = book.add(BreakClass.TOTAL_MISMATCH, branch, day, notes=notes)
            if total.amount is not None and central.amount is not None:
                book.replace_amount(made, abs(total.amount - central.amount))


def _differences(told: Total, central: Total) -> dict[str, str]:
    """Return what differs as ``branch / centre``; what was not said is not compared."""
    compared = {
        "count": (told.count, central.count),
        "amount": (told.amount, central.amount),
        "first_serial": (told.first_serial or None, central.first_serial),
        "last_serial": (told.last_serial or None, central.last_serial),
    }
    return {
        name: f"{mine} / {theirs}"
        for name, (mine, theirs) in compared.items()
        if mine is not None and mine != theirs
    }
