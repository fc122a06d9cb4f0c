"""Plans: what they say of each step, and that nothing in them can act."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dr.engine.core.ports import Attempt, Outcome, World
from dr.engine.runtime.context import Ports
from dr.engine.service.plans import Plan, Planning
from tests.made_up_world import Do, MadeUpWorld, Outside

EVERYTHING = """
format: 1
name: made-up
objectives: { rto: 1h }
steps:
  - {id: look, uses: do.look, effect: read, expect: 2s}
  - {id: free, uses: do.free, effect: read}
  - id: choose
    uses: gate.approve
    with: { ask: { en: Go?, zh: 走吗 }, approvers: { group: leadership } }
  - {id: there, uses: do.it, expect: 3s}
  - {id: act, uses: do.it, expect: 4s}
  - {id: not_now, uses: do.it, if: "${{ steps.look.outputs.value == 2 }}"}
  - {id: later, uses: do.it, with: { x: "${{ steps.act.outputs.value }}" }}
  - {id: mail, uses: do.it, needs: [], drill: skip}
  - {id: move, uses: do.it, needs: [], drill: simulate}
"""


class Reads(Do):
    """An action whose driver is unable to write."""

    def __init__(self, outside: Outside, name: str, *, reads_only: bool) -> None:
        super().__init__(outside, name)
        self.spec = replace(self.spec, reads_only=reads_only)
        self.performed = 0

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        self.performed += 1
        return Outcome(self._outputs)


def plan(*, probe: bool, mode: str = "real") -> tuple[Plan, MadeUpWorld, Reads]:
    outside = Outside()
    free = Reads(outside, "do.free", reads_only=False)
    look = Reads(outside, "do.look", reads_only=True)
    world = MadeUpWorld(EVERYTHING, look, free, Do(outside), mode=mode)
    world.outside = outside
    outside.present.add(f"{world.record.id}/there/engine")
    ports: Ports = world.engine().context.ports
    planning = Planning(ports, world.runbook, world.record, probe=probe)
    return planning.plan(), world, free


def marks(made: Plan) -> dict[str, str]:
    return {step.id: step.mark for step in made.steps}


def test_a_probing_plan_marks_each_step_by_what_it_saw() -> None:
    made, _, _ = plan(probe=True)
    assert marks(made) == {
        "look": "+", "free": "?", "choose": "@", "there": "=", "act": "+", "not_now": "-",
        "later": "?", "mail": "+", "move": "+",
    }  # fmt: skip


def test_a_read_step_of_a_driver_that_could_write_is_not_carried_out() -> None:
    made, _, free = plan(probe=True)
    assert free.performed == 0
    step = next(s for s in made.steps if s.id == "free")
    assert "could write" in step.because


def test_a_plan_brings_no_effect_about_and_writes_nothing_into_the_journal() -> None:
    for probe in (False, True):
        _, world, _ = plan(probe=probe)
        assert world.outside.effects == {}
        kinds = {str(e.kind) for e in world.journal.events(world.record.id)}
        assert kinds == {"run.created", "run.lease"}


def test_the_time_of_people_is_no_part_of_the_forecast() -> None:
    made, _, _ = plan(probe=True)
    assert "choose" not in made.unmeasured


def test_a_time_that_nobody_knows_is_unknown_and_never_a_sum_without_it() -> None:
    made, _, _ = plan(probe=True)
    assert "free" in made.unmeasured
    assert made.p90_s is None
    assert made.fits_rto is None


def test_the_same_plan_has_the_same_hash_and_other_inputs_another() -> None:
    data: dict[str, Any] = plan(probe=False)[0].to_data()
    assert data["hash"] == plan(probe=True)[0].hash


def test_a_drill_is_another_plan_than_a_real_run_of_the_same_file() -> None:
    drill, real = plan(probe=False, mode="drill")[0], plan(probe=False)[0]
    assert (drill.mode, real.mode) == ("drill", "real")
    assert drill.hash != real.hash


def test_the_plan_of_a_drill_shows_what_steps_declare_for_drills() -> None:
    made, _, _ = plan(probe=True, mode="drill")
    said = {step.id: (step.mark, step.because) for step in made.steps}
    assert said["mail"] == ("-", "drills leave this step out")
    assert said["move"] == ("+", "only simulated in a drill")
