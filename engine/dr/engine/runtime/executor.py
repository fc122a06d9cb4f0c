"""Carry a run out: the main loop.  It decides in one thread; attempts act in a bounded pool."""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from queue import Empty
from typing import Any

from dr.engine.core.errors import DrError, ExitCode
from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import OnFailure, Step
from dr.engine.core.planner import (
    Decision,
    Failed,
    Planner,
    Release,
    RungBroken,
    RungPassed,
    ended_well,
)
from dr.engine.core.ports import ActionKind
from dr.engine.core.questions import QuestionKind
from dr.engine.core.states import ENDED, RunState, StepState
from dr.engine.core.values import Text, parse_utc, utc_text
from dr.engine.core.view import QuestionView, StepView
from dr.engine.runtime.attempts import Conductor
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.doubt import LOOK_AGAIN, Settler
from dr.engine.runtime.fanout import FanOut
from dr.engine.runtime.forecasts import Forecaster
from dr.engine.runtime.gates import Gatekeeper
from dr.engine.runtime.ladder import Ladders
from dr.engine.runtime.recorder import StoppedError
from dr.engine.runtime.undoing import Left, Undoer

log = logging.getLogger("dr.runtime")

POLL_S = 0.2
"""How often answers and wishes of other processes are looked for."""

RENEW_S = 5.0
"""How often the lease is renewed."""

OVERRUN = timedelta(seconds=20)
"""How long an action may outlive its timeout before its attempt counts as lost."""

_S = StepState


