"""The main loop against a world in memory."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from dr.engine.core.errors import (
    FailedError,
    LostContactError,
    RefusedError,
    RetryableError,
)
from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import Attempt, Check, Forecast, Presence, Probe, World
from dr.engine.core.questions import Answer, Question
from dr.engine.core.states import RunState, StepState
from dr.engine.core.values import UNKNOWN
from tests.made_up_world import Do, MadeUpWorld, Outside

_S = StepState


def made(steps: str, *actions: Do, head: str = "", **more: object) -> MadeUpWorld:
    source = f"format: 1\nname: made-up\n{head}steps:\n{steps}"
    world = MadeUpWorld(source, *actions, **more)  # type: ignore[arg-type]
    for action in actions:
        world.outside = action._outside
    return world


def states(world: MadeUpWorld) -> dict[str, StepState]:
    return {s.id: s.state for s in world.view().steps.values()}


def test_steps_run_in_the_order_of_the_page() -> None:
    world = made("  - {id: a, uses: do.it}\n  - {id: b, uses: do.it}\n  - {id: c, uses: do.it}\n")
    assert world.run() is RunState.SUCCEEDED
    assert world.outside.order == ["a", "b", "c"]


def test_a_run_ends_once_whoever_writes_its_end() -> None:
    for _ in range(5):  # a worker and the main loop both come to the end
        world = made("  - {id: a, uses: do.it}\nfinally:\n  - {id: b, uses: do.it}\n")
        assert world.run() is RunState.SUCCEEDED
        ends = [e.seq for e in world.journal.events(world.record.id) if e.kind is Kind.RUN_ENDED]
        assert len(ends) == 1


def test_a_false_condition_skips_a_step_and_releases_the_next() -> None:
    world = made("  - {id: a, uses: do.it, if: '${{ 1 == 2 }}'}\n  - {id: b, uses: do.it}\n")
    assert world.run() is RunState.SUCCEEDED
    assert states(world) == {"a": _S.SKIPPED, "b": _S.SUCCEEDED}


def test_outputs_of_a_step_reach_the_inputs_of_a_later_one_with_their_type() -> None:
    outside = Outside()
    action = Do(outside, outputs={"value": [1, 2]})
    world = made(
        "  - {id: a, uses: do.it}\n"
        "  - {id: b, uses: do.it, with: {x: '${{ steps.a.outputs.value }}'}}\n",
        action,
    )
    world.run()
    assert action.seen_inputs[1] == {"x": [1, 2]}


def test_an_effect_that_is_there_already_is_not_brought_about_again() -> None:
    world = made("  - {id: a, uses: do.it}\n")
    world.outside.present.add("R-20261101-abcde/a/engine")
    assert world.run() is RunState.SUCCEEDED
    assert states(world) == {"a": _S.ALREADY_DONE}
    assert world.outside.effects == {}


def test_a_refused_connection_is_tried_again_as_often_as_the_step_allows() -> None:
    outside = Outside()
    refused = RetryableError("connection refused", reason="unreachable", facts={"before": True})
    action = Do(outside, raises=[refused, refused])
    world = made(
        "  - {id: a, uses: do.it, retry: {attempts: 3, delay: 1ms, when: [unreachable]}}\n", action
    )
    assert world.run() is RunState.SUCCEEDED
    assert world.view().steps["a"].units[None].attempt == 3
    assert outside.effects["R-20261101-abcde/a/engine"] == 1


def test_a_refusal_is_never_tried_again() -> None:
    outside = Outside()
    action = Do(outside, raises=[RefusedError("wrong key", facts={"before": True})])
    world = made(
        "  - {id: a, uses: do.it, on_failure: fail, retry: {attempts: 5, delay: 1ms}}\n", action
    )
    assert world.run() is RunState.FAILED
    assert world.view().steps["a"].units[None].attempt == 1


def test_what_needs_a_failed_step_is_cancelled_and_finally_still_runs() -> None:
    outside = Outside()
    action = Do(outside, "do.break", raises=[RefusedError("no", facts={"before": True})])
    source = (
        "format: 1\nname: made-up\non_failure: fail\nsteps:\n"
        "  - {id: a, uses: do.break}\n  - {id: b, uses: do.it}\n"
        "finally:\n  - {id: report, uses: do.it, effect: idempotent}\n"
    )
    world = MadeUpWorld(source, action)
    assert world.run() is RunState.FAILED
    assert states(world) == {"a": _S.FAILED, "b": _S.CANCELLED, "report": _S.SUCCEEDED}


def test_continue_releases_what_follows_although_the_step_failed() -> None:
    outside = Outside()
    action = Do(outside, "do.break", raises=[RefusedError("no", facts={"before": True})])
    world = made(
        "  - {id: a, uses: do.break, on_failure: continue}\n  - {id: b, uses: do.it}\n", action
    )
    assert world.run() is RunState.SUCCEEDED
    assert states(world) == {"a": _S.FAILED, "b": _S.SUCCEEDED}


@pytest.mark.parametrize(
    ("verdict", "ends", "state"),
    [
        ("retry", RunState.SUCCEEDED, _S.SUCCEEDED),
        ("skip", RunState.SUCCEEDED, _S.SKIPPED),
        ("fail", RunState.FAILED, _S.FAILED),
    ],
)
def test_a_failed_step_is_put_to_a_person_who_decides(
    verdict: str, ends: RunState, state: StepState
) -> None:
    action = Do(Outside(), "do.break", raises=[RefusedError("no", facts={"before": True})])
    world = made("  - {id: a, uses: do.break}\n  - {id: b, uses: do.it}\n", action)
    assert world.run_answering(lambda _q: world.says("cai", verdict)) is ends
    assert states(world)["a"] is state


def test_a_lost_answer_is_probed_and_not_sent_again() -> None:
    outside = Outside()
    action = Do(outside, attaches=False, raises=[LostContactError("connection lost")])
    world = made("  - {id: a, uses: do.it, effect: once}\n", action)
    assert world.run() is RunState.SUCCEEDED
    assert states(world) == {"a": _S.ALREADY_DONE}
    assert outside.effects == {"R-20261101-abcde/a/engine": 1}


@pytest.mark.parametrize("attaches", [False, True], ids=["no-trace", "never-started"])
def test_an_irreversible_step_in_doubt_and_absent_waits_for_a_person(*, attaches: bool) -> None:
    outside = Outside()
    lost = LostContactError("connection lost", facts={"before": True})
    action = Do(outside, attaches=attaches, raises=[lost])
    world = made("  - {id: a, uses: do.it, effect: irreversible}\n", action)
    asked: list[Question] = []

    def answer(question: Question) -> Answer:
        asked.append(question)
        return world.says("ana", "not-done", reason="the server was never reached")

    assert world.run_answering(answer) is RunState.SUCCEEDED
    assert asked[0].kind == "doubt"
    assert asked[0].card["sent"] == ["do R-20261101-abcde/a/engine"]
    assert outside.effects == {"R-20261101-abcde/a/engine": 1}


def test_a_once_step_that_its_host_never_began_is_begun_again_without_asking() -> None:
    outside = Outside()
    lost = LostContactError("connection lost", facts={"before": True})
    action = Do(outside, probes=False, raises=[lost])
    world = made(
        "  - {id: a, uses: do.it, effect: once, retry: {attempts: 3, delay: 0s}}\n", action
    )
    asked: list[Question] = []
    assert world.run_answering(asked.append) is RunState.SUCCEEDED
    assert asked == []
    assert outside.effects == {"R-20261101-abcde/a/engine": 1}


class SlowlySeen(Do):
    """Its probe takes as long as the person who is asked calls several times."""

    def __init__(self, outside: Outside) -> None:
        super().__init__(outside, attaches=False, raises=[LostContactError("lost")])
        self.called = threading.Semaphore(0)
        self.looks = 0

    def probe(self, attempt: Attempt, world: World) -> Probe:
        self.looks += 1
        if self.looks > 2:  # one before it acts, one before a person is asked
            for _ in range(5):
                self.called.acquire(timeout=1)
        return Probe(Presence.UNKNOWN if self.looks > 1 else Presence.ABSENT, "looked")


def test_looking_again_at_a_doubt_writes_nothing_while_a_person_is_asked() -> None:
    action = SlowlySeen(Outside())
    world = made("  - {id: a, uses: do.it, effect: once}\n", action)

    def answer(question: Question) -> Answer | None:
        world.clock.forward(timedelta(seconds=1))
        action.called.release()
        return world.says("ana", "done", reason="seen") if action.looks > 4 else None

    assert world.run_answering(answer) is RunState.SUCCEEDED
    states = [
        e.data["state"] for e in world.journal.events(world.record.id) if e.kind is Kind.RUN_STATE
    ]
    assert states.count("in_doubt") == 1


@pytest.mark.parametrize("holds", [False, UNKNOWN])
def test_a_once_step_that_is_not_proven_is_in_doubt_and_not_failed(holds: object) -> None:
    action = Do(Outside(), attaches=False, probes=False, verifies=[Check(holds, "not seen")])  # type: ignore[arg-type]
    world = made("  - {id: a, uses: do.it, effect: once}\n", action)
    seen: list[str] = []

    def answer(question: Question) -> Answer:
        seen.append(question.kind)
        return world.says("ana", "done", reason="I looked")

    assert world.run_answering(answer) is RunState.SUCCEEDED
    assert seen[0] == "doubt"
    kinds = [e.kind for e in world.journal.events(world.record.id)]
    assert Kind.LOST in kinds


def test_a_once_step_that_ended_badly_with_its_effect_absent_has_failed() -> None:
    error = FailedError("exit code 1", facts={"before": True})
    world = made(
        "  - {id: a, uses: do.it, effect: once, on_failure: fail}\n", Do(Outside(), raises=[error])
    )
    assert world.run() is RunState.FAILED


GATE = """
  - id: choose
    uses: gate.approve
    with:
      ask: { en: Go?, zh: 执行吗 }
      approvers: { group: leadership }
      quorum: QUORUM
      decide_within: 30m
      on_timeout: { escalate: [{ group: deputies, after: 10m }], then: fail }
  - {id: act, uses: do.it, effect: irreversible}
