"""What stands in a ``requires`` is proven when the step acts, whatever people let the run do."""

from __future__ import annotations

from typing import Any

import pytest

from dr.engine.core.ports import Check
from dr.engine.core.questions import Answer, Question
from dr.engine.core.states import RunState, StepState
from tests.made_up_world import Do, MadeUpWorld, Outside

_S = StepState
PROOF = '{ proof: "${{ steps.fence.outputs.proof }}" }'
FENCE = "  - {id: fence, uses: do.fence, effect: idempotent%s}\n"
PROMOTE = f"  - {{id: promote, uses: do.it, effect: irreversible, requires: {PROOF}}}\n"
LADDER = f"""\
  - id: database
    requires: {PROOF}
    on_exhausted: fail
    try:
      - name: only
        steps: [{{id: promote, uses: do.it, effect: once}}]
"""


def world_of(steps: str, **more: Any) -> MadeUpWorld:
    """Return a run whose fence puts a proof out, and then is not verified unless ``more`` says."""
    outside = Outside()
    verifies = more.pop("verifies", [Check(holds=False, because="it still writes")])
    fence = Do(outside, "do.fence", outputs={"proof": {"host": "db-a"}}, verifies=verifies)
    world = MadeUpWorld(f"format: 1\nname: made-up\nsteps:\n{steps}", fence, Do(outside), **more)
    world.outside = outside
    return world


@pytest.mark.parametrize("guarded", [PROMOTE, LADDER], ids=["step", "ladder"])
def test_the_proof_of_a_step_that_failed_and_was_skipped_satisfies_nothing(guarded: str) -> None:
    world = world_of(FENCE % "" + guarded)

    def answer(question: Question) -> Answer:
        return world.says("cai", "skip" if question.step == "fence" else "fail")

    assert world.run_answering(answer) is RunState.FAILED
    view = world.view()
    assert view.steps["fence"].state is _S.SKIPPED
    assert view.steps["fence"].outputs["proof"], "it had put its proof out"
    assert view.steps["promote"].state is _S.FAILED
    because = "step 'promote' requires a proof of step 'fence', which is skipped"
    assert view.steps["promote"].because == because
    assert world.outside.order == ["fence"]


@pytest.mark.parametrize("guarded", [PROMOTE, LADDER], ids=["step", "ladder"])
def test_the_proof_of_a_step_that_failed_and_is_done_without_satisfies_nothing(
    guarded: str,
) -> None:
    world = world_of(FENCE % ", on_failure: continue" + guarded)
    assert world.run_answering(lambda _q: world.says("cai", "fail")) is RunState.FAILED
    assert "which is failed" in world.view().steps["promote"].because
    assert world.outside.order == ["fence"]


@pytest.mark.parametrize("guarded", [PROMOTE, LADDER], ids=["step", "ladder"])
def test_the_proof_of_a_step_that_succeeded_when_it_was_tried_again_counts(guarded: str) -> None:
    first = [Check(holds=False, because="it still writes")]
    world = world_of(FENCE % "" + guarded, verifies=first)
    assert world.run_answering(lambda _q: world.says("cai", "retry")) is RunState.SUCCEEDED
    assert world.outside.order == ["fence", "promote"]
