"""Cut the power at every passage of a reconciliation: it opens once, closes once, loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest

from dr.engine.core.errors import DrError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import PowerCut, armed
from dr.engine.core.reconciliation import BranchState
from dr.engine.core.states import RunState
from dr.engine.journal.memory import MemoryJournal
from tests.faults.test_power_cuts import Cut, is_whole
from tests.made_up_world import MadeUpWorld

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
def branches(world: MadeUpWorld) -> Iterator[None]:
    """Let b hand in, and both sign as soon as they may; the clock passes what is due."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.002):
            view = world.view()
            session = view.session
            if session is None or session.closed is not None:
                continue
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
                    break

    person = threading.Thread(target=work, daemon=True)
    person.start()
    try:
        yield
    finally:
        stop.set()
        person.join(5)


@pytest.mark.parametrize("point", PLACES)
def test_a_session_opens_once_and_closes_once_whenever_the_power_goes(point: str) -> None:
    for visit in range(1, 80):
        world = MadeUpWorld(SOURCE, locks=("registry",))
        cut = Cut(point, visit)
        with branches(world):
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