"""


def gated(quorum: int = 1) -> MadeUpWorld:
    return made(GATE.replace("QUORUM", str(quorum)))


def test_a_gate_opens_only_with_its_quorum() -> None:
    world = gated(quorum=2)
    people = iter(["ana", "bo"])

    def answer(_question: Question) -> Answer | None:
        name = next(people, None)
        return world.says(name, "approve", reason="yes") if name else None

    assert world.run_answering(answer) is RunState.SUCCEEDED
    assert world.view().steps["choose"].outputs["approved_by"] == ["ana", "bo"]


def test_the_requester_never_counts_towards_a_gate() -> None:
    world = gated()
    people = iter(["cai", "bo"])

    def answer(_question: Question) -> Answer | None:
        name = next(people, None)
        return world.says(name, "approve", reason="yes") if name else None

    world.run_answering(answer)
    assert world.view().steps["choose"].outputs["approved_by"] == ["bo"]


def test_a_rejected_gate_ends_the_run_and_nothing_behind_it_acts() -> None:
    world = gated()
    executor_state = world.run_answering(lambda _q: world.says("ana", "reject", reason="no"))
    assert executor_state is RunState.FAILED
    assert world.outside.effects == {}


def test_time_out_escalates_and_then_fails_and_never_approves() -> None:
    world = gated()

    def wait(_question: Question) -> None:
        world.clock.forward(timedelta(minutes=5))

    assert world.run_answering(wait) is RunState.FAILED
    asked = world.view().questions["choose#1"]
    assert asked.outcome == "timed_out"
    assert asked.escalated == ["deputies"]
    assert world.outside.effects == {}


LADDER = """
  - id: choose
    uses: gate.approve
    with: { ask: { en: Go?, zh: 执行吗 }, approvers: { group: leadership }, chooses: database }
  - id: database
    try:
      - name: first
        steps:
          - {id: one, uses: do.first, effect: once}
          - {id: two, uses: do.second, effect: once}
      - name: second
        steps:
          - {id: three, uses: do.third, effect: once}
      - name: never
        unavailable: { en: not built, zh: 未建 }
  - {id: after, uses: do.it, with: {host: "${{ steps.database.outputs.host }}"}}
