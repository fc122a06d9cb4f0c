"""Turns in several threads: what was decided a moment ago, and what people say meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from dr.engine.core.errors import RefusedError, RetryableError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import armed
from dr.engine.core.planner import Decision, Release, RungPassed
from dr.engine.core.ports import Attempt, Check, World
from dr.engine.core.questions import Question
from dr.engine.core.states import RunState, StepState
from dr.engine.runtime import attempts
from dr.engine.runtime.executor import Executor
from dr.engine.runtime.validity import approved_until, ask_anew
from tests.deadline import wait_for
from tests.made_up_world import Do, MadeUpWorld, Outside

_S = StepState


def made(steps: str, outside: Outside, *actions: Do, **more: Any) -> MadeUpWorld:
    world = MadeUpWorld(f"format: 1\nname: made-up\nsteps:\n{steps}", *actions, **more)
    world.outside = outside
    return world


def busy() -> RetryableError:
    return RetryableError("busy", reason="busy", facts={"before": True})


def refused() -> RefusedError:
    return RefusedError("no", facts={"before": True})


def said(world: MadeUpWorld, kind: Kind, step: str | None = None, **data: Any) -> int:
    """Let an operator say something; return the number of the event."""
    draft = Draft(kind, step, data={"by": "cai", "because": "I say so", **data})
    return world.journal.append(world.record.id, [draft])[0].seq


def answered(world: MadeUpWorld, question: Question, verdict: str) -> None:
    answer = world.says("ana", verdict, reason="yes").to_data()
    draft = Draft(
        Kind.QUESTION_ANSWERED, question.step, data={"question": question.id, "answer": answer}
    )
    world.journal.append(world.record.id, [draft], open_question=question.id)


def written(world: MadeUpWorld, kind: Kind, step: str | None = None) -> list[Any]:
    events = world.journal.events(world.record.id)
    return [e for e in events if e.kind is kind and step in {None, e.step}]


@contextmanager
def under_way(world: MadeUpWorld, engine: Executor | None = None) -> Iterator[Executor]:
    """Run an engine in a thread; at the end of the block the run must have ended."""
    engine = engine or world.engine()
    thread = threading.Thread(target=engine.run, daemon=True)
    thread.start()
    yield engine
    thread.join(10)
    ended = world.view().state.ended
    if not ended:  # let the thread go
        engine.context.recorder.stop(RefusedError("the test is over"))
    assert ended, f"the run stays {world.view().state}: {world.view().because}"


def until(condition: Callable[[], Any]) -> Callable[[], None]:
    """Return a wait for the condition."""

    def wait() -> None:
        wait_for(condition)

    return wait


def turns(engine: Executor) -> Callable[[int], None]:
    """Return a function that waits for as many further turns."""
    taken, decide = [0], engine.planner.decide

    def counted() -> list[Decision]:
        taken[0] += 1
        return decide()

    engine.planner.decide = counted  # type: ignore[method-assign]

    def wait(count: int) -> None:
        wanted = taken[0] + count
        wait_for(lambda: taken[0] >= wanted, what=f"{count} more turns")

    return wait


def followed_late(engine: Executor, kind: type, step: str) -> None:
    """Follow the first such decision again once its worker is through, as a turn does that
    decided while the worker was at it and had other decisions to follow first."""
    follow, key = engine._follow, (step, "first" if kind is RungPassed else None)
    late = [True]

    def twice(decision: Decision) -> None:
        about = getattr(decision, "step", None) or getattr(decision, "ladder", None)
        if isinstance(decision, kind) and about is not None and about.id == step and late:
            late.clear()
            crew = engine.crew
            in_worker, crew._is_follow_up = crew._is_follow_up, False  # another worker does it
            follow(decision)
            crew._is_follow_up = in_worker
            wait_for(lambda: not crew.is_busy(key), what=f"the worker at {step}")
        follow(decision)

    engine._follow = twice  # type: ignore[method-assign]


LADDER = """
  - id: way
    try:
      - name: first
        steps: [{id: one, uses: do.it, effect: once}]
      - name: second
        steps: [{id: two, uses: do.it, effect: once}]
