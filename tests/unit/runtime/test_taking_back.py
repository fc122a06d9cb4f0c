"""An operator takes back what a run did."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from dr.engine.core.errors import ActionError, FailedError, LostContactError, RetryableError
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.faults import PowerCut, armed
from dr.engine.core.ports import Attached, Attempt, Found, Outcome, Presence, Probe, World
from dr.engine.core.questions import Answer, Question
from dr.engine.core.states import RunState, StepState
from dr.engine.journal.memory import MemoryJournal
from tests.made_up_world import Do, Hangs, MadeUpJobs, MadeUpWorld, Outside, wait_until

_S = StepState

BOOK = """
format: 1
name: made-up
steps:
  - {id: look, uses: do.look, effect: read, needs: []}
  - {id: there, uses: do.it}
  - {id: one, uses: do.it}
  - {id: fan, uses: do.it, hosts: [web-1, web-2], strategy: {batches: [1, "100%"]}}
  - {id: two, uses: do.it}
  - {id: person, uses: human.task, with: {group: support, instructions: {en: x, zh: x}}}
  - {id: after, uses: do.it}
finally:
  - {id: report, uses: do.it, effect: idempotent}
"""
RUN = "R-20261101-abcde"
TAKEN_BACK = ("two/engine", "fan/web-2", "fan/web-1", "one/engine")


class Undoes(Do):
    """``do.it`` whose undo may fail, and whose probe may be told what to see."""

    def __init__(self, outside: Outside, *, fails: Sequence[ActionError | None] = ()) -> None:
        super().__init__(outside)
        self._fails = list(fails)
        self.sees: dict[str, Presence] = {}
        self.order: list[str] = []
        self.numbers: list[int] = []

    def probe(self, attempt: Attempt, world: World) -> Probe:
        told = self.sees.get(attempt.step)
        return Probe(told, "told") if told else super().probe(attempt, world)

    def undo(self, attempt: Attempt, world: World) -> Outcome:
        self.numbers.append(attempt.number)
        error = self._fails.pop(0) if self._fails else None
        if error is not None:
            raise error
        self.order.append(f"{attempt.step.removesuffix('.undo')}/{attempt.host or 'engine'}")
        return super().undo(attempt, world)


def a_world(action: Undoes, book: str = BOOK) -> MadeUpWorld:
    outside = action._outside
    world = MadeUpWorld(book, Do(outside, "do.look", attaches=False, probes=False), action)
    world.outside = outside
    outside.present.add(f"{RUN}/there/engine")  # somebody did that before
    return world


def wish(world: MadeUpWorld, kind: Kind, step: str | None = None, **data: Any) -> None:
    """Say something as an operator."""
    draft = Draft(kind, step, data={"by": "cai", "because": "wrong service", **data})
    world.journal.append(world.record.id, [draft])


def taking_back(
    world: MadeUpWorld,
    say: Callable[[Question], Answer | None] | None = None,
    back_to: str | None = None,
    then: Callable[[], None] | None = None,
) -> RunState:
    """Run up to the person's task, wish that it is taken back, and answer what is asked then."""

    def says() -> None:
        assert wait_until(lambda: "person#1" in world.view().questions)
        wish(world, Kind.OP_UNDO, **{"from": back_to})
        if then is not None:
            assert wait_until(lambda: world.view().undone)
            then()

    def operator() -> None:
        try:
            says()
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            broken.append(error)
            wish(world, Kind.OP_ABORT)

    broken: list[BaseException] = []
    teller = threading.Thread(target=operator, daemon=True)
    teller.start()
    try:
        return world.run_answering(
            lambda question: say(question) if say and question.kind != "task" else None
        )
    finally:
        teller.join(5)
        assert not teller.is_alive()
        if broken:
            raise broken[0]


def states(world: MadeUpWorld) -> dict[str, str]:
    return {name: str(step.state) for name, step in world.view().steps.items()}


def events(world: MadeUpWorld, kind: Kind) -> list[Event]:
    return [e for e in world.journal.events(world.record.id) if e.kind is kind]