"""


def ladder(
    outside: Outside, second: Do | None = None, *, losses: tuple[float, float] = (1, 1)
) -> MadeUpWorld:
    host = {"host": "db-b"}
    loss = [Forecast(loss=timedelta(seconds=s), p50=timedelta(seconds=1)) for s in losses]
    return made(
        LADDER,
        Do(outside, "do.first", outputs=host, forecast=loss[0]),
        second or Do(outside, "do.second", outputs=host, forecast=loss[0]),
        Do(outside, "do.third", outputs={"host": "db-a"}, forecast=loss[1]),
        Do(outside),
    )


def approving(world: MadeUpWorld, **more: object) -> RunState:
    return world.run_answering(lambda q: world.says("ana", "approve", reason="yes", **more))


def test_the_proposed_rung_binds_the_outputs_of_its_ladder() -> None:
    world = ladder(Outside())
    assert approving(world) is RunState.SUCCEEDED
    assert world.view().steps["database"].outputs == {"host": "db-b", "rung": "first"}
    assert "three" not in world.view().steps


def test_approvers_may_choose_another_rung_than_the_proposed_one() -> None:
    world = ladder(Outside())
    assert approving(world, choice="second") is RunState.SUCCEEDED
    assert world.view().steps["database"].outputs["host"] == "db-a"
    assert "one" not in world.view().steps


def test_a_failed_rung_is_undone_before_the_next_one_starts() -> None:
    outside = Outside()
    bad = Do(outside, "do.second", raises=[RefusedError("no", facts={"before": True})],
             forecast=Forecast(loss=timedelta(seconds=1), p50=timedelta(seconds=1)))  # fmt: skip
    world = ladder(outside, bad)
    assert approving(world) is RunState.SUCCEEDED
    assert outside.undone == {"R-20261101-abcde/one/engine": 1}
    assert world.view().steps["database"].rungs == {"first": "closed", "second": "succeeded"}
    events = world.journal.events(world.record.id)
    undone = next(e.seq for e in events if e.kind is Kind.UNDO_FINISHED)
    third = next(e.seq for e in events if e.kind is Kind.INTENT and e.step == "three")
    assert undone < third


def test_a_rung_that_would_lose_more_than_was_accepted_is_asked_about_again() -> None:
    outside = Outside()
    bad = Do(outside, "do.second", raises=[RefusedError("no", facts={"before": True})],
             forecast=Forecast(loss=timedelta(seconds=1), p50=timedelta(seconds=1)))  # fmt: skip
    world = ladder(outside, bad, losses=(1, 900))
    questions: list[str] = []

    def answer(question: Question) -> Answer:
        questions.append(question.id)
        choice = "first" if question.id == "choose#1" else "second"
        return world.says("ana", "approve", reason="yes", choice=choice)

    assert world.run_answering(answer) is RunState.SUCCEEDED
    assert list(dict.fromkeys(questions)) == ["choose#1", "choose#2"]


def test_an_unavailable_rung_is_shown_with_its_reason_and_never_tried() -> None:
    world = ladder(Outside())
    approving(world)
    options = world.view().questions["choose#1"].question.options
    assert [(o.name, o.available) for o in options][2] == ("never", False)
    assert options[2].because.zh == "未建"


FAN_OUT = """
  - id: fan
    uses: do.it
    hosts: web
    effect: once
    strategy: { batches: [1, "100%"], max_failures: MAX }
