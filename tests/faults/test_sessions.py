"""Cut the power at every passage of a reconciliation: it opens once, closes once, loses nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from dr.engine.core.errors import DrError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import PowerCut, armed, passage
from dr.engine.core.ports import Attempt, Outcome, World
from dr.engine.core.reconciliation import BranchState
from dr.engine.core.states import RunState
from dr.engine.journal.memory import MemoryJournal
from tests.faults.test_power_cuts import Cut, is_whole
from tests.made_up_world import Do, MadeUpWorld, Outside

SOURCE = """
format: 1
name: made-up
locks: [registry]
steps:
  - {id: mend, uses: do.it, phase: recover}
  - id: sign
    uses: reconcile.close
    effect: idempotent
    with:
      service: registry
      compared: {a: {result: {evidence: aa, entries: 3, cases: []}}, b: {}}
      due: 1h
      waiver: {group: leadership}
  - {id: release, uses: do.it}
finally:
  - {id: report, uses: do.it, effect: idempotent}
"""
PLACES = ["before-question", "after-question", "before-decision", "after-decision",
          "before-append", "after-append", "before-perform", "after-perform"]  # fmt: skip


@contextmanager
def beside(world: MadeUpWorld, work: Callable[[MadeUpWorld], None]) -> Iterator[None]:
    """Do ``work`` again and again beside the engine."""
    stop = threading.Event()

    def again() -> None:
        while not stop.wait(0.002):
            work(world)

    person = threading.Thread(target=again, daemon=True)
    person.start()
    try:
        yield
    finally:
        stop.set()
        person.join(5)


def go_on(world: MadeUpWorld) -> None:
    """Let b hand in, and both sign as soon as they may; the clock passes what is due."""
    view = world.view()
    session = view.session
    if session is None or session.closed is not None:
        return
    for name, branch in session.branches.items():
        draft = None
        if branch.compared is None:
            world.clock.forward(timedelta(hours=2))
            data = {"branch": name, "evidence": "bb", "entries": 1, "cases": []}
            draft = Draft(Kind.RECONCILE_COMPARED, "sign", data=data)
        elif session.state_of(branch, world.clock.now()) is BranchState.CLEAN:
            data = {
                "branch": name,
                "digest": session.digest_of(branch),
                "by": "ana",
                "means": "signature",
            }
            draft = Draft(Kind.RECONCILE_SIGNED, "sign", data=data)
        if draft is not None:
            # others may be faster, or the power goes: they type it again
            with suppress(DrError, PowerCut):
                world.journal.append(world.record.id, [draft], after=view.seq)
            return


@pytest.mark.parametrize("point", PLACES)
def test_a_session_opens_once_and_closes_once_whenever_the_power_goes(point: str) -> None:
    for visit in range(1, 80):
        world = MadeUpWorld(SOURCE, locks=("registry",))
        cut = Cut(point, visit)
        with beside(world, go_on):
            with armed(cut):
                try:
                    state = world.run()
                except PowerCut:
                    world.die()
                    world.journal = MemoryJournal(world.clock, world.journal.disk)
                    state = RunState.RUNNING
            if state is RunState.RUNNING and not world.view().state.ended:
                state = world.run()
        kinds = [event.kind for event in world.journal.events(world.record.id)]
        where = (point, visit)
        assert kinds.count(Kind.RECONCILE_OPENED) == 1, where
        assert kinds.count(Kind.RECONCILE_CLOSED) == 1, where
        assert kinds.count(Kind.RUN_CLOSED) == 1, where
        assert world.view().state is RunState.SUCCEEDED, where
        done = {key.split("/")[1]: count for key, count in world.outside.effects.items()}
        assert {**done, "report": 1} == {"mend": 1, "release": 1, "report": 1}, where
        assert is_whole(world.journal.events(world.record.id)), where
        if not cut.happened:
            assert visit > 1, f"nothing ever passes {point}"
            return


class Mail(Do):
    """``notify.send`` that counts what it delivered to whom, whatever the engine remembers."""

    def __init__(self) -> None:
        super().__init__(Outside(), "notify.send")
        self.delivered: Counter[str] = Counter()

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        passage("outside-before-letter")
        self.delivered.update(attempt.input["to"])
        passage("outside-after-letter")
        return Outcome()


def hand_in_once_reminded(world: MadeUpWorld) -> None:
    """Let the clock pass what is due; hand in when the letters are out or their engine is gone."""
    events = world.journal.events(world.record.id)
    reminded = [event.seq for event in events if event.kind is Kind.RECONCILE_REMINDED]
    lease = max((event.seq for event in events if event.kind is Kind.RUN_LEASE), default=0)
    if not reminded:
        world.clock.forward(timedelta(minutes=30))
    elif len(reminded) > 1 or lease > reminded[0]:
        go_on(world)


@pytest.mark.parametrize(
    "point", ["before-append", "after-append", "outside-before-letter", "outside-after-letter"]
)
def test_nobody_gets_a_reminder_twice_whenever_the_power_goes(point: str) -> None:
    inventory = {"branches": {"b": {"group": "leadership"}}}
    for visit in range(1, 80):
        mail = Mail()
        world = MadeUpWorld(SOURCE, mail, locks=("registry",))
        world.record = replace(world.record, inventory={**world.record.inventory, **inventory})
        cut = Cut(point, visit)
        with beside(world, hand_in_once_reminded):
            with armed(cut), suppress(PowerCut):
                world.run()
            if not world.view().state.ended:
                world.die()
                world.journal = MemoryJournal(world.clock, world.journal.disk)
                world.run()
        where = (point, visit)
        assert world.view().state is RunState.SUCCEEDED, where
        events = world.journal.events(world.record.id)
        reminded = [event.data for event in events if event.kind is Kind.RECONCILE_REMINDED]
        assert [data.get("people") for data in reminded if data["branches"]] == [["ana", "bo"]]
        assert set(mail.delivered.values()) <= {1}, where
        if not cut.happened:
            assert visit > 1, f"nothing ever passes {point}"
            assert mail.delivered.keys() == {"ana", "bo"}, where
            return