def test_the_run_is_taken_back_in_reverse_order_and_what_was_there_before_stays() -> None:
    action = Undoes(Outside())
    world = a_world(action)
    assert taking_back(world) is RunState.ABORTED
    assert action.order == list(TAKEN_BACK)
    assert world.outside.present >= {f"{RUN}/there/engine", f"{RUN}/report/engine"}
    assert not any(f"{RUN}/{name}" in world.outside.present for name in TAKEN_BACK)
    seen = states(world)
    assert {seen[name] for name in ("one", "fan", "two")} == {"undone"}
    assert seen["there"] == "already_done"
    assert seen["after"] == "cancelled"
    assert world.view().because == "taken back: wrong service"


def test_with_from_the_steps_before_it_stay_and_the_run_pauses_for_people() -> None:
    action = Undoes(Outside())
    world = a_world(action)

    def then() -> None:
        assert action.order == ["two/engine", "fan/web-2", "fan/web-1"]
        assert wait_until(lambda: world.view().state is RunState.PAUSED)
        assert states(world)["one"] == "succeeded"
        wish(world, Kind.OP_CONTINUE)
        wish(world, Kind.OP_RETRY, "fan")
        wish(world, Kind.OP_RETRY, "two")
        assert wait_until(lambda: states(world)["two"] == "succeeded")
        answer = world.says("bo", "done")
        data = {"question": "person#1", "answer": answer.to_data()}
        world.journal.append(
            world.record.id,
            [Draft(Kind.QUESTION_ANSWERED, "person", data=data)],
            open_question="person#1",
        )

    assert taking_back(world, back_to="fan", then=then) is RunState.SUCCEEDED
    assert world.outside.effects[f"{RUN}/fan/web-1"] == 2
    assert world.outside.effects[f"{RUN}/one/engine"] == 1


def test_an_effect_that_is_gone_already_is_not_undone_by_hand_again() -> None:
    action = Undoes(Outside())
    action.sees["one"] = Presence.ABSENT
    world = a_world(action)
    assert taking_back(world) is RunState.ABORTED
    assert "one/engine" not in action.order
    assert states(world)["one"] == "undone"
    assert events(world, Kind.UNDO_FINISHED)[-1].data["via"] == "probe"


@pytest.mark.parametrize("seen", [Presence.PARTIAL, Presence.UNKNOWN])
def test_what_can_not_be_seen_whole_is_put_to_people_before_anything_acts(seen: Presence) -> None:
    action = Undoes(Outside())
    world = a_world(action)
    asked = []

    def say(question: Question) -> Answer | None:
        asked.append((question.step, list(action.order)))
        return world.says("ana", "retry", reason="I looked")

    def blind() -> None:
        if states(world).get("two") == "running":
            action.sees["two"] = seen

    action._while_acting = blind
    assert taking_back(world, say) is RunState.ABORTED
    assert asked[0] == ("two", [])
    assert action.order[0] == "two/engine", "people said that it may be tried"


def test_an_undo_that_fails_stops_there_and_asks() -> None:
    action = Undoes(Outside(), fails=[None, FailedError("the disk is full")])
    world = a_world(action)
    asked: list[tuple[str, str, list[str]]] = []

    def say(question: Question) -> Answer | None:
        asked.append((question.step, str(question.card["because"]), list(action.order)))
        return world.says("ana", "retry", reason="there is room now")

    assert taking_back(world, say) is RunState.ABORTED
    assert asked[0] == ("fan", "the disk is full", ["two/engine"])
    assert action.order == ["two/engine", "fan/web-2", "fan/web-1", "one/engine"]
    assert action.numbers == [1, 1, 2, 1, 1], "a job of its own for each try"


