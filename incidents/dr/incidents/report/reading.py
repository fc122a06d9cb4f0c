"""From the row of a run and its events to the facts of its report: pure, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dr.engine.core.amendment import as_amended
from dr.engine.core.events import Event
from dr.engine.core.ports import RunRecord
from dr.engine.core.states import ENDED
from dr.engine.core.values import UNKNOWN, parse_duration
from dr.engine.core.view import RunView, fold
from dr.incidents.reconciliation.reading import Checks, reconciliation_facts
from dr.incidents.report.chronicle import Chronicle
from dr.incidents.report.data import (
    BranchLoss,
    JournalFacts,
    Loss,
    Moments,
    Objective,
    Proof,
    Recovery,
    ReportData,
    RunFacts,
    Seconds,
)
from dr.incidents.report.decisions import doubts, failures, jobs, ladders, operators, questions
from dr.incidents.report.found import (
    Names,
    claim,
    count,
    length,
    listing,
    mapping,
    moment,
    seconds,
    text_of,
)
from dr.incidents.report.steps import Outlined, facts_of_steps, findings, is_result, outline

_MEANS = {"postgres.promote": "promoted", "backup.restore": "restored"}
_LOSS = ("loss_s", "loss_records", "loss_basis", "loss_branches", "recovered_to", "branches")


def report_data(
    record: RunRecord, events: Sequence[Event], checks: Checks | None = None
) -> ReportData:
    """Return what can be reported of the run ``record`` after ``events`` (all of them, in order).

    Works at any moment of a run; before its true end the report is provisional.

    Args:
        checks: of the branches' signatures; without them the report says that none was checked.
    """
    view, told = fold(record.id, events), Chronicle.of(events)
    record = as_amended(record, view)
    names, lines = Names(record.inventory), outline(view)
    moments = _moments(view, told)
    loss = _loss(view, lines, names)
    steps = facts_of_steps(view, lines, told, names)
    return ReportData(
        run=_run(record, view, lines, names),
        moments=moments,
        recovery_time=Objective(_target(record, view, "rto"), _down(told, moments)),
        recovery_point=Objective(_target(record, view, "rpo"), loss.seconds),
        loss=loss,
        recovery=_recovery(view, lines),
        journal=JournalFacts(view.head, view.seq, view.at, told.leases),
        proofs=_proofs(view, lines, names),
        ladders=ladders(view, lines, told),
        steps=steps,
        questions=questions(view, names),
        doubts=doubts(told, names),
        failures=failures(told, steps),
        operators=operators(told, names),
        jobs=jobs(view),
        reconciliation=reconciliation_facts(record, view, view.at or record.created, checks=checks),
    )


def _run(record: RunRecord, view: RunView, lines: list[Outlined], names: Names) -> RunFacts:
    where = view.created.get("environment")
    kind = mapping(where).get("kind") or mapping(record.inventory.get("environment")).get("kind")
    engine = view.created.get("engine")
    return RunFacts(
        id=record.id,
        runbook=record.runbook,
        title=text_of(record.title or view.created.get("title")),
        bureau=text_of(record.inventory.get("bureau")),
        environment=record.environment,
        kind=str(kind or ""),
        mode=record.mode,
        requester=names.person(record.requester),
        inputs=record.inputs,
        state=_state(view, lines),
        because=view.because,
        provisional=bool(view.in_doubt()) or not (view.moments.ended or _is_finishing(view, lines)),
        runbook_sha256=record.runbook_sha256,
        engine=str(engine) if engine else UNKNOWN,
    )


def _state(view: RunView, lines: list[Outlined]) -> str:
    """Return the run's state; ``finishing`` while only its last steps, reports, are at work."""
    return "finishing" if _is_finishing(view, lines) else str(view.state)


def _is_finishing(view: RunView, lines: list[Outlined]) -> bool:
    """Whether all but the ``finally`` steps have come to their end, with nothing in doubt.

    The report that a run writes of itself is written then, before the run can say that it ended.
    """
    last = {line.id for line in lines if line.in_finally}
    begun = any(view.steps[id].started for id in last if id in view.steps)
    if view.moments.ended or not begun or view.in_doubt():
        return False
    body = [step for id, step in view.steps.items() if id not in last]
    return all(step.state in ENDED for step in body if step.started)


