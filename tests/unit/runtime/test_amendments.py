"""Another plan takes the place of the run's, as a whole and only for what has not begun."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from dr.engine.core.amendment import open_amendment, who_decides
from dr.engine.core.errors import LostContactError, NotAllowedError, UserError
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.questions import Answer, Question, QuestionKind
from dr.engine.core.states import RunState
from dr.engine.core.view import fold
from tests.amendments import amended, approving, plans_of, propose
from tests.deadline import wait_for
from tests.made_up_world import INVENTORY, Do, MadeUpWorld, Outside

HEAD = "format: 1\nname: made-up\nowner: leadership\n"
GATE = (
    "  - {id: choose, uses: gate.approve, with: {ask: {en: Go?, zh: 执行吗}, "
    "approvers: {group: leadership}}}\n"
)
FIRST = "  - {id: first, uses: do.it, needs: [], with: {x: 1}}\n"
SECOND = "  - {id: second, uses: do.it, with: {x: 2}}\n"
THIRD = "  - {id: third, uses: do.it, with: {x: 3}}\n"
NEW = "  - {id: new, uses: do.it, with: {x: 4}}\n"


def source(*steps: str) -> str:
    return f"{HEAD}steps:\n{''.join(steps)}"


def at_the_gate(*steps: str, action: Do | None = None) -> tuple[MadeUpWorld, Do]:
    """Return a world whose run waits at the gate ``choose``, its engine dead."""
    outside = Outside()
    action = action or Do(outside)
    world = MadeUpWorld(source(*steps), action)
    world.outside = action._outside
    live_until(world, lambda: bool(questions(world, QuestionKind.GATE)))
    return world, action


def questions(world: MadeUpWorld, kind: QuestionKind) -> list[Question]:
    return [q.question for q in world.view().questions.values() if q.question.kind is kind]


def live_until(world: MadeUpWorld, reached) -> None:  # type: ignore[no-untyped-def]
    """Let an engine live until ``reached``, then end it."""
    executor = world.engine()

    def live() -> None:
        try:
            executor.run()
        except Exception:  # noqa: BLE001 - it is stopped from outside
            return

    thread = threading.Thread(target=live)
    thread.start()
    try:
        wait_for(reached, 5, "what the engine was to do")
    finally:
        executor.context.recorder.stop(UserError("the test ends this engine"))
        thread.join(10)
        executor.context.recorder.release()
        world.die()


def waits_for(event: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        event.wait(5)

    return wait


def kinds(world: MadeUpWorld, *wanted: Kind) -> list[Event]:
    return [e for e in world.journal.events(world.record.id) if e.kind in wanted]


# -- what an amendment brings about


def test_a_new_step_runs_once_a_removed_one_never_and_a_changed_one_as_it_is_now() -> None:
    world, action = at_the_gate(FIRST, GATE, SECOND, THIRD)
    propose(world, source(FIRST, GATE, SECOND.replace("x: 2", "x: 22"), NEW))
    assert world.run_answering(approving(world)) is RunState.SUCCEEDED
    assert world.outside.order == ["first", "second", "new"]
    assert action.seen_inputs == [{"x": 1}, {"x": 22}, {"x": 4}]
    assert set(world.view().steps) == {"first", "choose", "second", "new"}


def test_until_all_have_signed_the_run_goes_on_with_its_old_plan() -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    propose(world, source(FIRST, GATE, SECOND, NEW))

    def only_the_gate(question: Question) -> Answer | None:
        if question.kind is QuestionKind.AMENDMENT:
            seen = world.view().steps.get("second")
            done = seen is not None and seen.state == "succeeded"
            return world.says("ana", "reject", reason="no") if done else None
        return world.says("ana", "approve", reason="yes")

    assert world.run_answering(only_the_gate) is RunState.SUCCEEDED
    assert world.outside.order == ["first", "second"]
    assert amended(world) == []


def test_one_transaction_closes_the_question_changes_the_plan_and_asks_gates_again() -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    propose(world, source(FIRST, GATE, SECOND, NEW))
    world.run_answering(approving(world))
    events = world.journal.events(world.record.id)
    (place,) = [i for i, e in enumerate(events) if e.kind is Kind.RUN_AMENDED]
    together = [e for e in events if e.at == events[place].at]
    assert [(e.kind, e.data.get("outcome")) for e in together] == [
        (Kind.QUESTION_CLOSED, "approved"),
        (Kind.RUN_AMENDED, None),
        (Kind.QUESTION_CLOSED, "void"),
        (Kind.STEP_REOPENED, None),
    ]
    assert together[1].data["asked_again"] == ["choose"]
    assert [q.id for q in questions(world, QuestionKind.GATE)] == ["choose#1", "choose#2"]
    first, second = questions(world, QuestionKind.GATE)
    assert first.plan_hash != second.plan_hash


def test_a_gate_that_was_approved_is_asked_again_and_what_is_far_behind_it_waits() -> None:
    """``second`` has begun behind the gate, so ``new`` needs nothing but ``second``."""
    outside, held = Outside(), threading.Event()
    slow = Do(outside, "do.slow", while_acting=waits_for(held))
    world = MadeUpWorld(
        source(FIRST, GATE, "  - {id: second, uses: do.slow}\n", THIRD), Do(outside), slow
    )
    world.outside = outside
    seen: list[str] = []

    def answer(question: Question) -> Answer | None:
        if question.id == "choose#2" and not seen:
            seen.extend(outside.order)
        return world.says("ana", "approve", reason="yes")

    def interfere() -> None:
        wait_for(lambda: "second" in world.view().steps, 5, "the slow step")
        propose(world, source(FIRST, GATE, "  - {id: second, uses: do.slow}\n", NEW, THIRD))
        wait_for(lambda: world.view().questions["@amendment#1"].answers, 5, "the approval")
        assert amended(world) == []  # nobody amends beside a step under way
        held.set()

    person = threading.Thread(target=interfere)
    person.start()
    assert world.run_answering(answer) is RunState.SUCCEEDED
    person.join(5)
    assert amended(world)[0].data["asked_again"] == ["choose"]
    assert seen == ["first", "second"]
    assert outside.order == ["first", "second", "new", "third"]


def test_while_an_approved_amendment_waits_nothing_of_the_old_plan_begins() -> None:
    outside, held = Outside(), threading.Event()
    action = Do(outside)
    slow = Do(outside, "do.slow", while_acting=waits_for(held))
    steps = "  - {id: long, uses: do.slow, needs: []}\n" + GATE.replace("uses:", "needs: [], uses:")
    beside = "  - {id: quick, uses: do.it, needs: [choose], with: {x: 1}}\n"
    world = MadeUpWorld(source(steps, beside), action, slow)
    world.outside = outside

    def signed() -> bool:
        asked = world.view().questions.get("@amendment#1")
        return asked is not None and bool(asked.answers)

    def answer(question: Question) -> Answer | None:
        if question.kind is QuestionKind.GATE and not signed():
            return None
        return world.says("ana", "approve", reason="yes")

    def interfere() -> None:
        wait_for(lambda: outside.order and questions(world, QuestionKind.GATE), 5, "gate and step")
        propose(world, source(steps, beside.replace("x: 1", "x: 9")))
        wait_for(lambda: world.view().questions["choose#1"].answers, 5, "both approvals")
        held.set()

    person = threading.Thread(target=interfere)
    person.start()
    assert world.run_answering(answer) is RunState.SUCCEEDED
    person.join(5)
    assert [i for i in action.seen_inputs if i] == [{"x": 9}]
    assert outside.order == ["long", "quick"]


def test_what_began_after_it_was_signed_voids_it() -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND, THIRD)
    propose(world, source(FIRST, GATE, SECOND.replace("x: 2", "x: 22"), THIRD))
    began = Draft(Kind.STEP_SKIPPED, "second", data={"because": "a person", "by": "cai"})
    world.journal.append(world.record.id, [began])
    assert world.run_answering(approving(world)) is RunState.SUCCEEDED
    assert amended(world) == []
    closed = world.view().questions["@amendment#1"]
    assert (closed.outcome, closed.because) == (
        "void", "step 'second' has begun since it was proposed",
    )  # fmt: skip


def test_an_amendment_that_was_taken_back_is_never_carried_out() -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    propose(world, source(FIRST, GATE, SECOND, NEW))
    run = world.record.id
    said = world.says("ana", "approve", reason="yes").to_data()
    answer = Draft(Kind.QUESTION_ANSWERED, data={"question": "@amendment#1", "answer": said})
    closed = Draft(Kind.QUESTION_CLOSED, data={"question": "@amendment#1", "outcome": "withdrawn"})
    executor = world.engine()
    world.journal.append(run, [answer])
    executor.context.recorder.poll()
    world.journal.append(run, [closed])  # the engine has not heard of it
    assert executor.amending.take_up() is False
    executor.crew.dismiss()
    assert amended(world) == []
    assert fold(run, world.journal.events(run)).plan is None


def test_people_who_signed_too_long_ago_are_not_counted() -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    propose(world, source(FIRST, GATE, SECOND, NEW))

    def lapsed(question: Question) -> Answer | None:
        old = "2026-11-01T03:00:00.000000Z"
        more = {"expires": old} if question.kind is QuestionKind.AMENDMENT else {}
        return world.says("ana", "approve", reason="yes", **more)

    assert world.run_answering(lapsed) is RunState.SUCCEEDED
    assert world.view().questions["@amendment#1"].outcome == "expired"
    assert world.outside.order == ["first", "second"]


def test_a_run_is_amended_twice_and_keeps_what_was_signed_last() -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    propose(world, source(FIRST, GATE, SECOND, NEW))
    live_until_amended(world, 1)
    propose(world, source(FIRST, GATE, SECOND, NEW.replace("new", "newer"), THIRD))
    assert world.run_answering(approving(world)) is RunState.SUCCEEDED
    assert world.outside.order == ["first", "second", "newer", "third"]
    assert [e.data["number"] for e in amended(world)] == [1, 2]
    assert amended(world)[1].data["old"] == amended(world)[0].data["new"]


def live_until_amended(world: MadeUpWorld, count: int) -> None:
    answer = world.says("ana", "approve", reason="yes").to_data()
    data = {"question": f"@amendment#{count}", "answer": answer}
    world.journal.append(world.record.id, [Draft(Kind.QUESTION_ANSWERED, data=data)])
    live_until(world, lambda: len(amended(world)) == count)


LADDER = """  - id: way
    try:
      - {name: one, steps: [{id: inner, uses: do.slow}]}
      - {name: two, steps: [{id: other, uses: do.it}]}
