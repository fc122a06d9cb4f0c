"""Cut the power around an amendment: the run has the old plan or the new one, as a whole."""

from __future__ import annotations

import pytest

from dr.engine.core.amendment import as_amended
from dr.engine.core.errors import UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import PowerCut, armed
from dr.engine.core.questions import QuestionKind
from dr.engine.core.states import RunState
from dr.engine.core.view import RunView
from dr.engine.journal.memory import MemoryJournal
from tests.amendments import amended, approving, propose
from tests.faults.test_power_cuts import Cut, is_whole
from tests.made_up_world import Do, MadeUpWorld, Outside

OLD = """
format: 1
name: everything
steps:
  - {id: first, uses: do.it, needs: [], with: {x: 1}}
  - {id: choose, uses: gate.approve, with: {ask: {en: Go?, zh: 执行吗},
      approvers: {group: leadership}, chooses: way}}
  - id: way
    try:
      - {name: one, steps: [{id: inner, uses: do.it, with: {x: 2}}]}
  - {id: gone, uses: do.it}
finally:
  - {id: report, uses: do.it, effect: idempotent}
"""
NEW = OLD.replace("x: 2", "x: 22").replace(
    "  - {id: gone, uses: do.it}", "  - {id: new, uses: do.it}"
)
PLACES = ["before-amend", "after-amend", "before-append", "after-append", "before-question",
          "after-question", "before-decision", "after-decision", "before-perform",
          "after-perform"]  # fmt: skip


def world_at_the_gate() -> tuple[MadeUpWorld, Do]:
    outside = Outside()
    action = Do(outside)
    world = MadeUpWorld(OLD, action)
    world.outside = outside
    with armed(Cut("after-question", 1)), pytest.raises(PowerCut):
        world.run()
    die(world)
    propose(world, NEW)
    return world, action


def die(world: MadeUpWorld) -> None:
    world.die()
    world.journal = MemoryJournal(world.clock, world.journal.disk)


def is_one_plan(world: MadeUpWorld, view: RunView) -> bool:
    """Whether everything that the journal says of the plan is of the same one."""
    now = as_amended(world.record, view)
    known = [e for e in world.journal.events(world.record.id) if e.kind is Kind.RUN_AMENDED]
    asked = view.questions["@amendment#1"]
    new = [bool(known), now.source == NEW, asked.outcome == "approved", bool(view.amendments)]
    return new in ([True] * 4, [False] * 4)


@pytest.mark.parametrize("point", PLACES)
def test_the_plan_is_the_old_one_or_the_new_one_whenever_the_power_goes(point: str) -> None:
    for visit in range(1, 60):
        world, action = world_at_the_gate()
        cut = Cut(point, visit)
        with armed(cut):
            try:
                state = world.run_answering(approving(world))
            except PowerCut:
                die(world)
                state = RunState.RUNNING
        assert is_one_plan(world, world.view()), (point, visit)
        if state is RunState.RUNNING:
            state = world.run_answering(approving(world))
        assert state is RunState.SUCCEEDED, (point, visit)
        assert [e.data["number"] for e in amended(world)] == [1]
        done = {k.split("/")[1]: n for k, n in world.outside.effects.items()}
        assert {**done, "report": 1} == dict.fromkeys(["first", "inner", "new", "report"], 1)
        assert {"x": 22} in action.seen_inputs
        assert {"x": 2} not in action.seen_inputs
        assert is_whole(world.journal.events(world.record.id)), (point, visit)
        if not cut.happened:
            assert visit > 1, f"nothing ever passes {point}"
            return


def test_an_amendment_whose_question_was_closed_meanwhile_writes_nothing() -> None:
    world, _ = world_at_the_gate()
    (asked,) = [
        q.question for q in world.view().open_questions()
        if q.question.kind is QuestionKind.AMENDMENT
    ]  # fmt: skip
    executor = world.engine()
    closed = {"question": asked.id, "outcome": "withdrawn", "because": ""}
    world.journal.append(world.record.id, [Draft(Kind.QUESTION_CLOSED, data=closed)])
    before = len(world.journal.events(world.record.id))
    draft = Draft(Kind.OP_NOTE, data={"by": "engine", "text": "never"})
    assert executor.context.recorder.write_while_open(asked.id, draft) is False
    assert len(world.journal.events(world.record.id)) == before
    executor.crew.dismiss()
    with pytest.raises(UserError):
        world.journal.append(world.record.id, [draft], open_question=asked.id)
