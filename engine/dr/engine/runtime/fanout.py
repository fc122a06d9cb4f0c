"""A step on many hosts: batches one after another, failures counted over the whole step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Step, Strategy
from dr.engine.core.schedule import allowed_failures, batches
from dr.engine.core.states import ENDED, ENDED_WELL, StepState
from dr.engine.core.view import StepView
from dr.engine.runtime.context import RunContext

_S = StepState


@dataclass(frozen=True)
class FanOut:
    """Decides which hosts of a step may start, and when the step has ended."""

    context: RunContext
    reached: dict[str, int] = field(default_factory=dict)
    """The batch that each step had come to when it was last looked at."""

    def plan(self, step: Step, hosts: Sequence[str]) -> None:
        """Write down the hosts and batches, once: a retry keeps them."""
        seen = self.context.view.steps.get(step.id)
        if seen is not None and seen.fan_out:
            hosts = [h for h in seen.units if h is not None]
        strategy = step.strategy or Strategy()
        data = {"hosts": list(hosts), "batches": batches(list(hosts), strategy.batches)}
        self.reached.pop(step.id, None)
        self.context.recorder.write(Draft(Kind.STEP_PLANNED, step.id, data=data))

    def startable(self, step: Step) -> list[str]:
        """List the hosts of the current batch that have not begun."""
        seen = self.context.view.steps[step.id]
        if self.gives_up(step):
            return []
        for number in range(self._first_open(seen), len(seen.batches)):
            units = [seen.units[host] for host in seen.batches[number]]
            if all(u.state in ENDED for u in units):
                continue
            self.reached[step.id] = number
            if number and self._pauses(step, seen, seen.batches[number - 1]):
                return []
            return [str(u.host) for u in units if u.state is _S.PENDING]
        return []

    def _first_open(self, seen: StepView) -> int:
        """Return a batch before which all have ended: of five thousand nobody looks at each again.

        Only a unit that is under way can have left an earlier batch open: a retry plans anew.
        """
        left = len(seen.units) - seen.count(*ENDED)
        under_way = left - seen.count(_S.PENDING)
        return 0 if under_way else self.reached.get(seen.id, 0)

    def gives_up(self, step: Step) -> bool:
        """Whether so many hosts failed that no further one may start."""
        seen = self.context.view.steps.get(step.id)
        if seen is None or not seen.fan_out:
            return False
        return self._failures(seen) > self._allowed(step, seen)

    def settle(self, step: Step) -> bool:
        """Write the step's end when every host has ended or too many failed; return whether."""
        seen = self.context.view.steps[step.id]
        failures = self._failures(seen)
        left = seen.hosts_in(_S.PENDING)
        too_many = failures > self._allowed(step, seen)
        under_way = len(seen.units) - len(left) - seen.count(*ENDED)
        if under_way or (left and not too_many):
            return False
        good = {
            str(u.host): dict(u.outputs) for u in list(seen.units.values()) if u.state in ENDED_WELL
        }
        bad = sorted(map(str, seen.hosts_in(_S.FAILED)))
        outputs = {"hosts": good, "failed": bad, "not_started": sorted(map(str, left))}
        data: dict[str, Any] = {"state": "failed" if too_many else "succeeded", "outputs": outputs}
        if too_many:
            data["because"] = f"{failures} of {len(seen.units)} hosts failed: {', '.join(bad)}"
        self.context.recorder.write(Draft(Kind.STEP_FINISHED, step.id, data=data))
        return True

    def _failures(self, seen: StepView) -> int:
        return seen.count(_S.FAILED)

    def _allowed(self, step: Step, seen: StepView) -> int:
        return allowed_failures((step.strategy or Strategy()).max_failures, len(seen.units))

    def _pauses(self, step: Step, seen: StepView, before: Sequence[str]) -> bool:
        """Whether the pause after the batch ``before`` is not over yet."""
        pause = (step.strategy or Strategy()).pause_between
        ended = [e for h in before if (e := seen.units[h].ended) is not None]
        return bool(ended) and pause > timedelta() and self.context.now() - max(ended) < pause
