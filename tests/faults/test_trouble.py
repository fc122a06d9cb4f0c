"""Cut the power while a run in trouble is seen to: at each point, on each passage."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dr.engine.core.errors import FailedError
from dr.engine.core.events import Kind
from dr.engine.core.faults import PowerCut, armed
from dr.engine.core.questions import Answer, Question
from dr.engine.core.states import RunState
from dr.engine.journal.memory import MemoryJournal
from tests.faults.test_power_cuts import Cut, is_whole
from tests.made_up_world import MadeUpWorld, Outside
from tests.unit.runtime.test_aborting import aborting, events, hanging
from tests.unit.runtime.test_taking_back import TAKEN_BACK, Undoes, a_world, wish


def revived(world: MadeUpWorld) -> None:
    """Let the engine's process be gone and its journal be read anew."""
    world.die()
    world.journal = MemoryJournal(world.clock, world.journal.disk)


@pytest.mark.parametrize("point", ["before-stop", "after-stop"])
def test_a_job_is_ended_whenever_the_power_goes_while_it_is_ended(point: str) -> None:
    world, cut = hanging("idempotent"), Cut(point, 1)
    with armed(cut), pytest.raises(PowerCut):
        aborting(world)
    assert cut.happened
    revived(world)
    assert world.run() is RunState.ABORTED
    assert world.outside.running == set()
    assert sum(world.outside.effects.values()) == 2, "the job and the report, each once"
    assert [e.data["outcome"] for e in events(world, Kind.STOPPED)] == ["ended"]
    assert is_whole(world.journal.events(world.record.id))


UNDO_POINTS = (
    "before-undo", "after-undo", "before-undo-look", "before-undone", "after-undone",
    "before-append", "after-append", "before-probe", "after-probe", "outside-after-undo",
)  # fmt: skip


@pytest.mark.parametrize("point", UNDO_POINTS)
@pytest.mark.parametrize("back_to", [None, "fan"])
def test_everything_is_taken_back_once_whenever_the_power_goes(
    point: str, back_to: str | None
) -> None:
    visit = 0
    while True:
        visit += 1
        world, cut = a_world(Undoes(Outside())), Cut(point, visit)
        _cut_and_carried_on(world, cut, back_to)
        wanted = TAKEN_BACK if back_to is None else TAKEN_BACK[:3]
        undone = {k.partition("/")[2]: n for k, n in world.outside.undone.items()}
        assert undone == dict.fromkeys(wanted, 1), (point, visit)
        assert is_whole(world.journal.events(world.record.id))
        assert len(events(world, Kind.RUN_UNDONE)) == 1
        if not cut.happened:
            assert visit > 1
            return


QUESTION_POINTS = ("before-question", "after-question", "before-undo", "after-append")


@pytest.mark.parametrize("point", QUESTION_POINTS)
def test_an_undo_that_failed_is_never_tried_again_without_a_word_of_a_person(point: str) -> None:
    visit = 0
    while True:
        visit += 1
        action = Undoes(Outside(), fails=[FailedError("no"), FailedError("no"), FailedError("no")])
        world, cut = a_world(action), Cut(point, visit)
        _cut_and_carried_on(world, cut, None)
        said = [q for q in world.view().questions.values() if q.outcome == "retry"]
        tries = len(action.numbers) - (len(TAKEN_BACK) - 1)
        assert len(said) == 3, "each failure is asked about once"
        assert tries == len(said) + 1, (point, visit)
        if not cut.happened:
            assert visit > 1
            return


def _cut_and_carried_on(world: MadeUpWorld, cut: Cut, back_to: str | None) -> None:
    with armed(_once_it_is_wished(world, cut)):
        try:
            _carry_on(world, back_to)
        except PowerCut:
            revived(world)
            _carry_on(world, back_to)


def _once_it_is_wished(world: MadeUpWorld, cut: Cut) -> Callable[[str], None]:
    def hook(passed: str) -> None:
        engine = threading.current_thread().name.startswith(("attempt", "MainThread"))
        if engine and any(e.kind is Kind.OP_UNDO for e in world.journal.events(world.record.id)):
            cut(passed)

    return hook


def _carry_on(world: MadeUpWorld, back_to: str | None) -> None:
    """Run beside an operator who wishes the undo, has failures tried again, and ends the pause."""
    stop = threading.Event()

    def operator() -> None:
        while not stop.wait(0.005):
            view = world.view()
            if "person#1" in view.questions and view.undo is None and not view.undone:
                wish(world, Kind.OP_UNDO, **{"from": back_to})
            if view.undone and view.paused and view.abort is None:
                wish(world, Kind.OP_ABORT)

    def say(question: Question) -> Answer | None:
        if "undo_failed" not in question.card:
            return None
        return world.says("ana", "retry", reason="I looked")

    teller = threading.Thread(target=operator, daemon=True)
    teller.start()
    try:
        assert world.run_answering(say) is RunState.ABORTED
    finally:
        stop.set()
        teller.join(5)