"""


def test_a_fan_out_begins_with_one_host_and_reaches_all() -> None:
    world = made(FAN_OUT.replace("MAX", "0"))
    assert world.run() is RunState.SUCCEEDED
    assert sum(world.outside.effects.values()) == 4
    assert world.view().steps["fan"].batches == [["web-1"], ["web-2", "web-3", "web-4"]]


def test_a_fan_out_stops_when_more_hosts_fail_than_allowed() -> None:
    outside = Outside()
    action = Do(outside, raises=[RefusedError("no", facts={"before": True})])
    world = made(FAN_OUT.replace("MAX", "0"), action)
    assert world.run_answering(lambda _q: world.says("cai", "fail")) is RunState.FAILED
    assert sum(outside.effects.values()) == 0


def test_retrying_a_fan_out_leaves_hosts_alone_that_succeeded() -> None:
    outside = Outside()
    error = RefusedError("no", facts={"before": True})
    action = Do(outside, probes=False, raises=[None, error, None, None])
    world = made(FAN_OUT.replace("MAX", "0"), action)
    assert world.run_answering(lambda _q: world.says("cai", "retry")) is RunState.SUCCEEDED
    assert set(outside.effects.values()) == {1}
    assert len(outside.effects) == 4


def test_a_human_task_hands_its_evidence_on() -> None:
    world = made(
        "  - id: recall\n    uses: human.task\n"
        "    with: {group: support, instructions: {en: Fetch it, zh: 取来}}\n"
        "  - {id: next, uses: do.it}\n"
    )
    answer = world.run_answering(
        lambda _q: world.says("cai", "done", evidence={"barcode": "TAPE01"})
    )
    assert answer is RunState.SUCCEEDED
    assert world.view().steps["recall"].outputs["barcode"] == "TAPE01"


def test_an_aborted_run_starts_nothing_further_and_still_reports() -> None:
    source = (
        "format: 1\nname: made-up\nsteps:\n"
        "  - {id: wait, uses: human.task, with: {group: support, instructions: {en: x, zh: x}}}\n"
        "  - {id: act, uses: do.it}\n"
        "finally:\n  - {id: report, uses: do.it, effect: idempotent}\n"
    )
    world = MadeUpWorld(source)

    def abort(_question: Question) -> None:
        if world.view().abort is None:
            data = {"by": "cai", "because": "a false alarm"}
            world.journal.append(world.record.id, [Draft(Kind.OP_ABORT, data=data)])

    assert world.run_answering(abort) is RunState.ABORTED
    assert states(world)["act"] is _S.CANCELLED
    assert states(world)["report"] is _S.SUCCEEDED


def test_the_clock_going_back_a_day_changes_nothing() -> None:
    action = Do(Outside(), while_acting=lambda: world.clock.forward(timedelta(days=-1)))
    world = made("  - {id: a, uses: do.it}\n  - {id: b, uses: do.it}\n", action)
    assert world.run() is RunState.SUCCEEDED
    moments = [e.at for e in world.journal.events(world.record.id)]
    assert moments == sorted(moments)


def test_a_secret_reaches_the_action_and_never_the_journal() -> None:
    action = Do(Outside(), outputs={"value": "said resolved-env:PASSWORD"})
    world = made("  - {id: a, uses: do.it, with: {password: {secret: 'env:PASSWORD'}}}\n", action)
    world.run()
    assert action.seen_inputs[0]["password"].reveal() == "resolved-env:PASSWORD"
    assert "resolved-env" not in str(world.journal.events(world.record.id))


UNDOING = """
format: 1
name: made-up
steps:
  - {id: a, uses: do.it, effect: once}
  - id: b
    uses: do.it
    effect: once
    undo: { uses: do.back, effect: once GATE }
  - {id: c, uses: do.break, effect: once, on_failure: undo}
