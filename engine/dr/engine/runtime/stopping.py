"""End what an aborted run left running outside of its process, as far as that is safe."""

from __future__ import annotations

from dataclasses import dataclass

from dr.engine.core.errors import ActionError, FencedError, HeldError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.model import Effect, Step
from dr.engine.core.ports import Attempt, Ending, Stopped
from dr.engine.core.states import StepState
from dr.engine.core.view import UnitView
from dr.engine.runtime.attempts import CAREFUL
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.world import AttemptWorld


@dataclass(frozen=True)
class Stopper:
    """Ends the jobs of units in doubt once the run is aborted; runs in a worker thread."""

    context: RunContext

    def stop(self, step: Step, host: str | None) -> None:
        """End the unit's job unless that may do harm; write down what became of it.

        Breaking a ``once`` or ``irreversible`` step off in the middle may be worse than its end, so
        those are ended only when an operator said so (``kill_jobs``).
        """
        unit = self.context.view.steps[step.id].units[host]
        abort = self.context.view.abort
        if abort is None or unit.state is not StepState.IN_DOUBT:
            return
        if not unit.handle:
            self._note_unfindable(step, unit)
            return
        before = (unit.stop or {}).get("outcome")
        if before is not None and Ending(before).is_over:
            return
        if step.effect in CAREFUL and not abort.get("kill_jobs"):
            self._note(step, unit, Stopped(Ending.LEFT, f"its effect is {step.effect}"))
            return
        attempt = self.context.attempt(step, host, unit.attempt, late=True)
        self._end(step, unit, attempt)

    def stop_reading(self, step: Step, attempt: Attempt) -> None:
        """End the command of a ``read`` step under way, which only ``attempt.handle`` leads to."""
        unit = self.context.view.steps[step.id].units[attempt.host]
        self._end(step, unit, attempt)

    def _note_unfindable(self, step: Step, unit: UnitView) -> None:
        """Say of a command that only reads that nobody knows, since it left nothing on its host."""
        spec = self.context.ports.actions.get(step.uses).spec
        if step.effect is Effect.READ and spec.attaches and unit.host is not None:
            detail = "a command that only reads leaves nothing to find it by"
            self._note(step, unit, Stopped(Ending.UNKNOWN, detail))

    def _end(self, step: Step, unit: UnitView, attempt: Attempt) -> None:
        if (unit.stop or {}).get("outcome") in {None, Ending.LEFT}:
            self._write(Kind.STOPPING, step, unit, {"handle": dict(attempt.handle or {})})
        passage("before-stop")
        stopped = self._stopped(attempt)
        passage("after-stop")
        if stopped is not None:
            self._note(step, unit, stopped)

    def _stopped(self, attempt: Attempt) -> Stopped | None:
        jobs = self.context.ports.jobs
        if jobs is None:
            return Stopped(Ending.UNKNOWN, "nothing here can end jobs")
        try:
            return jobs.stop(attempt, AttemptWorld(self.context, attempt, None))
        except FencedError as error:
            self.context.recorder.stop(HeldError(error.message, hint=error.hint))
            raise
        except ActionError as error:
            return Stopped(Ending.UNKNOWN, error.message)

    def _note(self, step: Step, unit: UnitView, stopped: Stopped) -> None:
        """Write the outcome down, unless it is what was written the last time."""
        data: dict[str, object] = {"outcome": stopped.ending, "detail": stopped.detail}
        if unit.stop != data:
            self._write(Kind.STOPPED, step, unit, data)

    def _write(self, kind: Kind, step: Step, unit: UnitView, data: dict[str, object]) -> None:
        self.context.recorder.write(Draft(kind, step.id, unit.host, unit.attempt, data))