def test_people_may_go_on_without_it_and_the_run_says_what_is_left() -> None:
    action = Undoes(Outside(), fails=[FailedError("no")])
    world = a_world(action)
    said = lambda _question: world.says("ana", "go-on", reason="it does no harm")  # noqa: E731
    assert taking_back(world, said) is RunState.ABORTED
    result = events(world, Kind.RUN_UNDONE)[-1].data
    assert [item["step"] for item in result["left"]] == ["two"]
    assert states(world)["two"] == "undo_failed"
    assert states(world)["one"] == "undone"


def test_people_may_stop_it_and_the_run_fails() -> None:
    action = Undoes(Outside(), fails=[FailedError("no")])
    world = a_world(action)
    said = lambda _question: world.says("ana", "fail", reason="enough")  # noqa: E731
    assert taking_back(world, said) is RunState.FAILED
    assert action.order == []
    assert states(world)["one"] == "succeeded"
    assert events(world, Kind.RUN_UNDONE)[-1].data["stopped"] is True


GATED = """
format: 1
name: made-up
steps:
  - id: choose
    uses: gate.approve
    needs: []
    with: { ask: { en: Go?, zh: 执行吗 }, approvers: { group: leadership } }
  - {id: two, uses: do.it}
  - {id: three, uses: do.it}
  - {id: person, uses: human.task, with: {group: support, instructions: {en: x, zh: x}}}
"""


def test_a_step_that_was_taken_back_waits_for_its_gate_to_be_approved_again() -> None:
    action = Undoes(Outside())
    world = a_world(action, GATED)
    began_with: list[bool] = []

    def say(question: Question) -> Answer | None:
        if question.id == "choose#2":
            began_with.append(world.outside.effects[f"{RUN}/three/engine"] == 1)
        return world.says("ana", "approve", reason="yes")

    def then() -> None:
        wish(world, Kind.OP_CONTINUE)
        wish(world, Kind.OP_RETRY, "three")
        assert wait_until(lambda: world.outside.effects[f"{RUN}/three/engine"] == 2)
        wish(world, Kind.OP_ABORT)

    assert taking_back(world, say, back_to="three", then=then) is RunState.ABORTED
    assert began_with
    assert began_with[0], "nothing began before the second approval"
    assert "choose#2" in world.view().questions


def test_a_step_in_doubt_is_settled_before_it_is_taken_back() -> None:
    outside = Outside()
    action = Undoes(outside)
    lost = Do(outside, "do.two", attaches=False, probes=False, raises=[LostContactError("gone")])
    book = BOOK.replace("{id: two, uses: do.it}", "{id: two, uses: do.two}")
    world = MadeUpWorld(book, Do(outside, "do.look", attaches=False, probes=False), action, lost)
    world.outside = outside
    before: list[list[str]] = []

    def say(question: Question) -> Answer | None:
        if world.view().undo is None:
            wish(world, Kind.OP_UNDO, **{"from": None})
            return None
        before.append(list(action.order))
        return world.says("ana", "done", reason="I looked")

    assert world.run_answering(say) is RunState.ABORTED
    assert before
    assert not any(before), "nothing is taken back beneath what nobody knows"
    assert world.outside.undone[f"{RUN}/two/engine"] == 1
    assert action.order == ["fan/web-2", "fan/web-1", "one/engine", "there/engine"]


LADDER = """
format: 1
name: made-up
steps:
  - id: ladder
    needs: []
    try:
      - name: only
        steps:
          - {id: one, uses: do.it}
          - {id: two, uses: do.it}
  - {id: person, uses: human.task, with: {group: support, instructions: {en: x, zh: x}}}
"""


def test_a_ladder_that_was_taken_back_can_be_climbed_again() -> None:
    action = Undoes(Outside())
    world = a_world(action, LADDER)

    def then() -> None:
        assert states(world)["ladder"] == "undone"
        wish(world, Kind.OP_CONTINUE)
        assert wait_until(lambda: world.view().state is RunState.WAITING)
        wish(world, Kind.OP_RETRY, "ladder")
        assert wait_until(lambda: states(world)["ladder"] == "succeeded")
        wish(world, Kind.OP_ABORT)

    assert taking_back(world, back_to="ladder", then=then) is RunState.ABORTED
    assert action.order == ["two/engine", "one/engine"]
    assert world.outside.effects[f"{RUN}/one/engine"] == 2


