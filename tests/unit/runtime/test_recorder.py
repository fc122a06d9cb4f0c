"""Writers that wait for the journal at the same moment share its next transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from dr.engine.core.errors import JournalError
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.states import IllegalTransitionError
from dr.engine.core.view import fold
from dr.engine.runtime.recorder import HeldBackError, Recorder, StoppedError
from tests.deadline import wait_for
from tests.made_up_world import Do, MadeUpWorld, Outside

STEPS = "".join(f"  - {{id: s{n}, uses: do.it, effect: once, needs: []}}\n" for n in range(4))


class Gated:
    """A journal whose every append waits until it is let through."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal
        self.let = threading.Semaphore(0)
        self.transactions: list[list[str | None]] = []
        self.fails: Exception | None = None

    def append(self, run: str, drafts: Sequence[Draft], **more: Any) -> list[Event]:
        self.transactions.append([draft.step for draft in drafts])
        assert self.let.acquire(timeout=10)
        if self.fails is not None:
            raise self.fails
        events: list[Event] = self._journal.append(run, drafts, **more)
        return events

    def events(self, run: str) -> list[Event]:
        found: list[Event] = self._journal.events(run)
        return found


@pytest.fixture
def gated() -> tuple[Recorder, Gated]:
    world = MadeUpWorld(f"format: 1\nname: many\nsteps:\n{STEPS}", Do(Outside()))
    recorder = world.engine().context.recorder
    journal = Gated(recorder._journal)
    recorder._journal = journal  # type: ignore[assignment]
    return recorder, journal


def begins(step: str) -> Draft:
    return Draft(Kind.INTENT, step, None, 1, {"effect": "once", "input": {}})


def ends(step: str) -> Draft:
    return Draft(Kind.FINISHED, step, None, 1, {"state": "succeeded", "outputs": {}})


def lost(step: str) -> Draft:
    return Draft(Kind.LOST, step, None, 1, {"message": "gone"})


def waiting(recorder: Recorder, *drafts: Draft) -> list[Future[list[Event]]]:
    """Have each draft written by a thread of its own, in order, behind the first."""
    pool = ThreadPoolExecutor(len(drafts))
    futures = []
    for number, draft in enumerate(drafts):
        futures.append(pool.submit(recorder.write, draft))
        if number == 0:
            wait_for(lambda: recorder._journal.transactions, what="the first append")  # type: ignore[attr-defined]
        else:
            wait_for(_waits(recorder, number), what=f"writer {number}")
    pool.shutdown(wait=False)
    return futures


def _waits(recorder: Recorder, count: int) -> Callable[[], bool]:
    return lambda: len(recorder._waiting) == count


def test_writers_that_wait_share_one_transaction_and_each_gets_its_own_event(
    gated: tuple[Recorder, Gated],
) -> None:
    recorder, journal = gated
    futures = waiting(recorder, *(begins(f"s{n}") for n in range(4)))
    journal.let.release(2)

    written = [future.result(10) for future in futures]

    assert [[event.step for event in events] for events in written] == [
        ["s0"],
        ["s1"],
        ["s2"],
        ["s3"],
    ]
    assert journal.transactions == [["s0"], ["s1", "s2", "s3"]]
    assert [e.seq for events in written for e in events] == list(range(3, 7))


def test_two_writes_about_one_unit_are_never_in_one_transaction(
    gated: tuple[Recorder, Gated],
) -> None:
    recorder, journal = gated
    futures = waiting(recorder, begins("s0"), ends("s0"), ends("s0"), begins("s1"))
    journal.let.release(4)

    assert futures[1].result(10)[0].kind is Kind.FINISHED
    with pytest.raises(IllegalTransitionError):
        futures[2].result(10)
    assert futures[3].result(10)[0].step == "s1"
    assert journal.transactions == [["s0"], ["s0"], ["s1"]]


def test_an_impossible_write_does_not_hold_up_those_beside_it(
    gated: tuple[Recorder, Gated],
) -> None:
    recorder, journal = gated
    futures = waiting(recorder, begins("s0"), lost("s3"), begins("s1"))
    journal.let.release(2)

    with pytest.raises(IllegalTransitionError):
        futures[1].result(10)
    assert futures[2].result(10)[0].step == "s1"
    assert journal.transactions == [["s0"], ["s1"]]


def test_no_writer_is_told_that_its_event_is_safe_when_the_transaction_failed(
    gated: tuple[Recorder, Gated],
) -> None:
    recorder, journal = gated
    futures = waiting(recorder, *(begins(f"s{n}") for n in range(3)))
    journal.fails = JournalError("the disk is full")
    journal.let.release(1)

    for future in futures:
        with pytest.raises(StoppedError, match="the disk is full"):
            future.result(10)
    assert journal.transactions == [["s0"]], "nothing is written after the first failed append"


def test_what_moves_all_units_of_a_step_is_never_in_one_transaction_with_one_of_them(
    gated: tuple[Recorder, Gated],
) -> None:
    recorder, journal = gated
    futures = waiting(
        recorder,
        Draft(Kind.INTENT, "s0", "web-1", 1, {"effect": "once", "input": {}}),
        Draft(Kind.STEP_REOPENED, "s0", data={"because": "asked anew"}),
        Draft(Kind.LOST, "s0", "web-1", 1, {"message": "gone"}),
        begins("s1"),
    )
    journal.let.release(4)

    assert futures[1].result(10)[0].kind is Kind.STEP_REOPENED
    with pytest.raises(IllegalTransitionError):
        futures[2].result(10)
    assert futures[3].result(10)[0].step == "s1"
    assert fold(recorder.run, recorder._journal.events(recorder.run)) is not None


def test_what_must_not_happen_any_more_is_asked_after_all_that_was_written_before(
    gated: tuple[Recorder, Gated],
) -> None:
    recorder, journal = gated
    first = Draft(Kind.STEP_SKIPPED, "s0", data={"because": "people"})
    futures = waiting(recorder, first)
    pool = ThreadPoolExecutor(1)
    late = pool.submit(recorder.write, begins("s1"), unless=lambda: "s0" in recorder.view.steps)
    skipped = pool.submit(recorder.write, begins("s0"))
    journal.let.release(2)

    futures[0].result(10)
    with pytest.raises(HeldBackError):
        late.result(10)
    with pytest.raises(IllegalTransitionError):
        skipped.result(10)
    assert journal.transactions == [["s0"]]