def _moments(view: RunView, told: Chronicle) -> Moments:
    seen = view.moments
    detected = (
        moment(told.recovered.get("detected_at"))
        or moment(view.created.get("detected_at"))
        or seen.detected
    )
    return Moments(detected, seen.created, seen.decided, seen.recovered, seen.closed, seen.ended)


def _down(told: Chronicle, moments: Moments) -> Seconds:
    """Return the time down: as measured, else from detection to recovery."""
    measured = seconds(told.recovered.get("down_s"))
    if isinstance(measured, float):
        return measured
    return length(moments.detected, moments.recovered)


def _target(record: RunRecord, view: RunView, name: str) -> Seconds:
    """Return an objective in seconds: the runbook's, else the service's."""
    declared = seconds(mapping(view.created.get("objectives")).get(f"{name}_s"))
    if isinstance(declared, float):
        return declared
    service = mapping(record.inventory.get("services")).get(str(record.inputs.get("service")))
    value = mapping(service).get(name)
    if isinstance(value, str):
        try:
            return parse_duration(value).total_seconds()
        except ValueError:
            return UNKNOWN
    return seconds(value)


def _loss(view: RunView, lines: list[Outlined], names: Names) -> Loss:
    """Return the loss as the last step saw it that knew it: not knowing unsays nothing."""
    found: dict[str, Any] = {}
    for line, facts in findings(view, lines):
        if is_result(line):
            found |= {key: facts[key] for key in _LOSS if key in facts}
            if isinstance(seconds(facts.get("loss_s")), float):
                found |= {"known_s": facts["loss_s"], "known_basis": facts.get("loss_basis")}
    branches = mapping(found.get("loss_branches") or found.get("branches"))
    per_branch = tuple(_branch(name, mapping(of), names) for name, of in sorted(branches.items()))
    records = count(found.get("loss_records"))
    return Loss(
        seconds=seconds(found.get("known_s")),
        records=records if isinstance(records, int) else _sum(per_branch),
        basis=text_of(found.get("known_basis", found.get("loss_basis"))),
        recovered_to=moment(found.get("recovered_to")),
        branches=per_branch,
    )


def _branch(name: str, of: Mapping[str, Any], names: Names) -> BranchLoss:
    return BranchLoss(
        branch=name,
        title=names.branch(name),
        missing=count(of.get("missing")),
        unsure=count(of.get("unknown")),
        numbers=tuple(str(number) for number in listing(of.get("numbers"))),
        basis=text_of(of.get("basis")),
    )


def _sum(branches: tuple[BranchLoss, ...]) -> Any:
    """Return the records that all branches miss; UNKNOWN as soon as one branch is."""
    counts = [branch.missing for branch in branches]
    known = [number for number in counts if isinstance(number, int)]
    return sum(known) if counts and len(known) == len(counts) else UNKNOWN


def _recovery(view: RunView, lines: list[Outlined]) -> Recovery:
    recovery = Recovery()
    for line, facts in findings(view, lines):
        means = _MEANS.get(line.uses)
        if means:
            host = facts.get("host") or _host(view, line.id)
            where = str(host) if host else UNKNOWN
            backup = str(facts.get("backup") or "")
            recovery = Recovery(means, line.id, where, backup)
    return recovery


def _host(view: RunView, step: str) -> str | None:
    return next((host for host in view.steps[step].units if host), None)


def _proofs(view: RunView, lines: list[Outlined], names: Names) -> tuple[Proof, ...]:
    return tuple(
        _proof(line.id, proof, view.steps[line.id].ended, names)
        for line, facts in findings(view, lines)
        if (proof := mapping(facts.get("proof")))
    )


def _proof(step: str, proof: Mapping[str, Any], ended: datetime | None, names: Names) -> Proof:
    """Read a fence proof; what people vouch for is an attestation whatever it calls itself."""
    people = [*listing(proof.get("by")), *listing(proof.get("attested_by"))]
    said = str(proof.get("kind") or "")
    kind = "attestation" if people or said == "attestation" else "proof"
    return Proof(
        step=step,
        kind=kind,
        host=str(proof.get("host") or ""),
        means=str(proof.get("means") or ""),
        by=tuple(names.person(person) for person in people),
        because=str(proof.get("because") or ""),
        survives_reboot=claim(proof.get("survives_reboot")),
        at=moment(proof.get("at")) or ended,
    )
