"""Fold ``reconcile.*`` events into a session.  Pure; ``core.view`` calls it for each event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.reconciliation import (
    COPY,
    PHOTO,
    PROVEN,
    Branch,
    Case,
    CaseState,
    Evidence,
    Found,
    Resolution,
    Rule,
    Session,
    Signature,
)
from dr.engine.core.values import parse_utc


def opened(event: Event) -> Session:
    """Return the session that ``reconcile.opened`` begins."""
    data = event.data
    start, due, point = data.get("from"), data.get("due"), data.get("recovery_point")
    return Session(
        id=str(data["session"]),
        step=event.step or "",
        opened=event.at,
        window=(parse_utc(str(start)) if start else None, parse_utc(str(data["to"]))),
        recovery_point=parse_utc(str(point)) if point else None,
        rule=Rule.of(data.get("rule") or {}),
        due=parse_utc(str(due)) if due else None,
        branches={str(name): Branch(str(name)) for name in data["branches"]},
        service=str(data.get("service", "")),
        host=str(data.get("host", "")),
        frees_locks=bool(data.get("frees_locks")),
        changed=event.seq,
    )


def apply(session: Session, event: Event) -> None:
    """Fold an event of an open or closed session in.

    Raises:
        LookupError: it names a branch or a case that there is not.
    """
    _APPLY[event.kind](session, event)
    session.changed = event.seq


def _received(session: Session, event: Event) -> None:
    data = event.data
    branch = session.branches[str(data["branch"])]
    problem = str(data.get("problem", ""))
    branch.evidence.append(
        Evidence(
            sha256=str(data["sha256"]),
            name=str(data.get("name", "")),
            at=event.at,
            by=str(data.get("by", "")),
            via=str(data.get("via", "")),
            problem=problem,
        )
    )
    if data.get("via") not in {COPY, PHOTO}:
        branch.problem = problem


def _compared(session: Session, event: Event) -> None:
    data = event.data
    name = str(data["branch"])  # cases may be of one that nobody awaits: they are to be settled
    branch = session.branches.setdefault(name, Branch(name, awaited=False))
    problem = str(data.get("problem", ""))
    if problem:
        branch.problem = problem
        return  # it could not be compared: what an earlier comparison found stands
    if data.get("evidence"):  # else others' records showed something of it, and it said nothing
        branch.entries, branch.compared = data.get("entries"), event.at
        branch.compared_with = str(data["evidence"])
    if branch.answered:
        branch.problem = ""
    seen = {item["id"]: Found.from_data(item) for item in data["cases"]}
    for case_id, found in seen.items():
        known = branch.cases.get(case_id)
        if known is None:
            branch.cases[case_id] = Case(found, since=event.at)
        else:
            _seen_again(known, found, event.at)
    unasked = set(data.get("unasked") or ())
    for case_id, case in branch.cases.items():
        if case.found.what in unasked:
            continue  # this comparison did not look for such
        if case_id not in seen and case.is_open:
            proven = case.state is CaseState.APPROVED and case.resolution in PROVEN
            _settle(case, event.at, "proven" if proven else "gone")


def _seen_again(case: Case, found: Found, at: datetime) -> None:
    """Keep what people said of it, unless it came back or is another thing now."""
    changed = (case.found.ledger, case.found.central) != (found.ledger, found.central)
    came_back = case.state is CaseState.SETTLED and case.how != "accepted"
    decided = case.state is not CaseState.OPEN
    case.found = found
    if came_back or (changed and decided):
        case.state, case.resolution = CaseState.OPEN, None
        case.maker = case.checker = case.reference = case.how = ""
        case.settled = None
        case.since = at if came_back else case.since
        case.reopened += 1


def _settle(case: Case, at: datetime, how: str) -> None:
    case.state, case.settled, case.how = CaseState.SETTLED, at, how


def _decided(session: Session, event: Event) -> None:
    data = event.data
    case = session.branches[str(data["branch"])].cases[str(data["case"])]
    by = str(data["by"])
    match data["verb"]:
        case "assign":
            case.owner = str(data["owner"])
        case "propose":
            case.state, case.resolution = CaseState.PROPOSED, Resolution(data["resolution"])
            case.maker, case.checker = by, ""
            case.owner = case.owner or by
            case.reason = str(data.get("reason", ""))
            case.reference = str(data.get("reference", ""))
        case "approve":
            case.checker, case.state = by, CaseState.APPROVED
            if case.resolution not in PROVEN and case.resolution is not Resolution.REFER:
                _settle(case, event.at, "accepted")
        case "dispute":
            case.state, case.resolution = CaseState.OPEN, None
            case.reason, case.maker, case.checker = str(data.get("reason", "")), "", ""
        case _:
            raise ValueError(f"'{data['verb']}' is nothing that is done to a case")


def _signed(session: Session, event: Event) -> None:
    data = event.data
    session.branches[str(data["branch"])].signature = Signature(
        digest=str(data["digest"]),
        by=str(data["by"]),
        at=event.at,
        means=str(data["means"]),
        statement=str(data.get("statement", "")),
        signature=str(data.get("signature", "")),
        witnesses=tuple(data.get("witnesses", ())),
    )


def _waived(session: Session, event: Event) -> None:
    for name in event.data["branches"]:
        session.branches[str(name)].waiver = event.data


def _reminded(session: Session, event: Event) -> None:
    if not event.data["branches"]:
        return  # what became of the letters
    session.reminders, session.reminded = session.reminders + 1, event.at
    for name in event.data["branches"]:
        session.branches[str(name)].reminded += 1


def _closed(session: Session, event: Event) -> None:
    session.closed, session.how = event.at, str(event.data["how"])


def _reopened(session: Session, _event: Event) -> None:
    session.closed, session.how = None, ""


_APPLY: Mapping[Kind, Callable[[Session, Event], Any]] = {
    Kind.RECONCILE_RECEIVED: _received,
    Kind.RECONCILE_COMPARED: _compared,
    Kind.RECONCILE_DECIDED: _decided,
    Kind.RECONCILE_SIGNED: _signed,
    Kind.RECONCILE_WAIVED: _waived,
    Kind.RECONCILE_REMINDED: _reminded,
    Kind.RECONCILE_CLOSED: _closed,
    Kind.RECONCILE_REOPENED: _reopened,
}

FOLDED = frozenset(_APPLY)
"""Kinds that belong to an open session."""


def first_drafts(step: str, compared: Mapping[str, Any]) -> Iterator[Draft]:
    """Yield what a comparison before the session found, branch by branch."""
    for name, found in sorted(compared.items()):
        for evidence in found.get("evidence") or ():
            yield Draft(Kind.RECONCILE_RECEIVED, step, data={"branch": name, **evidence})
        if found.get("result") is not None:
            yield Draft(Kind.RECONCILE_COMPARED, step, data={"branch": name, **found["result"]})


def closing_drafts(
    session: Session, how: str, stand: Mapping[str, Any], *, by: str = "", ended: bool = False
) -> list[Draft]:
    """Return what closes a session; ``ended``: the run is over and needs its locks no more."""
    data = {"how": how, "totals": stand, "takes_locks": session.frees_locks and not ended}
    closing = {**data, "by": by} if by else data
    return [Draft(Kind.RECONCILE_CLOSED, session.step, data=closing), Draft(Kind.RUN_CLOSED)]
