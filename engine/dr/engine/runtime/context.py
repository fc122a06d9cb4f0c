"""What the parts of the runtime share about the run they carry out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dr.engine.core.errors import RefusedError, UserError
from dr.engine.core.model import Call, Effect, Runbook, Step
from dr.engine.core.ports import (
    ActionKind,
    Actions,
    Attempt,
    Authority,
    Clock,
    Estimates,
    Expressions,
    Jobs,
    Journal,
    Logs,
    Observatory,
    RunRecord,
    Secrets,
)
from dr.engine.core.states import ENDED
from dr.engine.core.values import UNKNOWN, Secret
from dr.engine.core.view import RunView, StepView
from dr.engine.runtime.recorder import Recorder


@dataclass(frozen=True)
class Ports:
    """Everything that the runtime meets only as a Protocol."""

    journal: Journal
    actions: Actions
    expressions: Expressions
    clock: Clock
    secrets: Secrets
    logs: Logs
    observatory: Observatory
    authority: Authority
    estimates: Estimates
    jobs: Jobs | None = None


class StepsScope(Mapping[str, Any]):
    """``steps`` in an expression: looked up in the view when asked, so it costs nothing to make."""

    def __init__(self, view: RunView, hidden: Mapping[str, Mapping[str, Any]]) -> None:
        self._view = view
        self._hidden = hidden

    def __getitem__(self, step_id: str) -> Mapping[str, Any]:
        step = self._view.steps[step_id]
        outputs = {**step.outputs, **self._hidden.get(step_id, {})}
        outputs = {name: _unknowns(value) for name, value in outputs.items()}
        return {"outputs": outputs, "state": str(step.state)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._view.steps)

    def __len__(self) -> int:
        return len(self._view.steps)


def _unknowns(value: Any) -> Any:
    """Return a journalled value with its unknowns being UNKNOWN again."""
    match value:
        case {"unknown": True, **rest} if not rest:
            return UNKNOWN
        case Mapping():
            return {key: _unknowns(item) for key, item in value.items()}
        case list():
            return [_unknowns(item) for item in value]
        case _:
            return value


@dataclass
class RunContext:
    """One run under way in this process."""

    ports: Ports
    record: RunRecord
    runbook: Runbook
    recorder: Recorder
    provisional: bool = False
    stopping: threading.Event = field(default_factory=threading.Event)
    hidden: dict[str, dict[str, Any]] = field(default_factory=dict)
    quiet: set[tuple[str, int]] = field(default_factory=set)
    _latest: tuple[datetime | None, float] = (None, 0.0)

    @property
    def view(self) -> RunView:
        """The fold of the journal."""
        return self.recorder.view

    @property
    def drill(self) -> bool:
        """Whether this run is a drill."""
        return self.record.mode == "drill"

    def now(self) -> datetime:
        """Return the later of the clock and the last event: time never goes back, nor stands still.

        Where the clock was set back the time that passed since is counted on.
        """
        ticks, (seen, at) = self.ports.clock.monotonic(), self._latest
        went_on = [seen + timedelta(seconds=max(0.0, ticks - at))] if seen else []
        known = [self.view.at] if self.view.at else []
        now = max(self.ports.clock.now(), *known, *went_on)
        self._latest = (now, ticks)
        return now

    def rto_left(self) -> timedelta | None:
        """Return what is left of the recovery time objective; negative when it is missed."""
        if self.runbook.rto is None:
            return None
        started = self.view.moments.detected or self.record.created
        return self.runbook.rto - (self.now() - started)

    def scope(self, **more: Any) -> dict[str, Any]:
        """Return the names that an expression may use."""
        names: dict[str, Any] = {
            "inputs": dict(self.record.inputs),
            "steps": StepsScope(self.view, self.hidden),
            "run": {
                "id": self.record.id,
                "environment": self.record.environment,
                "requester": self.record.requester,
                "drill": self.drill,
                "provisional": self.provisional,
            },
        }
        service = self._service()
        if service is not None:
            names["service"] = service
        names.update(more)
        return names

    def _service(self) -> Mapping[str, Any] | None:
        wanted = self.service_name()
        services: Mapping[str, Any] = self.record.inventory.get("services", {})
        if wanted is None or wanted not in services:
            return None
        seen = self.view.facts.get(f"service.{wanted}", {}).get("facts", {})
        return {"name": wanted, **services[wanted], **seen}

    def service_name(self) -> str | None:
        """Return the service that this run is about: its first input of that type."""
        for wanted in self.runbook.inputs:
            if wanted.type == "service":
                return self.record.inputs.get(wanted.id)
        return None

    def render(self, value: Any, **more: Any) -> Any:
        """Return ``value`` with expressions replaced and secret references resolved.

        Raises:
            UserError: a name is unknown.
            RefusedError: a secret cannot be resolved.
        """
        rendered = self.ports.expressions.render(value, self.scope(**more))
        return self._with_secrets(rendered)

    def holds(self, condition: str, **more: Any) -> bool:
        """Return whether a condition is true.

        Raises:
            UserError: it cannot be evaluated, or is neither true nor false.
        """
        value = self.ports.expressions.evaluate(condition, self.scope(**more))
        if not isinstance(value, bool):
            raise UserError(
                f"condition '{condition}' is {value!r}, neither true nor false",
                hint="Compare it with something, for example with == or in.",
            )
        return value

    def _with_secrets(self, value: Any) -> Any:
        match value:
            case {"secret": str() as reference, **rest} if not rest:
                return self.ports.secrets.resolve(reference)
            case Secret():
                return value
            case Mapping():
                return {key: self._with_secrets(item) for key, item in value.items()}
            case list() | tuple():
                return [self._with_secrets(item) for item in value]
            case _:
                return value

    def targets(self, hosts: Any) -> list[str | None]:
        """Return the hosts that a ``hosts`` value names; ``[None]`` is the engine itself.

        A name may be a host, a group, or an observed role (a map with ``host``).

        Raises:
            UserError: a name is neither host nor group, or a role is held by nobody known.
        """
        if hosts is None:
            return [None]
        rendered = self.render(hosts)
        found: list[str | None] = []
        for item in rendered if isinstance(rendered, list) else [rendered]:
            found.extend(name for name in self._named(item) if name not in found)
        if not found:
            raise UserError(
                f"'{hosts}' names no host",
                hint="Look at the hosts with: dr inventory show hosts",
            )
        return found

    def _named(self, item: Any) -> list[str]:
        name = item.get("host") if isinstance(item, Mapping) else item
        inventory = self.record.inventory
        if isinstance(name, str) and name in inventory.get("hosts", {}):
            return [name]
        if isinstance(name, str) and name in inventory.get("groups", {}):
            return list(inventory["groups"][name])
        raise UserError(
            f"'{name}' is neither a host nor a group of this inventory",
            hint="Look at the hosts with: dr inventory show hosts",
        )

    def attempt(self, step: Step, host: str | None, number: int, *, late: bool = False) -> Attempt:
        """Return the attempt with its inputs rendered; ``host`` is also a name in them.

        ``late`` is for looking at an attempt or taking it back: the deadline counts no more.

        Raises:
            UserError: a name is unknown.
        """
        known = self.view.steps.get(step.id)
        unit = known.units.get(host) if known else None
        return Attempt(
            run=self.record.id,
            step=step.id,
            host=host,
            number=number,
            epoch=self.recorder.epoch,
            input=self.render(dict(step.with_), host=host),
            timeout=step.timeout if late else self._time_for(step, known),
            effect=step.effect,
            requires=self.render(dict(step.requires), host=host),
            handle=unit.handle if unit else None,
            drill=self.drill,
        )

    def _time_for(self, step: Step, seen: StepView | None) -> timedelta:
        """Return the attempt's time-out: the step's own, or what is left of its deadline.

        Raises:
            RefusedError: the deadline is over.
        """
        if step.deadline is None or seen is None or seen.started is None:
            return step.timeout
        left = step.deadline - (self.now() - seen.started)
        if left <= timedelta():
            raise RefusedError(f"the deadline of step '{step.id}' is over")
        return min(step.timeout, left)

    def call_attempt(self, step: Step, call: Call, attempt: Attempt, suffix: str) -> Attempt:
        """Return the attempt that carries out a ``probe``, ``verify``, ``precheck`` or ``undo``."""
        host = attempt.host
        if call.hosts is not None:
            host = self.targets(call.hosts)[0]
        return Attempt(
            run=self.record.id,
            step=f"{step.id}.{suffix}",
            host=host,
            number=attempt.number,
            epoch=attempt.epoch,
            input=self.render(dict(call.with_), host=attempt.host),
            timeout=call.timeout or min(step.timeout, timedelta(minutes=1)),
            effect=call.effect,
            drill=self.drill,
        )

    def stands(self, step: Step) -> bool:
        """Whether the rung that ``step`` belongs to, if any, is the one under way."""
        if step.ladder is None:
            return True
        ladder = self.view.steps.get(step.ladder)
        if ladder is None or ladder.rung != step.rung:
            return False
        return ladder.rungs.get(step.rung or "") == "started"

    def is_gate(self, step: Step) -> bool:
        """Whether the step is people's approval, which nothing else may stand for."""
        return bool(step.uses) and self.ports.actions.get(step.uses).spec.kind is ActionKind.GATE

    def stale(self, value: Any) -> list[Step]:
        """List the ``read`` steps that ``value`` refers to and whose facts are too old."""
        now = self.now()
        found: list[Step] = []
        for step_id in sorted(self.ports.expressions.steps_in(value)):
            step = self.runbook.by_id.get(step_id)
            seen = self.view.steps.get(step_id)
            if step is None or seen is None or step.effect is not Effect.READ or not step.uses:
                continue
            if seen.state == "succeeded" and seen.ended and now - seen.ended > step.fresh:
                found.append(step)
        return found

    def looks_again(self, value: Any) -> bool:
        """Whether a ``read`` step that ``value`` refers to was reopened and has not ended since."""
        for step_id in self.ports.expressions.steps_in(value):
            step = self.runbook.by_id.get(step_id)
            seen = self.view.steps.get(step_id)
            if step is None or seen is None or step.effect is not Effect.READ or not step.uses:
                continue
            looked = any(unit.attempt for unit in list(seen.units.values()))
            if looked and seen.state not in ENDED and self.stands(step):
                return True
        return False
