"""An engine that was frozen between its intent and its act finds out that it lost the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dr.engine.core.errors import JournalBusyError, RefusedError
from dr.engine.core.faults import armed
from dr.engine.core.ports import Lease
from dr.engine.core.states import RunState
from dr.engine.journal.memory import MemoryJournal
from dr.engine.runtime import recorder as recording
from dr.engine.runtime.executor import Executor
from dr.engine.runtime.recorder import StoppedError
from tests.made_up_world import Do, MadeUpWorld, Outside

ONE = """
format: 1
name: one
on_failure: fail
steps:
  - {id: act, uses: do.it, effect: once, undo: {uses: do.it}}
  - {id: bad, uses: do.it, effect: once}
"""


class Clock:
    """Seconds since boot, as the test says; they go on while the engine is frozen."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def boot(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(recording, "boot_s", clock)
    return clock


def freeze(point: str, boot: Clock, meanwhile: Callable[[], None]) -> Callable[[str], None]:
    """Return a hook that freezes the engine for a minute at the first passage of ``point``."""
    done: list[str] = []

    def hook(passed: str) -> None:
        if passed == point and not done:
            done.append(passed)
            meanwhile()
            boot.now_s += 60

    return hook


def taken_over(world: MadeUpWorld) -> None:
    """Let another engine take the run, as after the lease has lapsed."""
    world.journal.disk.held_by.clear()
    MemoryJournal(world.clock, world.journal.disk).acquire(world.record.id, "another")


def test_it_acts_no_more_once_another_has_taken_the_run(boot: Clock) -> None:
    world = MadeUpWorld(ONE)
    with (
        armed(freeze("before-perform", boot, lambda: taken_over(world))),
        pytest.raises(StoppedError, match="its epoch is 1, the newest is 2"),
    ):
        world.run()
    assert world.outside.effects == {}


def test_it_acts_when_nobody_has(boot: Clock) -> None:
    world = MadeUpWorld(ONE)
    with armed(freeze("before-perform", boot, lambda: None)):
        assert world.run() is RunState.SUCCEEDED
    assert sum(world.outside.effects.values()) == 2


def test_it_does_not_act_when_nobody_can_tell(boot: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    world = MadeUpWorld(ONE)

    def away(_lease: Lease) -> None:
        raise JournalBusyError("the journal is away")

    def cut_off() -> None:
        monkeypatch.setattr(world.journal, "renew", away)

    with (
        armed(freeze("before-perform", boot, cut_off)),
        pytest.raises(StoppedError, match="the journal is away"),
    ):
        world.run()
    assert world.outside.effects == {}


def test_a_journal_that_is_away_for_a_moment_costs_no_engine_its_run(
    boot: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor: Executor = MadeUpWorld(ONE).engine()
    recorder = executor.context.recorder

    def away(_lease: Lease) -> None:
        raise JournalBusyError("the journal is away")

    monkeypatch.setattr(recorder._journal, "renew", away)
    boot.now_s += 2 * recorder.renew_s
    recorder.renew()
    assert recorder.broken is None
    recorder.require_lease()
    boot.now_s += 2 * recorder.renew_s
    recorder.renew()
    assert recorder.broken is not None
    executor.crew.dismiss()


UNDOES = """
format: 1
name: frozen
on_failure: undo
steps:
  - {id: one, uses: do.it}
  - {id: two, uses: do.bad}
"""


def test_it_takes_nothing_back_once_another_has_taken_the_run(boot: Clock) -> None:
    outside = Outside()
    refuses = RefusedError("no", facts={"before": True})
    world = MadeUpWorld(UNDOES, Do(outside), Do(outside, "do.bad", raises=[refuses]))
    with (
        armed(freeze("before-undo", boot, lambda: taken_over(world))),
        pytest.raises(StoppedError, match="its epoch is 1, the newest is 2"),
    ):
        world.run()
    assert sum(outside.effects.values()) == 1
    assert outside.undone == {}