"""
CHOOSES = GATE.replace("approvers:", "chooses: way, approvers:")


def test_a_rung_under_way_goes_on_and_its_gate_is_not_asked_again() -> None:
    outside, held = Outside(), threading.Event()
    slow = Do(outside, "do.slow", while_acting=waits_for(held))
    action = Do(outside)
    world = MadeUpWorld(source(FIRST, CHOOSES, LADDER, SECOND), action, slow)
    world.outside = outside

    def interfere() -> None:
        wait_for(lambda: "inner" in outside.order, 5, "the rung")
        with pytest.raises(UserError, match="step 'way' of run"):
            propose(world, source(FIRST, CHOOSES, LADDER.replace("other", "another"), SECOND))
        propose(world, source(FIRST, CHOOSES, LADDER, SECOND.replace("x: 2", "x: 22")))
        wait_for(lambda: world.view().questions["@amendment#1"].answers, 5, "the approval")
        held.set()

    person = threading.Thread(target=interfere)
    person.start()
    assert world.run_answering(approving(world)) is RunState.SUCCEEDED
    person.join(5)
    assert amended(world)[0].data["asked_again"] == []
    assert outside.order == ["first", "inner", "second"]
    assert action.seen_inputs[-1] == {"x": 22}


def test_a_gate_with_nothing_left_behind_it_is_not_asked_again() -> None:
    task = (
        "  - {id: task, uses: human.task, needs: [], with: {group: leadership, "
        "instructions: {en: x, zh: x}}}\n"
    )
    gate, after = GATE.replace("uses:", "needs: [], uses:"), "  - {id: after, uses: do.it%s}\n"
    world = MadeUpWorld(source(gate, SECOND, task, after % ""), Do(Outside()))

    def answer(question: Question) -> Answer | None:
        if question.kind is not QuestionKind.TASK:
            return world.says("ana", "approve", reason="yes")
        if "second" in world.view().steps and "@amendment#1" not in world.view().questions:
            propose(world, source(gate, SECOND, task, after % ", with: {x: 5}"))
        return world.says("bo", "done") if amended(world) else None

    assert world.run_answering(answer) is RunState.SUCCEEDED
    assert amended(world)[0].data["asked_again"] == []


def test_a_service_that_differs_is_looked_at_anew() -> None:
    head = "inputs:\n  - {id: service, type: service}\nsteps:\n"
    text = source(GATE, SECOND).replace("steps:\n", head, 1)
    world = MadeUpWorld(text, Do(Outside()), inputs={"service": "registry"})
    live_until(world, lambda: bool(questions(world, QuestionKind.GATE)))
    registry = {"title": {"en": "registry", "zh": ""}, "members": ["db-b"]}
    propose(world, text, inventory={**INVENTORY, "services": {"registry": registry}})
    assert len(kinds(world, Kind.RUN_FACTS)) == 1
    assert world.run_answering(approving(world)) is RunState.SUCCEEDED
    assert len(kinds(world, Kind.RUN_FACTS)) == 2


def test_what_is_being_taken_back_is_taken_back_before_the_plan_changes() -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    propose(world, source(FIRST, GATE, SECOND, NEW))
    said = world.says("ana", "approve", reason="yes").to_data()
    answer = {"question": "@amendment#1", "answer": said}
    undo = {"by": "cai", "because": "wrong service", "from": "first"}
    drafts = [Draft(Kind.QUESTION_ANSWERED, data=answer), Draft(Kind.OP_UNDO, data=undo)]
    world.journal.append(world.record.id, drafts)
    live_until(world, lambda: bool(amended(world)))
    order = kinds(world, Kind.UNDO_INTENT, Kind.RUN_UNDONE, Kind.RUN_AMENDED)
    assert [e.kind for e in order] == [Kind.UNDO_INTENT, Kind.RUN_UNDONE, Kind.RUN_AMENDED]
    again = {"by": "cai", "because": "as it should be"}
    drafts = [Draft(Kind.OP_RETRY, "first", data=again), Draft(Kind.OP_CONTINUE, data=again)]
    world.journal.append(world.record.id, drafts)
    assert world.run_answering(approving(world)) is RunState.SUCCEEDED
    assert world.outside.order == ["first", "first", "second", "new"]


def test_a_run_in_doubt_is_amended_and_the_doubt_stays_one() -> None:
    outside = Outside()
    lost = LostContactError("the line went dead")
    blind = Do(outside, "do.blind", attaches=False, probes=False, raises=[lost])
    steps = "  - {id: first, uses: do.blind, needs: []}\n"
    world = MadeUpWorld(source(steps, SECOND), Do(outside), blind)
    world.outside = outside
    live_until(world, lambda: bool(questions(world, QuestionKind.DOUBT)))
    propose(world, source(steps, SECOND, NEW))

    def answer(question: Question) -> Answer | None:
        if question.kind is QuestionKind.DOUBT:
            return world.says("bo", "done", reason="I looked") if amended(world) else None
        return world.says("ana", "approve", reason="yes")

    assert world.run_answering(answer) is RunState.SUCCEEDED
    assert len(questions(world, QuestionKind.DOUBT)) == 1
    assert outside.order == ["first", "second", "new"]


# -- what is refused

BEGUN = "has begun, and would not be what it is"


@pytest.mark.parametrize(
    "steps",
    [
        (GATE.replace("id: choose", "needs: [], id: choose"), SECOND),
        (FIRST.replace("x: 1", "x: 11"), GATE, SECOND),
        (FIRST.replace("do.it,", "do.it, effect: idempotent,"), GATE, SECOND),
    ],
    ids=["vanishes", "parameter", "effect"],
)
def test_what_has_begun_may_neither_differ_nor_vanish(steps: tuple[str, ...]) -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    with pytest.raises(UserError, match=f"'first' of run R-20261101-abcde {BEGUN}") as caught:
        propose(world, source(*steps))
    assert caught.value.code == "not_amendable"
    assert questions(world, QuestionKind.AMENDMENT) == []


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((FIRST, SECOND), "the gate 'choose' would not be asked as it is"),
        (
            (FIRST, GATE.replace("leadership", "execution"), SECOND),
            "the gate 'choose' would not be asked as it is",
        ),
        (
            (FIRST, GATE, SECOND.replace("uses:", "needs: [first], uses:")),
            "the gate 'choose' would no longer guard step 'second'",
        ),
        (
            (FIRST, GATE.replace("uses:", "if: '${{ 1 == 2 }}', uses:"), SECOND),
            "the gate 'choose' would not be asked as it is",
        ),
    ],
    ids=["gone", "group", "goes-round", "condition"],
)
def test_rules_of_approval_never_change(steps: tuple[str, ...], said: str) -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    with pytest.raises(NotAllowedError, match=said) as caught:
        propose(world, source(*steps))
    assert caught.value.hint.startswith("Put the gate")


@pytest.mark.parametrize(
    ("group", "inputs", "inventory"),
    [
        ("${{ inputs.word }}", {"word": "z"}, {}),
        ("${{ service.owner }}", {}, {"services": {"registry": {"owner": "x"}}}),
        ("${{ steps.late.outputs.value }}", {}, {}),
    ],
    ids=["input", "service", "step"],
)
def test_who_decides_does_not_change_by_what_a_gate_refers_to(
    group: str, inputs: dict[str, str], inventory: dict[str, object]
) -> None:
    """The gate is still to come, behind steps that are still to come."""
    task = (
        "  - {id: task, uses: human.task, needs: [], with: {group: leadership, "
        "instructions: {en: x, zh: x}}}\n"
    )
    gate = GATE.replace("group: leadership", f"group: '{group}'")
    late = "  - {id: late, uses: do.it, with: {x: 1}}\n"
    given = "inputs:\n  - {id: service, type: service}\n  - {id: word}\n  - {id: other}\n"
    text = source(task, late, gate, SECOND).replace("steps:\n", f"{given}steps:\n", 1)
    before = {"service": "registry", "word": "a", "other": "b"}
    world = MadeUpWorld(text, Do(Outside()), inputs=before)
    live_until(world, lambda: bool(questions(world, QuestionKind.TASK)))
    new = text.replace("x: 1", "x: 7") if "steps.late" in group else text
    with pytest.raises(NotAllowedError, match="'choose' would not be asked as it is"):
        propose(
            world, new,
            inputs={**before, **inputs}, inventory={**INVENTORY, **inventory},
        )  # fmt: skip


def test_a_plan_that_is_the_same_is_no_amendment() -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    with pytest.raises(UserError, match="nothing of run R-20261101-abcde would change"):
        propose(world, "# a remark\n" + source(FIRST, GATE, SECOND))


READS = "  - {id: first, uses: do.it, needs: [], with: {x: '${{ inputs.word }}'}}\n"
INPUTS = "inputs:\n  - {id: word, type: string, default: a}\n  - {id: other, default: b}\n"


def with_inputs(*steps: str) -> str:
    return source(*steps).replace("steps:\n", f"{INPUTS}steps:\n", 1)


def test_an_input_that_something_begun_refers_to_stays_and_another_may_change() -> None:
    outside = Outside()
    action = Do(outside)
    later = "  - {id: second, uses: do.it, with: {x: '${{ inputs.other }}'}}\n"
    text = with_inputs(READS, GATE, later)
    world = MadeUpWorld(text, action, inputs={"word": "a", "other": "b"})
    world.outside = outside
    live_until(world, lambda: bool(questions(world, QuestionKind.GATE)))
    with pytest.raises(UserError, match=f"'first' of run R-20261101-abcde {BEGUN}"):
        propose(world, text, inputs={"word": "z", "other": "b"})
    propose(world, text, inputs={"word": "a", "other": "z"})
    assert world.run_answering(approving(world)) is RunState.SUCCEEDED
    assert action.seen_inputs == [{"x": "a"}, {"x": "z"}]


def test_a_host_that_something_acted_on_stays_as_it_was_and_others_may_change() -> None:
    outside = Outside()
    on_a = "  - {id: first, uses: do.it, needs: [], hosts: db-a}\n"
    on_b = "  - {id: second, uses: do.it, hosts: db-b}\n"
    world = MadeUpWorld(source(on_a, GATE, on_b), Do(outside))
    live_until(world, lambda: bool(questions(world, QuestionKind.GATE)))
    text, hosts = source(on_a, GATE, on_b), dict(INVENTORY["hosts"])
    moved = {**INVENTORY, "hosts": {**hosts, "db-a": {"address": "10.0.0.9"}}}
    with pytest.raises(UserError, match=f"'first' of run R-20261101-abcde {BEGUN}"):
        propose(world, text, inventory=moved)
    moved = {**INVENTORY, "hosts": {**hosts, "db-b": {"address": "10.0.0.9"}}}
    found = propose(world, text, inventory=moved)
    assert found.diff["inventory"] == [
        {
            "section": "hosts", "name": "db-b", "how": "changed",
            "keys": {"address": {"old": None, "new": "10.0.0.9"}},
        }
    ]  # fmt: skip


def test_branches_that_were_compared_stay_as_they_were() -> None:
    outside = Outside()
    compare = Do(outside, "reconcile.branches")
    steps = "  - {id: first, uses: reconcile.branches, needs: []}\n"
    world = MadeUpWorld(source(steps, GATE, SECOND), compare)
    live_until(world, lambda: bool(questions(world, QuestionKind.GATE)))
    moved = {**INVENTORY, "branches": {"east": {"responsible": "ana", "host": "db-b"}}}
    with pytest.raises(UserError, match=f"'first' of run R-20261101-abcde {BEGUN}"):
        propose(world, world.record.source, inventory=moved)


def test_who_signs_for_a_branch_is_who_decides() -> None:
    branch = {"responsible": "ana", "group": "east", "ledger": {"path": "a.csv"}}
    before = who_decides({"branches": {"east": branch}}, "branches")
    elsewhere = {**branch, "ledger": {"path": "b.csv"}}
    assert who_decides({"branches": {"east": elsewhere}}, "branches") == before
    others: tuple[dict[str, object], ...] = (
        {"east": {**branch, "responsible": "bo"}},
        {"east": {**branch, "group": "x"}},
        {},
    )
    for changed in others:
        assert who_decides({"branches": changed}, "branches") != before


def test_a_host_that_only_the_attempt_names_stays_as_it_was() -> None:
    """The plan says ``inputs.h``; which host that was is known from the journal alone."""
    on_h = "  - {id: first, uses: do.it, needs: [], hosts: '${{ inputs.h }}'}\n"
    text = source(on_h, GATE, SECOND).replace("steps:", "inputs:\n  - {id: h}\nsteps:", 1)
    world = MadeUpWorld(text, Do(Outside()), inputs={"h": "db-a"})
    live_until(world, lambda: bool(questions(world, QuestionKind.GATE)))
    hosts = {**INVENTORY["hosts"], "db-a": {"address": "10.0.0.9"}}
    with pytest.raises(UserError, match=f"'first' of run R-20261101-abcde {BEGUN}"):
        propose(world, text, inventory={**INVENTORY, "hosts": hosts})


def test_who_started_the_run_or_wants_it_amended_does_not_count() -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    propose(world, source(FIRST, GATE, SECOND, NEW), by="bo")
    (asked,) = questions(world, QuestionKind.AMENDMENT)
    assert (asked.approvers, asked.quorum) == ("leadership", 1)
    assert set(asked.distinct_from) == {"cai", "bo"}


def test_gates_that_were_asked_sign_and_those_to_come_decide_later() -> None:
    rare = GATE.replace("choose", "attest").replace("approvers:", "quorum: 2, approvers:")
    world, _ = at_the_gate(FIRST, GATE, SECOND, rare, THIRD)
    propose(world, source(FIRST, GATE, SECOND, rare, THIRD, NEW))
    (asked,) = questions(world, QuestionKind.AMENDMENT)
    assert (asked.approvers, asked.quorum) == ("leadership", 1)


def test_two_groups_both_have_to_sign() -> None:
    other = GATE.replace("choose", "also").replace("leadership", "support")
    groups = {"leadership": {"members": ["ana", "bo"]}, "support": {"members": ["eva"]}}
    people = {**INVENTORY["people"], "eva": {}}
    world = MadeUpWorld(
        source(FIRST, GATE, SECOND, other.replace("uses:", "needs: [first], uses:"), THIRD)
    )
    world.record = replace(
        world.record, inventory={**INVENTORY, "people_groups": groups, "people": people}
    )
    world.journal.disk.runs.clear()
    world.journal.create(world.record, [Draft(Kind.RUN_CREATED, data={"runbook": "made-up"})])
    live_until(world, lambda: len(questions(world, QuestionKind.GATE)) == 2)
    propose(world, world.record.source + NEW)
    asked = questions(world, QuestionKind.AMENDMENT)
    assert [(q.id, q.approvers) for q in asked] == [
        ("@amendment#1", "leadership"), ("@amendment#2", "support"),
    ]  # fmt: skip

    def answer(question: Question) -> Answer | None:
        by = "eva" if question.approvers == "support" else "ana"
        if question.kind is QuestionKind.AMENDMENT:
            if by == "eva":
                first = world.view().questions["@amendment#1"]
                assert first.is_open  # one group alone changes nothing
                return world.says(by, "approve", reason="y") if first.answers else None
            return world.says(by, "approve", reason="yes")
        return None if open_amendment(world.view()) else world.says(by, "approve", reason="yes")

    assert world.run_answering(answer) is RunState.SUCCEEDED
    assert amended(world)[0].data["approved_by"] == ["ana", "eva"]
    assert amended(world)[0].data["asked_again"] == ["choose", "also"]


def test_a_run_without_gates_asks_the_owner_and_without_one_it_is_refused() -> None:
    world = MadeUpWorld(source(FIRST, SECOND))
    propose(world, source(FIRST, SECOND, NEW))
    assert questions(world, QuestionKind.AMENDMENT)[0].approvers == "leadership"
    text = source(FIRST, SECOND).replace("owner: leadership", "owner: nobody-known")
    world = MadeUpWorld(text)
    with pytest.raises(NotAllowedError, match="nobody could approve it"):
        propose(world, text + NEW)


def test_more_signatures_than_people_are_not_asked_for() -> None:
    gate = GATE.replace("approvers:", "quorum: 2, approvers:")
    world, _ = at_the_gate(FIRST, gate, SECOND)
    with pytest.raises(NotAllowedError, match="only 1 of leadership could approve it, 2 are"):
        propose(world, source(FIRST, gate, SECOND, NEW), by="bo")


def test_the_difference_is_the_same_whoever_folds_the_journal() -> None:
    world, _ = at_the_gate(FIRST, GATE, SECOND)
    plans = plans_of(world, source(FIRST, GATE, SECOND, NEW))
    assert plans.view.created.get("outline") is None
    propose(world, source(FIRST, GATE, SECOND, NEW))
    world.run_answering(approving(world))
    outline = [step["id"] for step in world.view().created["outline"]]
    assert outline == ["first", "choose", "second", "new"]
