"""Cut the power at every point on every passage, resume, and count the effects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dr.engine.core.canonical import GENESIS
from dr.engine.core.errors import HeldError, RefusedError
from dr.engine.core.events import Event, row_hash
from dr.engine.core.faults import POINTS, PowerCut, armed
from dr.engine.core.questions import Answer, Question
from dr.engine.core.states import RunState
from dr.engine.journal.memory import MemoryJournal
from tests.made_up_world import Do, MadeUpWorld, Outside

EVERYTHING = """
format: 1
name: everything
steps:
  - {id: look, uses: do.look, effect: read, needs: []}
  - {id: safe, uses: do.it, effect: idempotent}
  - {id: single, uses: do.it, effect: once}
  - id: choose
    uses: gate.approve
    with: { ask: { en: Go?, zh: 执行吗 }, approvers: { group: leadership }, chooses: ladder }
  - {id: point, uses: do.it, effect: irreversible}
  - id: ladder
    try:
      - name: first
        steps:
          - {id: one, uses: do.it, effect: once}
          - {id: two, uses: do.bad, effect: once}
      - name: second
        steps:
          - {id: three, uses: do.it, effect: once}
  - id: fan
    uses: do.it
    hosts: web
    effect: once
    strategy: { batches: [1, "100%"] }
  - {id: person, uses: human.task, with: { group: support, instructions: { en: x, zh: x } }}
finally:
  - {id: report, uses: do.it, effect: idempotent}
"""

VISITS = range(1, 200)
ONLY_IN_DOUBT = {"before-attach", "after-attach"}
ELSEWHERE = {
    "before-migration", "within-migration", "after-migration",  # tests/migration
    "before-report", "after-report",  # test_reports.py
    "before-amend", "after-amend",  # test_amendments.py
    "before-send",  # tests/acceptance/test_two_engines.py: only a real host is sent anything
    "before-stop", "after-stop",  # test_trouble.py
    "before-undo-look", "before-undone", "after-undone",  # test_trouble.py
}  # fmt: skip
"""Points that no run in the made-up world passes, and where the power is cut at them."""


class Cut:
    """Cuts the power on the ``visit``-th passage of ``point``."""

    def __init__(self, point: str, visit: int) -> None:
        self._point, self._left, self.happened = point, visit, False

    def __call__(self, passed: str) -> None:
        if passed == self._point and not self.happened:
            self._left -= 1
            if self._left == 0:
                self.happened = True
                raise PowerCut(passed)


def world_with(outside: Outside, *, lies: bool = False) -> MadeUpWorld:
    refusals = [RefusedError("no", facts={"before": True})] * 50
    made = MadeUpWorld(
        EVERYTHING,
        Do(outside, "do.look", attaches=False, probes=False),
        Do(outside, "do.bad", raises=refusals),
        Do(outside, "do.it", lies=lies),
    )
    made.outside = outside
    return made


def truthful(world: MadeUpWorld) -> Callable[[Question], Answer | None]:
    """Answer as a person who looks: approve, and say of a doubt what is true outside."""

    def answer(question: Question) -> Answer | None:
        if question.kind == "doubt":
            key = f"{world.record.id}/{question.step}/{question.host or 'engine'}"
            done = key in world.outside.present
            return world.says("ana", "done" if done else "not-done", reason="I looked")
        if question.kind == "gate":
            able = next(o.name for o in question.options if o.available)
            return world.says("ana", "approve", reason="yes", choice=able)
        verdict = {"task": "done", "failure": "retry", "fallback": "go-on"}[question.kind]
        return world.says("bo", verdict, reason="yes")

    return answer


def carry_through(point: str, visit: int, *, lies: bool = False) -> tuple[MadeUpWorld, bool]:
    """Run, cut the power once, resume to the end; return the world and whether it was cut."""
    world = world_with(Outside(), lies=lies)
    cut = Cut(point, visit)
    with armed(cut):
        for _ in range(4):
            try:
                state = world.run_answering(truthful(world))
            except PowerCut:
                world.die()
                world.journal = MemoryJournal(world.clock, world.journal.disk)
                continue
            assert state is RunState.SUCCEEDED, world.view().because
            break
    return world, cut.happened


WANTED = {
    "safe/engine", "single/engine", "point/engine", "one/engine", "three/engine",
    "fan/web-1", "fan/web-2", "fan/web-3", "fan/web-4", "report/engine",
}  # fmt: skip


def repeated(world: MadeUpWorld) -> set[str]:
    """Return the effects of careful steps that happened more than once."""
    careful = {k: n for k, n in world.outside.effects.items() if _name(k) not in REPEATABLE}
    return {_name(key) for key, count in careful.items() if count > 1}


REPEATABLE = {"safe/engine", "report/engine", "look/engine"}


def is_whole(events: list[Event]) -> bool:
    """Whether the hash chain has no gap and no changed row."""
    previous = GENESIS
    for number, event in enumerate(events, 1):
        columns = {name: getattr(event, name) for name in COLUMNS}
        if event.seq != number or event.hash != row_hash(previous, **columns):
            return False
        previous = event.hash
    return True


COLUMNS = ("run", "seq", "at", "kind", "step", "host", "attempt", "epoch", "data")


def _name(key: str) -> str:
    return key.partition("/")[2]


def test_the_runbook_passes_every_point_when_nothing_is_cut() -> None:
    passed: set[str] = set()
    world = world_with(Outside())
    with armed(passed.add):
        assert world.run_answering(truthful(world)) is RunState.SUCCEEDED
    assert set(POINTS) - ONLY_IN_DOUBT - ELSEWHERE <= passed


@pytest.mark.parametrize(
    "point", [*(p for p in POINTS if p not in ELSEWHERE), "outside-after-effect"]
)
def test_every_effect_happens_once_whenever_the_power_goes(point: str) -> None:
    for visit in VISITS:
        world, happened = carry_through(point, visit)
        if not happened:
            assert visit > 1 or point in ONLY_IN_DOUBT, f"nothing ever passes {point}"
            return
        done = {_name(key) for key in world.outside.effects}
        assert done - {"look/engine"} == WANTED, (point, visit)
        assert repeated(world) == set(), (point, visit)
        assert world.outside.undone.keys() == {f"{world.record.id}/one/engine"}, (point, visit)
        assert is_whole(world.journal.events(world.record.id)), (point, visit)


def test_an_engine_that_assumes_absence_repeats_effects_and_is_found_out() -> None:
    """The negative control: without looking, the same cuts double the careful steps."""
    doubled = set()
    for visit in VISITS:
        world, happened = carry_through("outside-after-effect", visit, lies=True)
        if not happened:
            break
        doubled |= repeated(world)
    assert {"single/engine", "three/engine", "fan/web-1"} <= doubled


def test_a_second_engine_on_a_living_run_is_refused() -> None:
    world = world_with(Outside())
    world.engine()
    with pytest.raises(HeldError):
        MemoryJournal(world.clock, world.journal.disk).acquire(world.record.id, "another")
