"""Hosts as the observatory would have seen them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dr.engine.actions.postgres.member import Member

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)

_STANDBY = Member(
    "db-b",
    NOW,
    reachable=True,
    answers=True,
    in_recovery=True,
    system_id="42",
    timeline=1,
    received=1000,
    replayed=1000,
    replayed_to=NOW,
    holds_address=False,
    fenced=False,
    site="main",
)


def standby(host: str = "db-b", **changes: Any) -> Member:
    """Return a healthy standby."""
    return replace(_STANDBY, host=host, **changes)


def primary(host: str = "db-a", **changes: Any) -> Member:
    """Return a primary that writes and holds the address."""
    values: dict[str, Any] = {
        "in_recovery": False,
        "written": 1000,
        "received": None,
        "replayed": None,
        "replayed_to": None,
        "holds_address": True,
        **changes,
    }
    return standby(host, **values)


def dead(host: str = "db-a", **changes: Any) -> Member:
    """Return a host that answers and whose database does not."""
    values = {"reachable": True, "holds_address": True, "fenced": False, "site": "main", **changes}
    return Member(host, NOW, **values)


def silent(host: str = "db-a") -> Member:
    """Return a host that does not answer at all."""
    return Member(host, NOW, because="no answer within 3 s")
