"""What acts while branches are awaited has the run's locks; what waits outlives an amendment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from dr.engine.core.errors import FailedError, RetryableError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.questions import Answer, Question, QuestionKind
from dr.engine.core.states import RunState, StepState
from tests.amendments import amended, approving, propose
from tests.deadline import wait_for
from tests.made_up_world import Do, MadeUpWorld, Outside

HEAD = "format: 1\nname: made-up\nowner: leadership\nsteps:\n"
SIGN = """\
  - {id: mend, uses: do.it, phase: recover, needs: []}
  - id: sign
    uses: reconcile.close
    needs: [mend]
    effect: idempotent
    with:
      service: registry
      compared: {a: {result: {evidence: aa, entries: 3, cases: []}}}
      close_when: {signed_off: 100%, waivable: 50%}
      due: 2h
"""
UNSEEN = {"before": True}


class Beside(Do):
    """``do.beside``: notes whether the run had its locks whenever it acted."""

    def __init__(self, *, fails: bool = False) -> None:
        raises = [FailedError("no", facts=UNSEEN)] if fails else []
        super().__init__(Outside(), "do.beside", raises=raises, before=self._look)
        self.locked: list[bool] = []
        self.world: MadeUpWorld

    def _look(self) -> None:
        self.locked.append(self.world.journal.disk.runs[self.world.record.id].index.locked)


def a_world(action: Beside, source: str) -> MadeUpWorld:
    action.world = MadeUpWorld(source, action, locks=("registry",))
    return action.world


@contextmanager
def at_work(
    world: MadeUpWorld, answer: Callable[[Question], Answer | None]
) -> Iterator[list[RunState]]:
    """Let an engine live until the test is over."""
    ended: list[RunState] = []
    engine = threading.Thread(target=lambda: ended.append(world.run_answering(answer)))
    engine.start()
    try:
        yield ended
    finally:
        if not ended:
            over = {"by": "test", "because": "the test is over"}
            world.journal.append(world.record.id, [Draft(Kind.OP_ABORT, data=over)])
        engine.join(10)


def test_a_step_that_an_amendment_adds_while_branches_are_awaited_acts_with_the_locks() -> None:
    action = Beside()
    world = a_world(action, HEAD + SIGN)
    with at_work(world, approving(world)):
        wait_for(lambda: world.view().session is not None, what="the session is open")
        propose(world, HEAD + SIGN + "  - {id: new, uses: do.beside, needs: [mend]}\n")
        wait_for(lambda: action.locked, what="the new step acted")
    assert action.locked == [True]


def test_a_failure_that_people_answer_while_branches_are_awaited_is_tried_with_the_locks() -> None:
    action = Beside(fails=True)
    other = "  - {id: other, uses: do.beside, needs: [], on_failure: ask}\n"
    world = a_world(action, HEAD + other + SIGN)

    def answer(question: Question) -> Answer | None:
        if question.kind is QuestionKind.FAILURE and world.view().session is not None:
            return world.says("bo", "retry", reason="again")
        return None

    with at_work(world, answer):
        wait_for(lambda: len(action.locked) > 1, what="it acted again")
    assert action.locked == [True, True]


def test_an_attempt_that_was_to_come_later_comes_although_the_plan_was_amended() -> None:
    outside = Outside()
    action = Do(outside, raises=[RetryableError("no", reason="unreachable", facts=UNSEEN)])
    retry = "retry: {attempts: 3, delay: 1h, when: [unreachable]}"
    first = f"  - {{id: first, uses: do.it, effect: idempotent, needs: [], {retry}}}\n"
    second = "  - {id: second, uses: do.it}\n"
    world = MadeUpWorld(HEAD + first, action)

    def waits() -> bool:
        seen = world.view().steps.get("first")
        return seen is not None and seen.state is StepState.WAITING

    with at_work(world, approving(world)) as ended:
        wait_for(waits, what="the second attempt is to come")
        propose(world, HEAD + first + second)
        wait_for(lambda: amended(world), what="the plan is amended")
        world.clock.forward(timedelta(hours=2))
        wait_for(lambda: ended, 5, what="the run has ended")
    assert outside.order == ["first", "second"]


def test_a_rule_that_can_not_be_read_fails_the_step_and_leaves_the_journal_readable() -> None:
    wrong = SIGN.replace("signed_off: 100%", "signed_off: lots") + "    on_failure: fail\n"
    world = MadeUpWorld(HEAD + wrong)
    assert world.run() is RunState.FAILED
    assert world.view().session is None


def test_a_second_reconciliation_does_not_take_the_place_of_the_first() -> None:
    again = SIGN[SIGN.index("  - id: sign") :].replace("id: sign", "id: again")
    world = MadeUpWorld(HEAD + SIGN + again + "    on_failure: continue\n")

    def failed() -> bool:
        seen = world.view().steps.get("again")
        return seen is not None and seen.state is StepState.FAILED

    with at_work(world, lambda _: None):
        wait_for(failed, what="the second one is refused")
        session = world.view().session
        assert session is not None
        assert session.step == "sign"


def test_an_effect_whose_undo_was_refused_is_still_known_when_the_step_is_tried_again() -> None:
    world = MadeUpWorld(HEAD + "  - {id: mend, uses: do.it}\n")
    refused = {"effect": "none", "message": "wrong password"}
    lines: list[tuple[Kind, dict[str, Any]]] = [
        (Kind.INTENT, {}), (Kind.FINISHED, {"state": "succeeded"}), (Kind.UNDO_INTENT, {}),
        (Kind.UNDO_FINISHED, {"state": "undo_failed", "error": refused}), (Kind.STEP_REOPENED, {}),
    ]  # fmt: skip
    world.journal.append(world.record.id, [Draft(k, "mend", None, 1, d) for k, d in lines])
    assert world.view().steps["mend"].units[None].left, "a second undo would leave it behind"
