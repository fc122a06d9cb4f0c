"""The workers of one engine, and what they are to do later."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from dr.engine.core.errors import DrError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.states import IllegalTransitionError, StepState
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.recorder import StoppedError

log = logging.getLogger("dr.runtime")

OVERRUN = timedelta(seconds=20)
"""How long an action may outlive its timeout before its attempt counts as lost."""

Key = tuple[str, str | None]
"""What a worker is busy with: a step and a host, or a step and a rung."""

MAIL: Key = ("*mail*", None)
"""What a worker is busy with who sends letters; no step can be called so.

Nothing of the run waits for it: neither its state, nor an amendment, nor its end.
"""

Work = Callable[[], None]


class Crew:
    """A bounded pool of threads; at most one of them is busy with the same thing.

    A worker whose work is over takes the turn that follows from it, where nobody else is at it,
    and carries on with the first thing that the turn gives it to do: two hand-overs between
    threads cost more than all that the engine thinks about a step.

    Args:
        turn: decide what follows from what happened to the given steps; it calls ``do`` for
            what is to be done.  One thread at a time is in it.
    """

    def __init__(
        self, context: RunContext, workers: int, turn: Callable[[Sequence[str]], None]
    ) -> None:
        self._context = context
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="attempt")
        self._turn = turn
        self._at_turn = threading.Lock()
        self._keeps: tuple[Key, Work] | None = None
        self._is_follow_up = False
        self._busy: dict[Key, float] = {}
        self._on: dict[str, set[Key]] = {}
        self._later: list[tuple[datetime, int, Work]] = []
        self._count = itertools.count()
        self.cut: BaseException | None = None
        self.dismissed = False

    def dismiss(self) -> None:
        """Wait until every worker has put down what it holds; who sends letters sends no more."""
        self.dismissed = True
        self._pool.shutdown(wait=True)

    @property
    def idle(self) -> bool:
        """Whether nobody is busy with the run."""
        return not self.busy_with

    @property
    def busy_with(self) -> set[Key]:
        """What somebody is busy with now, letters left out."""
        return set(self._busy) - {MAIL}

    def is_busy(self, key: Key) -> bool:
        """Whether somebody is busy with it."""
        return key in self._busy

    def is_busy_inside(self, steps: set[str]) -> bool:
        """Whether somebody is busy with one of ``steps``."""
        return any(self._on.get(step) for step in steps)

    def do(self, key: Key, work: Work, timeout: timedelta = timedelta(0)) -> None:
        """Have ``work`` done by a worker, unless somebody is busy with the same thing."""
        if key in self._busy:
            return
        self._busy[key] = time.monotonic()
        self._on.setdefault(key[0], set()).add(key)
        if self._is_follow_up and self._keeps is None:
            self._keeps = (key, work)
        else:
            self._pool.submit(self._carry_on, key, work)
        if timeout:
            self._watch(key, timeout)

    def take_turn(self, touched: Sequence[str]) -> None:
        """Take a turn in the main loop; nobody else takes one meanwhile."""
        self.alone(lambda: self._turn(touched))

    def alone(self, work: Work) -> None:
        """Do ``work`` while nobody takes a turn."""
        with self._at_turn:
            work()

    def _carry_on(self, key: Key, work: Work) -> None:
        """Carry ``work`` out, and then what follows from it."""
        following: tuple[Key, Work] | None = (key, work)
        while following is not None:
            self._carry(*following)
            following = self._follow_up(following[0])

    def _follow_up(self, key: Key) -> tuple[Key, Work] | None:
        """Take the turn after the end of ``key``; return what this thread is to do next."""
        if self.cut is not None or not self._at_turn.acquire(blocking=False):
            self._context.recorder.touched.put(key[0])
            return None
        self._is_follow_up = True
        try:
            self._turn([key[0]])
        except StoppedError:
            return None
        except BaseException as error:
            self._cut_by(error)
            raise
        finally:
            kept, self._keeps, self._is_follow_up = self._keeps, None, False
            self._at_turn.release()
        return kept

    def _cut_by(self, error: BaseException) -> None:
        # said before the recorder is stopped, so that the main loop knows why
        self.cut = error
        self._context.recorder.stop(DrError(f"cut: {error!r}"))

    def _carry(self, key: Key, work: Work) -> None:
        self._context.recorder.works_on(key[0])
        try:
            work()
        except StoppedError:
            pass
        except IllegalTransitionError:
            log.exception("step %s had ended otherwise meanwhile", key[0])
        except DrError as error:
            self._broke_down(key[0], error)
        except Exception as error:
            log.exception("step %s broke down", key[0])
            self._broke_down(key[0], DrError(f"{type(error).__name__}: {error}"))
        except BaseException as error:
            # the power went: nothing more may be written by this process
            self._cut_by(error)
            raise
        finally:
            self._context.recorder.works_on(None)
            self._busy.pop(key, None)
            self._on[key[0]].discard(key)

    def _broke_down(self, step_id: str, error: DrError) -> None:
        if step_id not in self._context.runbook.by_id:
            log.error("%s broke down: %s", step_id, error)
            return
        data = {"state": "failed", "because": error.message}
        try:
            self._context.recorder.write(Draft(Kind.STEP_FINISHED, step_id, data=data))
        except StoppedError:
            return

    def _watch(self, key: Key, timeout: timedelta) -> None:
        """Count an attempt as lost when its action outlives its timeout by far."""
        started = self._busy.get(key)

        def check() -> None:
            seen = self._context.view.steps.get(key[0])
            unit = seen.units.get(key[1]) if seen else None
            if self._busy.get(key) == started and unit and unit.state is StepState.RUNNING:
                data = {"message": f"no answer after {timeout.total_seconds():g}s"}
                draft = Draft(Kind.LOST, key[0], key[1], unit.attempt, data)
                try:
                    self._context.recorder.write(draft)
                except IllegalTransitionError:
                    return  # its answer came in this moment

        self.at(self._context.now() + timeout + OVERRUN, check)

    # -- later

    def at(self, when: datetime, work: Work) -> None:
        """Have ``work`` done by the main loop once ``when`` has come."""
        heapq.heappush(self._later, (when, next(self._count), work))

    def keep_time(self) -> None:
        """Do what has come due."""
        now = self._context.now()
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
