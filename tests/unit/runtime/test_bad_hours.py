"""What must not go wrong when several things do at once: people, crashes, rungs and undo."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from dr.engine.core.errors import (
    FailedError,
    LostContactError,
    RefusedError,
    RetryableError,
)
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.faults import PowerCut, armed
from dr.engine.core.ports import (
    Attached,
    Attempt,
    Forecast,
    Found,
    Lease,
    Outcome,
    Presence,
    Probe,
    World,
)
from dr.engine.core.questions import Answer, Question
from dr.engine.core.states import RunState, StepState
from dr.engine.core.values import UNKNOWN
from dr.engine.journal.memory import MemoryJournal
from dr.engine.runtime.recorder import StoppedError
from tests.made_up_world import Do, MadeUpWorld, Outside

_S = StepState
RUN = "R-20261101-abcde"


def made(steps: str, outside: Outside, *actions: Do, **more: Any) -> MadeUpWorld:
    own = [] if any(a.spec.name == "do.it" for a in actions) else [Do(outside)]
    world = MadeUpWorld(f"format: 1\nname: made-up\nsteps:\n{steps}", *own, *actions, **more)
    world.outside = outside
    return world


def states(world: MadeUpWorld) -> dict[str, StepState]:
    return {s.id: s.state for s in world.view().steps.values()}


def refused() -> RefusedError:
    return RefusedError("no", facts={"before": True})


def wait_for(event: threading.Event) -> None:
    assert event.wait(5)


def kinds(world: MadeUpWorld) -> list[str]:
    return [q.question.kind for q in world.view().questions.values()]


# -- effects that a rung leaves behind

TWO_RUNGS = """
  - id: database
    try:
      - name: first
        steps:
          - {id: one, uses: do.first, effect: EFFECT MORE}
          - {id: two, uses: do.second, effect: once}
      - name: second
        steps:
          - {id: three, uses: do.third, effect: once}
