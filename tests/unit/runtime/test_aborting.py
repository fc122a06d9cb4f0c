"""What an abort does to what runs outside of the engine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.questions import Answer, Question
from dr.engine.core.states import RunState, StepState
from tests.made_up_world import Do, Hangs, MadeUpJobs, MadeUpWorld, Outside

BOOK = """
format: 1
name: made-up
steps:
  - {{id: work, uses: do.hang, effect: {effect}{more}}}
  - {{id: after, uses: do.it}}
finally:
  - {{id: report, uses: do.it, effect: idempotent}}
"""


def hanging(effect: str, more: str = "") -> MadeUpWorld:
    """Return a world whose first step begins a job that goes on."""
    outside = Outside()
    world = MadeUpWorld(
        BOOK.format(effect=effect, more=more), Hangs(outside, "do.hang", probes=False), Do(outside)
    )
    world.outside, world.jobs = outside, MadeUpJobs(outside)
    return world


def abort(world: MadeUpWorld, **more: Any) -> None:
    """Say that the run is to be aborted."""
    data = {"by": "cai", "because": "wrong service", **more}
    world.journal.append(world.record.id, [Draft(Kind.OP_ABORT, data=data)])


def stopped(world: MadeUpWorld) -> list[str]:
    """Return what the journal says of each ended job."""
    return [e.data["outcome"] for e in events(world, Kind.STOPPED)]


def events(world: MadeUpWorld, kind: Kind) -> list[Event]:
    return [e for e in world.journal.events(world.record.id) if e.kind is kind]


def aborting(
    world: MadeUpWorld, say: Callable[[Question], Answer | None] | None = None, **more: Any
) -> RunState:
    """Run until the job runs, abort, and answer what is asked then."""
    import threading

    from tests.made_up_world import wait_until

    def person() -> None:
        assert wait_until(lambda: world.outside.running)
        abort(world, **more)

    teller = threading.Thread(target=person, daemon=True)
    teller.start()
    try:
        return world.run_answering(say or (lambda _question: None))
    finally:
        teller.join(5)


def test_the_job_of_a_step_that_may_be_repeated_is_ended() -> None:
    world = hanging("idempotent")
    assert aborting(world) is RunState.ABORTED
    assert world.outside.running == set()
    assert stopped(world) == ["ended"]
    view = world.view()
    assert view.steps["work"].state is StepState.FAILED
    assert view.steps["report"].state is StepState.SUCCEEDED
    assert "R-20261101-abcde/after/engine" not in world.outside.effects


@pytest.mark.parametrize("effect", ["once", "irreversible"])
def test_the_job_of_a_careful_step_is_left_until_it_is_said_otherwise(effect: str) -> None:
    world = hanging(effect)

    cards, told_before = [], []

    def say(question: Question) -> Answer | None:
        cards.append(question.card)
        if len(cards) == 1 and world.jobs is not None:
            told_before.append(dict(world.jobs.told))
            abort(world, kill_jobs=True)
        world.clock.forward(timedelta(seconds=6))  # it looks again every five
        over = stopped(world)[-1] == "ended"
        return world.says("ana", "failed", reason="broken off") if over else None

    assert aborting(world, say) is RunState.ABORTED
    assert cards[0]["job"]["outcome"] == "left"
    assert told_before == [{}]
    assert stopped(world) == ["left", "ended"]
    assert world.view().jobs_left() == []


def test_a_job_that_nobody_can_see_is_listed_also_after_a_person_has_settled_the_step() -> None:
    world = hanging("idempotent", ", hosts: db-a")
    assert world.jobs is not None
    world.jobs.out_of_reach.add("db-a")
    said = lambda question: world.says("ana", "failed", reason="it burnt")  # noqa: E731
    assert aborting(world, said) is RunState.ABORTED
    assert stopped(world) == ["unknown"], "written once, however often it is looked for"
    assert [(step.id, unit.host) for step, unit in world.view().jobs_left()] == [("work", "db-a")]


def test_an_engine_without_hands_says_that_it_does_not_know() -> None:
    world = hanging("idempotent")
    world.jobs = None
    said = lambda question: world.says("ana", "failed", reason="seen")  # noqa: E731
    assert aborting(world, said) is RunState.ABORTED
    assert stopped(world) == ["unknown"]


def test_a_second_abort_does_not_take_back_what_the_first_one_said() -> None:
    world = hanging("once")
    abort(world, kill_jobs=True)
    abort(world)
    view = world.view()
    assert view.abort is not None
    assert view.abort["kill_jobs"] is True
    assert view.abort["because"] == "wrong service"


def test_an_interrupted_step_whose_policy_is_to_fail_says_nothing_of_its_job() -> None:
    world = hanging("once", ", in_doubt: fail")
    assert aborting(world) is RunState.ABORTED
    assert stopped(world) == ["left"]
    assert [step.id for step, _unit in world.view().jobs_left()] == ["work"], "it may still run"


def test_a_step_that_fails_in_an_aborted_run_is_not_asked_about() -> None:
    world = hanging("idempotent")
    asked: list[str] = []
    assert aborting(world, lambda question: asked.append(question.id)) is RunState.ABORTED
    assert asked == []
