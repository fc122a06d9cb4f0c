"""Nights made up by dice: power goes, contact is lost, clocks jump, people answer truthfully."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dr.engine.core.errors import LostContactError, RetryableError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import POINTS, PowerCut, armed
from dr.engine.core.states import RunState
from dr.engine.core.view import fold
from dr.engine.journal.memory import MemoryJournal
from tests.faults.test_power_cuts import (
    ELSEWHERE,
    REPEATABLE,
    WANTED,
    Cut,
    _name,
    is_whole,
    truthful,
    world_with,
)
from tests.made_up_world import Do, Outside

CAREFUL = WANTED - REPEATABLE - {"one/engine"}
"""What stands at the end: each careful effect but that of the rung that was left."""

PLACES = [*(p for p in POINTS if p not in ELSEWHERE), "outside-after-effect"]


class Night(RuleBasedStateMachine):
    """One run, and everything that may happen to it."""

    @initialize()
    def begins(self) -> None:
        self.world = world_with(Outside())
        self.over = False

    @property
    def acting(self) -> Do:
        found = self.world.actions.get("do.it")
        assert isinstance(found, Do)
        return found

    @rule(point=st.sampled_from(PLACES), visit=st.integers(1, 40))
    def the_power_goes(self, point: str, visit: int) -> None:
        if not self.over:
            with armed(Cut(point, visit)):
                self._live()

    @rule(before=st.booleans(), calls=st.integers(0, 3))
    def contact_will_be_lost(self, before: bool, calls: int) -> None:
        lost = LostContactError("the line went dead", facts={"before": True} if before else {})
        self.acting._raises += [*[None] * calls, lost]

    @rule()
    def a_connection_will_be_refused(self) -> None:
        refused = RetryableError("refused", reason="unreachable")
        refused.facts = {"before": True}
        self.acting._raises.append(refused)

    @rule(minutes=st.integers(1, 2000))
    def the_clock_is_set_back(self, minutes: int) -> None:
        self.world.clock.set_back(timedelta(minutes=minutes))

    @rule()
    def an_operator_pauses_and_goes_on(self) -> None:
        if not self.over:
            for kind in (Kind.OP_PAUSE, Kind.OP_CONTINUE):
                self.world.journal.append(self.world.record.id, [Draft(kind, data={"by": "cai"})])

    @invariant()
    def nothing_careful_happened_twice(self) -> None:
        assert max(self.standing().values(), default=0) <= 1

    @invariant()
    def the_journal_is_whole_and_tells_one_story(self) -> None:
        run = self.world.record.id
        events = self.world.journal.events(run)
        assert is_whole(events)
        assert fold(run, events) == fold(run, events[: len(events) // 2]).apply_all(
            events[len(events) // 2 :]
        )

    def standing(self) -> dict[str, int]:
        """Return how often each careful effect stands; below 0 it was taken back twice."""
        outside = self.world.outside
        counts = {_name(key): n - outside.undone[key] for key, n in outside.effects.items()}
        return {name: n for name, n in counts.items() if name not in REPEATABLE}

    def teardown(self) -> None:
        """Whatever happened: the run is brought to its end, and everything happened."""
        if not hasattr(self, "world"):
            return
        if not self.over:
            self._live()
        assert self.over
        assert {name for name, count in self.standing().items() if count > 0} == CAREFUL
        self.nothing_careful_happened_twice()
        self.the_journal_is_whole_and_tells_one_story()

    def _live(self) -> None:
        try:
            state = self.world.run_answering(truthful(self.world))
        except PowerCut:
            self.world.die()
            self.world.journal = MemoryJournal(self.world.clock, self.world.journal.disk)
            return
        assert state is RunState.SUCCEEDED, self.world.view().because
        self.over = True


TestNights = Night.TestCase
TestNights.settings = settings(max_examples=50, stateful_step_count=8, deadline=None)
