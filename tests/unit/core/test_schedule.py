"""When steps could run, from the runbook alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dr.engine.core.model import Step
from dr.engine.core.schedule import allowed_failures, batches, critical_path, waves


def _step(id_: str, *needs: str) -> Step:
    return Step(id=id_, needs=needs)


STEPS = [_step("look"), _step("ask", "look"), _step("backup"), _step("move", "ask", "backup")]


def test_steps_that_need_nothing_of_each_other_share_a_wave() -> None:
    assert [[step.id for step in wave] for wave in waves(STEPS)] == [
        ["look", "backup"],
        ["ask"],
        ["move"],
    ]


def test_a_need_outside_the_list_counts_as_ended() -> None:
    assert len(waves([_step("report", "elsewhere")])) == 1


def test_steps_that_wait_for_one_another_are_named() -> None:
    with pytest.raises(ValueError, match="one another: a, b"):
        waves([_step("a", "b"), _step("b", "a"), _step("c")])


@pytest.mark.parametrize(
    ("count", "sizes", "lengths"),
    [
        (10, [1, "25%", "100%"], [1, 2, 7]),
        (10, [3], [3, 3, 3, 1]),
        (10, [1, 5], [1, 5, 4]),
        (10, ["30%"], [3, 3, 3, 1]),
        (3, ["1%"], [1, 1, 1]),
        (100, ["29%", "100%"], [29, 71]),
        (0, [1], []),
        (2, ["100%"], [2]),
    ],
)
def test_the_last_batch_size_repeats_as_in_ansible(
    count: int, sizes: list[int | str], lengths: list[int]
) -> None:
    assert [len(batch) for batch in batches(range(count), sizes)] == lengths


@pytest.mark.parametrize("sizes", [[], [0], [-1], ["half"], ["101%"], ["%"]])
def test_a_batch_that_is_no_count_is_refused(sizes: list[int | str]) -> None:
    with pytest.raises(ValueError, match=r"batch|percentage"):
        batches([1, 2], sizes)


def test_failures_allowed_are_a_count_or_a_share_rounded_down() -> None:
    assert allowed_failures(2, 100) == 2
    assert allowed_failures("25%", 7) == 1
    assert allowed_failures("0%", 7) == 0


def test_the_critical_path_is_the_chain_with_the_longest_p90() -> None:
    minute = timedelta(minutes=1)
    path = critical_path(
        STEPS, {"look": (minute, minute), "backup": (minute, 9 * minute), "move": (minute, minute)}
    )

    assert path.steps == ("backup", "move")
    assert path.p50 == 2 * minute
    assert path.p90 == 10 * minute
    assert path.unmeasured == ()


def test_a_step_without_a_measurement_is_named_and_not_taken_for_nothing() -> None:
    minute = timedelta(minutes=1)
    path = critical_path(STEPS, {"look": (minute, minute)})

    assert path.steps == ("look", "ask", "move")
    assert path.unmeasured == ("ask", "move")


def test_nothing_to_do_takes_no_path() -> None:
    assert critical_path([], {}).steps == ()
    assert waves([]) == []
