"""The reconciliation of a run with its branches: sessions, cases, sign-off.  Pure.

After a recovery the database may lack, hold twice or hold otherwise what branches did.  A session
puts every difference on a list as a *case*; a maker proposes what to do, another person approves
it, and only a new comparison proves a correction.  State is a fold over ``reconcile.*`` events,
as everything is (``core.view``); nothing is ever deleted.

The life of a case follows what banks do with exceptions: maker and checker are two people, an
item rolls forward until it is resolved, and whoever signs, signs a text that names every item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from dr.engine.core.canonical import canonical_bytes, digest
from dr.engine.core.values import parse_utc


class Resolution(StrEnum):
    """What a person proposes for a case.  Persisted; never renamed."""

    RE_ENTER = "re-enter"  # the database lacks it: the branch enters it again
    VOID = "void"  # the database has it and must not: void it
    ADJUST = "adjust"  # both have it and differ: correct what is wrong
    ACCEPT = "accept"  # both are right as they are; the reason says why
    LOST = "lost"  # it can not be entered again: lost for ever
    REFER = "refer"  # somebody else must decide; it stays open


PROVEN = frozenset({Resolution.RE_ENTER, Resolution.VOID, Resolution.ADJUST})
"""Resolutions that change the database: a new comparison has to prove them."""


COPY = "copy"
"""How evidence came that is no branch's own: what another copy of the database has."""

PHOTO = "photo"
"""How pictures of paper came: they are kept, and nobody but people reads them."""


class CaseState(StrEnum):
    """Where a case stands.  Persisted in reports; never renamed."""

    OPEN = "open"
    PROPOSED = "proposed"  # by the maker
    APPROVED = "approved"  # by the checker; the correction is not proven yet
    SETTLED = "settled"  # proven by a comparison, or accepted by two people


class BranchState(StrEnum):
    """Where a branch stands; derived, never stored."""

    WAITING = "waiting"  # nothing came from it
    REFUSED = "refused"  # what came could not be read
    WORKING = "working"  # it has cases that are not settled
    CLEAN = "clean"  # nothing is left but its signature
    SIGNED = "signed"
    WAIVED = "waived"  # leadership lets the session close without it