@dataclass
class Executor:
    """Carries one run out until it has ended, or until this engine must stop.

    Args:
        context: the run, its recorder holding the lease.
        workers: attempts that may act at the same time.
        poll_s: how often answers and wishes of other processes are looked for, in seconds.
    """

    context: RunContext
    workers: int = 32
    poll_s: float = POLL_S
    _busy: dict[tuple[str, str | None], float] = field(default_factory=dict)
    _timers: list[tuple[datetime, int, str, Callable[[], None]]] = field(default_factory=list)
    _count: itertools.count[int] = field(default_factory=itertools.count)
    _held: dict[str, None] = field(default_factory=dict)
    _obeyed: set[int] = field(default_factory=set)
    _polled: float = 0.0
    _renewed: float = 0.0
    _failing: str = ""
    _rejected: bool = False
    _cut: BaseException | None = None
    _tended: set[tuple[str, str | None, int, str]] = field(default_factory=set)
    _recovered_up_to: int = 0

    def __post_init__(self) -> None:
        self.planner = Planner(self.context.runbook, self.context.view)
        self.conductor = Conductor(self.context)
        self.settler = Settler(self.context, self.conductor)
        self.forecaster = Forecaster(self.context)
        self.gates = Gatekeeper(self.context, self.forecaster)
        self.undoer = Undoer(self.context, self.gates)
        self.ladders = Ladders(self.context, self.gates, self.forecaster, self.undoer)
        self.fan_outs = FanOut(self.context)

    # -- the loop

    def run(self) -> RunState:
        """Carry the run on until it has ended.

        Raises:
            StoppedError: the lease or the journal is lost; nothing more was done.
        """
        with ThreadPoolExecutor(self.workers, thread_name_prefix="attempt") as self._pool:
            try:
                self._recover()
                while not self.context.view.state.ended:
                    self._turn()
                return self.context.view.state
            except BaseException as error:
                self.context.stopping.set()
                self.context.recorder.stop(DrError(f"the engine stops: {error!r}"))
                raise

    def _turn(self) -> None:
        self._listen()
        if self._cut is not None:
            raise self._cut
        if self.context.recorder.broken is not None:
            broken = self.context.recorder.broken
            raise StoppedError(broken.message, hint=broken.hint)
        self._obey()
        self._keep_time()
        for asked in self.context.view.open_questions():
            self._hear(asked)
        for decision in self.planner.decide():
            self._follow(decision)
        self._settle_state()

    def _listen(self) -> None:
        """Wait for something to happen, at most until the next poll."""
        now = time.monotonic()
        wait = max(0.0, self._polled + self.poll_s - now)
        touched = self.context.recorder.touched
        try:
            step = touched.get(timeout=wait) if wait else touched.get_nowait()
            while True:
                if step is not None:
                    self.planner.touch(step)
                step = touched.get_nowait()
        except Empty:
            pass
        now = time.monotonic()
        if now >= self._polled + self.poll_s:
            self._polled = now
            self.context.recorder.poll()
        if now >= self._renewed + RENEW_S:
            self._renewed = now
            self.context.recorder.renew()

    # -- start and resume

    def _recover(self) -> None:
        """Put what an earlier engine left under way in doubt, and look at the service once."""
        view = self.context.view
        if self.context.ports.clock.now() < (view.at or self.context.record.created):
            log.warning("the clock is behind the journal; the journal's time is kept")
        for step in list(view.steps.values()):
            for unit in list(step.units.values()):
                if unit.state is _S.RUNNING and unit.epoch < self.context.recorder.epoch:
                    message = "the engine died before it wrote the end"
                    draft = Draft(Kind.LOST, step.id, unit.host, unit.attempt, {"message": message})
                    self.context.recorder.write(draft)
        service = self.context.service_name()
        if service is not None and f"service.{service}" not in view.facts:
            facts = self.context.ports.observatory.look(service)
            data = {
                "name": f"service.{service}",
                "facts": facts,
                "at": utc_text(self.context.now()),
            }
            self.context.recorder.write(Draft(Kind.RUN_FACTS, data=data))
        self._failing = self._why_failing()
        if any(s.state is not _S.PENDING for s in self._finally_views()):
            self.planner.open_finally()
            self.context.provisional = not self._is_over()
        for step in view.restless():
            known = self.context.runbook.by_id[step.id]
            if known.is_ladder:
                self._resume_ladder(known)
        if self._undoes_all():
            self._undo()

    def _resume_ladder(self, ladder: Step) -> None:
        self._in_pool((ladder.id, None), lambda: self.ladders.resume(ladder))

    def _undoes_all(self) -> bool:
        """Whether a failed step's policy is to take back what the run did."""
        failed = (s for s in self.context.runbook.steps if s.on_failure is OnFailure.UNDO)
        views = (self.context.view.steps.get(s.id) for s in failed)
        return any(v is not None and v.state is _S.FAILED for v in views)

    def _finally_views(self) -> list[StepView]:
        ids = {s.id for s in self.context.runbook.finally_}
        return [s for s in list(self.context.view.steps.values()) if s.id in ids]

    def _why_failing(self) -> str:
        """Derive from the journal whether the run is on its way to failing."""
        for step in self.context.runbook.steps:
            seen = self.context.view.steps.get(step.id)
            if seen is None or seen.state is not _S.FAILED:
                continue
            asked = self._last_question(step.id)
            if asked and asked.outcome in {"rejected", "timed_out"}:
                self._rejected = asked.outcome == "rejected"
                return asked.because
            if step.on_failure in {OnFailure.FAIL, OnFailure.UNDO}:
                return f"step '{step.id}' failed: {seen.because}"
            if asked and asked.outcome == "fail":
                return f"step '{step.id}' failed: {asked.because}"
        return ""

    def _last_question(self, step_id: str) -> QuestionView | None:
        found = [
            q for q in list(self.context.view.questions.values()) if q.question.step == step_id
        ]
        return found[-1] if found else None

    # -- decisions

    def _follow(self, decision: Decision) -> None:
        match decision:
            case Release(step):
                self._release(step)
            case RungPassed(ladder, rung):
                self._in_pool((ladder.id, rung), lambda: self.ladders.passed(ladder, rung))
            case RungBroken(ladder, rung, step):
                self._break_rung(ladder, rung, step)
            case Failed(step):
                self._failed(step)

    def _release(self, step: Step) -> None:
        if self._may_not_start(step):
            self._held[step.id] = None
            return
        try:
            if not self._condition(step):
                return
            self._begin(step)
        except StoppedError:
            raise
        except DrError as error:
            data = {"state": "failed", "because": error.message}
            self.context.recorder.write(Draft(Kind.STEP_FINISHED, step.id, data=data))

    def _may_not_start(self, step: Step) -> bool:
        view = self.context.view
        if (step.id, None) in self._busy:
            return True
        if step.in_finally:
            return False
        return view.paused or bool(self._failing) or view.abort is not None

    def _condition(self, step: Step) -> bool:
        """Return whether the step is to run now; a false condition skips it."""
        if self.context.drill and step.drill == "skip":
            self._skip(step, "drills leave this step out")
            return False
        if step.condition is None:
            return True
        if self._refresh(step.condition, step):
            return False
        if not self.context.holds(step.condition):
            self._skip(step, f"its condition does not hold: {step.condition}")
            return False
        return True

    def _skip(self, step: Step, because: str) -> None:
        self.context.recorder.write(Draft(Kind.STEP_SKIPPED, step.id, data={"because": because}))

    def _refresh(self, value: Any, waiting: Step) -> bool:
        """Look again at facts that are too old; the waiting step is looked at once they are in."""
        stale = self.context.stale(value)
        for step in stale:
            data = {
                "because": f"older than {step.fresh.total_seconds():g}s, needed by {waiting.id}"
            }
            self.context.recorder.write(Draft(Kind.STEP_REOPENED, step.id, data=data))
        if stale:
            self._held[waiting.id] = None
        return bool(stale)

    def _begin(self, step: Step) -> None:
        if step.is_ladder:
            self._begin_ladder(step)
            return
        kind = self.context.ports.actions.get(step.uses).spec.kind
        lapsed = self.gates.lapsed_gate(step)
        if lapsed is not None:
            self._ask_again(lapsed, "the approval lapsed before anything was started")
        elif kind is ActionKind.GATE:
            if not self._refresh(self._rung_conditions(step), step):
                seen = self.context.view.steps.get(step.id)
                again = seen.because if seen else ""
                self._in_pool((step.id, None), lambda: self.gates.open_gate(step, again))
        elif kind is ActionKind.TASK:
            self.gates.open_task(step)
        else:
            self._begin_action(step)

    def _rung_conditions(self, gate: Step) -> list[str]:
        ladder = self.context.runbook.by_id.get(str(gate.with_.get("chooses", "")))
        return [f"{r.condition}" for r in ladder.rungs if r.condition] if ladder else []

    def _ask_again(self, gate: Step, because: str) -> None:
        data = {"because": because, "rungs": False}
        self.context.recorder.write(Draft(Kind.STEP_REOPENED, gate.id, data=data))

    def _begin_ladder(self, ladder: Step) -> None:
        conditions = [r.condition for r in ladder.rungs if r.condition]
        if self._refresh(conditions, ladder):
            return
        gate = self.gates.gate_of(ladder)
        if gate is not None and not ended_well(gate, self.context.view.steps.get(gate.id)):
            self._held[ladder.id] = None  # its gate is asked again
            return
        lapsed = self.gates.lapsed_gate(ladder)
        if lapsed is not None:
            self._ask_again(lapsed, "the approval lapsed before anything was started")
            return
        chosen = None
        if gate is not None and gate.id in self.context.view.steps:
            chosen = self.context.view.steps[gate.id].outputs.get("choice")
        self._in_pool((ladder.id, None), lambda: self.ladders.start(ladder, chosen))

    def _begin_action(self, step: Step) -> None:
        hosts = self.context.targets(step.hosts)
        if step.strategy is not None or len(hosts) > 1:
            self.fan_outs.plan(step, [h for h in hosts if h is not None])
            self._advance_fan_out(step)
            return
        self._attempt(step, hosts[0], self._next_number(step, hosts[0]))

    def _next_number(self, step: Step, host: str | None) -> int:
        seen = self.context.view.steps.get(step.id)
        unit = seen.units.get(host) if seen else None
        return (unit.attempt if unit else 0) + 1

    # -- acting

    def _attempt(self, step: Step, host: str | None, number: int) -> None:
        self._in_pool(
            (step.id, host), lambda: self.conductor.conduct(step, host, number), step.timeout
        )

    def _in_pool(
        self,
        key: tuple[str, str | None],
        work: Callable[[], None],
        timeout: timedelta = timedelta(0),
    ) -> None:
        """Let a worker do ``work``; one thing at a time for each unit."""
        if key in self._busy:
            return
        self._busy[key] = time.monotonic()

        def carry() -> None:
            try:
                work()
            except StoppedError:
                pass
            except DrError as error:
                self._broke_down(key[0], error)
            except Exception as error:
                log.exception("step %s broke down", key[0])
                self._broke_down(key[0], DrError(f"{type(error).__name__}: {error}"))
            except BaseException as error:
                # the power went: nothing more may be written by this process
                self.context.recorder.stop(DrError(f"cut: {error!r}"))
                self._cut = error
                raise
            finally:
                self._busy.pop(key, None)
                self.context.recorder.touched.put(key[0])

        self._pool.submit(carry)
        if timeout:
            self._watch(key, timeout)

    def _broke_down(self, step_id: str, error: DrError) -> None:
        data = {"state": "failed", "because": error.message}
        try:
            self.context.recorder.write(Draft(Kind.STEP_FINISHED, step_id, data=data))
        except StoppedError:
            return

    def _watch(self, key: tuple[str, str | None], timeout: timedelta) -> None:
        """Count an attempt as lost when its action outlives its timeout by far."""
        started = self._busy[key] if key in self._busy else time.monotonic()

        def check() -> None:
            seen = self.context.view.steps.get(key[0])
            unit = seen.units.get(key[1]) if seen else None
            if self._busy.get(key) == started and unit and unit.state is _S.RUNNING:
                message = f"no answer after {timeout.total_seconds():g}s"
                data = {"message": message}
                self.context.recorder.write(Draft(Kind.LOST, key[0], key[1], unit.attempt, data))

        self._at(self.context.now() + timeout + OVERRUN, check)

    def _advance_fan_out(self, step: Step) -> None:
        for host in self.fan_outs.startable(step):
            self._attempt(step, host, self._next_number(step, host))

    # -- time

    def _at(self, when: datetime, work: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (when, next(self._count), "", work))

    def _keep_time(self) -> None:
        now = self.context.now()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[3]()

    def _retry_later(self, step_id: str, host: str | None, number: int, at: str) -> None:
        step = self.context.runbook.by_id[step_id]

        def again() -> None:
            seen = self.context.view.steps[step_id].units.get(host)
            if seen is None or seen.state is not _S.WAITING or seen.attempt != number:
                return
            if self._may_not_start(step):
                self._at(self.context.now() + timedelta(seconds=1), again)
                return
            self._attempt(step, host, number + 1)

        self._at(parse_utc(at), again)

    # -- people

    def _obey(self) -> None:
        view = self.context.view
        if not view.paused and not self._failing and self._held:
            for step_id in list(self._held):
                self.planner.touch(step_id)
            self._held.clear()
        for event in list(view.wishes):
            if event.seq not in self._obeyed:
                self._obeyed.add(event.seq)
                self._obey_one(event.kind, event.step or "", event.data)
        if view.abort is not None:
            self.context.stopping.set()

    def _obey_one(self, kind: Kind, step_id: str, data: Any) -> None:
        step = self.context.runbook.by_id.get(step_id)
        seen = self.context.view.steps.get(step_id)
        if step is None or (seen.state if seen else _S.PENDING) not in {_S.FAILED, _S.PENDING}:
            return
        because = f"{data.get('by', '')}: {data.get('because', '')}"
        self._close_questions(step_id, "retry" if kind is Kind.OP_RETRY else "skip", because)
        self._failing = ""
        if kind is Kind.OP_RETRY:
            self._reopen(step, because)
        else:
            payload = {"because": because, "by": data.get("by", "")}
            self.context.recorder.write(Draft(Kind.STEP_SKIPPED, step_id, data=payload))

    def _reopen(self, step: Step, because: str) -> None:
        data = {"because": because, "keep_done": True, "rungs": step.is_ladder}
        self.context.recorder.write(Draft(Kind.STEP_REOPENED, step.id, data=data))

    def _close_questions(self, step_id: str, outcome: str, because: str) -> None:
        for asked in self.context.view.open_questions():
            if asked.question.step == step_id:
                self.gates.close_only(asked, outcome, because)

    def _hear(self, asked: QuestionView) -> None:
        """Act on the answers to an open question."""
        kind = asked.question.kind
        if kind in {QuestionKind.GATE, QuestionKind.TASK}:
            self.gates.judge(asked)
        elif asked.answers:
            self._hear_operator(asked)
        elif kind is QuestionKind.DOUBT:
            self._look_again(asked)

    def _look_again(self, asked: QuestionView) -> None:
        """A late truthful result still settles a doubt that a person was asked about."""
        step, host = asked.question.step, asked.question.host
        unit = self.context.view.steps[step].units.get(host)
        if unit is not None and unit.state is not _S.IN_DOUBT:
            self.gates.close_only(asked, "settled", "its end was found without an answer")

    def _hear_operator(self, asked: QuestionView) -> None:
        answer, question = asked.answers[0], asked.question
        step = self.context.runbook.by_id[question.step]
        because = f"{answer.by}: {answer.reason}"
        self.gates.close_only(asked, answer.verdict, because)
        match question.kind, answer.verdict:
            case QuestionKind.DOUBT, _:
                self.settler.take_verdict(step, question.host, answer)
            case QuestionKind.FAILURE, "retry":
                self._reopen(step, because)
            case QuestionKind.FAILURE, "skip":
                payload = {"because": because, "by": answer.by}
                self.context.recorder.write(Draft(Kind.STEP_SKIPPED, step.id, data=payload))
            case QuestionKind.FALLBACK, _ if "undo" in question.card:
                self._go_on_undoing(step)
            case QuestionKind.FALLBACK, "go-on":
                self._next_rung(step, str(question.card.get("rung", "")), "person")
            case _:
                self._failing = because
                self._fail_ladder(step, because)

    def _go_on_undoing(self, step: Step) -> None:
        """People decided about an undo: go on with what it belongs to."""
        if step.ladder is not None:
            self._resume_ladder(self.context.runbook.by_id[step.ladder])
        else:
            self._undo()

    def _fail_ladder(self, step: Step, because: str) -> None:
        seen = self.context.view.steps.get(step.id)
        if step.is_ladder and seen is not None and seen.state is not _S.FAILED:
            data = {"state": "failed", "because": because}
            self.context.recorder.write(Draft(Kind.STEP_FINISHED, step.id, data=data))

    # -- failures

    def _failed(self, step: Step) -> None:
        """Follow the policy of a step that failed outside a rung."""
        if self._failing or step.in_finally:
            return
        seen = self.context.view.steps[step.id]
        because = f"step '{step.id}' failed: {seen.because}"
        asked = self._last_question(step.id)
        if asked and asked.outcome in {"rejected", "timed_out"}:
            self._failing, self._rejected = asked.because, asked.outcome == "rejected"
        elif step.on_failure is OnFailure.FAIL:
            self._failing = because
        elif step.on_failure is OnFailure.UNDO:
            self._failing = because
            self._undo()
        else:
            self._ask_about(step, because)

    def _ask_about(self, step: Step, because: str) -> None:
        seen = self.context.view.steps[step.id]
        error = seen.latest.error if seen.latest else None
        self.gates.ask(
            QuestionKind.FAILURE,
            step,
            Text(
                en=f"Step '{step.id}' failed. Try it again, go on without it, or let the run fail?",
                zh=f"步骤“{step.id}”失败。重试、跳过，还是让本次运行失败？",
            ),
            ("retry", "skip", "fail"),
            because=because,
            error=error,
        )

    def _undo(self) -> None:
        """Take back what the run did, the newest first; a ladder's running rung included."""
        steps = [s for s in self.context.runbook.walk() if not s.in_finally and s.uses]
        self._in_pool(("undo", None), lambda: self._undone(self.undoer.undo(steps)))

    def _undone(self, left: Left) -> None:
        if left is Left.SOMETHING:
            log.warning("not every effect could be taken back")

    def _break_rung(self, ladder: Step, rung: str, step: Step) -> None:
        seen = self.context.view.steps[step.id]
        inside = {s.id for r in ladder.rungs if r.name == rung for s in r.steps}
        if any(s.id in inside for s, _ in self.context.view.in_doubt()):
            return
        if any(key[0] in inside for key in self._busy):
            return
        because = f"step '{step.id}': {seen.because}"
        self._in_pool((ladder.id, None), lambda: self.ladders.broken(ladder, rung, because))

    def _next_rung(self, ladder: Step, rung: str, how: str) -> None:
        self._in_pool((ladder.id, None), lambda: self.ladders.fall_back(ladder, rung, how))

    def _doubt(self, step_id: str, host: str | None) -> None:
        step = self.context.runbook.by_id[step_id]
        self._in_pool((step_id, host), lambda: self.settler.settle(step, host))

        def again() -> None:
            unit = self.context.view.steps[step_id].units.get(host)
            if unit is not None and unit.state is _S.IN_DOUBT:
                self._doubt(step_id, host)

        self._at(self.context.now() + LOOK_AGAIN, again)

    # -- the state of the run

    def _settle_state(self) -> None:
        """Start doubts' settlement, advance fan-outs, and write what the run's state becomes."""
        view = self.context.view
        self._tend_units()
        if self._busy or not self.context.recorder.touched.empty():
            self._announce(RunState.RUNNING, "")
            return
        doubts = view.in_doubt()
        if self._is_over() and not doubts:
            self._wind_up()
        elif doubts:
            first = doubts[0]
            self._announce(RunState.IN_DOUBT, f"step '{first[0].id}' is in doubt")
            self._provisional()
        elif view.paused:
            self._announce(RunState.PAUSED, "paused by an operator")
        elif view.open_questions():
            asked = view.open_questions()[0].question
            self._announce(RunState.WAITING, f"{asked.kind} '{asked.step}' waits for people")
        else:
            self._announce(RunState.RUNNING, "")

    def _tend_units(self) -> None:
        """See to units in doubt and units that wait for another attempt, once for each."""
        for step in self._restless():
            for unit in list(step.units.values()):
                mark = (step.id, unit.host, unit.attempt, str(unit.state))
                if (step.id, unit.host) in self._busy or mark in self._tended:
                    continue
                if unit.state is _S.IN_DOUBT:
                    self._tended.add(mark)
                    self._doubt(step.id, unit.host)
                elif unit.state is _S.WAITING and unit.retry_at:
                    self._tended.add(mark)
                    self._retry_later(step.id, unit.host, unit.attempt, unit.retry_at)
            if step.fan_out and step.state is _S.RUNNING:
                self._tend_fan_out(self.context.runbook.by_id[step.id])

    def _restless(self) -> list[StepView]:
        """Steps with something under way: few, however long the run is."""
        return [
            s
            for s in self.context.view.restless()
            if s.id in self.context.runbook.by_id and not self.context.runbook.by_id[s.id].rungs
        ]

    def _tend_fan_out(self, step: Step) -> None:
        if self._may_not_start(step):
            return
        if not self.fan_outs.settle(step):
            self._advance_fan_out(step)

    def _is_over(self) -> bool:
        if self._failing or self.context.view.abort is not None:
            return not self._undo_waits()
        return self.planner.main_over and not self.context.view.open_questions()

    def _undo_waits(self) -> bool:
        return any("undo" in q.question.card for q in self.context.view.open_questions())

    def _announce(self, state: RunState, because: str) -> None:
        view = self.context.view
        if (view.state, view.because) != (state, because):
            data = {"state": state, "because": because}
            self.context.recorder.write(Draft(Kind.RUN_STATE, data=data))
        self._mark_recovered()

    def _mark_recovered(self) -> None:
        """Write the moment of the technical recovery, once."""
        view = self.context.view
        if view.moments.recovered is not None or not self._recovery_steps:
            return
        steps = self._recovery_steps
        while self._recovered_up_to < len(steps) and self._well(steps[self._recovered_up_to]):
            self._recovered_up_to += 1
        if self._recovered_up_to == len(steps):
            detected = view.moments.detected or self.context.record.created
            down = (self.context.now() - detected).total_seconds()
            data = {"down_s": down, "detected_at": utc_text(detected)}
            self.context.recorder.write(Draft(Kind.RUN_RECOVERED, data=data))

    @cached_property
    def _recovery_steps(self) -> list[Step]:
        """Steps whose good end is the technical recovery: through ``prove``, without closing."""
        early = {"assess", "decide", "isolate", "recover", "prove"}
        steps = self.context.runbook.steps
        if not any(s.phase == "recover" for s in steps):
            return []
        return [s for s in steps if s.phase in early and not self._closes(s)]

    def _closes(self, step: Step) -> bool:
        return bool(step.uses) and self.context.ports.actions.get(step.uses).spec.closes

    def _well(self, step: Step) -> bool:
        seen = self.context.view.steps.get(step.id)
        return seen is not None and seen.state in {_S.SUCCEEDED, _S.ALREADY_DONE, _S.SKIPPED}

    def _provisional(self) -> None:
        """Report while something is in doubt; at the true end the report is made again."""
        if self.context.provisional or self._failing or self.context.view.abort is not None:
            return
        self.context.provisional = True
        self.planner.open_finally()
        self.context.recorder.wake()

    def _wind_up(self) -> None:
        """Cancel what will not start, run ``finally``, end the run."""
        for step in self.planner.open_steps():
            seen = self.context.view.steps.get(step.id)
            if seen is None or seen.state not in ENDED:
                self._cancel(step)
        for asked in self.context.view.open_questions():
            self.gates.close_only(asked, "cancelled", "the run is ending")
        if self.context.provisional:
            self._again_finally()
        if not self.planner.finally_open:
            self.planner.open_finally()
            self.context.recorder.wake()
            return
        if self.planner.finally_over() or not self.context.runbook.finally_:
            self._end()

    def _cancel(self, step: Step) -> None:
        self._close_questions(step.id, "cancelled", "the run is ending")
        because = self._failing or "the run was aborted"
        for inner in (step, *(s for r in step.rungs for s in r.steps)):
            seen = self.context.view.steps.get(inner.id)
            if seen is None or seen.state not in ENDED:
                data = {"because": because}
                self.context.recorder.write(Draft(Kind.STEP_CANCELLED, inner.id, data=data))

    def _again_finally(self) -> None:
        self.context.provisional = False
        for step in self.context.runbook.finally_:
            if step.id in self.context.view.steps:
                data = {"because": "what was in doubt is settled", "keep_done": False}
                self.context.recorder.write(Draft(Kind.STEP_REOPENED, step.id, data=data))

    def _end(self) -> None:
        view = self.context.view
        if view.abort is not None:
            state, because = RunState.ABORTED, str(view.abort.get("because", ""))
        elif self._failing:
            state, because = RunState.FAILED, self._failing
        else:
            state, because = RunState.SUCCEEDED, ""
        data = {"state": state, "because": because, "rejected": self._rejected}
        self.context.recorder.write(Draft(Kind.RUN_ENDED, data=data))

    def exit_code(self) -> ExitCode:
        """Return what the engine's process says about the ended run."""
        if self.context.view.state is RunState.SUCCEEDED:
            return ExitCode.DONE
        return ExitCode.REJECTED if self._rejected else ExitCode.FAILED
