"""A fan-out over thousands of hosts: what it costs, and what stops it."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

import pytest

from dr.engine.core.errors import RefusedError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.states import RunState
from tests.deadline import wait_for
from tests.made_up_world import Do, MadeUpWorld, Outside

FAN_OUT = """
format: 1
name: many
steps:
  - id: fan
    uses: do.it
    hosts: web
    effect: once
    strategy: { batches: [1, "100%"], max_failures: 0 }
"""


def calls_of(hosts: int) -> int:
    """Return how many functions a run over so many hosts calls, in all of its threads."""
    world = MadeUpWorld(FAN_OUT, Do(Outside()), web=hosts)
    engine = world.engine()
    engine.poll_s = 60  # what is done by the clock is not what the hosts cost
    counted = 0
    lock = threading.Lock()

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal counted
        if event == "call":
            with lock:
                counted += 1

    threading.setprofile(count)
    sys.setprofile(count)
    try:
        assert engine.run() is RunState.SUCCEEDED
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return counted


def test_a_host_among_a_thousand_costs_what_a_host_among_fifty_costs() -> None:
    few, many = calls_of(50) / 50, calls_of(1000) / 1000
    assert many <= few * 1.1, f"{few:.0f} calls a host among 50, {many:.0f} among 1,000"


def test_a_host_that_fails_keeps_the_hosts_that_wait_for_a_worker_from_beginning() -> None:
    outside = Outside()
    refused = [RefusedError("no", facts={"before": True})] * 200
    world = MadeUpWorld(FAN_OUT, Do(outside, raises=[None, *refused]), web=100)
    world.run_answering(lambda _question: world.says("cai", "fail"))
    begun = [e for e in world.journal.events(world.record.id) if e.kind is Kind.INTENT]
    assert len(begun) <= 1 + 8, "eight workers may have been at it; nobody began after them"


@pytest.mark.parametrize("kind", [Kind.OP_PAUSE, Kind.OP_ABORT])
def test_people_who_stop_a_run_keep_the_hosts_that_wait_for_a_worker_from_beginning(
    kind: Kind,
) -> None:
    outside, may_go_on = Outside(), threading.Event()

    def hold() -> None:
        if outside.effects:  # all but the first host, which is a batch of its own
            assert may_go_on.wait(20)

    world = MadeUpWorld(FAN_OUT, Do(outside, before=hold), web=100)
    engine = world.engine()
    thread = threading.Thread(target=engine.run, daemon=True)
    thread.start()
    wait_for(lambda: engine.crew.is_busy(("fan", "web-100")), what="the second batch")
    world.journal.append(world.record.id, [Draft(kind, data={"by": "cai"})])
    view = engine.context.view
    wait_for(lambda: view.paused or view.abort, what="the engine to hear of it")
    may_go_on.set()

    if kind is Kind.OP_PAUSE:
        wait_for(lambda: engine.crew.idle, what="the workers to put down what they hold")
        assert len(outside.effects) <= 1 + 8, "only what eight workers had begun"
        world.journal.append(world.record.id, [Draft(Kind.OP_CONTINUE, data={"by": "cai"})])
    thread.join(30)

    ended = RunState.SUCCEEDED if kind is Kind.OP_PAUSE else RunState.ABORTED
    assert world.view().state is ended
    assert set(outside.effects.values()) == {1}
    assert len(outside.effects) == 100 if kind is Kind.OP_PAUSE else len(outside.effects) <= 1 + 8