def test_a_run_with_steps_taken_back_never_ends_well_by_itself() -> None:
    action = Undoes(Outside())
    book = LADDER.replace("  - {id: person", "  - {id: last, uses: do.it}\n  - {id: person")
    world = a_world(action, book)

    def then() -> None:
        answer = world.says("bo", "done")
        data = {"question": "person#1", "answer": answer.to_data()}
        draft = Draft(Kind.QUESTION_ANSWERED, "person", data=data)
        world.journal.append(world.record.id, [draft], open_question="person#1")
        wish(world, Kind.OP_CONTINUE)
        assert wait_until(lambda: world.view().because == "step 'last' is taken back")
        wish(world, Kind.OP_SKIP, "last")

    assert taking_back(world, back_to="last", then=then) is RunState.SUCCEEDED
    assert world.view().steps["last"].forced


def answered(world: MadeUpWorld, question: str, verdict: str = "done") -> None:
    """Have a person answer a question."""
    data = {"question": question, "answer": world.says("bo", verdict, reason="yes").to_data()}
    draft = Draft(Kind.QUESTION_ANSWERED, question.partition("#")[0], data=data)
    world.journal.append(world.record.id, [draft], open_question=question)


def test_nothing_begins_on_top_of_a_step_that_was_taken_back() -> None:
    action = Undoes(Outside())
    world = a_world(action)

    def then() -> None:
        answered(world, "person#1")
        wish(world, Kind.OP_CONTINUE)
        assert wait_until(lambda: world.view().because == "step 'two' is taken back")
        assert states(world)["person"] == "succeeded"
        assert "after" not in states(world), "a person's answer between them is no ground"
        wish(world, Kind.OP_RETRY, "two")

    assert taking_back(world, back_to="two", then=then) is RunState.SUCCEEDED
    assert world.outside.effects[f"{RUN}/after/engine"] == 1


def test_what_was_looked_at_after_a_step_is_looked_at_again_when_it_was_done_anew() -> None:
    outside = Outside()
    action, look = Undoes(outside), Do(outside, "do.look", attaches=False, probes=False)
    book = BOOK.replace(
        "  - {id: person", "  - {id: proof, uses: do.look, effect: read}\n  - {id: person"
    )
    world = MadeUpWorld(book, look, action)
    world.outside = outside

    def then() -> None:
        wish(world, Kind.OP_RETRY, "two")
        wish(world, Kind.OP_CONTINUE)
        assert wait_until(lambda: world.outside.effects[f"{RUN}/proof/engine"] == 2)
        wish(world, Kind.OP_ABORT)

    assert taking_back(world, back_to="two", then=then) is RunState.ABORTED
    assert world.outside.effects[f"{RUN}/look/engine"] == 1, "it stands before the step"


def test_what_somebody_else_did_between_two_attempts_is_theirs() -> None:
    """The first attempt had no effect; before the second one a probe found it done."""
    outside = Outside()
    action = Undoes(outside)
    refused = RetryableError("no", reason="unreachable", facts={"before": True})
    other = Do(outside, "do.two", raises=[refused])
    book = BOOK.replace(
        "{id: two, uses: do.it}", "{id: two, uses: do.two, retry: {attempts: 2, delay: 1ms}}"
    )
    world = MadeUpWorld(book, Do(outside, "do.look", attaches=False, probes=False), action, other)
    world.outside = outside
    other._before = lambda: outside.present.add(f"{RUN}/two/engine")
    assert taking_back(world) is RunState.ABORTED
    assert states(world)["two"] == "already_done"
    assert f"{RUN}/two/engine" in outside.present
    assert f"{RUN}/two/engine" not in outside.undone