"""


# -- decisions that are followed late


def test_a_release_followed_late_does_not_start_a_second_rung_beside_the_first() -> None:
    outside = Outside()
    world = made(LADDER, outside, Do(outside))
    engine = world.engine()
    followed_late(engine, Release, "way")
    assert engine.run() is RunState.SUCCEEDED
    assert [e.data["rung"] for e in written(world, Kind.RUNG_STARTED)] == ["first"]
    assert outside.order == ["one"]


def test_a_release_followed_late_does_not_put_a_gate_to_its_people_twice() -> None:
    gate = (
        "  - {id: go, uses: gate.approve, "
        "with: {ask: {en: Go, zh: x}, approvers: {group: leadership}}}\n"
    )
    world = made(gate, Outside())
    engine = world.engine()
    followed_late(engine, Release, "go")
    with under_way(world, engine):
        wait_for(lambda: written(world, Kind.QUESTION_OPENED), what="the question")
        wait_for(lambda: engine.crew.idle, what="the worker")
        opened = world.view().open_questions()
        for asked in opened:
            answered(world, asked.question, "approve")
    assert [asked.question.id for asked in opened] == ["go#1"]


def test_a_passed_rung_followed_late_ends_its_ladder_once() -> None:
    outside = Outside()
    world = made(LADDER, outside, Do(outside))
    engine = world.engine()
    followed_late(engine, RungPassed, "way")
    assert engine.run() is RunState.SUCCEEDED
    assert len(written(world, Kind.STEP_FINISHED, "way")) == 1


# -- retries that wait for a worker


def one_worker(world: MadeUpWorld) -> Executor:
    engine = world.engine()
    engine.crew._pool = ThreadPoolExecutor(1)
    return engine


def test_a_retry_that_waited_for_a_worker_while_people_paused_begins_afterwards() -> None:
    outside, let = Outside(), threading.Event()
    world = made(
        "  - {id: act, needs: [], uses: do.act, effect: once,"
        " retry: {attempts: 2, delay: 1ms, when: [busy]}}\n"
        "  - {id: other, needs: [], uses: do.other, effect: once}\n",
        outside,
        Do(outside, "do.act", raises=[busy()]),
        Do(outside, "do.other", before=until(let.is_set)),
    )
    engine = one_worker(world)
    with under_way(world, engine):
        again = lambda: written(world, Kind.FINISHED, "act") and engine.crew.is_busy(("act", None))  # noqa: E731
        wait_for(again, what="the retry to wait for the only worker")
        said(world, Kind.OP_PAUSE)
        wait_for(lambda: engine.context.view.paused, what="the pause")
        let.set()
        wait_for(lambda: engine.crew.idle, what="the worker")
        assert "act" not in outside.order
        said(world, Kind.OP_CONTINUE)
        wait_for(lambda: not engine.context.view.paused, what="the end of the pause")
        world.clock.forward(timedelta(seconds=2))
    assert world.view().state is RunState.SUCCEEDED
    assert outside.order == ["other", "act"]


def test_a_fan_out_that_gives_up_while_a_host_waits_to_be_retried_still_ends() -> None:
    outside = Outside()

    def hold() -> None:
        if written(world, Kind.FINISHED):
            wait_for(lambda: engine.crew.is_busy(("fan", "web-1")), what="the retry")

    world = made(
        "  - {id: fan, uses: do.act, hosts: web, effect: once, on_failure: fail,"
        " strategy: {batches: ['100%'], max_failures: 0},"
        " retry: {attempts: 2, delay: 1ms, when: [busy]}}\n",
        outside,
        Do(outside, "do.act", raises=[busy(), refused()], before=hold),
    )
    engine = one_worker(world)
    with under_way(world, engine):
        pass
    assert world.view().state is RunState.FAILED
    assert sorted({str(e.host) for e in written(world, Kind.INTENT)}) == ["web-1", "web-2"]
    assert world.view().steps["fan"].outputs["not_started"] == ["web-3", "web-4"]


# -- what people say while a step is looked at


class Looks(Do):
    """Looks until it is let go on."""

    def __init__(self, outside: Outside, name: str) -> None:
        super().__init__(outside, name)
        self.looks, self.let = threading.Event(), threading.Event()

    def precheck(self, attempt: Attempt, world: World) -> Check:
        self.looks.set()
        assert self.let.wait(10)
        return Check(holds=True)


def test_a_step_that_was_skipped_while_it_was_looked_at_does_not_act() -> None:
    outside = Outside()
    act = Looks(outside, "do.act")
    world = made("  - {id: act, uses: do.act, effect: once}\n", outside, act)
    with under_way(world) as engine:
        assert act.looks.wait(10)
        said(world, Kind.OP_SKIP, "act")
        seen = engine.context.view.steps
        wait_for(lambda: "act" in seen and seen["act"].state is _S.SKIPPED, what="the skip")
        act.let.set()
    assert world.view().steps["act"].state is _S.SKIPPED
    assert not outside.effects


@pytest.mark.parametrize("kind", [Kind.OP_ABORT, Kind.OP_PAUSE])
@pytest.mark.parametrize("hosts", ["", ", hosts: web"], ids=["one-host", "many-hosts"])
def test_a_run_that_is_stopped_while_a_step_is_looked_at_does_not_act(
    kind: Kind, hosts: str
) -> None:
    outside = Outside()
    act = Looks(outside, "do.act")
    world = made(f"  - {{id: act, uses: do.act, effect: once{hosts}}}\n", outside, act)
    with under_way(world) as engine:
        view, further = engine.context.view, turns(engine)
        assert act.looks.wait(10)
        said(world, kind)
        wait_for(lambda: view.paused or view.abort, what="the engine to hear of it")
        act.let.set()
        if kind is Kind.OP_PAUSE:
            wait_for(lambda: engine.crew.idle, what="the workers")
            further(2)
            assert not outside.effects
            said(world, Kind.OP_CONTINUE)
    if kind is Kind.OP_ABORT:
        assert not outside.effects
    else:
        assert set(outside.effects.values()) == {1}


# -- answers that come before the worker who asked is through


BACK = """
  - {id: a, uses: do.it, effect: once, undo: {gate: GATE, uses: do.back}}
  - {id: c, uses: do.break, effect: once, on_failure: undo}