"""


def rungs(
    outside: Outside, first: Do, *, effect: str = "once", more: str = "", second: Do | None = None
) -> MadeUpWorld:
    return made(
        TWO_RUNGS.replace("EFFECT", effect).replace("MORE", more),
        outside,
        first,
        second or Do(outside, "do.second", raises=[refused()]),
        Do(outside, "do.third"),
    )


def test_an_effect_found_after_a_crash_is_taken_back_with_its_rung() -> None:
    outside = Outside()
    first = Do(outside, "do.first", attaches=False, raises=[LostContactError("lost")])
    world = rungs(outside, first)
    assert world.run() is RunState.SUCCEEDED
    assert f"{RUN}/one/engine" not in outside.present
    assert states(world)["one"] is _S.UNDONE


def test_the_next_rung_waits_for_a_person_when_a_doubt_was_declared_a_failure() -> None:
    outside = Outside()
    first = Do(outside, "do.first", raises=[LostContactError("lost")])
    world = rungs(outside, first, more=", in_doubt: fail")
    assert world.run_answering(lambda _q: world.says("cai", "fail")) is RunState.FAILED
    assert "fallback" in kinds(world)
    assert "three" not in outside.order


def test_a_person_who_says_failed_has_not_proven_that_nothing_is_left() -> None:
    outside = Outside()
    first = Do(outside, "do.first", attaches=False, probes=False, raises=[LostContactError("lost")])
    world = rungs(outside, first)

    def answer(question: Question) -> Answer:
        return world.says("cai", "failed" if question.kind == "doubt" else "fail", reason="x")

    assert world.run_answering(answer) is RunState.FAILED
    assert "three" not in outside.order


def test_a_refused_second_attempt_does_not_hide_what_the_first_may_have_done() -> None:
    outside = Outside()
    first = Do(
        outside,
        "do.first",
        attaches=False,
        probes=False,
        raises=[LostContactError("lost"), refused()],
    )
    world = rungs(outside, first, effect="idempotent", more=", retry: {attempts: 3, delay: 1ms}")
    assert world.run_answering(lambda _q: world.says("cai", "fail")) is RunState.FAILED
    assert "three" not in outside.order


def test_an_attempt_of_a_broken_rung_never_begins_while_another_rung_runs() -> None:
    outside = Outside()
    unseen = RetryableError("busy", reason="busy", facts={"before": True})
    world = made(
        "  - id: database\n"
        "    try:\n"
        "      - name: first\n"
        "        steps:\n"
        "          - {id: slow, needs: [], uses: do.first, effect: once,"
        " retry: {attempts: 2, delay: 30s, when: [busy]}}\n"
        "          - {id: bad, needs: [], uses: do.second, effect: once}\n"
        "      - name: second\n"
        "        steps: [{id: three, uses: do.third, effect: once}]\n"
        "  - {id: wait, uses: human.task, with: {group: s, instructions: {en: x, zh: x}}}\n",
        outside,
        Do(outside, "do.first", raises=[unseen]),
        Do(outside, "do.second", raises=[refused()], before=lambda: wait_for(waits)),
        Do(outside, "do.third"),
    )
    waits = threading.Event()

    def watch() -> None:
        while not any(e.data.get("state") == "retry" for e in world.journal.events(RUN)):
            pass
        waits.set()

    threading.Thread(target=watch, daemon=True).start()
    turns = iter(range(20))

    def answer(question: Question) -> Answer | None:
        if question.kind != "task":
            return world.says("cai", "go-on")
        world.clock.forward(timedelta(minutes=1))
        return world.says("cai", "done") if next(turns, 20) > 10 else None

    assert world.run_answering(answer) is RunState.SUCCEEDED
    assert outside.order == ["three"]


def test_an_exhausted_ladder_that_is_tried_again_runs_its_steps_again() -> None:
    outside = Outside()
    world = made(
        "  - id: database\n    try:\n      - name: first\n        steps:\n"
        "          - {id: one, uses: do.first, effect: once}\n"
        "          - {id: two, uses: do.second, effect: once}\n",
        outside,
        Do(outside, "do.first"),
        Do(outside, "do.second", raises=[refused()]),
    )
    turns = iter(["retry", "fail", "fail"])
    assert world.run_answering(lambda _q: world.says("cai", next(turns))) is RunState.SUCCEEDED
    assert outside.order == ["one", "one", "two"]


def test_an_undo_is_carried_out_although_the_deadline_of_its_step_is_over() -> None:
    outside = Outside()
    second = Do(
        outside,
        "do.second",
        raises=[refused()],
        before=lambda: world.clock.forward(timedelta(hours=2)),
    )
    world = rungs(outside, Do(outside, "do.first"), more=", deadline: 1h", second=second)
    assert world.run() is RunState.SUCCEEDED
    assert states(world)["one"] is _S.UNDONE


# -- gates and authority


class Breaks(Do):
    """Its forecast breaks down."""

    def forecast(self, attempt: Attempt, world: World) -> Forecast:
        raise TypeError("a mistake in an action")


def test_nobody_can_skip_a_gate_that_could_not_be_put_to_its_people() -> None:
    outside = Outside()
    world = made(
        "  - id: choose\n    uses: gate.approve\n"
        "    with: {ask: {en: Go, zh: x}, approvers: {group: leadership}, chooses: database}\n"
        "  - id: database\n    try:\n"
        "      - {name: first, steps: [{id: one, uses: do.first, effect: once}]}\n",
        outside,
        Breaks(outside, "do.first"),
    )
    asked: list[tuple[str, ...]] = []

    def answer(question: Question) -> Answer:
        asked.append(question.verdicts)
        return world.says("cai", "skip" if len(asked) == 1 else "fail")

    assert world.run_answering(answer) is RunState.FAILED
    assert "skip" not in asked[0]
    assert outside.order == []


def test_an_operator_cannot_skip_a_gate() -> None:
    outside = Outside()
    world = made(
        "  - id: wait\n    uses: human.task\n"
        "    with: {group: s, instructions: {en: x, zh: x}}\n"
        "  - id: choose\n    uses: gate.approve\n"
        "    with: {ask: {en: Go, zh: x}, approvers: {group: leadership}}\n"
        "  - {id: act, uses: do.it, effect: irreversible}\n",
        outside,
    )

    def answer(question: Question) -> Answer:
        if question.kind == "task":
            data = {"by": "cai", "because": "hurry"}
            world.journal.append(RUN, [Draft(Kind.OP_SKIP, "choose", data=data)])
            return world.says("cai", "done")
        return world.says("ana", "reject", reason="no")

    assert world.run_answering(answer) is RunState.FAILED
    assert outside.order == []


@pytest.mark.parametrize("verdict", ["reject", "approve"])
def test_skipping_a_step_behind_a_gate_opens_no_way_around_the_gate(verdict: str) -> None:
    outside = Outside()
    world = made(
        "  - id: choose\n    uses: gate.approve\n"
        "    with: {ask: {en: Go, zh: x}, approvers: {group: leadership}}\n"
        "  - {id: between, uses: do.it}\n"
        "  - {id: act, uses: do.it, effect: irreversible}\n",
        outside,
    )
    skipped: list[list[str]] = []

    def answer(_question: Question) -> Answer | None:
        if not skipped:
            data = {"by": "cai", "because": "hurry"}
            world.journal.append(RUN, [Draft(Kind.OP_SKIP, "between", data=data)])
            skipped.append([])
            return None
        seen = world.view().steps.get("between")
        if seen is None or seen.state is not StepState.SKIPPED:
            return None
        skipped.append(list(outside.order))
        return world.says("ana", verdict, reason="as I say")

    ended = world.run_answering(answer)
    assert skipped[1] == [], "it acted before its gate was decided"
    wanted = (RunState.FAILED, []) if verdict == "reject" else (RunState.SUCCEEDED, ["act"])
    assert (ended, outside.order) == wanted


@pytest.mark.parametrize("verdict", ["reject", None])
def test_a_gate_that_was_not_approved_releases_nothing_whatever_its_policy(
    verdict: str | None,
) -> None:
    outside = Outside()
    world = made(
        "  - id: choose\n    uses: gate.approve\n    on_failure: continue\n"
        "    with: {ask: {en: Go, zh: x}, approvers: {group: leadership}, decide_within: 10m}\n"
        "  - {id: act, uses: do.it, effect: irreversible}\n",
        outside,
    )

    def answer(_question: Question) -> Answer | None:
        world.clock.forward(timedelta(minutes=5))
        return world.says("ana", verdict, reason="no") if verdict else None

    assert world.run_answering(answer) is RunState.FAILED
    assert outside.order == []


def test_going_on_past_an_effect_that_is_left_needs_the_gates_authority() -> None:
    outside = Outside()
    world = made(
        "  - id: choose\n    uses: gate.approve\n"
        "    with: {ask: {en: Go, zh: x}, approvers: {group: leadership}, chooses: database}\n"
        + TWO_RUNGS.replace("EFFECT", "once").replace("MORE", ", in_doubt: fail"),
        outside,
        Do(outside, "do.first", raises=[LostContactError("lost")]),
        Do(outside, "do.second"),
        Do(outside, "do.third"),
    )
    asked: dict[str, str] = {}

    def answer(question: Question) -> Answer:
        asked[str(question.kind)] = question.approvers
        return world.says("ana", "approve" if question.kind == "gate" else "fail", reason="x")

    world.run_answering(answer)
    assert asked["fallback"] == "leadership"


class Forecasts(Do):
    """Says another loss each time it is asked."""

    losses: Sequence[float | None] = ()

    def forecast(self, attempt: Attempt, world: World) -> Forecast:
        first, *rest = self.losses
        self.losses = rest or [first]
        loss = UNKNOWN if first is None else timedelta(seconds=first)
        return Forecast(loss=loss, p50=timedelta(seconds=1))


def test_a_fallback_that_has_come_to_lose_more_than_accepted_is_asked_about() -> None:
    outside = Outside()
    third = Forecasts(outside, "do.third")
    third.losses = [1.0, 1.0, 900.0]
    loss = Forecast(loss=timedelta(seconds=1), p50=timedelta(seconds=1))
    world = made(
        "  - id: choose\n    uses: gate.approve\n"
        "    with: {ask: {en: Go, zh: x}, approvers: {group: leadership}, chooses: database}\n"
        + TWO_RUNGS.replace("EFFECT", "once").replace("MORE", ""),
        outside,
        Do(outside, "do.first", forecast=loss),
        Do(outside, "do.second", forecast=loss, raises=[refused()]),
        third,
    )
    gates: list[str] = []

    def answer(question: Question) -> Answer:
        gates.append(question.id)
        return world.says("ana", "approve", reason="yes")

    assert world.run_answering(answer) is RunState.SUCCEEDED
    assert list(dict.fromkeys(gates)) == ["choose#1", "choose#2"]


CHOSEN = """
  - id: choose
    uses: gate.approve
    with: {ask: {en: Go, zh: x}, approvers: {group: leadership}, chooses: database}
  - id: database
    try:
      - name: only
        steps:
          - {id: one, uses: do.first, effect: once}