def test_the_order_does_not_depend_on_the_clock() -> None:
    action = Undoes(Outside())
    world = a_world(action)
    world.clock.set_back(timedelta(hours=1))
    assert taking_back(world) is RunState.ABORTED
    assert action.order == list(TAKEN_BACK)


def test_an_abort_gives_an_undo_up_and_says_what_is_left() -> None:
    action = Undoes(Outside(), fails=[FailedError("no")])
    world = a_world(action)

    def say(_question: Question) -> None:
        if world.view().abort is None:
            wish(world, Kind.OP_ABORT)

    assert taking_back(world, say) is RunState.ABORTED
    result = events(world, Kind.RUN_UNDONE)[-1].data
    assert [item["step"] for item in result["left"]] == ["two", "fan", "fan", "one"]
    assert {item["because"] for item in result["left"]} == {"the run was aborted"}
    assert not world.view().open_questions()


def test_a_run_that_was_aborted_can_still_be_taken_back() -> None:
    outside = Outside()
    action = Undoes(outside)
    hangs = Hangs(outside, "do.two", probes=False)
    book = BOOK.replace("{id: two, uses: do.it}", "{id: two, uses: do.two, effect: once}")
    world = MadeUpWorld(book, Do(outside, "do.look", attaches=False, probes=False), action, hangs)
    world.outside, world.jobs = outside, MadeUpJobs(outside)
    told: list[str] = []

    def operator() -> None:
        assert wait_until(lambda: outside.running)
        wish(world, Kind.OP_ABORT)
        assert wait_until(lambda: world.view().open_questions())
        wish(world, Kind.OP_UNDO, **{"from": None})

    teller = threading.Thread(target=operator, daemon=True)
    teller.start()

    def say(question: Question) -> Answer | None:
        if world.view().undo is None:
            return None
        told.append(question.kind)
        outside.running.clear()
        verdict = "failed" if question.kind == "doubt" else "go-on"
        return world.says("ana", verdict, reason="I looked")

    assert world.run_answering(say) is RunState.ABORTED
    assert action.order[-2:] == ["one/engine", "there/engine"]
    assert told[0] == "doubt", "settled before anything is taken back"


def test_an_undo_with_a_gate_asks_anew_for_each_wish() -> None:
    outside = Outside()
    action, back = Undoes(outside), Do(outside, "do.back")
    back._while_acting = lambda: outside.present.discard(f"{RUN}/g/engine")
    gate = "gate: { ask: { en: Back?, zh: 撤销吗 }, approvers: { group: leadership } }"
    undo = f"undo: {{uses: do.back, effect: idempotent, {gate}}}"
    step = f"  - {{id: g, uses: do.it, {undo}}}\n"
    world = MadeUpWorld(LADDER.replace("  - {id: person", step + "  - {id: person"), action, back)
    world.outside = outside
    asked: list[str] = []

    def say(question: Question) -> Answer | None:
        asked.append(question.id)
        return world.says("ana", "go-on", reason="yes")

    def then() -> None:
        wish(world, Kind.OP_RETRY, "g")
        wish(world, Kind.OP_CONTINUE)
        assert wait_until(lambda: states(world)["g"] == "succeeded")
        wish(world, Kind.OP_UNDO, **{"from": "g"})
        assert wait_until(lambda: len(world.view().undone) == 2)
        wish(world, Kind.OP_ABORT)

    assert taking_back(world, say, back_to="g", then=then) is RunState.ABORTED
    assert len(set(asked)) == 2


def test_going_back_into_a_ladder_that_has_ended_goes_back_to_all_of_it() -> None:
    action = Undoes(Outside())
    world = a_world(action, LADDER)
    then = lambda: wish(world, Kind.OP_ABORT)  # noqa: E731
    assert taking_back(world, back_to="two", then=then) is RunState.ABORTED
    assert action.order == ["two/engine", "one/engine"]


