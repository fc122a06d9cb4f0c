"""How the evidence of one type of branch is read: where its columns are, in what zone and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timezone
from enum import StrEnum
from typing import Any

from dr.reconcile.shape import BUREAU_ZONE, zone_of


class Source(StrEnum):
    """In what form a branch hands its business in."""

    CSV = "csv"
    XLSX = "xlsx"  # .xls and .ods are read too
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"  # MariaDB
    SQLITE = "sqlite"
    TYPED = "typed"  # paper receipts that somebody typed in
    TOTALS = "totals"  # a count and a total by telephone


TOTAL_WORDS = ("合计", "总计", "小计", "total")


@dataclass(frozen=True, slots=True)
class BranchType:
    """How to read one type of branch.

    Attributes:
        columns: our word for a column to the header of the file (or the column of the query).
        sheet: name of the worksheet; the first when empty.
        query: of a database, the SELECT; it may name ``since`` and ``until`` as parameters.
        zone: of moments that carry none.
        ten_thousands: columns that are written in 万元.
        outcome: the header that says what the centre answered; "" when the file has none, and
            then every line is business that the centre acknowledged.
        branch: the header that names the branch, so that another's file is told; "" when none.
        unsent: every line is of a queue: the centre has not got it yet.
        partial: it is no account of all that the branch did: what it does not have says nothing.
        total_words: what the first cells of a line of totals begin with; such lines are left out.
    """

    name: str
    source: Source = Source.CSV
    columns: Mapping[str, str] = field(default_factory=dict)
    sheet: str = ""
    query: str = ""
    zone: timezone = BUREAU_ZONE
    ten_thousands: frozenset[str] = frozenset()
    outcome: str = ""
    branch: str = ""
    acknowledged: frozenset[str] = frozenset({"ok", "acknowledged", "done", "已确认", "成功"})
    failed: frozenset[str] = frozenset({"refused", "failed", "rejected", "error", "拒绝", "失败"})
    unsent: bool = False
    partial: bool = False
    total_words: tuple[str, ...] = TOTAL_WORDS

    @classmethod
    def of(cls, name: str, data: Mapping[str, Any]) -> BranchType:
        """Read a type of ledgers.yaml, which has been checked."""
        usual = cls(name)
        words = {
            key: frozenset(str(w).lower() for w in data[key])
            for key in ("acknowledged", "failed")
            if data.get(key)
        }
        return cls(
            name=name,
            source=Source(data.get("source", Source.CSV)),
            columns={str(k): str(v) for k, v in (data.get("columns") or {}).items()},
            sheet=str(data.get("sheet") or ""),
            query=str(data.get("query") or ""),
            zone=zone_of(data.get("zone", "+08:00")),
            ten_thousands=frozenset(data.get("ten_thousands") or ()),
            outcome=str(data.get("outcome") or ""),
            branch=str(data.get("branch") or ""),
            acknowledged=words.get("acknowledged", usual.acknowledged),
            failed=words.get("failed", usual.failed),
            unsent=bool(data.get("unsent", False)),
            total_words=tuple(data.get("total_words") or TOTAL_WORDS),
        )
