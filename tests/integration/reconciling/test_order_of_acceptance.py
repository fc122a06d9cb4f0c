"""Whether entering again keeps the order of acceptance, by ledgers that ledgers.yaml declares."""

from __future__ import annotations

import pytest

from dr.engine.service.worklists import WorkLists
from dr.reconcile.corrections import Correction, Order
from tests.integration.approvals.bureau import RUN
from tests.integration.reconciling.sides import Sides

pytestmark = pytest.mark.postgres


def hand_in(sides: Sides, branch: str, *rows: str, via: str = "file") -> None:
    path = sides.comparing.keep.parent / f"{branch}.csv"
    path.write_text("\n".join(["slip,parcel,at", *rows]), "utf-8")
    by = {"north": "cai", "south": "dan"}[branch]
    sides.comparing.load(RUN, branch, path, by=by, via=via)


def correction(sides: Sides) -> Correction:
    """Have slip 1 of the north entered again, and return what is said about its order."""
    reconciling = sides.office.reconciling
    [case] = [c for c in sides.north.open_cases if c.found.key == "1"]
    reconciling.propose(RUN, case.found.id, resolution="re-enter", by="eva", reason="seen")
    reconciling.approve(RUN, case.found.id, by="fei")
    [found] = WorkLists(reconciling, sides.comparing.keep).approved(
        reconciling.open(RUN), ["north"]
    )
    return found


LOST = "1,P-9,2026-11-22 10:40:00"


def test_later_business_of_another_branch_on_the_parcel_is_named(sides: Sides) -> None:
    sides.central.execute(
        b"INSERT INTO work VALUES ('south', '7', 'p-9', timestamptz '2026-11-22 10:50+08')"
    )
    hand_in(sides, "south", "7,P -9,2026-11-22 10:50:00")
    hand_in(sides, "north", LOST)
    found = correction(sides)
    assert found.order is Order.NOT_KEPT
    assert [(a.branch, a.key) for a in found.later] == [("south", "7")]


def test_the_order_is_kept_when_every_branch_was_read_and_nothing_is_later(sides: Sides) -> None:
    hand_in(sides, "south", "7,P-8,2026-11-22 10:50:00")
    hand_in(sides, "north", "2,P-9,2026-11-22 10:30:00", LOST)
    found = correction(sides)
    assert (found.order, found.because, found.line) == (Order.KEPT, "", 3)


def test_a_receipt_typed_in_beside_the_ledger_counts_for_the_order(sides: Sides) -> None:
    sides.central.execute(
        b"INSERT INTO work VALUES ('north', '3', 'P-9', timestamptz '2026-11-22 10:55+08')"
    )
    hand_in(sides, "south", "7,P-8,2026-11-22 10:50:00")
    hand_in(sides, "north", LOST)
    hand_in(sides, "north", "3,P-9,2026-11-22 10:55:00", via="paper")
    found = correction(sides)
    assert found.order is Order.NOT_KEPT
    assert [a.key for a in found.later] == ["3"]


def test_the_order_is_unknown_while_a_branch_has_handed_in_no_whole_account(sides: Sides) -> None:
    hand_in(sides, "north", LOST)
    hand_in(sides, "south", "7,P-8,2026-11-22 10:50:00", via="queue")
    found = correction(sides)
    assert found.order is Order.UNKNOWN
    assert "1 branches were not compared" in found.because


def test_the_order_is_unknown_while_a_line_of_some_branch_is_not_understood(sides: Sides) -> None:
    hand_in(sides, "south", "7,P-8,2026-11-22 10:50:00", "8,P-9")
    hand_in(sides, "north", LOST)
    assert correction(sides).order is Order.UNKNOWN
