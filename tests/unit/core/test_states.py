"""The table of states, over its whole product."""

from __future__ import annotations

import itertools

import pytest

from dr.engine.core.states import (
    ENDED,
    ENDED_WELL,
    PROVEN,
    TRANSITIONS,
    IllegalTransitionError,
    StepEvent,
    StepState,
    advance,
)

PAIRS = list(itertools.product(StepState, StepEvent))


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=[f"{s}-{e}" for s, e in PAIRS])
def test_a_pair_leads_where_the_table_says_and_all_others_are_refused(
    state: StepState, event: StepEvent
) -> None:
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransitionError):
            advance(state, event)


def test_every_state_can_be_reached_from_pending() -> None:
    reached = {StepState.PENDING}
    while True:
        more = {after for (before, _), after in TRANSITIONS.items() if before in reached}
        if more <= reached:
            break
        reached |= more
    assert reached == set(StepState)


def test_nothing_leads_out_of_skipped_cancelled_and_undone_and_only_undo_out_of_already_done() -> (
    None
):
    final = {StepState.SKIPPED, StepState.CANCELLED, StepState.UNDONE}
    out = [event for state, event in TRANSITIONS if state is StepState.ALREADY_DONE]
    assert out == [StepEvent.UNDO_STARTED]
    assert not [pair for pair in TRANSITIONS if pair[0] in final]


def test_a_skip_releases_what_follows_and_proves_nothing() -> None:
    assert StepState.SKIPPED in ENDED_WELL
    assert StepState.SKIPPED not in PROVEN


def test_a_step_in_doubt_has_not_ended() -> None:
    assert StepState.IN_DOUBT not in ENDED