def test_a_step_whose_undo_failed_may_be_skipped() -> None:
    action = Undoes(Outside(), fails=[FailedError("no")])
    world = a_world(action)
    said = lambda _question: world.says("ana", "go-on", reason="it does no harm")  # noqa: E731

    def then() -> None:
        wish(world, Kind.OP_SKIP, "two")
        wish(world, Kind.OP_CONTINUE)
        answered(world, "person#1")

    assert taking_back(world, said, back_to="two", then=then) is RunState.SUCCEEDED


def test_an_undo_that_can_not_be_prepared_is_a_failure_like_any_other() -> None:
    action = Undoes(Outside())
    book = BOOK.replace(
        "{id: two, uses: do.it}",
        "{id: two, uses: do.it, undo: {uses: do.it, hosts: nowhere}}",
    )
    world = a_world(action, book)
    asked: list[str] = []

    def say(question: Question) -> Answer | None:
        asked.append(str(question.card["because"]))
        return world.says("ana", "go-on", reason="yes")

    assert taking_back(world, say) is RunState.ABORTED
    assert len(asked) >= 1
    assert "neither a host nor a group" in asked[0]
    assert states(world)["two"] == "undo_failed"
    assert states(world)["one"] == "undone"


class Blind(Do):
    """``do.see``: a look that answers, and says that it saw nothing."""

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        present = attempt.key.replace(".probe/", "/") in self._outside.present
        if world_is_up(self._outside):
            return Outcome({"value": "present" if present else "absent"})
        return Outcome({"value": "unreachable"}, unseen="db-a does not answer")


def world_is_up(outside: Outside) -> bool:
    """Whether hosts answer: they are gone once the effect of ``two`` is there."""
    return f"{RUN}/two/engine" not in outside.present


def test_a_look_that_saw_nothing_is_no_proof_that_nothing_is_there() -> None:
    outside = Outside()
    action = Undoes(outside)
    probe = "probe: {uses: do.see, when: \"${{ result.value == 'present' }}\"}"
    book = BOOK.replace("{id: two, uses: do.it}", f"{{id: two, uses: do.it, {probe}}}")
    look = Do(outside, "do.look", attaches=False, probes=False)
    world = MadeUpWorld(book, look, action, Blind(outside, "do.see"))
    world.outside = outside
    asked: list[str] = []

    def say(question: Question) -> Answer | None:
        asked.append(str(question.card["because"]))
        return world.says("ana", "fail", reason="the host is gone")

    assert taking_back(world, say) is RunState.FAILED
    assert asked[0] == "a probe said unknown: db-a does not answer"
    assert states(world)["two"] == "succeeded"


class CutOff(Do):
    """``do.back``: its first try is gone, and nobody saw its end."""

    def attach(self, attempt: Attempt, world: World) -> Attached:
        return Attached(Found.GONE, "the host was restarted")


@pytest.mark.parametrize(("effect", "tries"), [("once", 1), ("idempotent", 2)])
def test_an_undo_that_must_not_happen_twice_is_not_begun_again_unasked(
    effect: str, tries: int
) -> None:
    outside = Outside()
    action, back = Undoes(outside), CutOff(outside, "do.back")
    undo = f"undo: {{uses: do.back, effect: {effect}}}"
    book = BOOK.replace("{id: two, uses: do.it}", f"{{id: two, uses: do.it, {undo}}}")
    look = Do(outside, "do.look", attaches=False, probes=False)
    world = MadeUpWorld(book, look, action, back)
    world.outside = outside
    asked: list[str] = []

    def say(question: Question) -> Answer | None:
        if question.kind == "task":
            return None
        asked.append(str(question.card["because"]))
        return world.says("ana", "go-on", reason="I looked")

    cut: list[str] = []

    def dies(point: str) -> None:
        if point == "after-undo" and not cut:
            cut.append(point)
            raise PowerCut(point)

    with armed(dies), pytest.raises(PowerCut):
        taking_back(world)
    world.die()
    world.journal = MemoryJournal(world.clock, world.journal.disk)
    assert world.run_answering(say) is RunState.ABORTED
    assert outside.effects[f"{RUN}/two.undo/engine"] == tries
    assert bool(asked) is (effect == "once")
