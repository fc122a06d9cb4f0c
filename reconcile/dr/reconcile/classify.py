"""Pairs and left-over records made into breaks: what each is called, and how bad it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from dr.reconcile.breaks import (
    Break,
    BreakClass,
    FieldDifference,
    MatchPass,
    Subclass,
    break_id,
)
from dr.reconcile.ledger import Told
from dr.reconcile.matching import Candidate, Matcher, Pair
from dr.reconcile.moments import parse_moment
from dr.reconcile.session import Session
from dr.reconcile.shape import RecordShape, Severity, amount_of

_ORDER = (Severity.CRITICAL, Severity.MAJOR, Severity.MINOR)


@dataclass
class Book:
    """Breaks by their id, and what is counted and is no break."""

    session: Session
    shape: RecordShape
    breaks: dict[str, Break] = field(default_factory=dict)
    format_only: dict[str, int] = field(default_factory=dict)
    arrived: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        kind: BreakClass,
        branch: str,
        key: str,
        *,
        ledger: Candidate | None = None,
        central: Candidate | None = None,
        **more: Any,
    ) -> Break:
        """Note a break; one that is there already keeps its place, and its ``also`` grows."""
        name = break_id(self.session.id, kind, branch, key)
        before = self.breaks.get(name)
        also = {*more.pop("also", ()), *(before.also if before else ())}
        made = Break(
            id=name,
            branch=branch,
            kind=kind,
            key=key,
            ledger=self._shown(ledger),
            central=self._shown(central),
            line=ledger.row.line if ledger else 0,
            evidence=ledger.row.evidence if ledger else "",
            amount=self._amount(ledger) if ledger else self._amount(central),
            also=tuple(sorted(also)),
            **more,
        )
        self.breaks[name] = made
        return made

    def replace_amount(self, made: Break, amount: Decimal) -> None:
        """Set the value at risk of a break that was noted."""
        self.breaks[made.id] = replace(made, amount=amount)

    def moment(self, candidate: Candidate) -> datetime | None:
        """Return when a record was accepted; None when it does not say."""
        place = self.shape.place(self.shape.moment)
        text = candidate.canon[place] if place >= 0 else None
        try:
            return parse_moment(text, self.shape.zone) if text else None
        except ValueError:
            return None

    def _shown(self, candidate: Candidate | None) -> Mapping[str, str | None] | None:
        if candidate is None:
            return None
        return dict(zip(self.shape.names, candidate.row.values, strict=True))

    def _amount(self, candidate: Candidate | None) -> Decimal | None:
        place = self.shape.place(self.shape.amount)
        return amount_of(candidate.canon[place]) if candidate and place >= 0 else None


def is_void(shape: RecordShape, candidate: Candidate) -> bool:
    """Say whether a record is void: a register that deletes nothing has it for ever."""
    place = shape.place(shape.status)
    return place >= 0 and candidate.canon[place] in shape.voided


def note_pair(book: Book, matcher: Matcher, pair: Pair) -> None:
    """Note what two records that belong together disagree on; nothing when they do not."""
    ledger, central = pair.ledger, pair.central
    branch, key = ledger.row.branch, matcher.key(ledger) or matcher.key(central) or ""
    if ledger.told is Told.FAILED:
        if not is_void(book.shape, central):
            book.add(BreakClass.EXTRA_CENTRAL, branch, key, ledger=ledger, central=central,
                     subclass=Subclass.REFUSED, matched_by=pair.by)  # fmt: skip
        return
    fields = matcher.differences(ledger, central)
    if pair.by is not MatchPass.KEY or ledger.damaged:
        book.add(BreakClass.KEY_DAMAGED, branch, matcher.key(ledger) or _line(ledger),
                 ledger=ledger, central=central, subclass=Subclass.PROPOSED, fields=fields,
                 matched_by=pair.by, score=pair.score,
                 also=(matcher.key(central) or "",))  # fmt: skip
        return
    if ledger.told is not Told.ACKNOWLEDGED:
        book.arrived[branch] = book.arrived.get(branch, 0) + 1
    if not fields:
        book.format_only[branch] = book.format_only.get(branch, 0) + 1
        return
    kind, subclass = _of_fields(book.shape, ledger, central, fields)
    book.add(kind, branch, key, ledger=ledger, central=central, fields=fields,
             subclass=subclass, severity=_worst(f.severity for f in fields),
             matched_by=pair.by)  # fmt: skip


def _of_fields(
    shape: RecordShape, ledger: Candidate, central: Candidate, fields: Sequence[FieldDifference]
) -> tuple[BreakClass, Subclass]:
    later = _later(shape, ledger, central)
    if later is not Subclass.NONE:
        return BreakClass.LATER_VERSION, later
    status = shape.place(shape.status)
    if status >= 0 and any(f.column == shape.status for f in fields):
        mine, theirs = ledger.canon[status], central.canon[status]
        if mine in shape.voided and theirs not in shape.voided:
            return BreakClass.EXTRA_CENTRAL, Subclass.BRANCH_VOIDED
        if len(fields) == 1 and {mine, theirs} & shape.in_flight:
            return BreakClass.IN_FLIGHT, Subclass.NONE
    return BreakClass.FIELD_DIFF, Subclass.NONE


def _later(shape: RecordShape, ledger: Candidate, central: Candidate) -> Subclass:
    place = shape.place(shape.revision)
    if place < 0:
        return Subclass.NONE
    mine, theirs = ledger.canon[place], central.canon[place]
    if mine is None or theirs is None or mine == theirs:
        return Subclass.NONE
    try:
        newer = Decimal(mine) > Decimal(theirs)
    except InvalidOperation:
        newer = mine > theirs  # moments in canonical form sort as time does
    return Subclass.LEDGER_LATER if newer else Subclass.CENTRAL_LATER


def note_missing(book: Book, matcher: Matcher, ledger: Candidate) -> None:
    """Note a record of a branch that the centre does not have."""
    branch, key = ledger.row.branch, matcher.key(ledger) or _line(ledger)
    if ledger.damaged:
        book.add(BreakClass.KEY_DAMAGED, branch, _line(ledger), ledger=ledger,
                 notes={"column": ledger.damaged})  # fmt: skip
        return
    if ledger.told is Told.FAILED:
        return
    if ledger.told is not Told.ACKNOWLEDGED:
        unsent = ledger.told is Told.UNSENT
        book.add(BreakClass.IN_FLIGHT, branch, key, ledger=ledger,
                 subclass=Subclass.UNSENT if unsent else Subclass.UNANSWERED)  # fmt: skip
        return
    subclass, severity = _missing(book, ledger)
    book.add(BreakClass.MISSING_CENTRAL, branch, key, ledger=ledger, subclass=subclass,
             severity=severity)  # fmt: skip


def _missing(book: Book, ledger: Candidate) -> tuple[Subclass, Severity]:
    if is_void(book.shape, ledger):
        return Subclass.BRANCH_VOIDED, Severity.MINOR
    moment = book.moment(ledger)
    if moment is None:
        return Subclass.UNDATED, Severity.MAJOR
    if book.session.window.is_before_recovery_point(moment):
        return Subclass.HOLE, Severity.CRITICAL
    return Subclass.RPO_TAIL, Severity.MAJOR


def note_extra(book: Book, matcher: Matcher, central: Candidate, *, unread: bool) -> None:
    """Note a record of the centre that its branch does not have.

    Args:
        unread: whether the branch's evidence has lines that could not be read.
    """
    place = book.shape.place(book.shape.status)
    if place >= 0 and central.canon[place] in book.shape.in_flight:
        subclass = Subclass.IN_FLIGHT
    else:
        subclass = Subclass.MAYBE_DAMAGED if unread else Subclass.UNKNOWN
    book.add(BreakClass.EXTRA_CENTRAL, central.row.branch, matcher.key(central) or "",
             central=central, subclass=subclass)  # fmt: skip


def _line(candidate: Candidate) -> str:
    return f"line {candidate.row.line}"


def _worst(found: Iterable[Severity]) -> Severity:
    return min(found, key=_ORDER.index)
