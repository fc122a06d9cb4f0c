"""The SQL that brings business back, and the action's own rules around it."""

from __future__ import annotations

from typing import Any

import pytest

from dr.engine.actions.business_reopen import stage_sql
from dr.engine.actions.postgres.service import Service, read_service
from dr.engine.core.errors import RefusedError

BUSINESS: dict[str, Any] = {
    "stages": {
        "read_only": ["UPDATE service_state SET stage = 'read_only';"],
        "held": ["UPDATE service_state SET stage = 'held'"],
        "full": ["UPDATE service_state SET stage = 'full'"],
    },
    "sequences": [
        {"name": "receipt", "sequence": "receipt_seq", "issued": "SELECT max(receipt_no) FROM r"}
    ],
    "holds": {"table": "parcel_hold", "column": "parcel_no", "reason_column": "reason"},
}


def service(**business: Any) -> Service:
    return read_service(
        {
            "services": {
                "registry": {
                    "members": ["db-a"],
                    "database": {"engine": "postgresql", "name": "registry"},
                    "business": {**BUSINESS, **business},
                }
            }
        },
        "registry",
    )


def test_read_only_opens_nothing() -> None:
    first, rest = stage_sql(service(), "read_only", ["P1"], {}, 0, "run-1")
    assert first == "UPDATE service_state SET stage = 'read_only';"
    assert rest == ""


def test_parcels_are_held_and_sequences_moved_before_anything_opens() -> None:
    first, rest = stage_sql(service(), "held", ["P1", "P2"], {"receipt": 77}, 0, "run-1")
    assert "read_only" in first
    hold, move, opens = rest.splitlines()
    assert hold.startswith("INSERT INTO parcel_hold (parcel_no, reason) VALUES ('P1', 'run-1')")
    assert hold.endswith("ON CONFLICT DO NOTHING;")
    assert "greatest((SELECT last_value FROM receipt_seq)" in move
    assert ", 77) + 0, true);" in move
    assert opens == "UPDATE service_state SET stage = 'held';"


def test_numbers_are_reserved_for_branches_nobody_could_ask() -> None:
    _, rest = stage_sql(service(), "held", [], {"receipt": 77}, 2000, "run-1")
    assert ", 77) + 2000, true);" in rest


def test_a_parcel_s_name_can_not_end_the_statement() -> None:
    _, rest = stage_sql(service(), "held", ["P'); DROP TABLE r; --"], {}, 0, "run-1")
    assert "('P''); DROP TABLE r; --', 'run-1')" in rest


def test_a_table_that_is_no_name_is_refused() -> None:
    bad = service(holds={"table": "x; DROP TABLE r", "column": "c"})
    with pytest.raises(RefusedError, match="is no name"):
        stage_sql(bad, "held", ["P1"], {}, 0, "run-1")


def test_affected_parcels_without_a_way_to_hold_them_open_nothing() -> None:
    with pytest.raises(RefusedError, match="how a parcel is held"):
        stage_sql(service(holds={}), "held", ["P1"], {}, 0, "run-1")