"""


def undoing(gate: str = "") -> tuple[MadeUpWorld, Outside]:
    outside = Outside()
    world = MadeUpWorld(
        UNDOING.replace("GATE", gate),
        Do(outside),
        Do(outside, "do.back"),
        Do(outside, "do.break", raises=[RefusedError("no", facts={"before": True})]),
    )
    world.outside = outside
    return world, outside


def test_a_failed_step_may_take_back_the_whole_run_newest_first() -> None:
    world, outside = undoing()
    assert world.run() is RunState.FAILED
    assert states(world) == {"a": _S.UNDONE, "b": _S.UNDONE, "c": _S.FAILED}
    events = world.journal.events(world.record.id)
    assert [e.step for e in events if e.kind is Kind.UNDO_INTENT] == ["b", "a"]
    assert outside.order == ["a", "b", "b.undo"]


@pytest.mark.parametrize(("verdict", "state"), [("go-on", _S.UNDONE), ("fail", _S.SUCCEEDED)])
def test_an_undo_with_a_gate_waits_for_its_people(verdict: str, state: StepState) -> None:
    gate = ", gate: { approvers: { group: leadership }, ask: { en: Back?, zh: 撤销吗 } }"
    world, _ = undoing(gate)
    asked: list[Question] = []

    def answer(question: Question) -> Answer:
        asked.append(question)
        return world.says("ana", verdict, reason="I say so")

    assert world.run_answering(answer) is RunState.FAILED
    assert asked[0].approvers == "leadership"
    assert states(world)["b"] is state


def test_contact_lost_again_and_again_does_not_begin_an_idempotent_step_for_ever() -> None:
    outside = Outside()
    lost = LostContactError("connection lost", facts={"before": True})
    action = Do(outside, attaches=False, probes=False, raises=[lost] * 50)
    world = made(
        "  - {id: a, uses: do.it, effect: idempotent, on_failure: fail, retry: {attempts: 3}}\n",
        action,
    )
    assert world.run() is RunState.FAILED
    assert world.view().steps["a"].units[None].attempt == 3


def test_a_simulated_step_of_a_drill_acts_on_nothing_and_its_outputs_are_unknown() -> None:
    world = made(
        "  - {id: a, uses: do.it, drill: simulate}\n"
        "  - {id: b, uses: do.it, with: {x: '${{ steps.a.outputs.value }}'}}\n",
        mode="drill",
    )
    assert world.run() is RunState.SUCCEEDED
    assert world.outside.order == ["b"]
    assert world.view().steps["a"].outputs == {"value": {"unknown": True}}


def test_an_old_fact_is_looked_at_again_before_it_decides() -> None:
    outside = Outside()
    look = Do(outside, "do.look", outputs={"value": 1})
    world = made(
        "  - {id: look, uses: do.look, effect: read, fresh: 60s}\n"
        "  - {id: wait, uses: human.task, with: {group: s, instructions: {en: x, zh: x}}}\n"
        "  - {id: act, uses: do.it, if: '${{ steps.look.outputs.value == 1 }}'}\n",
        look,
        Do(outside),
    )

    def answer(_question: Question) -> Answer:
        world.clock.forward(timedelta(minutes=5))
        return world.says("cai", "done")

    assert world.run_answering(answer) is RunState.SUCCEEDED
    assert outside.effects["R-20261101-abcde/look/engine"] == 2


def test_a_step_is_not_tried_again_after_its_deadline() -> None:
    outside = Outside()
    refused = RetryableError("refused", reason="unreachable", facts={"before": True})
    action = Do(
        outside, raises=[refused] * 9, before=lambda: world.clock.forward(timedelta(minutes=3))
    )
    world = made(
        "  - id: a\n    uses: do.it\n    on_failure: fail\n    deadline: 5m\n"
        "    retry: {attempts: 9, delay: 1ms}\n",
        action,
    )
    assert world.run() is RunState.FAILED
    assert world.view().steps["a"].units[None].attempt <= 3
