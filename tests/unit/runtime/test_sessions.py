"""A step that waits for the branches: its clock, its rule, and what it holds meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dr.engine.core.errors import LockHeldError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.reconciliation import Found
from dr.engine.core.states import RunState, StepState
from dr.engine.core.view import RunView
from dr.engine.journal.projection import ReleaseLocks, changes
from tests.deadline import wait_for
from tests.made_up_world import MadeUpWorld

STEPS = """\
format: 1
name: made-up
steps:
  - {id: mend, uses: do.it, phase: recover}
  - id: sign
    uses: reconcile.close
    phase: return
    effect: idempotent
    with:
      service: registry
      compared: {a: {result: {evidence: aa, entries: 3, cases: []}}, b: {}}
      close_when: {signed_off: 100%, waivable: 50%}
      waiver: {group: leadership}
      due: 2h
      remind: 1h
      escalate: [{group: leadership, after: 5h}]
"""


class Scene:
    """An engine at work beside the test."""

    def __init__(self, source: str = STEPS, locks: tuple[str, ...] = ()) -> None:
        self.world = MadeUpWorld(source, locks=locks)
        self.ended: list[RunState] = []

    @property
    def view(self) -> RunView:
        return self.world.view()

    def kinds(self) -> list[Kind]:
        return [event.kind for event in self.world.journal.events(self.world.record.id)]

    def say(self, kind: Kind, **data: Any) -> None:
        self.world.journal.append(self.world.record.id, [Draft(kind, "sign", data=data)])

    def sign(self, branch: str) -> None:
        session = self.view.session
        assert session is not None
        digest = session.digest_of(session.branches[branch])
        self.say(Kind.RECONCILE_SIGNED, branch=branch, digest=digest, by="ana", means="signature")

    def compare(self, branch: str, *found: Found) -> None:
        cases = [each.to_data() for each in found]
        self.say(Kind.RECONCILE_COMPARED, branch=branch, evidence="bb", entries=1, cases=cases)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        engine = self.world.engine()
        thread = threading.Thread(target=lambda: self.ended.append(engine.run()))
        thread.start()
        try:
            wait_for(lambda: self.view.session is not None, what="the session is open")
            yield
        finally:
            if not self.ended:
                self.say(Kind.OP_ABORT, by="test", because="the test is over")
            thread.join(10)

    def wait(self, kind: Kind, times: int = 1) -> None:
        wait_for(lambda: self.kinds().count(kind) >= times, what=f"{kind} {times} times")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_run_is_recovered_long_before_it_is_closed(scene: Scene) -> None:
    with scene.at_work():
        scene.wait(Kind.RUN_RECOVERED)
        scene.world.clock.forward(timedelta(hours=1))
        scene.compare("b")
        scene.sign("a")
        scene.sign("b")
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    moments = scene.view.moments
    assert scene.ended == [RunState.SUCCEEDED]
    assert moments.recovered is not None
    assert moments.closed is not None
    assert moments.closed - moments.recovered > timedelta(minutes=59)
    assert scene.view.steps["sign"].outputs["how"] == "signed_off"


def test_what_was_compared_before_the_session_is_in_it_from_its_first_moment(scene: Scene) -> None:
    with scene.at_work():
        session = scene.view.session
        assert session is not None
        assert session.branches["a"].entries == 3
        assert session.branches["b"].compared is None


def test_branches_that_are_late_are_named_again_and_again(scene: Scene) -> None:
    with scene.at_work():
        scene.world.clock.forward(timedelta(hours=2, minutes=1))
        scene.wait(Kind.RECONCILE_REMINDED)
        scene.world.clock.forward(timedelta(hours=1, minutes=1))
        scene.wait(Kind.RECONCILE_REMINDED, 2)
        session = scene.view.session
        assert session is not None
        assert session.branches["b"].reminded == 2
        assert session.branches["a"].reminded == 0, "it has handed in"


def test_nobody_is_reminded_before_the_time_is_over(scene: Scene) -> None:
    with scene.at_work():
        scene.world.clock.forward(timedelta(hours=1))
        scene.sign("a")
        scene.say(Kind.RECONCILE_WAIVED, branches=["b"], by="ana")
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    assert Kind.RECONCILE_REMINDED not in scene.kinds()


def test_leadership_is_asked_too_once_its_time_has_come(scene: Scene) -> None:
    with scene.at_work():
        scene.world.clock.forward(timedelta(hours=5, minutes=1))
        scene.wait(Kind.QUESTION_ESCALATED)


def test_a_waiver_closes_it_and_the_step_says_so(scene: Scene) -> None:
    with scene.at_work():
        scene.sign("a")
        scene.say(Kind.RECONCILE_WAIVED, branches=["b"], by="ana", reason="no office any more")
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    assert scene.view.steps["sign"].outputs["how"] == "waived"


def test_a_session_that_a_person_closed_ends_the_step_once(scene: Scene) -> None:
    with scene.at_work():
        scene.say(Kind.RECONCILE_CLOSED, how="waived", by="ana")
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    assert scene.kinds().count(Kind.RECONCILE_CLOSED) == 1
    assert scene.view.steps["sign"].state is StepState.SUCCEEDED


def test_an_engine_that_comes_later_goes_on_with_the_session_it_finds(scene: Scene) -> None:
    with scene.at_work():
        scene.wait(Kind.RECONCILE_OPENED)
        scene.compare("b")
    assert scene.view.state is RunState.ABORTED
    assert scene.view.session is not None
    assert scene.view.session.branches["b"].compared is not None
    assert scene.kinds().count(Kind.RECONCILE_OPENED) == 1


def test_the_locks_are_free_while_only_branches_are_awaited(scene: Scene) -> None:
    with scene.at_work():
        events = scene.world.journal.events(scene.world.record.id)
    (opened,) = [event for event in events if event.kind is Kind.RECONCILE_OPENED]
    assert ReleaseLocks() in changes(opened, "running")


def test_the_locks_stay_while_another_step_may_still_act() -> None:
    beside = "  - {id: later, uses: human.task, with: {group: leadership}, needs: []}\n"
    scene = Scene(
        STEPS.replace("    phase: return\n", "    phase: return\n    needs: [mend]\n") + beside
    )
    with scene.at_work():
        events = scene.world.journal.events(scene.world.record.id)
    (opened,) = [event for event in events if event.kind is Kind.RECONCILE_OPENED]
    assert changes(opened, "running") == ()


def test_another_run_may_come_while_branches_are_awaited_and_the_first_lets_it_end() -> None:
    behind = "  - {id: release, uses: do.it, needs: [sign]}\n"
    scene = Scene(STEPS + behind, locks=("registry",))
    other = replace(scene.world.record, id="R-20261101-other")
    with scene.at_work():
        scene.world.journal.create(other, [Draft(Kind.RUN_CREATED)])
        scene.compare("b")
        scene.sign("a")
        scene.sign("b")
        scene.world.clock.forward(timedelta(minutes=1))
        with pytest.raises(LockHeldError):
            scene.world.journal.create(replace(other, id="R-3"), [Draft(Kind.RUN_CREATED)])
        assert Kind.RECONCILE_CLOSED not in scene.kinds(), (
            "it acts on the service with its lock only"
        )
        scene.world.journal.append(other.id, [Draft(Kind.RUN_ENDED, data={"state": "succeeded"})])
        scene.world.clock.forward(timedelta(minutes=1))
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    assert scene.ended == [RunState.SUCCEEDED]
    assert scene.world.outside.order == ["mend", "release"]
