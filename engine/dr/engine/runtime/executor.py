"""Carry a run out: the main loop.  It decides in one thread; attempts act in a bounded pool."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty

from dr.engine.core.errors import DrError, ExitCode
from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Step
from dr.engine.core.planner import Decision, Failed, Planner, Release, RungBroken, RungPassed
from dr.engine.core.questions import QuestionKind
from dr.engine.core.states import RunState, StepState
from dr.engine.core.values import utc_text
from dr.engine.core.view import StepView
from dr.engine.runtime.amending import Amending
from dr.engine.runtime.attempts import Conductor
from dr.engine.runtime.beginning import Beginner
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.course import Course
from dr.engine.runtime.crew import Crew
from dr.engine.runtime.doubt import LOOK_AGAIN, Settler
from dr.engine.runtime.ending import Ending
from dr.engine.runtime.fanout import FanOut
from dr.engine.runtime.forecasts import Forecaster
from dr.engine.runtime.gates import Gatekeeper
from dr.engine.runtime.hearing import Hearing
from dr.engine.runtime.ladder import Ladders
from dr.engine.runtime.recorder import StoppedError
from dr.engine.runtime.reminding import Reminding
from dr.engine.runtime.sessions import Sessions
from dr.engine.runtime.stopping import Stopper
from dr.engine.runtime.taking_back import TakingBack
from dr.engine.runtime.undoing import Undoer

log = logging.getLogger("dr.runtime")

POLL_S = 0.2
"""How often answers and wishes of other processes are looked for."""

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
    _polled: float = 0.0
    _renewed: float = 0.0
    _tended: set[tuple[str, str | None, int, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        context = self.context
        self.planner = Planner(context.runbook, context.view)
        self.course = Course(context)
        self.crew = Crew(context, self.workers, self._turn)
        stopper = Stopper(context)
        conductor = Conductor(context, self.course.stops, stopper.stop_reading)
        self.settler = Settler(context, conductor, stopper)
        forecaster = Forecaster(context)
        gates = Gatekeeper(context, forecaster)
        undoer = Undoer(context, gates, conductor)
        taking_back = TakingBack(context, gates, undoer)
        sessions = Sessions(context, gates, Reminding(context, self.crew))
        ladders = Ladders(context, gates, forecaster, undoer)
        self.ladders, self.fan_outs = ladders, FanOut(context)
        self.hearing = Hearing(
            context,
            self.course,
            self.crew,
            gates,
            ladders,
            self.settler,
            undoer,
            taking_back,
            sessions,
        )
        self.beginner = Beginner(
            context, self.course, self.crew, conductor, gates, ladders, self.fan_outs, sessions
        )
        self.ending = Ending(context, self.course, self.planner, self.hearing)
        self.amending = Amending(context, self.course, self.crew)

    # -- the loop

    def run(self) -> RunState:
        """Carry the run on until it has ended, or goes on with another plan (``is_amended``).

        Raises:
            StoppedError: the lease or the journal is lost; nothing more was done.
        """
        try:
            self.crew.alone(self._recover)
            while not (self.context.view.state.ended or self.is_amended):
                self.crew.take_turn(self._listen())
            return self.context.view.state
        except BaseException as error:
            self.context.stopping.set()
            self.context.recorder.stop(DrError(f"the engine stops: {error!r}"))
            self.crew.dismiss()  # a worker that was cut may still be about to say so
            if self.crew.cut is not None and isinstance(error, StoppedError):
                raise self.crew.cut from None  # a worker's end stopped this thread's own write
            raise
        finally:
            self.crew.dismiss()

    @property
    def is_amended(self) -> bool:
        """Whether the run goes on with another plan: this executor does nothing more for it."""
        return self.amending.done

    def _turn(self, touched: Sequence[str]) -> None:
        """Decide what follows; in the main loop, or in a worker whose work is over."""
        self._refuse_to_go_on_without_journal()
        if self.context.view.state.ended or self.is_amended:
            return  # a worker's turn ended the run while the main loop waited for its own
        if self.amending.take_up():
            return
        for step_id in touched:
            self.planner.touch(step_id)
        self.hearing.obey()
        for step_id in self.course.release():
            self.planner.touch(step_id)
        self.crew.keep_time()
        for asked in self.context.view.open_questions():
            self.hearing.hear(asked)
        for decision in self.planner.decide():
            self._follow(decision)
        self._tend_units()
        self.hearing.undo_what_is_due()
        self.hearing.take_back()
        if self.crew.idle and self.context.recorder.touched.empty():
            self.ending.settle()
        elif not self._only_looks_again():
            self.ending.announce(RunState.RUNNING)

    def _only_looks_again(self) -> bool:
        """Whether the run stays in doubt: looking again while a person is asked is no progress."""
        view = self.context.view
        if view.state is not RunState.IN_DOUBT:
            return False
        asked = [q.question for q in view.open_questions() if q.question.kind is QuestionKind.DOUBT]
        return self.crew.busy_with <= {(question.step, question.host) for question in asked}

    def _listen(self) -> list[str]:
        """Wait for something to happen, at most until the next poll; return the steps of it."""
        wait = max(0.0, self._polled + self.poll_s - time.monotonic())
        touched = self.context.recorder.touched
        heard: dict[str, None] = {}
        try:
            step = touched.get(timeout=wait) if wait else touched.get_nowait()
            while True:
                if step is not None:
                    heard[step] = None
                step = touched.get_nowait()
        except Empty:
            pass
        now = time.monotonic()
        if now >= self._polled + self.poll_s:
            self._polled = now
            self.context.recorder.poll()
        if now >= self._renewed + self.context.recorder.renew_s:
            self._renewed = now
            self.context.recorder.renew()
        return list(heard)

    def _refuse_to_go_on_without_journal(self) -> None:
        if self.crew.cut is not None:
            raise self.crew.cut
        broken = self.context.recorder.broken
        if broken is not None:
            raise StoppedError(broken.message, hint=broken.hint)

    def _follow(self, decision: Decision) -> None:
        match decision:
            case Release(step):
                self.beginner.release(step)
            case RungPassed(ladder, rung):
                self.crew.do((ladder.id, rung), lambda: self.ladders.passed(ladder, rung))
            case RungBroken(ladder, rung, step):
                self.hearing.break_rung(ladder, rung, step)
            case Failed(step):
                self.hearing.failed(step)

    # -- units under way

    def _tend_units(self) -> None:
        """See to units in doubt and units that wait for another attempt, once for each."""
        view = self.context.view
        for step_id, host in list(view.awaited):
            if not self.crew.is_busy((step_id, host)):
                # taken out first: whoever works on it may put it there again at once
                view.awaited.pop((step_id, host), None)
                self._tend(step_id, host)
        for seen in view.fan_outs():
            step = self.context.runbook.by_id.get(seen.id)
            goes_on = step and seen.state is _S.RUNNING and not self.course.stops(step)
            # while a batch is under way all of it was handed out
            idle = goes_on and not self.crew.is_busy_inside({seen.id})
            if step and idle and not self.fan_outs.settle(step):
                self.beginner.advance(step)

    def _tend(self, step_id: str, host: str | None) -> None:
        step = self.context.runbook.by_id.get(step_id)
        if step is None or step.is_ladder:
            return
        unit = self.context.view.steps[step_id].units[host]
        mark = (step_id, host, unit.attempt, str(unit.state))
        if mark in self._tended:
            return
        if unit.state is _S.IN_DOUBT:
            self._tended.add(mark)
            self._settle_doubt(step, host)
        elif unit.state is _S.WAITING and unit.retry_at:
            self._tended.add(mark)
            self.beginner.retry_later(step, host, unit.attempt, unit.retry_at)

    def _settle_doubt(self, step: Step, host: str | None) -> None:
        """Settle a doubt now, and look again from time to time while people are asked."""
        self.crew.do((step.id, host), lambda: self.settler.settle(step, host))

        def again() -> None:
            unit = self.context.view.steps[step.id].units.get(host)
            if unit is not None and unit.state is _S.IN_DOUBT:
                self._settle_doubt(step, host)

        self.crew.at(self.context.now() + LOOK_AGAIN, again)

    # -- start and resume

    def _recover(self) -> None:
        """Put what an earlier engine left under way in doubt, and look at the service once."""
        view = self.context.view
        if self.context.ports.clock.now() < (view.at or self.context.record.created):
            log.warning("the clock is behind the journal; the journal's time is kept")
        for step in list(view.steps.values()):
            self._doubt_what_was_running(step)
        self._await_again()
        self._look_at_service()
        self.course.derive()
        if any(s.id in view.steps for s in self.context.runbook.finally_):
            self.planner.open_finally()
            self.context.provisional = not self.ending.is_over()
        for step in view.restless():
            known = self.context.runbook.by_id[step.id]
            if known.is_ladder:
                self.hearing.resume_ladder(known)
        if self.course.undoes_all():
            self.hearing.undo_all()

    def _await_again(self) -> None:
        """See to what is in doubt or waits: the executor before an amendment took it out."""
        view = self.context.view
        with self.context.recorder.lock:
            for step in view.restless():
                for host in step.hosts_in(_S.IN_DOUBT, _S.WAITING):
                    view.awaited[step.id, host] = None

    def _doubt_what_was_running(self, step: StepView) -> None:
        for unit in list(step.units.values()):
            if unit.state is _S.RUNNING and unit.epoch < self.context.recorder.epoch:
                data = {"message": "the engine died before it wrote the end"}
                draft = Draft(Kind.LOST, step.id, unit.host, unit.attempt, data)
                self.context.recorder.write(draft)

    def _look_at_service(self) -> None:
        service = self.context.service_name()
        if service is None or f"service.{service}" in self.context.view.facts:
            return
        facts = self.context.ports.observatory.look(service)
        now = utc_text(self.context.now())
        data = {"name": f"service.{service}", "facts": facts, "at": now}
        self.context.recorder.write(Draft(Kind.RUN_FACTS, data=data))

    def exit_code(self) -> ExitCode:
        """Return what the engine's process says about the ended run."""
        if self.context.view.state is RunState.SUCCEEDED:
            return ExitCode.DONE
        return ExitCode.REJECTED if self.course.rejected else ExitCode.FAILED
