"""Evidence when no file can be had: paper receipts typed in, a count and a total by telephone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from dr.engine.core.values import utc_text
from dr.reconcile.branch_type import BranchType
from dr.reconcile.evidence import EvidenceError
from dr.reconcile.reading import Reading, find_heading
from dr.reconcile.rows_in import Gatherer
from dr.reconcile.shape import RecordShape


@dataclass(frozen=True, slots=True)
class Total:
    """What a branch says of one day: how many, how much, first and last form; None is not said."""

    day: str
    count: int
    amount: Decimal | None = None
    first_serial: str = ""
    last_serial: str = ""


def typed_receipts(
    rows: Sequence[Mapping[str, str]], *, by: str, at: datetime, pictures: Sequence[str] = ()
) -> bytes:
    """Return the evidence of paper receipts that ``by`` typed in; ``pictures`` are SHA-256.

    Keys are our words for the columns.
    """
    return _canonical(
        {
            "typed_by": by,
            "typed_at": utc_text(at),
            "pictures": list(pictures),
            "receipts": [dict(row) for row in rows],
        }
    )


def read_typed(branch: str, data: bytes, shape: RecordShape) -> Reading:
    """Read receipts that were typed in; the line is the number of the receipt, from 1.

    Raises:
        EvidenceError: these are no such bytes, or a receipt has a column that the shape has not.
    """
    receipts = _loaded(branch, data).get("receipts")
    if not isinstance(receipts, list) or not all(isinstance(r, dict) for r in receipts):
        raise _no_evidence(branch)
    unknown = sorted({str(k) for r in receipts for k in r} - set(shape.names))
    if unknown:
        raise EvidenceError(
            f"a receipt of {branch} has '{unknown[0]}', which no record has",
            hint=f"Columns are: {', '.join(shape.names)}.",
        )
    names = [n for n in shape.names if any(n in r for r in receipts)] or [shape.key]
    branch_type = BranchType("typed", columns={n: n for n in {*names, shape.key}})
    header = sorted(branch_type.columns)
    gatherer = Gatherer(shape, branch_type, find_heading([header], branch_type, shape, branch))
    for line, receipt in enumerate(receipts, 1):
        gatherer.take(line, [_cell(receipt.get(name)) for name in header])
    return gatherer.reading(branch, hashlib.sha256(data).hexdigest(), "typed")


def told_totals(
    totals: Sequence[Total], *, told_by: str, heard_by: Sequence[str], at: datetime
) -> bytes:
    """Return the evidence of totals said on the telephone.

    Raises:
        EvidenceError: fewer than two other people heard it.
    """
    if len(set(heard_by) - {told_by}) < 2:  # noqa: PLR2004
        raise EvidenceError(
            "totals by telephone need two people who heard them",
            hint="Name two witnesses other than the one who called.",
        )
    return _canonical(
        {
            "told_by": told_by,
            "heard_by": sorted(set(heard_by)),
            "told_at": utc_text(at),
            "totals": [
                {
                    "day": t.day,
                    "count": t.count,
                    "amount": None if t.amount is None else str(t.amount),
                    "first_serial": t.first_serial,
                    "last_serial": t.last_serial,
                }
                for t in totals
            ],
        }
    )


def read_totals(branch: str, data: bytes) -> tuple[Total, ...]:
    """Read totals that were said on the telephone.

    Raises:
        EvidenceError: these are no such bytes.
    """
    try:
        return tuple(
            Total(
                str(t["day"]),
                int(t["count"]),
                None if t["amount"] is None else Decimal(t["amount"]),
                str(t["first_serial"]),
                str(t["last_serial"]),
            )
            for t in _loaded(branch, data)["totals"]
        )
    except (KeyError, TypeError, ValueError, InvalidOperation):
        raise _no_evidence(branch) from None


def _loaded(branch: str, data: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(data)
    except ValueError:
        raise _no_evidence(branch) from None
    if not isinstance(loaded, dict):
        raise _no_evidence(branch)
    return loaded


def _no_evidence(branch: str) -> EvidenceError:
    return EvidenceError(
        f"the evidence of {branch} is not what was typed in",
        hint="Type the receipts or the totals in again.",
    )


def _cell(value: object) -> str | None:
    return None if value is None else str(value)


def _canonical(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
