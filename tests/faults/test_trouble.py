"""Cut the power while a run in trouble is seen to: at each point, on each passage."""

from __future__ import annotations

import pytest

from dr.engine.core.events import Kind
from dr.engine.core.faults import PowerCut, armed
from dr.engine.core.states import RunState
from dr.engine.journal.memory import MemoryJournal
from tests.faults.test_power_cuts import Cut, is_whole
from tests.made_up_world import MadeUpWorld
from tests.unit.runtime.test_aborting import aborting, events, hanging


def revived(world: MadeUpWorld) -> None:
    """Let the engine's process be gone and its journal be read anew."""
    world.die()
    world.journal = MemoryJournal(world.clock, world.journal.disk)


@pytest.mark.parametrize("point", ["before-stop", "after-stop"])
def test_a_job_is_ended_whenever_the_power_goes_while_it_is_ended(point: str) -> None:
    world, cut = hanging("idempotent"), Cut(point, 1)
    with armed(cut), pytest.raises(PowerCut):
        aborting(world)
    assert cut.happened
    revived(world)
    assert world.run() is RunState.ABORTED
    assert world.outside.running == set()
    assert sum(world.outside.effects.values()) == 2, "the job and the report, each once"
    assert [e.data["outcome"] for e in events(world, Kind.STOPPED)] == ["ended"]
    assert is_whole(world.journal.events(world.record.id))
