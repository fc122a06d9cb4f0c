"""What a step and a host cost does not grow with how many there are: lines of dr are counted."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from dr.engine.core.errors import RetryableError
from dr.engine.core.ports import Attempt, Outcome, World
from dr.engine.core.states import RunState
from tests.made_up_world import Do, MadeUpWorld, Outside
from tests.property.budget import SOAK
from tests.unit.runtime.test_many_hosts import FAN_OUT

FEW, MANY = 50, 10_000 if SOAK else 400


def _chain(count: int) -> MadeUpWorld:
    return MadeUpWorld(_steps(count, ""), Do(Outside()))


def _at_once(count: int) -> MadeUpWorld:
    return MadeUpWorld(_steps(count, ", needs: []"), Do(Outside()))


def _hosts(count: int) -> MadeUpWorld:
    return MadeUpWorld(FAN_OUT, Do(Outside()), web=min(count, 5_000))


def _one_by_one(count: int) -> MadeUpWorld:
    book = FAN_OUT.replace('[1, "100%"]', "[1]")
    return MadeUpWorld(book, Do(Outside()), web=min(count, 5_000))


def _tried_twice(count: int) -> MadeUpWorld:
    more = "    retry: { attempts: 2, delay: 1ms, when: [unreachable] }\n"
    return MadeUpWorld(FAN_OUT + more, Refuses(Outside()), web=min(count, 5_000))


class Refuses(Do):
    """Has no effect at the first attempt on each host."""

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Refuse once."""
        if attempt.number == 1:
            raise RetryableError("connection refused", reason="unreachable")
        return super().perform(attempt, world)


def _steps(count: int, more: str) -> str:
    body = (f"  - {{ id: s{n}, uses: do.it, effect: once{more} }}\n" for n in range(count))
    return "format: 1\nname: many\nsteps:\n" + "".join(body)


def lines_of(world: MadeUpWorld) -> int:
    """Return how many lines of dr a run goes through, in all of its threads; loops count."""
    engine = world.engine()
    # what is done by the clock is not what the steps cost; only a later attempt waits for it
    engine.poll_s = 0.2 if isinstance(world.actions.get("do.it"), Refuses) else 60
    counted = 0
    lock = threading.Lock()

    def line(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal counted
        if event == "line":
            with lock:
                counted += 1
        return line

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        return line if "/dr/engine/" in frame.f_code.co_filename else None

    before = sys.gettrace()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        assert engine.run() is RunState.SUCCEEDED
    finally:
        sys.settrace(before)
        threading.settrace(None)
    return counted


@pytest.mark.parametrize("world", [_chain, _at_once, _hosts, _one_by_one, _tried_twice])
def test_one_of_many_costs_what_one_of_few_costs(world: Callable[[int], MadeUpWorld]) -> None:
    many = MANY if world in (_chain, _at_once) else min(MANY, 5_000)
    one_of_few, one_of_many = lines_of(world(FEW)) / FEW, lines_of(world(many)) / many
    assert one_of_many <= one_of_few * 1.1, f"{one_of_few:.0f} lines, {one_of_many:.0f} among many"
