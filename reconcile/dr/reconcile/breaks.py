"""Breaks: where a branch and the centre do not agree, each with a name that never changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from dr.reconcile.shape import Severity


class BreakClass(StrEnum):
    """What is wrong."""

    MISSING_CENTRAL = "missing_central"
    EXTRA_CENTRAL = "extra_central"
    FIELD_DIFF = "field_diff"
    LATER_VERSION = "later_version"
    IN_FLIGHT = "in_flight"
    LATE = "late"
    DUP_KEY_CENTRAL = "dup_key_central"
    DUP_KEY_LEDGER = "dup_key_ledger"
    DUP_BUSINESS = "dup_business"
    CROSS_BRANCH = "cross_branch"
    KEY_DAMAGED = "key_damaged"
    SERIAL_GAP = "serial_gap"
    SERIAL_DUP = "serial_dup"
    SERIAL_OUT_OF_BLOCK = "serial_out_of_block"
    SERIAL_VOID = "serial_void"
    TOTAL_MISMATCH = "total_mismatch"


class Subclass(StrEnum):
    """What more is known of it."""

    NONE = ""
    RPO_TAIL = "rpo_tail"  # after the recovery point: lost with it
    HOLE = "hole"  # before the recovery point, where nothing should be lost: suspect the restore
    UNDATED = "undated"
    UNKNOWN = "unknown"
    IN_FLIGHT = "in_flight"  # the centre has it half done
    UNANSWERED = "unanswered"  # sent, no answer came, and the centre has not got it
    UNSENT = "unsent"  # waits in the branch's queue: send it
    REFUSED = "refused"  # the branch was told no
    BRANCH_VOIDED = "branch_voided"
    MAYBE_DAMAGED = "maybe_damaged"  # may be one of the branch's lines whose key is damaged
    CENTRAL_LATER = "central_later"
    LEDGER_LATER = "ledger_later"  # the centre lost a change
    PROPOSED = "proposed"  # matched by other means than the key: a person confirms


class MatchPass(StrEnum):
    """By what the two sides of a break were found to belong together."""

    NONE = ""
    KEY = "key"
    RECEIPT = "receipt"
    SERIAL = "serial"
    BUSINESS = "business"
    FUZZY = "fuzzy"


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A column in which both sides differ, as each wrote it; None is NULL or not there."""

    column: str
    ledger: str | None
    central: str | None
    severity: Severity = Severity.MAJOR


@dataclass(frozen=True, slots=True, order=True)
class SerialRange:
    """Serial numbers ``first`` to ``last``, both included, behind a common prefix."""

    prefix: str
    first: int
    last: int
    width: int = 0

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        first = f"{self.prefix}{self.first:0{self.width}d}"
        return first if self.count == 1 else f"{first}-{self.prefix}{self.last:0{self.width}d}"


@dataclass(frozen=True, slots=True)
class Break:
    """One break.

    Attributes:
        id: stable hash of session, class, branch and key: comparing again finds the same break.
        key: the natural key; of serials the range.
        ledger / central: what each side wrote, by column, untouched; None when it has nothing.
        line: of the evidence; 0 when it has none.
        evidence: SHA-256 of the evidence.
        score: of a fuzzy proposal, 0 to 100.
        also: the other keys, or the other branch, that are part of it.
        amount: the value at risk; None when nobody knows.
    """

    id: str
    branch: str
    kind: BreakClass
    key: str
    subclass: Subclass = Subclass.NONE
    severity: Severity = Severity.MAJOR
    ledger: Mapping[str, str | None] | None = None
    central: Mapping[str, str | None] | None = None
    fields: tuple[FieldDifference, ...] = ()
    matched_by: MatchPass = MatchPass.NONE
    score: float | None = None
    line: int = 0
    evidence: str = ""
    also: tuple[str, ...] = ()
    serials: SerialRange | None = None
    amount: Decimal | None = None
    notes: Mapping[str, str] = field(default_factory=dict)


def break_id(session: str, kind: BreakClass, branch: str, key: str) -> str:
    """Return the name of a break: 20 hex digits that depend on these four and nothing else."""
    parts = json.dumps([session, kind.value, branch, key], ensure_ascii=False)
    return hashlib.sha256(parts.encode()).hexdigest()[:20]
