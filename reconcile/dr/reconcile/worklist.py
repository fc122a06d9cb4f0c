"""The list that a branch works from: what the recovered database lacks, as CSV."""

from __future__ import annotations

import csv
import io

from dr.reconcile.comparison import BranchResult
from dr.reconcile.ledger import Entry

_WHAT = {
    "lost": "acknowledged, missing / 已确认，库中缺失",
    "open": "no answer, missing / 无回执，库中缺失",
    "arrived": "no answer, present / 无回执，库中已有",
    "differing": "differs / 内容不一致",
}


def worklist(result: BranchResult) -> str:
    """Return the list with a byte-order mark: a spreadsheet then shows the Chinese as written."""
    groups: list[tuple[str, tuple[Entry, ...]]] = [
        ("lost", result.lost),
        ("open", result.open),
        ("differing", tuple(entry for entry, _ in result.differing)),
        ("arrived", result.arrived),
    ]
    columns = _columns(result.header, groups)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["finding / 结果", *columns])
    for what, entries in groups:
        for entry in sorted(entries, key=lambda e: (e.at is None, e.at, e.line)):
            writer.writerow([_WHAT[what], *(_safe(entry.row.get(c, "")) for c in columns)])
    return "\ufeff" + out.getvalue()


def _columns(header: tuple[str, ...], groups: list[tuple[str, tuple[Entry, ...]]]) -> list[str]:
    """Return the columns of the ledger, also when there is nothing to list."""
    columns: dict[str, None] = dict.fromkeys(header)
    for _, entries in groups:
        for entry in entries:
            columns.update(dict.fromkeys(entry.row))
    return list(columns)


def _safe(text: str) -> str:
    # a spreadsheet would carry out a cell that begins like a formula
    return f"'{text}" if text.startswith(("=", "+", "@", "\t")) else text