@dataclass(frozen=True, slots=True)
class Found:
    """A difference that a comparison found.

    Attributes:
        id: stable over comparisons: the same difference has the same id.
        what: its class, a word such as ``missing_central``; ``sub`` refines it.
        key: the branch's own number of the business.
        amount: what it is about in money, a decimal as text; "" when nobody knows.
        ledger / central: the record as each side has it, original words; empty: it has none.
        fields: names of the fields that differ.
        critical: it casts doubt on the recovery itself.
        proposed: what the engine would propose; a person decides.
        match: how the two sides were paired: key, receipt, rule name; with a score of 0 to 100.
    """

    id: str
    branch: str
    what: str
    key: str = ""
    sub: str = ""
    parcel: str = ""
    amount: str = ""
    ledger: Mapping[str, str] = field(default_factory=dict)
    central: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    critical: bool = False
    proposed: str = Resolution.REFER
    match: str = ""
    score: float | None = None

    def to_data(self) -> dict[str, Any]:
        """Return the JSON data that the journal stores; what is empty is left out."""
        named = ((name, getattr(self, name)) for name in self.__slots__)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in named
            if value not in (None, "", (), {}, False)
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` wrote."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        return cls(**{**known, "fields": tuple(known.get("fields", ()))})


@dataclass(slots=True)
class Case:
    """A difference on the work-list, and what people did about it."""

    found: Found
    since: datetime
    state: CaseState = CaseState.OPEN
    owner: str = ""
    resolution: Resolution | None = None
    reason: str = ""
    reference: str = ""  # of the correction in the registration application
    maker: str = ""
    checker: str = ""
    settled: datetime | None = None
    how: str = ""  # proven | accepted | gone
    reopened: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is not settled."""
        return self.state is not CaseState.SETTLED

    @property
    def outcome(self) -> str:
        """What became of it, for sums: the resolution, ``gone`` when nobody had to do anything."""
        if self.is_open:
            return "open"
        return str(self.resolution) if self.resolution and self.how != "gone" else "gone"


@dataclass(slots=True)
class Evidence:
    """A file, or what was said, that a branch handed in; ``sha256`` names the kept bytes."""

    sha256: str
    name: str
    at: datetime
    by: str
    via: str  # sftp | database | file | paper | queue | telephone | copy | photo
    problem: str = ""


@dataclass(slots=True)
class Signature:
    """A branch's signature under its statement: the head's, after a maker's and a checker's."""

    digest: str
    by: str
    at: datetime
    means: str
    statement: str
    signature: str = ""
    witnesses: tuple[str, ...] = ()


@dataclass(slots=True)
class Branch:
    """A branch in a session."""

    name: str
    evidence: list[Evidence] = field(default_factory=list)
    cases: dict[str, Case] = field(default_factory=dict)
    entries: int | None = None  # pieces of business compared; None: none were
    compared: datetime | None = None
    compared_with: str = ""  # sha256 of the evidence that the last comparison took
    problem: str = ""
    signature: Signature | None = None
    waiver: Mapping[str, Any] | None = None
    reminded: int = 0
    awaited: bool = True  # False: nobody awaits it, cases that others' records showed are all

    @property
    def owes(self) -> bool:
        """Whether the session waits for its signature."""
        return self.awaited or self.compared is not None

    @property
    def answered(self) -> bool:
        """Whether it said what it did; what a copy of the database shows is not its own word."""
        understood = {one.via for one in self.evidence if not one.problem} - {PHOTO}
        return self.compared is not None and understood != {COPY}

    @property
    def open_cases(self) -> list[Case]:
        """Cases that are not settled."""
        return [case for case in self.cases.values() if case.is_open]


@dataclass(frozen=True, slots=True)
class Rule:
    """When a session may close.

    Attributes:
        signed_off: the share of the branches that have signed, 0 to 1.
        unexplained: cases that may still be open.
        waivable: the share that must have signed before leadership may waive the rest.
    """

    signed_off: float = 1.0
    unexplained: int = 0
    waivable: float = 0.95

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read ``{signed_off: 100%, unexplained: 0, waivable: 95%}``.

        Raises:
            ValueError: a share is not between 0 % and 100 %.
        """
        usual = cls()
        return cls(
            share(data.get("signed_off", usual.signed_off)),
            int(data.get("unexplained", usual.unexplained)),
            share(data.get("waivable", usual.waivable)),
        )


def share(value: object) -> float:
    """Return ``95%`` or ``0.95`` as 0.95.

    Raises:
        ValueError: it is neither, or out of range.
    """
    text = str(value).strip()
    number = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 <= number <= 1:
        raise ValueError(f"'{text}' is no share between 0% and 100%")
    return number


@dataclass(slots=True)
class Session:
    """A reconciliation: from the opening on, once service is back, until it closes.

    ``window`` is from the recovery point less an overlap to the moment when service was back; its
    start is None when nobody knows the recovery point: then everything is compared.
    """

    id: str
    step: str
    opened: datetime
    window: tuple[datetime | None, datetime]
    recovery_point: datetime | None = None
    rule: Rule = field(default_factory=Rule)
    due: datetime | None = None
    branches: dict[str, Branch] = field(default_factory=dict)
    service: str = ""
    host: str = ""
    closed: datetime | None = None
    how: str = ""  # signed_off | waived
    frees_locks: bool = False  # the run holds no lock until it closes
    changed: int = 0  # the last event that moved it
    reminders: int = 0  # how often late branches were reminded
    reminded: datetime | None = None  # the last time

    def state_of(self, branch: Branch, now: datetime) -> BranchState:
        """Return where a branch stands ``now``."""
        if branch.signature is not None and branch.signature.digest == self.digest_of(branch):
            return BranchState.SIGNED
        if branch.waiver is not None and self._is_waived(branch, branch.waiver, now):
            return BranchState.WAIVED
        if branch.owes and not branch.answered:
            return BranchState.REFUSED if branch.problem else BranchState.WAITING
        return BranchState.WORKING if branch.open_cases else BranchState.CLEAN

    def _is_waived(self, branch: Branch, waiver: Mapping[str, Any], now: datetime) -> bool:
        """Whether a waiver counts: it has not lapsed, and is of the branch as it stands now."""
        signed = (waiver.get("digests") or {}).get(branch.name)
        return not _lapsed(waiver, now) and signed in {None, self.digest_of(branch)}

    def statement_of(self, branch: Branch) -> dict[str, Any]:
        """Return what a branch signs: the session, its evidence, the result, every resolution."""
        start, end = self.window
        return {
            "v": 1,
            "session": self.id,
            "branch": branch.name,
            "window": [start.isoformat() if start else None, end.isoformat()],
            "evidence": branch.compared_with,
            "entries": branch.entries,
            "cases": [
                [case.found.id, case.found.what, case.outcome, case.maker, case.checker]
                for _, case in sorted(branch.cases.items())
            ],
        }

    def digest_of(self, branch: Branch) -> str:
        """Return the SHA-256 of a branch's statement; any change of it voids the signature."""
        return digest(self.statement_of(branch))

    def text_of(self, branch: Branch) -> str:
        """Return the statement as the canonical text that is signed."""
        return canonical_bytes(self.statement_of(branch)).decode()


def _lapsed(waiver: Mapping[str, Any], now: datetime) -> bool:
    until = waiver.get("expires")
    return bool(until) and parse_utc(str(until)) <= now
