"""The differences of two tables as breaks, by the same rules as those of branches.

The left table, such as what the old primary still has, stands where a branch's ledger stands.
"""

from __future__ import annotations

from collections.abc import Iterable

from dr.reconcile.branch_type import BranchType
from dr.reconcile.branch_work import BranchWork, Desk
from dr.reconcile.breaks import Break
from dr.reconcile.classify import Book
from dr.reconcile.matching import Candidate
from dr.reconcile.relation import Relation, Row
from dr.reconcile.resolving import resolve
from dr.reconcile.serials import SerialRegister
from dr.reconcile.session import Session
from dr.reconcile.tables import TableDifference


def table_breaks(
    session: Session,
    right: Relation,
    difference: TableDifference,
    *,
    register: SerialRegister | None = None,
    windowed: bool = True,
    audit: bool = True,
) -> tuple[Break, ...]:
    """Name every difference; ``right`` is the recovered table, inside of ``snapshot``."""
    shape = right.shape
    desk = Desk(shape, BranchType("table", zone=shape.zone), right.cut, session.window)
    work: dict[str, BranchWork] = {}

    def candidates(rows: Iterable[Row], side: str) -> None:
        for row in rows:
            at = work.setdefault(row.branch, BranchWork(row.branch))
            candidate = Candidate(row, desk.central_canon.row(row.values))
            if side == "beside":
                at.settled.add(candidate.canon[shape.place(shape.key)] or "")
            else:
                (at.ledger if side == "left" else at.central).append(candidate)

    candidates(difference.left, "left")
    candidates(difference.right, "right")
    candidates(difference.beside_left, "beside")
    candidates(difference.beside_right, "beside")
    book = Book(session, shape)
    resolve(
        book,
        right,
        [(desk, each) for _, each in sorted(work.items())],
        register or SerialRegister(),
        audit=audit,
        windowed=windowed,
    )
    return tuple(sorted(book.breaks.values(), key=lambda b: (b.branch, b.kind.value, b.key, b.id)))
