"""Reading what a branch wrote down."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dr.reconcile.ledger import LedgerError, Shape, Told, decode, read_ledger

SHAPE = Shape.of(
    {
        "columns": {
            "receipt": "receipt_no",
            "slip": "slip",
            "parcel": "parcel_no",
            "at": "accepted_at",
            "outcome": "outcome",
        },
        "acknowledged": ["acknowledged"],
        "unknown": ["unknown"],
        "failed": ["failed"],
    }
)
HEADER = "slip,accepted_at,receipt_no,parcel_no,outcome\n"


def entries(*lines: str, encoding: str = "utf-8") -> dict[str, Told]:
    ledger = read_ledger("b1", (HEADER + "\n".join(lines)).encode(encoding), SHAPE, ["receipt"])
    assert ledger.complete, ledger.problems
    return {entry.key: entry.told for entry in ledger.entries}


def test_the_branch_s_own_slip_number_is_the_key() -> None:
    assert SHAPE.key == "slip"


def test_an_outcome_nobody_declared_is_unknown_and_never_taken_for_success() -> None:
    told = entries(
        "s1,2026-11-22T03:00:00Z,1,P1,acknowledged",
        "s2,2026-11-22T03:00:00Z,2,P2,unknown",
        "s3,2026-11-22T03:00:00Z,,P3,failed",
        "s4,2026-11-22T03:00:00Z,4,P4,???",
    )
    assert list(told.values()) == [Told.ACKNOWLEDGED, Told.UNKNOWN, Told.FAILED, Told.UNKNOWN]


def test_the_answer_counts_when_a_slip_was_written_down_before_and_after_it() -> None:
    sent, answered = "s1,2026-11-22T03:00:00Z,,P1,sent", "s1,2026-11-22T03:00:01Z,7,P1,acknowledged"
    assert entries(sent, answered) == {"s1": Told.ACKNOWLEDGED}
    assert entries(answered, sent) == {"s1": Told.ACKNOWLEDGED}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_text_is_read_in_every_usual_encoding(encoding: str) -> None:
    data = f"{HEADER}受理1,2026-11-22T03:00:00Z,1,土地1,acknowledged\n".encode(encoding)
    (entry,) = read_ledger("b1", data, SHAPE).entries
    assert (entry.key, entry.parcel) == ("受理1", "土地1")


def test_bytes_that_are_no_text_are_refused_and_not_replaced() -> None:
    with pytest.raises(LedgerError, match="neither UTF-8 nor GB18030"):
        decode(b"\xff\x00\x81")


def test_a_moment_without_a_zone_is_beijing_time() -> None:
    data = f"{HEADER}s1,2026-11-22T11:00:00,1,P1,acknowledged\n".encode()
    (entry,) = read_ledger("b1", data, SHAPE).entries
    assert entry.at == datetime(2026, 11, 22, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "because"),
    [
        ("s1,2026-11-22T03:00:00Z,3.1E+20,P1,acknowledged", "no serial number"),
        (",2026-11-22T03:00:00Z,1,P1,acknowledged", "no key"),
        ("s1,yesterday,1,P1,acknowledged", "Invalid isoformat"),
        ("s1,2026-11-22T03:00:00Z,1", "as many fields"),
    ],
)
def test_a_line_that_can_not_be_read_makes_the_ledger_incomplete(line: str, because: str) -> None:
    ledger = read_ledger("b1", f"{HEADER}{line}\n".encode(), SHAPE, ["receipt"])
    assert not ledger.complete
    assert because in ledger.problems[0]
    assert ledger.problems[0].startswith("line 2:")


def test_a_missing_column_is_named() -> None:
    with pytest.raises(LedgerError, match="no column 'outcome'"):
        read_ledger("b1", b"slip,accepted_at,parcel_no\n", SHAPE)


def test_lists_left_empty_in_the_inventory_mean_the_usual_words() -> None:
    assert "ok" in Shape.of({"columns": {"key": "k"}, "acknowledged": []}).acknowledged