""".replace("GATE", "{approvers: {group: leadership}, ask: {en: Back?, zh: x}}")


def test_an_undo_is_carried_out_whose_approval_was_faster_than_the_worker_who_asked() -> None:
    outside, asked, let = Outside(), threading.Event(), threading.Event()
    world = made(
        BACK,
        outside,
        Do(outside),
        Do(outside, "do.back"),
        Do(outside, "do.break", raises=[refused()]),
    )

    def hook(point: str) -> None:
        if point == "after-question":
            asked.set()
            assert let.wait(10)

    with armed(hook), under_way(world) as engine:
        further = turns(engine)
        assert asked.wait(10)
        question = world.view().open_questions()[0].question
        answered(world, question, "go-on")
        wait_for(lambda: engine.context.view.questions[question.id].answers, what="the answer")
        further(2)
        let.set()
    assert world.view().steps["a"].state is _S.UNDONE


def test_a_ladder_goes_on_whose_answer_was_faster_than_the_worker_who_asked() -> None:
    outside, asked, let = Outside(), threading.Event(), threading.Event()
    world = made(
        LADDER.replace(
            "[{id: one, uses: do.it, effect: once}]",
            "[{id: one, uses: do.left, effect: once}, {id: bad, uses: do.break, effect: once}]",
        ),
        outside,
        Do(outside),
        NoUndo(outside, "do.left"),
        Do(outside, "do.break", raises=[refused()]),
    )

    def hook(point: str) -> None:
        if point == "after-question":
            asked.set()
            assert let.wait(10)

    with armed(hook), under_way(world) as engine:
        further = turns(engine)
        assert asked.wait(10)
        question = world.view().open_questions()[0].question
        answered(world, question, "go-on")
        wait_for(lambda: engine.context.view.questions[question.id].answers, what="the answer")
        further(2)
        let.set()
    assert world.view().steps["way"].outputs["rung"] == "second"


class NoUndo(Do):
    def undo(self, attempt: Attempt, world: World) -> Any:
        raise RefusedError("it stays")


def test_an_undo_of_the_run_waits_for_what_is_under_way_and_takes_it_back_too() -> None:
    outside, let = Outside(), threading.Event()
    world = made(
        "  - {id: slow, needs: [], uses: do.slow, effect: once}\n"
        "  - {id: bad, needs: [], uses: do.break, effect: once, on_failure: undo}\n",
        outside,
        Do(outside, "do.slow", before=until(let.is_set)),
        Do(
            outside,
            "do.break",
            raises=[refused()],
            before=until(lambda: written(world, Kind.INTENT, "slow")),
        ),
    )
    with under_way(world) as engine:
        further = turns(engine)
        wait_for(lambda: engine.course.failing, what="the failure")
        further(2)
        wait_for(lambda: not engine.crew.is_busy(("undo", None)), what="the undo")
        let.set()
    assert world.view().steps["slow"].state is _S.UNDONE


def test_a_step_that_failed_while_the_run_was_failing_is_asked_about_when_it_goes_on() -> None:
    outside, let, tried = Outside(), threading.Event(), threading.Event()
    world = made(
        "  - {id: long, needs: [], uses: do.long, effect: once}\n"
        "  - {id: first, needs: [], uses: do.first, effect: once, on_failure: fail}\n"
        "  - {id: later, needs: [], uses: do.later, effect: once, on_failure: ask}\n",
        outside,
        Do(outside, "do.long", before=until(let.is_set)),
        Do(
            outside,
            "do.first",
            raises=[refused()],
            before=until(lambda: written(world, Kind.INTENT, "later")),
        ),
        Do(outside, "do.later", raises=[refused()], before=until(tried.is_set)),
    )
    with under_way(world) as engine:
        further = turns(engine)
        wait_for(lambda: engine.course.failing, what="the failure")
        tried.set()
        wait_for(lambda: written(world, Kind.FINISHED, "later"), what="the second failure")
        further(2)
        said(world, Kind.OP_RETRY, "first")
        wait_for(lambda: not engine.course.failing, what="the retry")
        let.set()
        asked = wait_for(lambda: world.view().open_questions(), what="the question")
        answered(world, asked[0].question, "skip")
    assert world.view().state is RunState.SUCCEEDED


# -- approvals that lapse while another host or step acts

GATE = """
  - id: choose
    uses: gate.approve
    with: { ask: { en: Go?, zh: x }, approvers: { group: leadership }, expires: 5m }
