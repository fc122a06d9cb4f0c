"""What counts as a difference and what is only another way of writing."""

# ruff: noqa: RUF001 - full-width characters are what is tested

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dr.reconcile.canon import Canon, canoniser, is_read, same
from dr.reconcile.shape import BUREAU_ZONE, Column, Kind, RecordShape, zone_of


def canon(kind: Kind, text: str | None, **more: object) -> str | None:
    return canoniser(Column("c", kind, **more), BUREAU_ZONE)(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (Kind.CODE, "R-0012", "ｒ－００１２"),
        (Kind.CODE, "R-0012", " R - 0012\u200b"),
        (Kind.CODE, "R-0012", "R—0012"),
        (Kind.CODE, "0012", '="0012"'),
        (Kind.CODE, "0012", "'0012"),
        (Kind.TEXT, "湖滨路 1 号", "湖滨路\u3000１\u00a0号 "),
        (Kind.TEXT, "\ue81e", "\u9fb4"),
        (Kind.NUMBER, "1234.50", "￥1,234.5"),
        (Kind.NUMBER, "1234.50", "１２３４．５０元"),
        (Kind.NUMBER, "120000", "12万元"),
        (Kind.NUMBER, "-1.00", "(1.00)"),
        (Kind.NUMBER, "0.00", "-0"),
        (Kind.NUMBER, "1200.00", "1.2E+3"),
        (Kind.MOMENT, "2026-11-25 08:30:00", "2026/11/25 8:30:00"),
        (Kind.MOMENT, "2026-11-25 08:30:00", "2026年11月25日8时30分0秒"),
        (Kind.MOMENT, "2026-11-25 08:30:00", "2026-11-25T00:30:00Z"),
        (Kind.MOMENT, "2026-11-25 08:30:00", "20261125083000"),
        (Kind.MOMENT, "2026-11-25 08:30:00", "2026-11-25 01:30:00+01:00"),
        (Kind.DAY, "2026-11-25", "2026.11.25"),
        (Kind.OWNERS, "张伟、李娜", "李娜，张 伟"),
        (Kind.OWNERS, "张伟、李娜", "李娜;张伟;"),
    ],
)
def test_two_ways_of_writing_have_one_form(kind: Kind, one: str, other: str) -> None:
    assert canon(kind, one) == canon(kind, other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (Kind.CODE, "R-0012", "R-0021"),
        (Kind.CODE, "0012", "12"),
        (Kind.TEXT, "湖滨路 1 号", "湖滨路 11 号"),
        (Kind.TEXT, "a b", "ab"),
        (Kind.NUMBER, "1234.50", "1234.51"),
        (Kind.NUMBER, "1234.50", "1234.504"),
        (Kind.MOMENT, "2026-11-25 08:30:00", "2026-11-25 08:30:01"),
        (Kind.OWNERS, "张伟、李娜", "张伟"),
        (Kind.OWNERS, "张伟", "张㐱"),
    ],
)
def test_what_means_something_else_keeps_another_form(kind: Kind, one: str, other: str) -> None:
    assert canon(kind, one) != canon(kind, other)


def test_a_moment_is_compared_to_the_coarser_precision() -> None:
    column = Column("at", Kind.MOMENT)
    fine, minute, day = (
        canon(Kind.MOMENT, text)
        for text in ("2026-11-25 00:30:12.25", "2026-11-25 00:30", "2026-11-25")
    )
    assert same(column, fine, minute, BUREAU_ZONE)
    # in UTC it is still the 24th; what counts is the bureau's day
    assert same(column, fine, day, BUREAU_ZONE)
    assert not same(column, fine, canon(Kind.MOMENT, "2026-11-25 00:31"), BUREAU_ZONE)
    assert not same(column, fine, canon(Kind.MOMENT, "2026-11-24"), BUREAU_ZONE)


def test_a_word_for_nothing_is_null_only_where_the_column_says_so() -> None:
    assert canon(Kind.TEXT, " － ") is None
    assert canon(Kind.TEXT, "无") is None
    assert canon(Kind.TEXT, "无", empty=("",)) == "无"
    assert canon(Kind.TEXT, "", empty_is_null=False) == ""
    assert canon(Kind.TEXT, None, empty_is_null=False) is None


def test_what_is_no_number_stays_as_it_is_and_is_told() -> None:
    column = Column("amount", Kind.NUMBER)
    assert canon(Kind.NUMBER, "约三万") == "约三万"
    assert not is_read(column, "约三万")
    assert is_read(column, "3.00")
    assert not is_read(Column("at", Kind.MOMENT), canon(Kind.MOMENT, "2026-02-30 10:00"))


def test_a_column_in_ten_thousands_is_brought_to_yuan() -> None:
    shape = RecordShape((Column("slip"), Column("amount", Kind.NUMBER)), "slip")
    canon = Canon(shape, BUREAU_ZONE, frozenset({"amount"}))
    assert canon.row(("a", "12.5")) == ("a", "125000.00")
    assert canon.row(("a", "125000元")) == ("a", "125000.00")


def test_a_zone_is_an_offset() -> None:
    assert zone_of("-03:30") == timezone(-timedelta(hours=3, minutes=30))
    assert zone_of("Z") == UTC
    with pytest.raises(ValueError, match="no offset"):
        zone_of("Asia/Shanghai")


_TEXT = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from(
            " 　\u200b\ufeff0１2．，,、;；/-－—¥￥万元()E+年月日:时分'\"=㎡①Ⅳ\ue81e\u0301"
        ),
    ),
    max_size=25,
)


@given(st.sampled_from(Kind), _TEXT)
@example(Kind.CODE, "e \u0301")
@example(Kind.CODE, "ŉ'ΐ")
@example(Kind.OWNERS, "a\u3000\u3000b、 c")
@example(Kind.NUMBER, "-0.00元")
@example(Kind.OWNERS, "¨¸")
def test_a_canonical_form_is_its_own_canonical_form(kind: Kind, text: str) -> None:
    once = canon(kind, text)
    assert canon(kind, once) == once
