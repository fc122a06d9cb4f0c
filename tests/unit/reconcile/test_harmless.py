"""Nothing that a branch wrote is carried out by a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.reconcile.harmless import LONGEST_CELL, begins_formula, cell_text, csv_text

FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\n=1", "\uff1d1+1", "\uff0b1", "\uff0d1+1",
    "\uff20x",
    "\ufe661", "\ufe621", "\ufe631x", "\ufe6bx", " =1+1", "\u3000=1", "\u00a0=1", "'=1",
    "|calc", "%0A=1",
    "=cmd|' /C calc'!A0",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_might_carry_out_stands_behind_an_apostrophe(text: str) -> None:
    assert begins_formula(text)
    assert csv_text(text).startswith("'")


@pytest.mark.parametrize(
    "text", ["张伟", "S-0001", "P=1", "12", "-12.50", "", "2026-11-22T10:00:00"]
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert csv_text(text) == text


def test_what_reorders_or_hides_is_shown_as_a_box() -> None:
    assert cell_text("a\u202eb\u200bc\x00d\ufffee") == "a\ufffdb\ufffdc\ufffdd\ufffde"


def test_a_return_before_a_formula_is_taken_away() -> None:
    assert begins_formula("\r=1")
    assert cell_text("\r=1") == "\ufffd=1"


def test_a_text_that_no_cell_can_hold_is_cut_and_says_so() -> None:
    assert cell_text("x" * 40_000).endswith("…")
    assert len(cell_text("x" * 40_000)) == LONGEST_CELL


@given(st.text(max_size=40))
def test_no_text_makes_a_cell_that_begins_like_a_formula(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow([csv_text(text)])
    (cell,) = next(csv.reader(io.StringIO(out.getvalue(), newline=""))) or [""]
    number = cell.removeprefix("-").replace(".", "", 1).isdigit()
    assert cell.startswith("'") or number or not begins_formula(cell)
