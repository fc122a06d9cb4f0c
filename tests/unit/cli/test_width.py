"""Text measured in cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.cli.width import cells, column, cut, wrap

WORDS = st.text(
    alphabet=st.sampled_from("ab 恢复数据库，。é-/(1)"),
    max_size=120,
)


@pytest.mark.parametrize(("text", "expected"), [("abc", 3), ("恢复", 4), ("é", 1), ("", 0)])
def test_a_chinese_character_takes_two_cells(text: str, expected: int) -> None:
    assert cells(text) == expected


@given(WORDS, st.integers(min_value=4, max_value=60))
def test_no_line_is_wider_than_it_may_be(text: str, width: int) -> None:
    assert all(cells(line) <= width for line in wrap(text, width, rest="  "))


@given(WORDS, st.integers(min_value=4, max_value=60))
def test_wrapping_loses_no_character(text: str, width: int) -> None:
    kept = "".join(wrap(text, width)).replace(" ", "")
    assert kept == text.replace(" ", "")


@given(WORDS, st.integers(min_value=1, max_value=40))
def test_a_column_is_exactly_as_wide_as_asked(text: str, width: int) -> None:
    assert cells(column(text, width)) == width


def test_a_cut_text_says_so() -> None:
    assert cut("恢复可写数据库", 7) == "恢复可~"


def test_latin_words_stay_whole() -> None:
    assert wrap("one two three", 8) == ["one two", "three"]


def test_a_line_does_not_begin_with_a_closing_mark() -> None:
    lines = wrap("恢复数据，恢复业务。", 8)
    assert not any(line.startswith(("，", "。")) for line in lines)
