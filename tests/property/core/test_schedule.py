"""Waves, batches and critical paths over any runbook."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dr.engine.core.model import Step
from dr.engine.core.schedule import allowed_failures, batches, critical_path, waves

SIZES = st.integers(1, 50) | st.integers(0, 100).map(lambda n: f"{n}%")


@st.composite
def _steps(draw: st.DrawFn) -> list[Step]:
    count = draw(st.integers(0, 12))
    order = draw(st.permutations(range(count)))
    steps = {}
    for rank, number in enumerate(order):
        earlier = list(order[:rank])
        needs = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        steps[number] = Step(id=f"s{number}", needs=tuple(f"s{n}" for n in needs))
    return [steps[number] for number in range(count)]


@given(_steps())
def test_every_step_is_in_one_wave_after_all_it_needs(steps: list[Step]) -> None:
    found = waves(steps)
    level = {step.id: number for number, wave in enumerate(found) for step in wave}

    assert sum(len(wave) for wave in found) == len(steps) == len(level)
    for step in steps:
        assert level[step.id] == 1 + max((level[need] for need in step.needs), default=-1)


@given(st.lists(st.integers(), max_size=200), st.lists(SIZES, min_size=1, max_size=5))
def test_batches_hold_every_host_once_and_in_order(
    hosts: list[int], sizes: list[int | str]
) -> None:
    cut = batches(hosts, sizes)

    assert [host for batch in cut for host in batch] == hosts
    assert all(cut)


@given(_steps(), st.data())
def test_no_chain_takes_longer_than_the_critical_path(
    steps: list[Step], data: st.DataObject
) -> None:
    lengths = {
        step.id: timedelta(seconds=data.draw(st.integers(0, 100), label=step.id)) for step in steps
    }
    path = critical_path(steps, {id_: (length / 2, length) for id_, length in lengths.items()})
    by_id = {step.id: step for step in steps}

    def longest(id_: str) -> timedelta:
        above = [longest(need) for need in by_id[id_].needs]
        return lengths[id_] + max(above, default=timedelta())

    assert path.p90 == max(map(longest, by_id), default=timedelta())
    assert path.p90 == sum((lengths[id_] for id_ in path.steps), timedelta())
    assert all(a in by_id[b].needs for a, b in zip(path.steps, path.steps[1:], strict=False))


@given(st.integers(0, 100), st.integers(0, 500))
def test_a_percentage_of_failures_is_never_exceeded(percent: int, hosts: int) -> None:
    allowed = allowed_failures(f"{percent}%", hosts)

    assert allowed * 100 <= percent * hosts < (allowed + 1) * 100
