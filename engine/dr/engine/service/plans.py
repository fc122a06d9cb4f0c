"""Plans: what a runbook would do now.  Nothing here can act.

``probe=False`` asks no host.  ``probe=True`` looks through connections that are unable to
write: prechecks, probes and the ``read`` steps of drivers that can not write; their answers
are kept in a journal in memory, so that later steps can be rendered from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from dr.engine.core.canonical import digest, plain
from dr.engine.core.errors import ActionError, DrError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Drill, Effect, Runbook, Rung, Step
from dr.engine.core.ports import Action, ActionKind, Attempt, Outcome, Presence, RunRecord
from dr.engine.core.questions import Option
from dr.engine.core.schedule import batches, critical_path, waves
from dr.engine.core.values import UNKNOWN, Text
from dr.engine.core.view import fold
from dr.engine.journal.memory import MemoryJournal
from dr.engine.runtime.attempts import Conductor
from dr.engine.runtime.beginning import LEFT_OUT
from dr.engine.runtime.conditions import why_skipped
from dr.engine.runtime.context import Ports, RunContext
from dr.engine.runtime.forecasts import Forecaster
from dr.engine.runtime.recorder import Recorder
from dr.engine.runtime.world import AttemptWorld

WOULD, DONE, UNCLEAR, CANNOT, PEOPLE, SKIPPED = "+", "=", "?", "!", "@", "-"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step as the plan shows it; ``mark`` is one of ``+ = ? ! @ -``."""

    id: str
    title: Mapping[str, str]
    phase: str | None
    mark: str
    because: str
    wave: int
    effect: str
    uses: str
    needs: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    batches: tuple[tuple[str, ...], ...] = ()
    describes: tuple[str, ...] = ()
    p50_s: float | None = None
    p90_s: float | None = None
    rungs: tuple[Mapping[str, Any], ...] = ()
    gate: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan; ``ready`` is False when a step can not run, None when nobody looked."""

    runbook: str
    environment: str
    inputs: Mapping[str, Any]
    mode: str
    hash: str
    objectives: Mapping[str, float | None]
    steps: tuple[PlannedStep, ...]
    critical_path: tuple[str, ...]
    p50_s: float | None
    p90_s: float | None
    fits_rto: bool | None
    ready: bool | None
    unmeasured: tuple[str, ...] = ()
    probed: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """Return the JSON object that ``dr plan --json`` prints."""
        data: dict[str, Any] = plain(self)
        return {"v": 1, **data}


def plan_digest(record: RunRecord) -> str:
    """Return the hash of what would be carried out: runbook, inputs, inventory, and how.

    The inventory names its environment.  A drill is another plan than a real run of the same
    file: what was reviewed as the one must not be carried out as the other.
    """
    return digest(
        {
            "runbook": record.runbook_sha256,
            "inputs": dict(record.inputs),
            "inventory": {k: v for k, v in record.inventory.items() if k != "paths"},
            "mode": record.mode,
        }
    )


class Planning:
    """Walks a runbook in page order and says of each step what would happen."""

    def __init__(self, ports: Ports, runbook: Runbook, record: RunRecord, *, probe: bool) -> None:
        journal = MemoryJournal(ports.clock)
        journal.create(record, [Draft(Kind.RUN_CREATED, data={"runbook": runbook.name})])
        lease = journal.acquire(record.id, "plan")
        view = fold(record.id, journal.events(record.id))
        self._recorder = Recorder(journal, lease, view, ports.secrets)
        ports = replace(ports, journal=journal)  # what a plan writes, it writes nowhere
        self._context = RunContext(ports, record, runbook, self._recorder)
        self._forecaster = Forecaster(self._context)
        self._conductor = Conductor(self._context)
        self._runbook = runbook
        self._probe = probe
        whole = (*runbook.steps, *runbook.finally_)
        self._waves = {s.id: n for n, wave in enumerate(waves(whole), 1) for s in wave}
        self._options: dict[str, tuple[Option, ...]] = {}

    def plan(self) -> Plan:
        """Return the plan."""
        self._look_at_service()
        steps = [self._step(step) for step in (*self._runbook.steps, *self._runbook.finally_)]
        path = critical_path(self._runbook.steps, _durations(steps))
        rto = self._runbook.rto
        known = not path.unmeasured
        longest = path.p90 if known else None
        return Plan(
            runbook=self._runbook.name,
            environment=self._context.record.environment,
            inputs=dict(self._context.record.inputs),
            mode=self._context.record.mode,
            hash=plan_digest(self._context.record),
            objectives={
                "rto_s": rto.total_seconds() if rto else None,
                "rpo_s": self._runbook.rpo.total_seconds() if self._runbook.rpo else None,
            },
            steps=tuple(steps),
            critical_path=tuple(path.steps),
            p50_s=path.p50.total_seconds() if known else None,
            p90_s=path.p90.total_seconds() if known else None,
            unmeasured=path.unmeasured,
            fits_rto=longest <= rto if longest is not None and rto is not None else None,
            ready=all(s.mark != CANNOT for s in steps) if self._probe else None,
            probed=self._probe,
            facts={name: data.get("facts", {}) for name, data in self._context.view.facts.items()},
        )

    def _look_at_service(self) -> None:
        service = self._context.service_name()
        if service is None:
            return
        if self._probe:
            facts = self._context.ports.observatory.look(service)
        else:
            facts = declared_roles(self._context.record.inventory, service)
        data = {"name": f"service.{service}", "facts": facts}
        self._recorder.write(Draft(Kind.RUN_FACTS, data=data))

    # -- one step

    def _step(self, step: Step) -> PlannedStep:
        if step.is_ladder:
            return self._ladder(step)
        action = self._context.ports.actions.get(step.uses)
        forecast = self._forecaster.step(step)
        mark, because = self._mark(step, action)
        return PlannedStep(
            id=step.id,
            title=step.title.plain(),
            phase=step.phase,
            mark=mark,
            because=because,
            wave=self._waves.get(step.id, 0),
            effect=step.effect,
            uses=step.uses,
            needs=step.needs,
            hosts=self._hosts(step),
            batches=self._batches(step),
            describes=self._describe(step, action),
            p50_s=_seconds(forecast.p50),
            p90_s=_seconds(forecast.p90),
            gate=self._gate(step) if action.spec.kind is ActionKind.GATE else None,
        )

    def _mark(self, step: Step, action: Action) -> tuple[str, str]:
        drill = step.drill if self._context.drill else Drill.RUN
        if drill is Drill.SKIP:
            return SKIPPED, LEFT_OUT
        try:
            if step.condition is not None and not self._context.holds(step.condition):
                return SKIPPED, why_skipped(self._context, step.condition)
            if action.spec.kind is not ActionKind.ACTION:
                return PEOPLE, ""
            attempt = self._context.attempt(step, self._context.targets(step.hosts)[0], 1)
        except DrError as error:
            return self._not_yet(step, error)
        if drill is Drill.SIMULATE:
            return WOULD, "only simulated in a drill"
        if not self._probe:
            return WOULD, ""
        if step.effect is Effect.READ:
            return self._read(step, action, attempt)
        return self._look(step, action, attempt)

    def _not_yet(self, step: Step, error: DrError) -> tuple[str, str]:
        """Say what the step waits for, where an earlier step binds it."""
        values = [step.condition or "", dict(step.with_), step.hosts, dict(step.requires)]
        earlier = sorted(self._context.ports.expressions.steps_in(values))
        missing = [name for name in earlier if name not in self._context.view.steps]
        if missing:
            return UNCLEAR, f"unknown until {', '.join(missing)}"
        unclear = bool(earlier) or not self._probe
        return (UNCLEAR if unclear else CANNOT), error.message

    def _read(self, step: Step, action: Action, attempt: Attempt) -> tuple[str, str]:
        if not action.spec.reads_only:
            return UNCLEAR, "this action could write, so a dry run does not carry it out"
        try:
            outcome = action.perform(attempt, AttemptWorld(self._context, attempt, None))
        except ActionError as error:
            return CANNOT, error.message
        number = attempt.number
        self._recorder.write(
            Draft(Kind.INTENT, step.id, attempt.host, number, {"effect": step.effect}),
        )
        self._conductor.finish(step, attempt, "succeeded", outcome)
        said = ", ".join(f"{k}={v}" for k, v in list(outcome.outputs.items())[:4])
        return WOULD, said

    def _look(self, step: Step, action: Action, attempt: Attempt) -> tuple[str, str]:
        try:
            seen = self._conductor.look(step, attempt, action)
            if seen.presence is Presence.DONE:
                self._conductor.finish(step, attempt, "already_done", Outcome(seen.outputs))
                return DONE, seen.detail
            check = action.precheck(attempt, AttemptWorld(self._context, attempt, None))
        except DrError as error:
            return CANNOT, error.message
        if check.holds is False:
            return CANNOT, check.because
        if check.holds is UNKNOWN:
            return UNCLEAR, check.because
        return WOULD, check.because

    # -- details

    def _ladder(self, step: Step) -> PlannedStep:
        options = self._forecaster.options(step)
        self._options[step.id] = options
        proposed = next((o for o in options if o.proposed), None)
        able = [o.name for o in options if o.available]
        rungs = []
        for option, rung in zip(options, step.rungs, strict=True):
            inner = [plain(self._step(s)) for s in rung.steps]
            rungs.append({**plain(self._asked(option, rung)), "steps": inner})
        mark, because = (WOULD, f"{proposed.name} proposed") if proposed else (CANNOT, "")
        if not able:
            because = "no rung is available: " + "; ".join(
                f"{o.name}: {o.because.say('en')}" for o in options
            )
        if not self._probe and not able:
            mark, because = UNCLEAR, "unknown until the hosts are asked"
        return PlannedStep(
            id=step.id,
            title=step.title.plain(),
            phase=step.phase,
            mark=mark,
            because=because,
            wave=self._waves.get(step.id, 0),
            effect=step.effect,
            uses="",
            needs=step.needs,
            p50_s=proposed.p50_s if proposed else None,
            p90_s=proposed.p90_s if proposed else None,
            rungs=tuple(rungs),
        )

    def _asked(self, option: Option, rung: Rung) -> Any:
        """Return the option; where no host was asked, nobody knows whether it is available."""
        if self._probe or rung.unavailable is not None or option.available:
            return option
        because = Text(en="unknown until the hosts are asked", zh="须询问主机后方可得知")
        return {**plain(option), "available": None, "because": because.plain()}

    def _hosts(self, step: Step) -> tuple[str, ...]:
        try:
            return tuple(h for h in self._context.targets(step.hosts) if h is not None)
        except DrError:
            return ()

    def _batches(self, step: Step) -> tuple[tuple[str, ...], ...]:
        hosts = self._hosts(step)
        if step.strategy is None or not hosts:
            return ()
        return tuple(tuple(b) for b in batches(list(hosts), step.strategy.batches))

    def _describe(self, step: Step, action: Action) -> tuple[str, ...]:
        try:
            host = self._context.targets(step.hosts)[0]
            attempt = self._context.attempt(step, host, 1)
            return tuple(
                self._context.ports.secrets.redact(line) for line in action.describe(attempt)
            )
        except DrError:
            return ()

    def _gate(self, step: Step) -> dict[str, Any]:
        said = dict(step.with_)
        approvers = said.get("approvers")
        group = approvers.get("group", "") if isinstance(approvers, Mapping) else approvers or ""
        groups = self._context.record.inventory.get("people_groups", {})
        distinct = said.get("distinct_from", ["requester"])
        members = groups.get(group, {}).get("members", [])
        requester = self._context.record.requester if "requester" in distinct else None
        return {
            "approvers": group,
            "quorum": said.get("quorum", 1),
            "who_today": [m for m in members if m != requester],
            "decide_within": said.get("decide_within"),
            "chooses": said.get("chooses"),
        }


def declared_roles(inventory: Mapping[str, Any], service: str) -> dict[str, Any]:
    """Return roles as the inventory hints at them, for plans that ask no host."""
    about = inventory.get("services", {}).get(service, {})
    members: Sequence[str] = about.get("members", [])
    primary = about.get("expected_primary") or next(iter(members), None)
    standby = next((m for m in members if m != primary), None)
    return {
        "primary": {"host": primary, "basis": "declared"},
        "old_primary": {"host": primary, "basis": "declared"},
        "standby": {"host": standby, "basis": "declared"},
        "members": {},
    }


def _durations(steps: Sequence[PlannedStep]) -> dict[str, tuple[timedelta, timedelta]]:
    """Return the known durations; people's time is no part of a forecast and counts nothing."""
    found: dict[str, tuple[timedelta, timedelta]] = {}
    for step in steps:
        if step.mark in {PEOPLE, SKIPPED}:
            found[step.id] = (timedelta(), timedelta())
        elif step.p50_s is not None:
            longest = step.p90_s if step.p90_s is not None else step.p50_s
            found[step.id] = (timedelta(seconds=step.p50_s), timedelta(seconds=longest))
    return found


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
