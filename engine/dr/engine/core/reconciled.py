"""How a reconciliation stands, and whether it may close.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from dr.engine.core.reconciliation import BranchState, Case, Session
from dr.engine.core.values import utc_text

_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Totals:
    """How a session stands.  ``at_risk`` is the sum of known amounts of open cases.

    ``unpriced`` counts the open cases of which nobody knows the amount: they are not zero.
    ``settled_value`` and ``settled_unpriced`` say the same of those settled, by resolution.
    """

    branches: int
    states: Mapping[BranchState, int]
    open_cases: int
    settled: Mapping[str, int]
    settled_value: Mapping[str, Decimal]
    settled_unpriced: Mapping[str, int]
    at_risk: Decimal
    unpriced: int
    critical: int
    oldest: datetime | None

    @property
    def signed_share(self) -> float:
        """The share of the branches that have signed, 0 to 1."""
        return self.states.get(BranchState.SIGNED, 0) / self.branches if self.branches else 1.0


def totals(session: Session, now: datetime) -> Totals:
    """Count a session as it stands ``now``; the cost grows with its branches and cases."""
    states: dict[BranchState, int] = {}
    cases: list[Case] = []
    for branch in session.branches.values():
        if branch.owes:
            state = session.state_of(branch, now)
            states[state] = states.get(state, 0) + 1
        cases.extend(branch.cases.values())
    still = [case for case in cases if case.is_open]
    settled: dict[str, list[Case]] = {}
    for case in cases:
        if not case.is_open:
            settled.setdefault(case.outcome, []).append(case)
    return Totals(
        branches=sum(states.values()),
        states=states,
        open_cases=len(still),
        settled={how: len(those) for how, those in settled.items()},
        settled_value={how: _known(those) for how, those in settled.items()},
        settled_unpriced={how: _unpriced(those) for how, those in settled.items()},
        at_risk=_known(still),
        unpriced=_unpriced(still),
        critical=sum(case.found.critical for case in still),
        oldest=min((case.since for case in still), default=None),
    )


def _known(cases: Sequence[Case]) -> Decimal:
    return sum((a for a in map(amount, cases) if a is not None), Decimal())


def _unpriced(cases: Sequence[Case]) -> int:
    return sum(amount(case) is None for case in cases)


def open_cases(session: Session) -> list[Case]:
    """List the cases of all branches that are not settled."""
    return [case for branch in session.branches.values() for case in branch.open_cases]


def amount(case: Case) -> Decimal | None:
    """Return what a case is about in money; None when nobody knows.

    A ledger may say NaN, or a number of a million digits: neither is an amount.
    """
    try:
        worth = Decimal(case.found.amount) if case.found.amount else None
    except InvalidOperation:
        return None
    if worth is None or not worth.is_finite() or abs(worth.adjusted()) > _MOST_DIGITS:
        return None
    return worth


def may_close(session: Session, now: datetime) -> tuple[str, str]:
    """Return how a session may close ``now`` ("" when it may not) and what stands in the way."""
    stand = totals(session, now)
    rule = session.rule
    if stand.signed_share >= rule.signed_off and stand.open_cases <= rule.unexplained:
        return "signed_off", ""
    waived = {
        name
        for name, branch in session.branches.items()
        if session.state_of(branch, now) is BranchState.WAIVED
    }
    left = [
        name
        for name, branch in session.branches.items()
        if name not in waived
        and (branch.owes or branch.open_cases)
        and session.state_of(branch, now) is not BranchState.SIGNED
    ]
    if waived and not left and stand.signed_share >= rule.waivable:
        return "waived", ""
    if waived and not left:
        need = f"{rule.waivable:.0%}"
        return "", f"only {stand.signed_share:.0%} signed; {need} must before the rest is waived"
    because = f"{len(left)} of {stand.branches} branches have not signed"
    return "", f"{because}; {stand.open_cases} cases are open"


def overdue(session: Session, now: datetime) -> list[str]:
    """List the branches that handed nothing in although their time is over."""
    if session.due is None or now < session.due:
        return []
    waiting = {BranchState.WAITING, BranchState.REFUSED}
    return [n for n, b in session.branches.items() if session.state_of(b, now) in waiting]


def totals_data(stand: Totals) -> dict[str, Any]:
    """Return totals as the JSON data that the journal and ``--json`` show."""
    return {
        "branches": stand.branches,
        "states": {str(state): count for state, count in sorted(stand.states.items())},
        "open_cases": stand.open_cases,
        "settled": dict(sorted(stand.settled.items())),
        "settled_value": {k: str(v) for k, v in sorted(stand.settled_value.items())},
        "settled_unpriced": dict(sorted(stand.settled_unpriced.items())),
        "at_risk": str(stand.at_risk),
        "unpriced": stand.unpriced,
        "critical": stand.critical,
        "oldest": utc_text(stand.oldest) if stand.oldest else None,
        "signed_share": stand.signed_share,
    }