"""


def carried_out(*losses: float | None) -> tuple[MadeUpWorld, list[Question]]:
    """Carry out a chosen rung whose forecast is another at each look."""
    outside = Outside()
    first = Forecasts(outside, "do.first")
    first.losses = losses
    world = made(CHOSEN, outside, first)
    gates: dict[str, Question] = {}

    def answer(question: Question) -> Answer:
        gates[question.id] = question
        return world.says("ana", "approve", reason="yes")

    assert world.run_answering(answer) is RunState.SUCCEEDED
    events = world.journal.events(world.record.id)
    assert [e.kind for e in events].count(Kind.RUNG_STARTED) == 1
    return world, list(gates.values())


def test_the_chosen_rung_does_not_start_once_it_would_lose_more_than_was_accepted() -> None:
    world, gates = carried_out(60.0, 900.0)
    assert [q.max_loss_s for q in gates] == [60.0, 900.0]
    assert gates[1].asks.en == "Go (asked again: rung 'only' would lose more by now)"
    assert world.view().steps["choose"].outputs["max_loss_s"] == 900.0


def test_a_known_loss_that_nobody_knows_any_more_is_asked_about_again() -> None:
    _world, gates = carried_out(60.0, None)
    assert [q.max_loss_s for q in gates] == [60.0, None]


@pytest.mark.parametrize("losses", [(60.0, 64.9), (60.0, 0.0), (None, 900.0), (None, None)])
def test_the_chosen_rung_starts_where_it_loses_no_more_than_was_accepted(
    losses: tuple[float | None, ...],
) -> None:
    world, gates = carried_out(*losses)
    assert len(gates) == 1
    assert world.outside.order == ["one"]


def test_a_gate_asked_again_and_again_still_escalates_and_times_out() -> None:
    outside = Outside()
    world = made(
        "  - id: choose\n    uses: gate.approve\n"
        "    with:\n"
        "      ask: {en: Go, zh: x}\n"
        "      approvers: {group: leadership}\n"
        "      decide_within: 30m\n"
        "      expires: 5m\n"
        "      on_timeout: {escalate: [{group: deputies, after: 12m}], then: fail}\n",
        outside,
    )
    turns = iter(range(60))

    def wait(_question: Question) -> Answer | None:
        world.clock.forward(timedelta(minutes=1))
        return world.says("ana", "reject", reason="enough") if next(turns, 60) > 50 else None

    world.run_answering(wait)
    questions = list(world.view().questions.values())
    assert any("deputies" in q.escalated for q in questions)
    assert questions[-1].outcome == "timed_out"


# -- people who answer while the engine looks


class FoundLate(Do):
    """Cannot be seen at first; while it is looked at again a person answers."""

    def __init__(self, outside: Outside, meanwhile: Callable[[], None]) -> None:
        super().__init__(outside, attaches=False, raises=[LostContactError("lost")])
        self.looks, self.meanwhile = 0, meanwhile

    def probe(self, attempt: Attempt, world: World) -> Probe:
        self.looks += 1
        if self.looks == 1:
            return Probe(Presence.ABSENT, "not there")
        if self.looks == 2:
            return Probe(Presence.UNKNOWN, "no answer")
        self.meanwhile()
        return Probe(Presence.DONE, "there", {"value": 1})


@pytest.mark.parametrize("verdict", ["done", "failed", "not-done"])
def test_a_verdict_given_while_the_engine_looks_keeps_the_journal_readable(verdict: str) -> None:
    outside = Outside()
    answered = threading.Event()

    def meanwhile() -> None:
        asked = next(q for q in world.view().open_questions() if q.question.kind == "doubt")
        given = world.says("ana", verdict, reason="seen")
        data = {"question": asked.question.id, "answer": given.to_data()}
        draft = Draft(Kind.QUESTION_ANSWERED, asked.question.step, data=data)
        world.journal.append(RUN, [draft], open_question=asked.question.id)
        # the main loop has the time to read the answer
        before, deadline = heard(), threading.Event()
        while heard() == before and not deadline.wait(0.05):
            turns[0] += 1
            if turns[0] > 5:
                break
        answered.set()

    turns = [0]

    def heard() -> int:
        return len(world.journal.events(RUN))

    action = FoundLate(outside, meanwhile)
    world = made("  - {id: a, uses: do.it, effect: once}\n", outside, action)

    def wait(_question: Question) -> Answer | None:
        if not answered.is_set():
            world.clock.forward(timedelta(seconds=5))
            return None
        return world.says("cai", "fail")

    world.run_answering(wait)
    assert world.view().state.ended


def test_an_answer_to_a_doubt_that_was_settled_meanwhile_changes_nothing() -> None:
    outside = Outside()
    action = Do(outside, attaches=False, probes=False, raises=[LostContactError("lost")])
    world = made("  - {id: a, uses: do.it, effect: once}\n", outside, action)
    engine = world.engine()
    engine._recover()
    while not world.view().open_questions():
        engine.crew.take_turn(engine._listen())
    question = world.view().open_questions()[0].question
    data = {"state": "succeeded", "outputs": {}, "facts": {}}
    engine.context.recorder.write(Draft(Kind.FINISHED, "a", None, 1, data))
    said = {"question": question.id, "answer": world.says("ana", "failed").to_data()}
    world.journal.append(
        RUN, [Draft(Kind.QUESTION_ANSWERED, "a", data=said)], open_question=question.id
    )
    assert engine.run() is RunState.SUCCEEDED
    assert world.view().steps["a"].state is _S.SUCCEEDED


def test_what_cannot_be_true_is_refused_before_it_is_written() -> None:
    world = made("  - {id: a, uses: do.it, effect: once}\n", Outside())
    assert world.run() is RunState.SUCCEEDED
    engine = world.engine()
    before = len(world.journal.events(RUN))
    with pytest.raises(AssertionError):
        engine.context.recorder.write(Draft(Kind.LOST, "a", None, 1, {"message": "late"}))
    engine.context.recorder.release()
    assert len(world.journal.events(RUN)) == before


def test_skipping_another_step_does_not_take_a_rejection_back() -> None:
    outside = Outside()
    world = made(
        "  - {id: lost, needs: [], uses: do.lost, effect: once}\n"
        "  - id: choose\n    needs: []\n    uses: gate.approve\n"
        "    with: {ask: {en: Go, zh: x}, approvers: {group: leadership}}\n"
        "  - {id: other, uses: do.it}\n"
        "  - {id: act, uses: do.it}\n",
        outside,
        Do(outside, "do.lost", attaches=False, probes=False, raises=[LostContactError("lost")]),
    )
    skipped: list[int] = []

    def answer(question: Question) -> Answer | None:
        gate = next((q for q in world.view().questions_of("choose")), None)
        if question.kind == "gate":
            return world.says("ana", "reject", reason="no")
        if gate is None or not gate.outcome:
            return None
        skipped.append(1)
        if len(skipped) == 1:
            data = {"by": "cai", "because": "not wanted"}
            world.journal.append(RUN, [Draft(Kind.OP_SKIP, "other", data=data)])
        return world.says("cai", "done") if len(skipped) > 30 else None

    stop = threading.Timer(20, lambda: engine.context.recorder.stop(StoppedError("hangs")))
    engine = world.engine()
    stop.daemon = True
    stop.start()
    people = threading.Thread(
        target=world._answer_all, args=(answer, threading.Event()), daemon=True
    )
    people.start()
    assert engine.run() is RunState.FAILED
    stop.cancel()


# -- drills, secrets, journals


def test_a_drill_that_simulates_a_ladder_acts_on_none_of_its_steps() -> None:
    outside = Outside()
    world = made(
        "  - id: database\n    drill: simulate\n    try:\n"
        "      - {name: first, steps: [{id: one, uses: do.first, effect: once}]}\n",
        outside,
        Do(outside, "do.first"),
        mode="drill",
    )
    assert world.run() is RunState.SUCCEEDED
    assert outside.order == []


def test_a_secret_output_never_reaches_the_journal_through_a_later_input() -> None:
    outside = Outside()
    token = Do(outside, "do.token", outputs={"value": "open-sesame"})
    use = Do(outside, "do.use")
    world = made(
        "  - {id: a, uses: do.token, outputs: {token: {from: value, secret: true}}}\n"
        "  - id: b\n    uses: do.use\n"
        "    with: {y: 'is ${{ steps.a.outputs.token }}'}\n",
        outside,
        token,
        use,
    )
    assert world.run() is RunState.SUCCEEDED
    assert "open-sesame" in str(use.seen_inputs[0]["y"])
    assert "open-sesame" not in str(world.journal.events(RUN))


@pytest.mark.parametrize("effect", ["idempotent", "once"])
def test_what_a_command_said_before_it_failed_is_not_kept_where_an_output_is_secret(
    effect: str,
) -> None:
    outside = Outside()
    facts = {"exit_code": 3, "stdout": "one\nopen-sesame", "stderr": "it broke"}
    error = FailedError("it ended with exit code 3: open-sesame", facts=facts)
    token = Do(outside, "do.token", raises=[error], probes=False)
    world = made(
        f"  - {{id: a, uses: do.token, effect: {effect}, on_failure: fail, in_doubt: fail,"
        " outputs: {token: {from: value, secret: true}}}\n",
        outside,
        token,
    )
    assert world.run() is RunState.FAILED
    text = str(world.journal.events(RUN))
    assert "open-sesame" not in text
    assert "it broke" not in text
    assert "it ended with exit code 3: ***" in text


class Breaking(MemoryJournal):
    """Breaks in a way that nobody foresaw when the result of ``a`` is written."""

    def append(
        self,
        run: str,
        drafts: Sequence[Draft],
        *,
        lease: Lease | None = None,
        open_question: str | None = None,
        after: int | None = None,
    ) -> list[Event]:
        written = super().append(run, drafts, lease=lease, open_question=open_question, after=after)
        if any(d.kind is Kind.FINISHED for d in drafts):
            raise OSError("input/output error")
        return written


def test_an_engine_whose_journal_breaks_in_an_unforeseen_way_writes_no_more() -> None:
    outside = Outside()
    world = made("  - {id: a, uses: do.it, effect: once}\n", outside)
    old = world.journal
    world.journal = Breaking(world.clock)
    world.journal.create(world.record, [Draft(Kind.RUN_CREATED, data={"runbook": "made-up"})])
    with pytest.raises(StoppedError):
        world.run()
    assert world.journal.events(RUN)[-1].kind is Kind.FINISHED
    assert old is not world.journal


def test_an_interrupted_undo_that_may_still_run_is_not_begun_again() -> None:
    outside = Outside()
    handles: list[Mapping[str, Any] | None] = []

    class Back(Do):
        def attach(self, attempt: Attempt, world: World) -> Any:
            handles.append(attempt.handle)
            return super().attach(attempt, world)

    source = (
        "  - {id: a, uses: do.it, effect: once, undo: {uses: do.back, effect: once}}\n"
        "  - {id: c, uses: do.break, effect: once, on_failure: undo}\n"
    )
    back = Back(outside, "do.back")
    world = made(source, outside, Do(outside), back, Do(outside, "do.break", raises=[refused()]))

    def cut(point: str) -> None:
        if point == "after-undo":
            raise PowerCut

    with armed(cut), pytest.raises(PowerCut):
        world.run()
    world.die()
    assert world.run() is RunState.FAILED
    assert handles == [{"job": f"{RUN}/a.undo/engine"}]
    assert outside.effects[f"{RUN}/a.undo/engine"] == 1


def test_a_careful_step_declared_rerun_is_not_begun_beside_one_that_still_runs() -> None:
    outside = Outside()

    class Silent(Do):
        looks = 0

        def attach(self, attempt: Attempt, world: World) -> Attached:
            self.looks += 1
            if self.looks == 1:
                return Attached(Found.UNKNOWN, "the host is silent")
            return Attached(Found.ENDED, "it ended", Outcome({"value": 1}))

    action = Silent(outside, raises=[LostContactError("lost")])
    world = made("  - {id: a, uses: do.it, effect: idempotent, in_doubt: rerun}\n", outside, action)

    def wait(_question: Question) -> None:
        world.clock.forward(timedelta(seconds=5))

    assert world.run_answering(wait) is RunState.SUCCEEDED
    assert outside.effects == {f"{RUN}/a/engine": 1}


def test_time_goes_on_when_the_clock_is_set_back() -> None:
    outside = Outside()
    busy = RetryableError("busy", reason="busy", facts={"before": True})
    world = made(
        "  - {id: a, uses: do.it, effect: once, retry: {attempts: 2, delay: 1s, when: [busy]}}\n",
        outside,
        Do(outside, raises=[busy], before=lambda: None),
    )
    engine = world.engine()
    before = engine.context.now()
    world.clock.set_back(timedelta(days=1))
    world.clock.forward(timedelta(seconds=5))
    assert engine.context.now() >= before + timedelta(seconds=5)


def test_the_report_is_written_while_in_doubt_and_again_at_the_true_end() -> None:
    outside = Outside()
    action = Do(outside, attaches=False, probes=False, raises=[LostContactError("lost")])
    report = Do(outside, "do.report", probes=False)
    body = (
        "  - {id: a, uses: do.it, effect: once}\n"
        "finally:\n"
        "  - {id: report, uses: do.report, effect: idempotent, "
        'with: {early: "${{ run.provisional }}"}}\n'
    )
    world = made(body, outside, action, report)

    def after_the_first_report(_question: Question) -> Answer | None:
        return world.says("ana", "done") if report.seen_inputs else None

    assert world.run_answering(after_the_first_report) is RunState.SUCCEEDED
    assert [given["early"] for given in report.seen_inputs] == [True, False]
