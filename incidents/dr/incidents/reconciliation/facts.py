"""What a report of a reconciliation says, before it has a language or a layout.  Pure.

Amounts are decimals as text, in whatever currency the ledgers use.  UNKNOWN is an amount, or an
answer, that nobody knows: every layout prints it as unknown, and no sum counts it as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dr.engine.core.canonical import plain
from dr.engine.core.reconciliation import BranchState
from dr.engine.core.values import UNKNOWN, Text, Unknown
from dr.incidents.report.data import Count, Person

VERSION = 1
"""Version of the JSON form.  A field is added without raising it, never renamed or removed."""

OUTCOMES = ("re-enter", "void", "adjust", "accept", "lost", "gone")
"""What becomes of a case, in the order of reports; ``gone``: a later comparison missed it."""

STATES = (
    BranchState.WAITING,
    BranchState.REFUSED,
    BranchState.WORKING,
    BranchState.CLEAN,
    BranchState.SIGNED,
    BranchState.WAIVED,
)
"""In the order in which a branch goes through them."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Cases and what they are worth.

    ``value`` is the sum of the known amounts; UNKNOWN when there are cases and none is known.
    ``unpriced`` of the ``count`` cases are of unknown amount.
    """

    count: int = 0
    value: str | Unknown = "0"
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """A signature of a branch.

    Attributes:
        stands: it is under the state that the branch is in now; False: the branch moved on.
        holds: whether it checks; UNKNOWN when it was spoken, or was not checked here.
        because: what the check said, in English.
    """

    by: Person
    at: datetime
    means: str
    digest: str
    stands: bool
    holds: bool | Unknown = UNKNOWN
    because: str = ""
    witnesses: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True)
class WaiverFacts:
    """A waiver of leadership, and the branches that still rest on it."""

    branches: tuple[str, ...]
    by: Person
    reason: str
    expires: datetime | None
    lapsed: bool


@dataclass(frozen=True, slots=True)
class EvidenceFacts:
    """Something that a branch handed in."""

    sha256: str
    name: str
    at: datetime
    by: str
    via: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """A case with both versions, and what people did about it."""

    id: str
    what: str
    critical: bool
    key: str
    parcel: str
    amount: str | Unknown
    state: str
    outcome: str
    resolution: str
    maker: Person | None
    checker: Person | None
    reason: str
    reference: str
    since: datetime
    settled: datetime | None
    reopened: int
    ledger: Mapping[str, str] = field(default_factory=dict)
    central: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Oldest:
    """The case that has been open longest."""

    since: datetime
    branch: str
    case: str


@dataclass(frozen=True, slots=True)
class BranchFacts:
    """A branch as it stands; ``entries`` is UNKNOWN while nothing of it was compared.

    ``cases`` is filled only where a report of the branch is asked for.
    """

    id: str
    title: Text
    state: str
    entries: Count
    compared: datetime | None
    evidence: tuple[EvidenceFacts, ...]
    problem: str
    reminded: int
    total: Sum
    open: Sum
    critical: int
    outcomes: Mapping[str, Sum]
    digest: str
    oldest: Oldest | None = None
    signature: SignatureFacts | None = None
    waiver: WaiverFacts | None = None
    cases: tuple[CaseFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """When the session may close: shares of 1, and cases that may still be open."""

    signed_off: float
    unexplained: int
    waivable: float


@dataclass(frozen=True, slots=True)
class ReconciliationFacts:
    """A whole session as it stood at ``as_of``.

    ``recovered`` and ``closed`` are two moments; None for one that has not come.  ``how`` it
    closed is signed_off, waived, or "" while it is open.  ``stages`` counts the open cases by
    how far people are with them.
    """

    run: str
    session: str
    title: Text
    bureau: Text
    kind: str
    mode: str
    service: str
    window_from: datetime | None
    window_to: datetime
    opened: datetime
    due: datetime | None
    recovered: datetime | None
    closed: datetime | None
    how: str
    as_of: datetime
    rule: RuleFacts
    states: Mapping[str, int]
    outcomes: Mapping[str, Sum]
    classes: Mapping[str, Sum]
    open: Sum
    stages: Mapping[str, int]
    critical: int
    oldest: Oldest | None
    head: str
    rows: int
    branches: tuple[BranchFacts, ...] = ()
    waivers: tuple[WaiverFacts, ...] = ()

    @property
    def answered(self) -> int:
        """How many branches handed something in that could be compared."""
        return sum(branch.compared is not None for branch in self.branches)

    def branch(self, name: str) -> BranchFacts:
        """Return a branch.

        Raises:
            KeyError: there is none of this name.
        """
        for branch in self.branches:
            if branch.id == name:
                return branch
        raise KeyError(name)

    def to_data(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return {"kind": "dr.reconciliation", "v": VERSION, **plain(self)}
