"""Numbered forms by branch: counts, ranges, and what nobody asked."""

from __future__ import annotations

from typing import Any

from dr.engine.service.forms import count, forms_of, range_of
from dr.reconcile.breaks import SerialRange

BLOCKS: list[dict[str, Any]] = [
    {"branch": "a", "first": 1, "last": 100, "kind": "issued"},
    {"branch": "a", "first": 91, "last": 100, "kind": "stolen"},
    {"branch": "a", "first": 5, "last": 5, "kind": "void"},
    {"branch": "b", "first": 101, "last": 200, "kind": "issued"},
]


def test_both_ends_of_a_range_belong_to_it() -> None:
    assert count([SerialRange("", 91, 100), SerialRange("", 5, 5)]) == 11


def test_a_stolen_form_that_was_used_is_counted_apart() -> None:
    found = {(1, 100): 40, (91, 100): 2, (101, 200): 7}
    used = {range_of({"first": f, "last": t}): number for (f, t), number in found.items()}
    a, b = forms_of(BLOCKS, None, used)
    assert (a.used, a.stolen_used, b.used, b.stolen_used) == (40, 2, 7, 0)


def test_without_a_look_into_the_database_what_was_used_is_unknown_and_not_zero() -> None:
    a, _ = forms_of(BLOCKS, None)
    assert (a.used, a.stolen_used) == (None, None)
    assert a.to_data()["used"] is None
