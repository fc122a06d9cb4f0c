"""Corrections keep the order of acceptance, and say where it can not be kept."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

from dr.engine.core.reconciliation import Branch, Case, CaseState, Found, Resolution, Session
from dr.reconcile.corrections import (
    Accepted,
    Correction,
    Order,
    corrections_csv,
    corrections_data,
    corrections_of,
)

T = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def case(branch: str, key: str, resolution: str = "re-enter", **more: object) -> Case:
    found = Found(id=f"{branch}{key}", branch=branch, what="missing_central", key=key,
                  parcel=str(more.pop("parcel", "P-1")), ledger={"slip": key},
                  **more)  # type: ignore[arg-type]  # fmt: skip
    made = Case(found, since=T, state=CaseState.APPROVED, resolution=Resolution(resolution))
    made.maker, made.checker, made.reason = "eva", "fei", "=seen"
    return made


def session(**branches: list[Case]) -> Session:
    held = Session("R/s#1", "s", T, (T, T))
    for name, cases in branches.items():
        held.branches[name] = Branch(name, cases={c.found.id: c for c in cases})
    return held


def taken(
    branch: str, key: str, minutes: float | None, line: int = 1, parcel: str = "P-1"
) -> Accepted:
    at = None if minutes is None else T + timedelta(minutes=minutes)
    return Accepted(branch, key, at, line, parcel)


def only(found: list[Correction]) -> Correction:
    (one,) = found
    return one


def test_corrections_of_all_branches_stand_in_the_order_of_acceptance_then_of_lines() -> None:
    held = session(a=[case("a", "3"), case("a", "1"), case("a", "2")], b=[case("b", "9")])
    ledgers = {
        "a": [taken("a", "3", 5, 9), taken("a", "1", 5, 2), taken("a", "2", 1, 30)],
        "b": [taken("b", "9", 3, 1)],
    }
    found = corrections_of(held, ["b", "a"], ledgers)
    assert [(c.case.found.branch, c.case.found.key) for c in found] == [
        ("a", "2"), ("b", "9"), ("a", "1"), ("a", "3"),
    ]  # fmt: skip


def test_what_is_not_approved_or_needs_no_correction_is_no_correction() -> None:
    proposed, lost, proven = case("a", "1"), case("a", "2", "lost"), case("a", "3")
    proposed.state, proven.state = CaseState.PROPOSED, CaseState.SETTLED
    assert corrections_of(session(a=[proposed, lost, proven]), ["a"], {"a": []}) == []


def test_the_order_is_kept_when_nothing_later_on_the_parcel_is_in_the_database() -> None:
    held = session(a=[case("a", "1"), case("a", "2")])
    ledgers = {"a": [taken("a", "1", 1), taken("a", "2", 2), taken("a", "0", 0)]}
    assert {c.order for c in corrections_of(held, ["a"], ledgers)} == {Order.KEPT}


def test_the_order_can_not_be_kept_when_later_business_on_the_parcel_is_there() -> None:
    held = session(a=[case("a", "1")], b=[])
    ledgers = {"a": [taken("a", "1", 1)], "b": [taken("b", "7", 4), taken("b", "8", 9, 2, "P-2")]}
    one = only(corrections_of(held, ["a"], ledgers))
    assert one.order is Order.NOT_KEPT
    assert [(a.branch, a.key) for a in one.later] == [("b", "7")]


def test_later_business_that_is_missing_too_does_not_break_the_order() -> None:
    held = session(a=[case("a", "1")], b=[case("b", "7")])
    ledgers = {"a": [taken("a", "1", 1)], "b": [taken("b", "7", 4)]}
    assert {c.order for c in corrections_of(held, ["a", "b"], ledgers)} == {Order.KEPT}


def test_business_that_a_comparison_proved_entered_again_breaks_the_order() -> None:
    again = case("b", "7")
    again.state, again.how = CaseState.SETTLED, "proven"
    held = session(a=[case("a", "1")], b=[again])
    ledgers = {"a": [taken("a", "1", 1)], "b": [taken("b", "7", 4)]}
    assert only(corrections_of(held, ["a"], ledgers)).order is Order.NOT_KEPT


def test_business_that_was_given_up_for_lost_does_not_break_the_order() -> None:
    lost = case("b", "7", "lost")
    lost.state, lost.how = CaseState.SETTLED, "accepted"
    held = session(a=[case("a", "1")], b=[lost])
    ledgers = {"a": [taken("a", "1", 1)], "b": [taken("b", "7", 4)]}
    assert only(corrections_of(held, ["a"], ledgers)).order is Order.KEPT


def test_the_order_is_unknown_and_never_kept_when_something_is_not_known() -> None:
    extra = Found(id="x", branch="b", what="extra_central", key="7", parcel="P-1",
                  central={"key": "7"})  # fmt: skip
    own = [taken("a", "1", 1)]
    unlisted = session(a=[case("a", "1")], b=[Case(extra, since=T)])
    for held, ledgers in (
        (session(a=[case("a", "1")]), {"a": []}),  # not in the ledger
        (session(a=[case("a", "1")]), {"a": [taken("a", "1", None)]}),  # without a moment
        (session(a=[case("a", "1", parcel="")]), {"a": own}),  # without a parcel
        (session(a=[case("a", "1")], b=[]), {"a": own}),  # a branch was not compared
        (session(a=[case("a", "1")], b=[]), {"a": own, "b": [taken("b", "7", None)]}),
        (session(a=[case("a", "1")], b=[]), {"a": own, "b": [taken("b", "7", 1)]}),  # same moment
        (unlisted, {"a": own, "b": []}),
    ):
        one = only(corrections_of(held, ["a"], ledgers))
        assert one.order is Order.UNKNOWN
        assert one.because


def test_what_is_voided_or_adjusted_needs_no_order() -> None:
    held = session(a=[case("a", "1", "void"), case("a", "2", "adjust")])
    assert {c.order for c in corrections_of(held, ["a"], {"a": []})} == {Order.NOT_NEEDED}


def test_the_csv_is_harmless_and_the_json_exact() -> None:
    held = session(a=[case("a", "=1+1", amount="-5")])
    found = corrections_of(held, ["a"], {"a": [taken("a", "=1+1", 1)]})
    (row,) = csv.DictReader(io.StringIO(corrections_csv(found).removeprefix("\ufeff")))
    assert (row["key"], row["ledger.slip"], row["reason"]) == ("'=1+1", "'=1+1", "'=seen")
    assert (row["do"], row["order"], row["amount"]) == ("re-enter", "kept", "-5")
    (exact,) = corrections_data("R", held, found)["cases"]
    assert (exact["key"], exact["ledger"]) == ("=1+1", {"slip": "=1+1"})
    assert exact["accepted_at"] == "2026-11-22T02:01:00.000000Z"


def test_no_correction_is_sql() -> None:
    held = session(a=[case("a", "1")])
    found = corrections_of(held, ["a"], {"a": [taken("a", "1", 1)]})
    text = corrections_csv(found).lower()
    assert not any(word in text for word in ("insert ", "update ", "delete ", "select "))
