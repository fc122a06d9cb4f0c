"""Durations, texts, secrets, canonical bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.engine.core.canonical import GENESIS, canonical_bytes, chain_hash, plain
from dr.engine.core.values import (
    UNKNOWN,
    Secret,
    Text,
    format_duration,
    parse_duration,
    parse_utc,
    utc_text,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172800)]
)
def test_a_duration_is_read_with_its_units(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["90", "", "1 h", "-5s", "5x", "1h30"])
def test_a_duration_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.34, "0.3s"), (9.96, "10s"), (59.6, "1m"), (5400, "1h30m"), (-65, "-1m5s")],
)
def test_a_duration_is_written_with_two_units_at_most(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


def test_an_unknown_duration_is_never_written_as_zero() -> None:
    assert format_duration(None) == "unknown"


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_survives_being_written_and_read(moment: datetime) -> None:
    assert parse_utc(utc_text(moment)) == moment


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        parse_utc("2026-11-01T03:00:00")


def test_a_secret_shows_its_value_nowhere() -> None:
    secret = Secret("hunter2", "env:PASSWORD")
    assert "hunter2" not in f"{secret} {secret!r} {plain({'p': secret})}"
    assert plain(secret) == {"secret": "env:PASSWORD"}


def test_unknown_is_neither_true_nor_equal_to_nothing() -> None:
    assert not UNKNOWN
    assert UNKNOWN is not None
    assert plain(UNKNOWN) == {"unknown": True}


def test_a_text_falls_back_to_the_other_language() -> None:
    assert Text(en="Go").say("zh") == "Go"
    assert Text(en="Go", zh="走").say("zh_CN") == "走"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values))
def test_canonical_bytes_do_not_depend_on_the_order_of_keys(data: dict[str, object]) -> None:
    backwards = dict(reversed(list(data.items())))
    assert canonical_bytes(data) == canonical_bytes(backwards)


@given(st.dictionaries(st.text(), json_values), st.text(alphabet="0123456789abcdef"))
def test_the_chain_depends_on_what_came_before(row: dict[str, object], other: str) -> None:
    if other != GENESIS:
        assert chain_hash(GENESIS, row) != chain_hash(other, row)
