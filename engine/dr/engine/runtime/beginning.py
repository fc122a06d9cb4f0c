"""Begin steps that are released: conditions, fresh facts, gates, ladders, hosts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dr.engine.core.errors import DrError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Drill, Step
from dr.engine.core.planner import ended_well
from dr.engine.core.ports import ActionKind
from dr.engine.core.states import StepState
from dr.engine.core.values import parse_utc
from dr.engine.runtime.attempts import Conductor
from dr.engine.runtime.conditions import why_skipped
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.course import Course
from dr.engine.runtime.crew import Crew
from dr.engine.runtime.fanout import FanOut
from dr.engine.runtime.gates import Gatekeeper
from dr.engine.runtime.ladder import Ladders
from dr.engine.runtime.recorder import StoppedError
from dr.engine.runtime.sessions import Sessions
from dr.engine.runtime.validity import ask_anew, waits_for_amended_gate

log = logging.getLogger("dr.runtime")

LEFT_OUT = "drills leave this step out"


@dataclass(frozen=True)
class Beginner:
    """Begins steps; runs in the main loop."""

    context: RunContext
    course: Course
    crew: Crew
    conductor: Conductor
    gates: Gatekeeper
    ladders: Ladders
    fan_outs: FanOut
    sessions: Sessions

    def release(self, step: Step) -> None:
        """Begin a step whose needs have ended well, or hold it."""
        is_held = (
            self.course.stops(step)
            or self.course.lacks_ground(step)
            or waits_for_amended_gate(self.context, step)
        )
        if is_held or self.crew.is_busy((step.id, None)):
            self.course.hold(step)
            return
        seen = self.context.view.steps.get(step.id)
        if seen is not None and seen.state is not StepState.PENDING:
            return  # decided while a worker was at it, who has begun it since
        try:
            if self._is_wanted(step):
                self._begin(step)
        except StoppedError:
            raise
        except DrError as error:
            self._fail(step, error.message)
        except Exception as error:
            # the same mistake would stop every engine that takes the run up
            log.exception("step %s could not begin", step.id)
            self._fail(step, f"{type(error).__name__}: {error}")

    def _fail(self, step: Step, because: str) -> None:
        data = {"state": "failed", "because": because}
        self.context.recorder.write(Draft(Kind.STEP_FINISHED, step.id, data=data))

    def _is_wanted(self, step: Step) -> bool:
        """Return whether the step is to begin now; a false condition skips it."""
        if self.context.drill and step.drill is Drill.SKIP:
            self._skip(step, LEFT_OUT)
            return False
        if step.condition is None:
            return True
        if self._refresh(step.condition, step):
            return False
        if not self.context.holds(step.condition):
            self._skip(step, why_skipped(self.context, step.condition))
            return False
        return True

    def _skip(self, step: Step, because: str) -> None:
        self.context.recorder.write(Draft(Kind.STEP_SKIPPED, step.id, data={"because": because}))

    def _refresh(self, value: Any, waiting: Step) -> bool:
        """Look again at facts that are too old; the waiting step is held until they are in."""
        stale = self.context.stale(value)
        for step in stale:
            age = f"older than {step.fresh.total_seconds():g}s"
            self._reopen(step, f"{age}, needed by {waiting.id}")
        waits = bool(stale) or self.context.looks_again(value)
        if waits:
            self.course.hold(waiting)
        return waits

    def _reopen(self, step: Step, because: str) -> None:
        data = {"because": because}
        self.context.recorder.write(Draft(Kind.STEP_REOPENED, step.id, data=data))

    def _begin(self, step: Step) -> None:
        lapsed = self.gates.lapsed_gate(step)
        if step.is_ladder:
            self._begin_ladder(step, lapsed)
            return
        if lapsed is not None:
            self._ask_anew(lapsed, step)
            return
        kind = self.context.ports.actions.get(step.uses).spec.kind
        if kind is ActionKind.GATE:
            self._begin_gate(step)
        elif kind is ActionKind.TASK:
            self.gates.open_task(step)
        elif kind is ActionKind.SESSION:
            self.sessions.open(step)
        else:
            self._begin_action(step)

    def _begin_gate(self, gate: Step) -> None:
        ladder = self.context.runbook.by_id.get(str(gate.with_.get("chooses", "")))
        if ladder is not None and self._refresh(_conditions(ladder), gate):
            return
        seen = self.context.view.steps.get(gate.id)
        again = seen.because if seen else ""
        self.crew.do((gate.id, None), lambda: self.gates.open_gate(gate, again))

    def _begin_ladder(self, ladder: Step, lapsed: Step | None) -> None:
        if self._refresh(_conditions(ladder), ladder):
            return
        gate = self.gates.gate_of(ladder)
        seen = self.context.view.steps.get(gate.id) if gate else None
        if gate is not None and not ended_well(gate, seen):
            self.course.hold(ladder)  # its gate is asked again
        elif lapsed is not None:
            self._ask_anew(lapsed, ladder)
        else:
            chosen = seen.outputs.get("choice") if seen else None
            self.crew.do((ladder.id, None), lambda: self.ladders.start(ladder, chosen))

    def _ask_anew(self, gate: Step, step: Step) -> None:
        if not ask_anew(self.context, gate, step):
            self.course.hold(step)
            self.context.recorder.wake()

    def _begin_action(self, step: Step) -> None:
        hosts = self.context.targets(step.hosts)
        if step.strategy is not None or len(hosts) > 1:
            self.fan_outs.plan(step, [h for h in hosts if h is not None])
            self.advance(step)
        else:
            self.attempt(step, hosts[0])

    def advance(self, step: Step) -> None:
        """Begin the hosts of a fan-out that may begin now."""
        if not self.context.stands(step):
            return
        for host in self.fan_outs.startable(step):
            self.attempt(step, host)

    def attempt(self, step: Step, host: str | None) -> None:
        """Have the next attempt of a step on a host carried out."""
        seen = self.context.view.steps.get(step.id)
        unit = seen.units.get(host) if seen else None
        number = (unit.attempt if unit else 0) + 1

        def work() -> None:
            # it may have waited for a worker while people paused or too many others failed; the
            # turn after this looks at it again, and a host that had begun goes on to its end
            begins = unit is None or unit.state is StepState.PENDING
            if self.course.stops(step) or (begins and self.fan_outs.gives_up(step)):
                return
            self.conductor.conduct(step, host, number)

        self.crew.do((step.id, host), work, step.timeout)

    def retry_later(self, step: Step, host: str | None, number: int, at: str) -> None:
        """Have the attempt after ``number`` begin once ``at`` has come."""

        def again() -> None:
            unit = self.context.view.steps[step.id].units.get(host)
            if unit is None or unit.state is not StepState.WAITING or unit.attempt != number:
                return
            if not self.context.stands(step):
                return  # its rung was left
            if not self.course.stops(step):
                self.attempt(step, host)
            # people may pause before a worker is free for it
            self.crew.at(self.context.now() + timedelta(seconds=1), again)

        self.crew.at(parse_utc(at), again)


def _conditions(ladder: Step) -> list[str]:
    return [rung.condition for rung in ladder.rungs if rung.condition]
