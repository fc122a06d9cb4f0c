"""What every journal promises, put to each of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from dr.engine.core.canonical import GENESIS
from dr.engine.core.errors import (
    DrError,
    HeldError,
    JournalError,
    LapsedError,
    LockHeldError,
    MovedError,
    UserError,
)
from dr.engine.core.events import Draft, Kind, row_hash
from dr.engine.core.faults import PowerCut, armed
from dr.engine.core.ports import Journal
from dr.engine.core.values import Secret
from tests.contract.journal.sample import (
    NOON,
    Door,
    SetClock,
    answered,
    asked,
    closed,
    created,
    ended,
    finished,
    intent,
    kinds,
    note,
    record,
    state,
)

RUN = "r-20261101-0001"


@pytest.fixture
def journal(door: Door) -> Journal:
    """A journal with one new run in it."""
    opened = door.open(SetClock())
    opened.create(record(locks=("service/registry",)), created())
    return opened


def test_a_new_run_is_read_back_as_it_was_written(door: Door) -> None:
    wanted = record(locks=("service/registry", "host/db-a"))
    journal = door.open(SetClock())
    (first,) = journal.create(wanted, created())

    assert journal.run(RUN) == wanted
    assert (first.seq, first.kind, first.at, first.epoch) == (1, Kind.RUN_CREATED, NOON, 0)


def test_events_come_back_exactly_as_append_returned_them(journal: Journal) -> None:
    lease = journal.acquire(RUN, "engine-1")
    written = journal.append(
        RUN, [intent(), finished(), note("\u0000 “quoted” \n 存储")], lease=lease
    )

    assert journal.events(RUN, after=written[0].seq - 1) == written


def test_numbers_have_no_gap_and_hashes_chain_from_the_beginning(journal: Journal) -> None:
    lease = journal.acquire(RUN, "engine-1")
    journal.append(RUN, [intent(), finished()], lease=lease)
    journal.append(RUN, [note()])

    events = journal.events(RUN)
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    previous = GENESIS
    for e in events:
        assert e.hash == row_hash(
            previous,
            run=e.run,
            seq=e.seq,
            at=e.at,
            kind=e.kind,
            step=e.step,
            host=e.host,
            attempt=e.attempt,
            epoch=e.epoch,
            data=e.data,
        )
        previous = e.hash


def test_nothing_new_is_an_empty_list(journal: Journal) -> None:
    assert journal.events(RUN, after=1) == []
    assert journal.events(RUN, after=99) == []


def test_events_of_an_unknown_run_are_refused(journal: Journal) -> None:
    with pytest.raises(UserError, match="no run is called 'nope'"):
        journal.events("nope")


def test_an_append_to_an_unknown_run_is_refused(journal: Journal) -> None:
    with pytest.raises(UserError, match="no run is called 'nope'"):
        journal.append("nope", [note()])


def test_an_empty_append_writes_nothing(journal: Journal) -> None:
    assert journal.append(RUN, []) == []
    assert len(journal.events(RUN)) == 1


def test_time_never_goes_back_when_the_clock_is_set_back_a_day(door: Door) -> None:
    clock = SetClock()
    journal = door.open(clock)
    journal.create(record(), created())
    clock.move(timedelta(days=-1))
    (second,) = journal.append(RUN, [note()])
    clock.move(timedelta(days=2))
    (third,) = journal.append(RUN, [note()])

    assert (second.at, third.at) == (NOON, NOON + timedelta(days=1))


def test_what_may_not_happen_any_more_is_refused_by_the_time_it_would_be_written_with(
    door: Door,
) -> None:
    clock = SetClock()
    journal = door.open(clock)
    journal.create(record(), created())
    until = NOON + timedelta(minutes=5)
    late = replace(intent(), until=until)
    clock.move(timedelta(minutes=5))
    with pytest.raises(LapsedError, match="lapsed at 2026-11-01T12:05:00"):
        journal.append(RUN, [note(), late])
    assert len(journal.events(RUN)) == 1
    clock.move(timedelta(seconds=-1))
    _, begun = journal.append(RUN, [note(), late])
    assert begun.at < until
    assert [e.seq for e in journal.events(RUN)] == [1, 2, 3]


def test_what_rests_on_an_older_look_is_refused_and_leaves_nothing_behind(door: Door) -> None:
    journal, other = door.open(SetClock()), door.open(SetClock())
    seen = journal.create(record(), created())[-1].seq
    other.append(RUN, [note("meanwhile")])
    with pytest.raises(MovedError):
        journal.append(RUN, [note("on an old look")], after=seen)
    assert journal.append(RUN, [note("on a new one")], after=seen + 1)[0].seq == seen + 2


def test_locks_that_only_branches_await_are_free_and_taken_again_before_it_acts(
    door: Door,
) -> None:
    journal = door.open(SetClock())
    journal.create(record(locks=("service/registry",)), created())
    opening = {"session": "s", "to": "2026-11-01T12:00:00.000000Z", "branches": ["a"]}
    journal.append(
        RUN, [Draft(Kind.RECONCILE_OPENED, "sign", data={**opening, "frees_locks": True})]
    )
    second = replace(record(locks=("service/registry",)), id="r-20261101-0002")
    journal.create(second, created())
    closing = Draft(Kind.RECONCILE_CLOSED, "sign", data={"how": "waived", "takes_locks": True})
    with pytest.raises(LockHeldError):
        journal.append(RUN, [closing])
    assert journal.events(RUN)[-1].kind is Kind.RECONCILE_OPENED
    journal.append(second.id, [ended()])
    journal.append(RUN, [closing])
    with pytest.raises(LockHeldError):
        journal.create(replace(second, id="r-20261101-0003"), created())


def test_a_secret_is_stored_as_its_reference(journal: Journal) -> None:
    (event,) = journal.append(RUN, [Draft(Kind.OP_NOTE, data={"p": Secret("hunter2", "file:x")})])

    assert event.data == {"p": {"secret": "file:x"}}
    assert "hunter2" not in repr(journal.events(RUN))


def test_bytes_that_were_no_text_are_stored_as_question_marks(journal: Journal) -> None:
    (event,) = journal.append(RUN, [note("broken \udc80 output")])

    assert event.data["text"] == "broken ? output"
    assert journal.events(RUN)[-1] == event


def test_a_value_without_json_form_leaves_nothing_behind(journal: Journal) -> None:
    with pytest.raises(TypeError):
        journal.append(RUN, [note(), Draft(Kind.OP_NOTE, data={"x": object()})])
    assert len(journal.events(RUN)) == 1


# runs and how they are found


def test_two_runs_cannot_have_one_name(journal: Journal) -> None:
    with pytest.raises(UserError, match="already a run called"):
        journal.create(record(), created())
    assert len(journal.events(RUN)) == 1


def test_a_run_is_found_by_the_end_or_the_beginning_of_its_name(journal: Journal) -> None:
    journal.create(record("x-20261101-0002"), created())

    assert journal.run(RUN).id == RUN
    assert journal.run("0002").id == "x-20261101-0002"
    assert journal.run("x-").id == "x-20261101-0002"


def test_an_abbreviation_that_fits_two_runs_names_both(journal: Journal) -> None:
    journal.create(record("x-20261101-0001"), created())

    with pytest.raises(UserError, match="'0001' fits several runs: r-20261101-0001, x-20261101"):
        journal.run("0001")


@pytest.mark.parametrize("wanted", ["", "%", "_", "nope"])
def test_a_name_that_fits_no_run_is_refused_with_a_hint(journal: Journal, wanted: str) -> None:
    with pytest.raises(UserError, match="no run is called") as refused:
        journal.run(wanted)
    assert refused.value.hint == "Type 'dr status' to list the runs."


def test_last_is_the_newest_run(journal: Journal) -> None:
    journal.create(record("a-newer", created=NOON + timedelta(hours=1)), created())
    journal.create(record("z-older", created=NOON - timedelta(hours=1)), created())

    assert journal.run("last").id == "a-newer"
    assert [r.id for r in journal.runs()] == ["a-newer", RUN, "z-older"]


def test_last_of_an_empty_journal_says_how_to_start_a_run(door: Door) -> None:
    with pytest.raises(UserError, match="no run has been started yet") as refused:
        door.open().run("last")
    assert "dr run" in refused.value.hint


def test_unfinished_lists_what_has_not_ended(journal: Journal) -> None:
    for name, drafts in {
        "paused": [state("paused")],
        "done": [ended()],
        "failed": [ended("failed")],
        "aborted": [ended("aborted")],
    }.items():
        journal.create(record(name), created())
        journal.append(name, drafts)

    assert {r.id for r in journal.runs(unfinished=True)} == {RUN, "paused"}
    assert journal.run("done").state == "succeeded"
    assert journal.run("paused").state == "paused"


# locks


def test_a_held_lock_is_refused_naming_the_lock_and_its_run(journal: Journal) -> None:
    with pytest.raises(HeldError, match=f"lock 'service/registry' is held by run {RUN}"):
        journal.create(record("second", locks=("free", "service/registry")), created())
    with pytest.raises(UserError):
        journal.run("second")
    journal.create(record("third", locks=("free",)), created())


@pytest.mark.parametrize("how", ["succeeded", "failed", "aborted"])
def test_a_run_that_ended_gives_its_locks_back(journal: Journal, how: str) -> None:
    journal.append(RUN, [ended(how)])

    journal.create(record("second", locks=("service/registry",)), created())


def test_a_run_that_is_retried_takes_its_locks_again(journal: Journal) -> None:
    journal.append(RUN, [ended("failed")])
    journal.append(RUN, [state("running")])

    with pytest.raises(HeldError, match="service/registry"):
        journal.create(record("second", locks=("service/registry",)), created())


def test_locks_that_two_people_wish_back_at_once_are_taken_once(journal: Journal) -> None:
    again = Draft(Kind.OP_RETRY, "mend", data={"by": "ana", "takes_locks": True})
    journal.append(RUN, [again])
    journal.append(RUN, [again])

    with pytest.raises(HeldError, match=f"lock 'service/registry' is held by run {RUN}"):
        journal.create(record("second", locks=("service/registry",)), created())


def test_a_run_cannot_be_retried_while_another_has_its_lock(journal: Journal) -> None:
    journal.append(RUN, [ended("failed")])
    journal.create(record("second", locks=("service/registry",)), created())

    with pytest.raises(HeldError, match="lock 'service/registry' is held by run second"):
        journal.append(RUN, [note(), state("running")])
    assert kinds(journal, RUN) == [Kind.RUN_CREATED, Kind.RUN_ENDED]


# the lease


def test_a_lease_is_an_event_and_carries_the_next_epoch(journal: Journal) -> None:
    first = journal.acquire(RUN, "engine-1")
    journal.release(first)
    second = journal.acquire(RUN, "engine-2")

    leases = [e for e in journal.events(RUN) if e.kind is Kind.RUN_LEASE]
    assert (first.epoch, second.epoch) == (1, 2)
    assert [(e.epoch, e.data) for e in leases] == [
        (1, {"epoch": 1, "holder": "engine-1"}),
        (2, {"epoch": 2, "holder": "engine-2"}),
    ]
    assert journal.run(RUN).epoch == 2


def test_a_run_that_a_living_engine_holds_is_refused_naming_it(door: Door) -> None:
    first, second = door.open(), door.open()
    first.create(record(), created())
    first.acquire(RUN, "pid 4711 on control")

    with pytest.raises(HeldError, match="held by pid 4711 on control") as refused:
        second.acquire(RUN, "pid 4712 on control")
    assert refused.value.hint == f"Type 'dr attach {RUN}' to follow it."
    assert kinds(second, RUN) == [Kind.RUN_CREATED, Kind.RUN_LEASE]


def test_the_same_process_cannot_take_a_run_twice(journal: Journal) -> None:
    journal.acquire(RUN, "engine-1")
    with pytest.raises(HeldError):
        journal.acquire(RUN, "engine-1")


def test_a_dead_engine_is_succeeded_and_its_writes_are_fenced(door: Door) -> None:
    first, second = door.open(), door.open()
    first.create(record(), created())
    old = first.acquire(RUN, "engine-1")
    door.kill(first)
    new = second.acquire(RUN, "engine-2")

    assert new.epoch == old.epoch + 1
    before = second.events(RUN)
    with pytest.raises(HeldError, match="its epoch is 1, the newest is 2"):
        second.append(RUN, [intent()], lease=old)
    with pytest.raises(HeldError):
        second.renew(old)
    second.release(old)  # harmless
    assert second.events(RUN) == before
    second.renew(new)
    second.append(RUN, [intent()], lease=new)


def test_a_lease_on_an_unknown_run_is_refused(journal: Journal) -> None:
    with pytest.raises(UserError, match="no run is called 'nope'"):
        journal.acquire("nope", "engine-1")


def test_an_operator_writes_without_a_lease_while_an_engine_holds_the_run(door: Door) -> None:
    engine, operator = door.open(), door.open()
    engine.create(record(), created())
    lease = engine.acquire(RUN, "engine-1")
    (event,) = operator.append(RUN, [Draft(Kind.OP_PAUSE, data={"by": "ana"})])
    engine.append(RUN, [intent()], lease=lease)

    assert event.epoch == lease.epoch
    assert kinds(engine, RUN, after=2) == [Kind.OP_PAUSE, Kind.INTENT]


# attempts


def test_an_attempt_is_claimed_once(journal: Journal) -> None:
    lease = journal.acquire(RUN, "engine-1")
    journal.append(RUN, [intent()], lease=lease)
    before = journal.events(RUN)

    with pytest.raises(HeldError, match=r"attempt 1 of step 'promote' on db-b .* already claimed"):
        journal.append(RUN, [note(), intent()], lease=lease)
    assert journal.events(RUN) == before
    journal.append(RUN, [finished(), intent(number=2), intent(host=None)], lease=lease)


# questions


def test_an_answer_is_taken_while_the_question_is_open(journal: Journal) -> None:
    journal.append(RUN, [asked()])
    (event,) = journal.append(RUN, [answered()], open_question="promote#1")

    assert event.kind is Kind.QUESTION_ANSWERED


def test_one_person_cannot_answer_a_question_twice(journal: Journal) -> None:
    journal.append(RUN, [asked(), asked("promote#2")])
    journal.append(RUN, [answered()], open_question="promote#1")

    with pytest.raises(UserError, match="'ana' has already answered question 'promote#1'"):
        journal.append(RUN, [answered()], open_question="promote#1")
    journal.append(RUN, [answered("ben")], open_question="promote#1")
    journal.append(RUN, [answered(question="promote#2")], open_question="promote#2")
    assert kinds(journal, RUN, after=3) == [Kind.QUESTION_ANSWERED] * 3


def test_a_closed_question_takes_no_answer(journal: Journal) -> None:
    journal.append(RUN, [asked(), closed()])

    with pytest.raises(UserError, match=r"question 'promote#1' .* is closed"):
        journal.append(RUN, [answered()], open_question="promote#1")


def test_an_engine_writes_nothing_on_a_question_that_was_closed_meanwhile(
    journal: Journal,
) -> None:
    lease = journal.acquire(RUN, "engine-1")
    journal.append(RUN, [asked()], lease=lease)
    (event,) = journal.append(RUN, [note()], lease=lease, open_question="promote#1")
    journal.append(RUN, [closed()])

    with pytest.raises(UserError, match=r"question 'promote#1' .* is closed"):
        journal.append(RUN, [closed(), note()], lease=lease, open_question="promote#1")
    assert kinds(journal, RUN, after=event.seq) == [Kind.QUESTION_CLOSED]


def test_a_question_that_nobody_asked_takes_no_answer(journal: Journal) -> None:
    for wanted in ("promote#1", None):
        with pytest.raises(UserError, match="has no question 'promote#1'"):
            journal.append(RUN, [answered()], open_question=wanted)
    assert len(journal.events(RUN)) == 1


def test_a_question_is_opened_once(journal: Journal) -> None:
    journal.append(RUN, [asked()])
    with pytest.raises(JournalError, match="opened before"):
        journal.append(RUN, [note(), asked()])
    assert len(journal.events(RUN)) == 2


# power and company


def test_power_cut_before_an_append_leaves_nothing_and_after_it_everything(door: Door) -> None:
    journal = door.open()
    journal.create(record(), created())

    with armed(_cut_at("before-append")), pytest.raises(PowerCut):
        journal.append(RUN, [note("lost")])
    with armed(_cut_at("after-append")), pytest.raises(PowerCut):
        journal.append(RUN, [note("kept")])

    door.kill(journal)
    texts = [e.data.get("text") for e in door.open().events(RUN, after=1)]
    assert texts == ["kept"]


def test_many_threads_append_without_gap_or_loss(journal: Journal) -> None:
    lease = journal.acquire(RUN, "engine-1")
    failures: list[DrError] = []

    def work(host: str) -> None:
        try:
            for number in range(1, 6):
                journal.append(RUN, [intent("s", host, number)], lease=lease)
                journal.append(RUN, [finished("s", host, number)], lease=lease)
                journal.events(RUN, after=3)
        except DrError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"h{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = journal.events(RUN)
    assert failures == []
    assert [e.seq for e in events] == list(range(1, 2 + 60 + 1))
    assert all(a.at <= b.at for a, b in pairwise(events))
    for n in range(6):
        mine = [(e.kind, e.attempt) for e in events if e.host == f"h{n}"]
        assert mine == [(k, i) for i in range(1, 6) for k in (Kind.INTENT, Kind.FINISHED)]


def _cut_at(point: str) -> Callable[[str], None]:
    def cut(passed: str) -> None:
        if passed == point:
            raise PowerCut(point)

    return cut


def test_a_question_that_closes_meanwhile_takes_no_late_answer(door: Door) -> None:
    engine = door.open()
    engine.create(record(), created())
    people = [door.open() for _ in range(4)]
    for round_ in range(5):
        name = f"promote#{round_}"
        engine.append(RUN, [asked(name)])
        barrier = threading.Barrier(len(people) + 1)

        def answer(
            journal: Journal, by: str, name: str = name, barrier: threading.Barrier = barrier
        ) -> None:
            barrier.wait()
            with contextlib.suppress(UserError):
                journal.append(RUN, [answered(by, name)], open_question=name)

        threads = [
            threading.Thread(target=answer, args=(journal, f"person-{n}"))
            for n, journal in enumerate(people)
        ]
        for thread in threads:
            thread.start()
        barrier.wait()
        engine.append(RUN, [closed(name)])
        for thread in threads:
            thread.join()

    seen_closed: set[str] = set()
    for event in engine.events(RUN):
        if event.kind is Kind.QUESTION_CLOSED:
            seen_closed.add(event.data["question"])
        if event.kind is Kind.QUESTION_ANSWERED:
            assert event.data["question"] not in seen_closed
