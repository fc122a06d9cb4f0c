"""The steps of a run, in the order of the runbook, with what the outline says about each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dr.engine.core.states import PROVEN, RunState, StepState
from dr.engine.core.values import Text
from dr.engine.core.view import RunView, StepView
from dr.incidents.report.chronicle import Chronicle
from dr.incidents.report.data import HostFacts, Span, StepFacts
from dr.incidents.report.found import Names, length, listing, mapping, text_of

_EARLY = frozenset({"assess", "decide", "isolate"})
"""Phases whose findings are forecasts, not results."""

_SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Outlined:
    """A line of the outline that the run's first event carries."""

    id: str
    title: Text
    phase: str = ""
    uses: str = ""
    effect: str = ""
    ladder: str = ""
    rung: str = ""
    in_finally: bool = False


def outline(view: RunView) -> list[Outlined]:
    """Return the steps in page order; those that the outline lacks follow as they appeared."""
    lines = [_outlined(mapping(line)) for line in listing(view.created.get("outline"))]
    known = {line.id for line in lines}
    return lines + [Outlined(id, Text(en=id, zh=id)) for id in view.steps if id not in known]


def _outlined(line: Mapping[str, Any]) -> Outlined:
    name = str(line.get("id", ""))
    words = {key: str(line.get(key) or "") for key in ("phase", "uses", "effect", "ladder", "rung")}
    title = text_of(line.get("title")) or Text(en=name, zh=name)
    return Outlined(name, title, in_finally=bool(line.get("in_finally")), **words)


def findings(view: RunView, lines: list[Outlined]) -> Iterator[tuple[Outlined, Mapping[str, Any]]]:
    """Yield the facts and outputs of steps that are proven to have worked, oldest first."""
    proven = [
        (line, view.steps[line.id])
        for line in lines
        if line.id in view.steps and _is_proven(view.steps[line.id])
    ]
    latest = view.at or datetime.max.replace(tzinfo=UTC)
    proven.sort(key=lambda pair: pair[1].ended or latest)
    for line, step in proven:
        found: dict[str, Any] = {}
        for unit in step.units.values():
            if unit.state in PROVEN:
                found |= {**unit.facts, **unit.outputs}
        yield line, {**found, **step.outputs}


def _is_proven(step: StepView) -> bool:
    """Whether it worked in earnest; what a drill only simulated proves nothing."""
    simulated = any(unit.via == _SIMULATED for unit in step.units.values())
    return step.state in PROVEN and not simulated


def is_result(line: Outlined) -> bool:
    """Whether what the step found is a result of the recovery, not a look before it."""
    return line.phase not in _EARLY


def facts_of_steps(
    view: RunView, lines: list[Outlined], told: Chronicle, names: Names
) -> tuple[StepFacts, ...]:
    """Return every step of the outline, those that never started too."""
    return tuple(_facts(line, view, told, names) for line in lines)


def _facts(line: Outlined, view: RunView, told: Chronicle, names: Names) -> StepFacts:
    step = view.steps.get(line.id) or StepView(line.id)
    passed = mapping(told.passed.get(line.id))
    started = step.started if step.state is not StepState.SKIPPED or step.units else None
    who = passed.get("by")
    return StepFacts(
        id=line.id,
        title=line.title,
        phase=line.phase,
        uses=line.uses,
        effect=line.effect,
        state=str(step.state),
        ladder=line.ladder,
        rung=line.rung,
        started=started,
        ended=step.ended,
        duration_s=length(started, step.ended),
        attempts=max((unit.attempt for unit in step.units.values()), default=0),
        hosts=_hosts(step),
        passed=_passed(step, passed) or _went_on(step, view),
        by=names.person(who) if who else None,
        because=str(passed.get("because") or step.because),
        waited=tuple(Span(*span) for span in told.waits.get(line.id, ())),
        doubted=tuple(Span(d.since, d.at) for d in told.doubts if d.step == line.id),
    )


def _hosts(step: StepView) -> tuple[HostFacts, ...]:
    return tuple(
        HostFacts(host, str(unit.state), unit.attempt, length(unit.started, unit.ended))
        for host, unit in step.units.items()
        if host is not None
    )


def _passed(step: StepView, passed: Mapping[str, Any]) -> str:
    if any(unit.via == _SIMULATED for unit in step.units.values()):
        return "simulated"
    if step.state is StepState.SKIPPED:
        return "skipped" if passed.get("by") else "condition"
    if step.state is StepState.FAILED and passed:
        return "forced" if passed.get("by") else "continued"
    return ""


def _went_on(step: StepView, view: RunView) -> str:
    """A run that succeeded although the step failed went on without it, as its runbook says."""
    is_done = view.state is RunState.SUCCEEDED
    return "continued" if is_done and step.state is StepState.FAILED else ""
