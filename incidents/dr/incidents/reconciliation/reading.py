"""From a session to the facts of its report: pure, and from the journal's fold alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from dr.engine.core.ports import Check, RunRecord
from dr.engine.core.reconciled import amount
from dr.engine.core.reconciliation import Branch, Case, CaseState, Session
from dr.engine.core.values import UNKNOWN, Unknown
from dr.engine.core.view import RunView
from dr.incidents.reconciliation.facts import (
    OUTCOMES,
    STATES,
    BranchFacts,
    CaseFacts,
    EvidenceFacts,
    Oldest,
    ReconciliationFacts,
    RuleFacts,
    SignatureFacts,
    Sum,
    WaiverFacts,
)
from dr.incidents.report.found import Names, mapping, moment, text_of

Checks = Mapping[str, Check]
"""What became of checking each signature, by branch."""


def reconciliation_facts(
    record: RunRecord,
    view: RunView,
    now: datetime,
    *,
    checks: Checks | None = None,
    cases_of: Collection[str] = (),
) -> ReconciliationFacts | None:
    """Return what can be reported of a run's session as it stands; None when it has none.

    Args:
        now: decides whether a waiver has lapsed; the last event's moment, for a report that has
            to come out the same from the same journal.
        checks: of the signatures, by branch; one that is not among them counts as not checked.
        cases_of: the branches whose every case is told.
    """
    session = view.session
    if session is None:
        return None
    names = Names(record.inventory)
    cases = [case for branch in session.branches.values() for case in branch.cases.values()]
    still = [case for case in cases if case.is_open]
    states = [session.state_of(branch, now) for branch in session.branches.values()]
    return ReconciliationFacts(
        run=record.id,
        session=session.id,
        title=text_of(record.title or view.created.get("title")),
        bureau=text_of(record.inventory.get("bureau")),
        kind=str(mapping(record.inventory.get("environment")).get("kind") or ""),
        mode=record.mode,
        service=session.service,
        window_from=session.window[0],
        window_to=session.window[1],
        opened=session.opened,
        due=session.due,
        recovered=view.moments.recovered,
        closed=session.closed,
        how=session.how,
        as_of=now,
        rule=RuleFacts(session.rule.signed_off, session.rule.unexplained, session.rule.waivable),
        states={str(state): states.count(state) for state in STATES},
        outcomes=_outcomes(cases),
        classes=_classes(cases),
        open=total(still),
        stages={str(s): sum(c.state is s for c in still) for s in CaseState if s != "settled"},
        critical=sum(case.found.critical for case in still),
        oldest=_oldest(still),
        head=view.head,
        rows=view.seq,
        branches=tuple(
            _branch(session, branch, now, names, checks or {}, told=branch.name in cases_of)
            for _, branch in sorted(session.branches.items())
        ),
        waivers=_waivers(session, now, names),
    )


def total(cases: Iterable[Case]) -> Sum:
    """Add cases up; what nobody knows is counted, and never as zero."""
    listed = list(cases)
    known = [worth for worth in map(amount, listed) if worth is not None]
    value: str | Unknown = UNKNOWN if listed and not known else _text(sum(known, Decimal()))
    return Sum(len(listed), value, len(listed) - len(known))


def _text(value: Decimal) -> str:
    return f"{value:f}"


def _outcomes(cases: Iterable[Case]) -> dict[str, Sum]:
    found: dict[str, list[Case]] = {outcome: [] for outcome in OUTCOMES}
    for case in cases:
        if not case.is_open:
            found.setdefault(case.outcome, []).append(case)
    return {outcome: total(of) for outcome, of in found.items()}


def _classes(cases: Iterable[Case]) -> dict[str, Sum]:
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.found.what, []).append(case)
    return {what: total(of) for what, of in sorted(found.items())}


def _oldest(still: Iterable[Case]) -> Oldest | None:
    first = min(still, key=lambda case: (case.since, case.found.id), default=None)
    return Oldest(first.since, first.found.branch, first.found.id) if first else None


def _branch(
    session: Session,
    branch: Branch,
    now: datetime,
    names: Names,
    checks: Checks,
    *,
    told: bool,
) -> BranchFacts:
    cases, still = branch.cases.values(), branch.open_cases
    return BranchFacts(
        id=branch.name,
        title=names.branch(branch.name),
        state=str(session.state_of(branch, now)),
        entries=UNKNOWN if branch.entries is None else branch.entries,
        compared=branch.compared,
        evidence=tuple(
            EvidenceFacts(e.sha256, e.name, e.at, e.by, e.via, e.problem) for e in branch.evidence
        ),
        problem=branch.problem,
        reminded=branch.reminded,
        total=total(cases),
        open=total(still),
        critical=sum(case.found.critical for case in still),
        outcomes={name: of for name, of in _outcomes(cases).items() if of.count},
        digest=session.digest_of(branch),
        oldest=_oldest(still),
        signature=_signature(session, branch, names, checks),
        waiver=_waiver(branch, (branch.name,), now, names),
        cases=tuple(_case(case, names) for case in cases) if told else (),
    )


def _signature(
    session: Session, branch: Branch, names: Names, checks: Checks
) -> SignatureFacts | None:
    signed, check = branch.signature, checks.get(branch.name)
    if signed is None:
        return None
    return SignatureFacts(
        by=names.person(signed.by),
        at=signed.at,
        means=signed.means,
        digest=signed.digest,
        stands=signed.digest == session.digest_of(branch),
        holds=UNKNOWN if check is None else check.holds,
        because="" if check is None else check.because,
        witnesses=tuple(names.person(who) for who in signed.witnesses),
    )


def _waiver(
    branch: Branch, branches: tuple[str, ...], now: datetime, names: Names
) -> WaiverFacts | None:
    if branch.waiver is None:
        return None
    expires = moment(branch.waiver.get("expires"))
    return WaiverFacts(
        branches=branches,
        by=names.person(branch.waiver.get("by")),
        reason=str(branch.waiver.get("reason", "")),
        expires=expires,
        lapsed=expires is not None and expires <= now,
    )


def _waivers(session: Session, now: datetime, names: Names) -> tuple[WaiverFacts, ...]:
    """Return each waiver once, with the branches that did not get a newer one."""
    rest: dict[int, list[Branch]] = {}
    for branch in session.branches.values():
        if branch.waiver is not None:
            rest.setdefault(id(branch.waiver), []).append(branch)
    found = [
        _waiver(branches[0], tuple(sorted(b.name for b in branches)), now, names)
        for branches in rest.values()
    ]
    return tuple(waiver for waiver in found if waiver is not None)


def _case(case: Case, names: Names) -> CaseFacts:
    worth, found = amount(case), case.found
    return CaseFacts(
        id=found.id,
        what=found.what,
        critical=found.critical,
        key=found.key,
        parcel=found.parcel,
        amount=UNKNOWN if worth is None else _text(worth),
        state=str(case.state),
        outcome=case.outcome,
        resolution=str(case.resolution or ""),
        maker=names.person(case.maker) if case.maker else None,
        checker=names.person(case.checker) if case.checker else None,
        reason=case.reason,
        reference=case.reference,
        since=case.since,
        settled=case.settled,
        reopened=case.reopened,
        ledger=dict(found.ledger),
        central=dict(found.central),
        fields=found.fields,
    )
