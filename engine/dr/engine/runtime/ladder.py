"""The recovery ladder: which rung starts, what happens when one fails, what it binds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dr.engine.core.errors import DrError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Rung, Step
from dr.engine.core.questions import Option, QuestionKind
from dr.engine.core.values import Text
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.forecasts import Forecaster
from dr.engine.runtime.gates import Gatekeeper, authority_over
from dr.engine.runtime.undoing import Left, Undoer


@dataclass(frozen=True)
class Ladders:
    """Starts rungs and leaves them; its methods run in a worker thread."""

    context: RunContext
    gates: Gatekeeper
    forecaster: Forecaster
    undoer: Undoer

    def start(self, ladder: Step, chosen: str | None) -> None:
        """Start the rung that the approvers chose, else the one the forecast proposes.

        Its forecast is looked at once more: minutes have gone by since people accepted a loss.
        """
        options = self.forecaster.options(ladder)
        tried = self._tried(ladder)
        wanted = chosen or next((o.name for o in options if o.proposed), None)
        option = next((o for o in options if o.name == wanted and o.name not in tried), None)
        if option is not None and option.available:
            gate = self.gates.gate_of(ladder) if chosen else None
            if gate is not None and not self.gates.covers(gate, option):
                self._reopen_gate(ladder, gate, f"rung '{option.name}' would lose more by now")
            else:
                self._start(ladder, option)
            return
        if option is not None:
            note = option.because.say("en") or "not available any more"
            data = {"rung": option.name, "because": note}
            self.context.recorder.write(Draft(Kind.RUNG_FAILED, ladder.id, data=data))
        self._next(ladder, options)

    def _tried(self, ladder: Step) -> set[str]:
        seen = self.context.view.steps.get(ladder.id)
        return set(seen.rungs) if seen else set()

    def _start(self, ladder: Step, option: Option) -> None:
        data = {"rung": option.name, "forecast": option}
        self.context.recorder.write(Draft(Kind.RUNG_STARTED, ladder.id, data=data))

    def passed(self, ladder: Step, rung_name: str) -> None:
        """Bind the outputs of a rung whose steps have all ended well."""
        if self.context.view.steps[ladder.id].rungs.get(rung_name) != "started":
            return  # decided while another worker was at it
        rung = _rung(ladder, rung_name)
        outputs = dict(self.context.view.steps[rung.steps[-1].id].outputs)
        if rung.outputs:
            outputs = self.context.render(dict(rung.outputs))
        data = {"state": "succeeded", "outputs": {**outputs, "rung": rung_name}}
        self.context.recorder.write(Draft(Kind.STEP_FINISHED, ladder.id, data=data))

    def broken(self, ladder: Step, rung_name: str, because: str) -> None:
        """Leave a rung that failed: undo its steps, then fall back or ask."""
        seen = self.context.view.steps[ladder.id]
        if seen.rungs.get(rung_name) != "started":
            return
        data = {"rung": rung_name, "because": because}
        self.context.recorder.write(Draft(Kind.RUNG_FAILED, ladder.id, data=data))
        self.leave(ladder, rung_name)

    def leave(self, ladder: Step, rung_name: str) -> None:
        """Undo the finished steps of a failed rung; go on only when no effect is left."""
        rung = _rung(ladder, rung_name)
        left = self.undoer.undo(rung.steps)
        if left is Left.NOTHING:
            self.fall_back(ladder, rung_name, "undone")
        if left is not Left.SOMETHING:
            return
        note = self.context.view.steps[ladder.id].rung_notes.get(rung_name, "")
        self.gates.ask(
            QuestionKind.FALLBACK,
            ladder,
            Text(
                en=f"Rung '{rung_name}' failed and its effects are not proven undone. "
                "Go on to the next rung, or let the run fail?",
                zh=f"恢复方式“{rung_name}”失败，其影响未证实已撤销。继续下一方式，还是让本次运行失败？",
            ),
            ("go-on", "fail"),
            approvers=authority_over(self.context, ladder),
            rung=rung_name,
            because=note,
        )

    def fall_back(self, ladder: Step, rung_name: str, how: str) -> None:
        """Close a failed rung and start the next one, inside the approval or after a new one."""
        data = {"rung": rung_name, "how": how}
        self.context.recorder.write(Draft(Kind.RUNG_CLOSED, ladder.id, data=data))
        self._next(ladder, self.forecaster.options(ladder))

    def _next(self, ladder: Step, options: tuple[Option, ...]) -> None:
        tried = self._tried(ladder)
        left = [o for o in options if o.available and o.name not in tried]
        gate = self.gates.gate_of(ladder)
        if not left:
            self._exhausted(ladder)
        elif gate is not None and not self.gates.covers(gate, left[0]):
            self._reopen_gate(ladder, gate, f"rung '{left[0].name}' lies outside the approval")
        else:
            self._start(ladder, left[0])

    def _reopen_gate(self, ladder: Step, gate: Step, because: str) -> None:
        """What would start now is not what was approved: ask again."""
        reopened: dict[str, Any] = {"because": because, "rungs": False}
        self.context.recorder.write(
            Draft(Kind.STEP_REOPENED, gate.id, data=reopened),
            Draft(Kind.STEP_REOPENED, ladder.id, data=reopened),
        )

    def _exhausted(self, ladder: Step) -> None:
        because = "no rung is left that could be tried"
        data = {"state": "failed", "because": because}
        self.context.recorder.write(Draft(Kind.STEP_FINISHED, ladder.id, data=data))

    def resume(self, ladder: Step) -> None:
        """Go on with a ladder that an earlier engine left between two rungs."""
        seen = self.context.view.steps[ladder.id]
        current = seen.rung or ""
        match seen.rungs.get(current):
            case "failed":
                self.leave(ladder, current)
            case "closed":
                self._next(ladder, self.forecaster.options(ladder))
            case _:
                return


def _rung(ladder: Step, name: str) -> Rung:
    for rung in ladder.rungs:
        if rung.name == name:
            return rung
    raise DrError(f"step '{ladder.id}' has no rung '{name}'")
