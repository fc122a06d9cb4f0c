"""An approval that lapses between the last look and the act: it is asked again, nothing acts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dr.engine.core.events import Kind
from dr.engine.core.ports import Attempt, Check, World
from dr.engine.core.questions import Answer, Question
from dr.engine.core.states import RunState
from dr.engine.core.view import fold
from tests.made_up_world import Do, MadeUpWorld, Outside

GATE = """\
format: 1
name: made-up
steps:
  - id: choose
    uses: gate.approve
    with: { ask: { en: Go?, zh: 执行吗 }, approvers: { group: leadership }, expires: 5m CHOOSES }
"""
STEP = "  - {id: act, uses: do.slow, effect: once}\n"
FAN_OUT = "  - {id: act, uses: do.slow, effect: once, hosts: web, strategy: {batches: ['50%']}}\n"
LADDER = """\
  - id: way
    try:
      - name: first
        steps:
          - {id: one, uses: do.slow, effect: once}
      - name: second
        steps:
          - {id: two, uses: do.quick, effect: once}
"""


class Slow(Do):
    """Looks for ten minutes before it may act, the first time."""

    look_on: Callable[[], None] | None = None

    def precheck(self, attempt: Attempt, world: World) -> Check:
        look_on, self.look_on = self.look_on, None
        if look_on is not None:
            look_on()
        return Check(holds=True)


def made(steps: str, chooses: str = "") -> MadeUpWorld:
    outside = Outside()
    slow = Slow(outside, "do.slow")
    source = GATE.replace("CHOOSES", chooses) + steps
    world = MadeUpWorld(source, slow, Do(outside, "do.quick"))
    world.outside = outside
    slow.look_on = lambda: world.clock.forward(timedelta(minutes=10))
    return world


def approving(world: MadeUpWorld, *choices: str) -> Callable[[Question], Answer]:
    """Approve each visit of the gate, with a choice of its own."""

    def answer(question: Question) -> Answer:
        visit = int(question.id.rpartition("#")[2])
        more: dict[str, Any] = {"choice": choices[visit - 1]} if choices else {}
        return world.says("ana", "approve", reason="yes", **more)

    return answer


def no_act_was_begun_on_a_lapsed_approval(world: MadeUpWorld) -> bool:
    """Say whether every intent after an approval came before that approval's end."""
    events = world.journal.events(world.record.id)
    intents = [n for n, e in enumerate(events) if e.kind is Kind.INTENT]
    first = fold(world.record.id, events[: intents[0]])
    return str(first.steps["choose"].outputs["expires"]) > events[intents[0]].at.isoformat()


@pytest.mark.parametrize(
    ("steps", "effects"), [(STEP, 1), (FAN_OUT, 4)], ids=["one-host", "many-hosts"]
)
def test_a_step_whose_last_look_outlived_the_approval_waits_for_a_new_one(
    steps: str, effects: int
) -> None:
    world = made(steps)
    assert world.run_answering(approving(world)) is RunState.SUCCEEDED
    assert list(world.view().questions) == ["choose#1", "choose#2"]
    assert no_act_was_begun_on_a_lapsed_approval(world)
    assert sum(world.outside.effects.values()) == effects


@pytest.mark.parametrize(
    ("second", "done"), [("first", ["one"]), ("second", ["two"])], ids=["same-rung", "other-rung"]
)
def test_a_rung_whose_approval_lapsed_goes_back_and_people_choose_anew(
    second: str, done: list[str]
) -> None:
    world = made(LADDER, ", chooses: way")
    assert world.run_answering(approving(world, "first", second)) is RunState.SUCCEEDED
    assert list(world.view().questions) == ["choose#1", "choose#2"]
    assert no_act_was_begun_on_a_lapsed_approval(world)
    assert world.outside.order == done
    assert world.view().steps["way"].outputs["rung"] == second


def test_once_something_acted_the_approval_holds() -> None:
    world = made(
        "  - {id: begun, uses: do.quick, effect: once, needs: [choose]}\n"
        "  - {id: act, uses: do.slow, effect: once, needs: [choose, begun]}\n"
    )
    assert world.run_answering(approving(world)) is RunState.SUCCEEDED
    assert list(world.view().questions) == ["choose#1"]
