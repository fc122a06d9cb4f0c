"""Another copy of the database, such as the old primary's disk, against the recovered one.

Both are compared where they lie; only what differs is moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dr.engine.actions.branch_comparison import Bureau, found_of
from dr.engine.core.errors import RefusedError
from dr.engine.core.reconciliation import Found

if TYPE_CHECKING:
    from dr.reconcile.reading import Values
    from dr.reconcile.relation import Row


@dataclass(frozen=True)
class CopyFindings:
    """How a copy differs from the recovered database.

    Attributes:
        found: the differences; what the copy has stands where a branch's ledger stands.
        here / there: how many records the recovered database and the copy have.
        own: by branch, the records that the copy has and the database has not, or has otherwise,
            as evidence of that branch.
    """

    found: tuple[Found, ...]
    here: int
    there: int
    own: Mapping[str, bytes]


def compare_copy(
    bureau: Bureau,
    run: str,
    *,
    host: str,
    copy: str,
    recovery_point: datetime | None,
    service_back: datetime | None,
    everything: bool = False,
) -> CopyFindings:
    """Compare the recovered database on ``host`` with the one on ``copy``; both are only read.

    Args:
        everything: all records, and not those of the window only.

    Raises:
        RetryableError: a database does not answer.
        RefusedError: no record is declared.
        CentralError: they differ in more than can be told apart, or one lacks what is compared.
    """
    from dr.reconcile.relation import Relation, snapshot
    from dr.reconcile.session import Session
    from dr.reconcile.shape import RecordShape
    from dr.reconcile.table_breaks import table_breaks
    from dr.reconcile.tables import compare_tables

    records = bureau.inventory.get("records") or {}
    if not records:
        raise RefusedError(
            "it is not declared what a record of the business is",
            hint="Declare it in ledgers.yaml; 'dr schema ledgers' has every key.",
        )
    session = Session(run, bureau.window(recovery_point, service_back))
    found: list[Found] = []
    own: dict[str, bytes] = {}
    here = there = 0
    with bureau.wire(host) as ours, bureau.wire(copy) as theirs:
        for kind, record in records.items():
            shape, locator = RecordShape.of(record), record.get("locator") or ""
            with snapshot(theirs), snapshot(ours):
                left, right = (
                    Relation.open(wire, record["query"], shape, locator) for wire in (theirs, ours)
                )
                windowed = not everything and bool(shape.moment)
                difference = compare_tables(session, left, right, windowed=windowed)
                breaks = table_breaks(session, right, difference, windowed=windowed, audit=False)
            here, there = here + difference.rows_right, there + difference.rows_left
            found += [found_of(each) for each in breaks]
            mine = _of_kind(bureau, kind)
            rows = [row for row in difference.left if row.branch in mine]
            own |= dict(_as_evidence(shape.names, rows))
    return CopyFindings(tuple(found), here, there, own)


def _of_kind(bureau: Bureau, kind: str) -> set[str]:
    branches = bureau.inventory.get("branches") or {}
    return {n for n in branches if bureau.knows(n) and bureau.record_of(n) == kind}


def _as_evidence(names: Sequence[str], rows: Iterable[Row]) -> Iterator[tuple[str, bytes]]:
    """Yield each branch's rows as an answer of a database is kept."""
    from dr.reconcile.read_database import as_answer

    by_branch: dict[str, list[Values]] = {}
    for row in rows:
        by_branch.setdefault(row.branch, []).append(row.values)
    for name, values in by_branch.items():
        yield name, as_answer(name, names, [values])
