"""Why a condition does not hold: in words and values, never as an expression."""

from __future__ import annotations

from dr.engine.runtime.forecasts import Forecaster
from tests.made_up_world import Do, MadeUpWorld, Outside

LADDER = """
format: 1
name: made-up
steps:
  - {id: look, title: {en: Is it well?, zh: 是否正常}, uses: do.look, effect: read}
  - id: back
    try:
      - name: quick
        title: {en: Quick, zh: 快}
        if: "${{ steps.look.outputs.value == 2 and inputs.fast != true }}"
        steps: [{id: act, uses: do.it}]
      - name: slow
        title: {en: Slow, zh: 慢}
        steps: [{id: act_slow, uses: do.it}]
  - {id: left_out, uses: do.it, if: "${{ steps.look.outputs.value > 5 }}"}
inputs:
  - {id: fast, type: boolean, default: true}
"""


def _ended() -> MadeUpWorld:
    outside = Outside()
    world = MadeUpWorld(LADDER, Do(outside, "do.look"), Do(outside), inputs={"fast": True})
    world.run()
    return world


def test_a_rung_that_may_not_be_tried_says_what_was_seen_and_shows_no_expression() -> None:
    world = _ended()
    quick, slow = Forecaster(world.engine().context).options(world.runbook.by_id["back"])
    assert not quick.available
    assert slow.available
    assert quick.because.say("en") == (
        "its condition does not hold: Is it well? (value) = 1; inputs.fast = true"
    )
    assert quick.because.say("zh") == "条件不成立：是否正常（value） = 1；inputs.fast = 是"


def test_a_skipped_step_says_what_was_seen_and_shows_no_expression() -> None:
    world = _ended()
    skipped = world.view().steps["left_out"]
    assert skipped.because == "its condition does not hold: look.value = 1"


def test_what_a_step_says_about_its_answers_comes_before_the_values() -> None:
    outside = Outside()
    because = {"en": "db-b is switched off", "zh": "db-b 已关机"}
    look = Do(outside, "do.look", outputs={"value": 1, "because": because})
    world = MadeUpWorld(LADDER, look, Do(outside), inputs={"fast": True})
    world.run()
    quick, _ = Forecaster(world.engine().context).options(world.runbook.by_id["back"])
    assert quick.because.say("en") == (
        "db-b is switched off (Is it well? (value) = 1; inputs.fast = true)"
    )
    assert quick.because.say("zh") == "db-b 已关机（是否正常（value） = 1；inputs.fast = 是）"