"""


def approve(world: MadeUpWorld) -> Callable[[Question], Any]:
    return lambda _question: world.says("ana", "approve", reason="yes")


def test_a_host_whose_approval_lapsed_does_not_take_a_host_back_that_acts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside, acts, goes_on = Outside(), threading.Event(), threading.Event()
    looked, real = [0], approved_until

    def look(*arguments: Any) -> Any:
        found = real(*arguments)
        looked[0] += 1
        if looked[0] == 1:  # the first host has looked; the second acts meanwhile
            assert acts.wait(10)
            world.clock.forward(timedelta(minutes=10))
            goes_on.set()
        return found

    def hold() -> None:
        acts.set()
        assert goes_on.wait(10)
        wait_for(lambda: len(written(world, Kind.INTENT)) > 1 or written(world, Kind.STEP_REOPENED))

    monkeypatch.setattr(attempts, "approved_until", look)
    world = made(
        GATE + "  - {id: act, uses: do.act, effect: once, hosts: [web-1, web-2]}\n",
        outside,
        Do(outside, "do.act", before=hold),
    )
    assert world.run_answering(approve(world)) is RunState.SUCCEEDED
    assert not written(world, Kind.STEP_REOPENED)
    assert list(world.view().questions) == ["choose#1"]
    assert sorted(outside.effects.values()) == [1, 1]


def test_an_approval_that_something_acted_on_is_not_asked_for_anew() -> None:
    outside = Outside()
    answers: list[bool] = []

    def late() -> None:
        steps = engine[0].context.runbook.by_id
        answers.append(ask_anew(engine[0].context, steps["choose"], steps["next"]))

    world = made(
        GATE
        + "  - {id: act, needs: [choose], uses: do.act, effect: once}\n"
        + "  - {id: next, needs: [choose, act], uses: do.it, effect: once}\n",
        outside,
        Do(outside),
        Do(outside, "do.act", before=late),
    )
    engine = [world.engine()]
    world.engine = lambda: engine[0]  # type: ignore[method-assign]
    assert world.run_answering(approve(world)) is RunState.SUCCEEDED
    assert not written(world, Kind.STEP_REOPENED)
    assert answers == [False]


def test_a_step_waits_for_the_fact_that_is_looked_at_again_and_goes_by_the_new_one() -> None:
    outside, old = Outside(), [True]

    def look_again() -> None:
        if not old:
            further(3)

    look = Do(outside, "do.look", outputs={"value": 1}, before=look_again)
    world = made(
        "  - {id: look, uses: do.look, effect: read, fresh: 60s}\n"
        "  - {id: wait, uses: human.task, with: {group: s, instructions: {en: x, zh: x}}}\n"
        "  - {id: act, uses: do.it, effect: once, if: '${{ steps.look.outputs.value == 1 }}'}\n",
        outside,
        Do(outside),
        look,
    )
    engine = world.engine()
    further = turns(engine)
    with under_way(world, engine):
        asked = wait_for(lambda: world.view().open_questions(), what="the task")
        old.clear()
        look._outputs = {"value": 2}
        world.clock.forward(timedelta(minutes=5))
        answered(world, asked[0].question, "done")
    assert world.view().steps["act"].state is _S.SKIPPED
    assert world.view().steps["look"].outputs == {"value": 2}
    assert outside.order == ["look", "look"]
