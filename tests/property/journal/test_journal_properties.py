"""What holds for every sequence of events."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dr.engine.core.canonical import GENESIS, canonical_bytes
from dr.engine.core.errors import DrError, HeldError
from dr.engine.core.events import Draft, Kind, row_hash
from dr.engine.core.values import utc_text
from dr.engine.journal.memory import MemoryJournal
from dr.engine.journal.sealing import Head, data_text, instant_text, seal
from dr.engine.journal.sql import SqlJournal
from tests.contract.journal.sample import (
    SetClock,
    answered,
    asked,
    closed,
    created,
    finished,
    intent,
    note,
    record,
    state,
)

RUN = "r-20261101-0001"

names = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.integers(), inner),
    max_leaves=8,
)
moments = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]),
)
steps = st.sampled_from(["fence", "promote", "说明"])
drafts = st.one_of(
    st.builds(intent, steps, st.sampled_from([None, "db-a", "db-b"]), st.integers(1, 3)),
    st.builds(finished, steps, st.sampled_from([None, "db-a"]), st.integers(1, 3)),
    st.builds(lambda s: Draft(Kind.LOST, s, "db-a", 1, {"error": "lost_contact"}), steps),
    st.builds(asked, st.sampled_from(["q#1", "q#2"])),
    st.builds(answered, st.sampled_from(["ana", "ben"]), st.sampled_from(["q#1", "q#2"])),
    st.builds(closed, st.sampled_from(["q#1", "q#2"])),
    st.builds(state, st.sampled_from(["running", "paused", "failed", "succeeded"])),
    st.builds(note, names),
)


@given(st.dictionaries(names, values))
def test_the_stored_text_is_the_canonical_one(data: dict[str, Any]) -> None:
    plain, text = data_text(data)
    assert text.encode() == canonical_bytes(data) == canonical_bytes(plain)


@given(moments)
def test_the_quick_way_to_write_a_moment_writes_the_same(at: datetime) -> None:
    assert instant_text(at) == utc_text(at)


@given(
    st.lists(
        st.builds(
            Draft,
            st.sampled_from(Kind),
            st.none() | names,
            st.none() | names,
            st.none() | st.integers(0, 99),
            st.dictionaries(names, values),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 9),
    moments,
)
def test_the_quick_way_to_hash_a_row_gives_the_hash_of_the_core(
    chosen: list[Draft], epoch: int, at: datetime
) -> None:
    previous = GENESIS
    for sealed in seal("r", chosen, head=Head(), epoch=epoch, at=at):
        e = sealed.event
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


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(drafts, min_size=1, max_size=3), max_size=12))
def test_sqlite_and_memory_accept_refuse_and_hold_the_same(batches: list[list[Draft]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory = MemoryJournal(SetClock())
        with _journal(Path(folder)) as sql:
            memory.create(record(locks=("x",)), created())
            sql.create(record(locks=("x",)), created())
            for batch in batches:
                assert _outcome(sql, batch) == _outcome(memory, batch)
            assert sql.events(RUN) == memory.events(RUN)
            assert sql.runs() == memory.runs()
            verdict = sql.verify(RUN)
            assert (verdict.ok, verdict.because) == (True, "")
            assert verdict.rows == len(memory.events(RUN))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from("atrk")), max_size=20))
def test_a_stale_epoch_never_writes(moves: list[tuple[int, str]]) -> None:
    """Two engines on one file; each may append, take, release, or be killed and forget nothing."""
    with tempfile.TemporaryDirectory() as folder:
        engines = [_journal(Path(folder)).open() for _ in range(2)]
        engines[0].create(record(), created())
        leases: list[Any] = [None, None]
        newest, number = 0, count(1)
        for who, move in moves:
            engine, lease = engines[who], leases[who]
            if move == "k":
                engine.close()  # the process ends; a lost lease object may linger on
            elif move == "r" and lease is not None:
                engine.release(lease)
            elif move == "t":
                try:
                    leases[who] = engine.acquire(RUN, f"engine-{who}")
                    assert leases[who].epoch == newest + 1
                    newest += 1
                except HeldError:
                    pass
            elif move == "a" and lease is not None:
                fresh = lease.epoch == newest
                try:
                    engine.append(RUN, [intent("s", "h", next(number))], lease=lease)
                    assert fresh
                except HeldError:
                    assert not fresh
        events = engines[0].events(RUN)
        epochs = [e.epoch for e in events]
        assert epochs == sorted(epochs)
        assert [e.seq for e in events] == list(range(1, len(events) + 1))
        assert engines[0].verify(RUN).ok
        for engine in engines:
            engine.close()


@pytest.fixture(scope="module")
def finished_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a journal with one run of some length, triggers removed."""
    folder = tmp_path_factory.mktemp("journal")
    with _journal(folder) as journal:
        journal.create(record(locks=("x",)), created())
        lease = journal.acquire(RUN, "engine-1")
        for n in range(1, 5):
            journal.append(RUN, [intent("s", "db-a", n), finished("s", "db-a", n)], lease=lease)
        journal.append(RUN, [asked(), answered(), closed(), note()])
    with closing(sqlite3.connect(folder / "journal.sqlite3", isolation_level=None)) as wire:
        wire.execute("DROP TRIGGER event_no_update")
        wire.execute("DROP TRIGGER event_no_delete")
        wire.execute("PRAGMA journal_mode=DELETE")
    return (folder / "journal.sqlite3").read_bytes()


COUNT = 14
COLUMNS = ["at", "kind", "step", "host", "attempt", "epoch", "data", "hash"]


@settings(deadline=None, max_examples=60)
@given(
    seq=st.integers(1, COUNT),
    column=st.sampled_from(COLUMNS),
    value=names | st.integers(-5, 5) | st.binary(max_size=3),
)
def test_any_edited_row_is_found(
    finished_file: bytes, seq: int, column: str, value: object
) -> None:
    change = f"UPDATE event SET {column} = ? WHERE seq = ?"  # noqa: S608 - a fixed list of columns
    told = _tampered(finished_file, [(change, (value, seq))])
    if told is not None:
        assert not told.ok
        assert told.first_bad == seq
        assert told.rows == seq - 1


@settings(deadline=None, max_examples=30)
@given(st.sets(st.integers(1, COUNT), min_size=1))
def test_any_removed_row_is_found_the_last_ones_too(finished_file: bytes, gone: set[int]) -> None:
    told = _tampered(finished_file, [("DELETE FROM event WHERE seq = ?", (s,)) for s in gone])
    assert told is not None
    assert not told.ok
    assert told.first_bad == min(gone)


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(1, COUNT + 1)))
def test_any_new_order_of_the_rows_is_found(finished_file: bytes, order: Sequence[int]) -> None:
    moves: list[tuple[str, tuple[object, ...]]] = [("UPDATE event SET seq = -seq", ())]
    moves += [("UPDATE event SET seq = ? WHERE seq = ?", (n, -o)) for n, o in enumerate(order, 1)]
    told = _tampered(finished_file, moves)
    moved = [n for n, o in enumerate(order, 1) if n != o]
    assert (told is None) == (not moved)
    if told is not None:
        assert (told.ok, told.first_bad) == (False, moved[0])


@settings(deadline=None, max_examples=30)
@given(st.integers(-1, COUNT + 3).filter(lambda n: not 1 <= n <= COUNT))
def test_any_row_that_was_put_in_is_found(finished_file: bytes, seq: int) -> None:
    put = "INSERT INTO event SELECT run, ?, at, kind, step, host, attempt, epoch, data, hash "
    told = _tampered(finished_file, [(put + "FROM event WHERE seq = 14", (seq,))])
    assert told is not None
    assert not told.ok


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ("UPDATE run SET state = 'succeeded'", "run.state"),
        ("UPDATE run SET epoch = 7", "run.epoch"),
        ("UPDATE run SET requester = 'nobody'", "the run's row or snapshot"),
        ("UPDATE snapshot SET source = 'steps: []'", "the run's row or snapshot"),
        ("UPDATE snapshot SET inventory = '{'", "cannot be read"),
        ("DELETE FROM snapshot", "snapshot of runbook and inventory is missing"),
        ("UPDATE attempt SET state = 'running' WHERE number = 2", "table attempt"),
        ("DELETE FROM attempt WHERE number = 3", "table attempt"),
        ("UPDATE question SET state = 'open'", "table question"),
        ("DELETE FROM answer", "table answer"),
        ("DELETE FROM run_lock", "table run_lock"),
        ("UPDATE run SET seq = 13", "last event is number 13"),
    ],
)
def test_a_changed_index_is_found(finished_file: bytes, change: str, because: str) -> None:
    told = _tampered(finished_file, [(change, ())])
    assert told is not None
    assert not told.ok
    assert because in told.because


def test_the_untouched_file_is_sound(finished_file: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "journal.sqlite3").write_bytes(finished_file)
        with _journal(Path(folder)) as journal:
            told = journal.verify(RUN)
            assert (told.ok, told.rows, told.first_bad) == (True, COUNT, None)
            assert told.head == journal.events(RUN)[-1].hash


def _tampered(file: bytes, changes: Sequence[tuple[str, tuple[object, ...]]]) -> Any:
    """Return the verdict after ``changes``; None when they changed nothing or were refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite3"
        path.write_bytes(file)
        with closing(sqlite3.connect(path, isolation_level=None)) as wire:
            wire.execute("PRAGMA foreign_keys=OFF")
            everything = "SELECT * FROM event ORDER BY seq"
            before = list(wire.execute(everything))
            try:
                for sql, params in changes:
                    wire.execute(sql, params)
            except sqlite3.IntegrityError:
                return None
            same = list(wire.execute(everything)) == before
            if same and "event" in changes[0][0]:
                return None
        with closing(_journal(Path(folder))) as journal:
            return journal.verify(RUN)


def _journal(folder: Path) -> SqlJournal:
    return SqlJournal(f"sqlite:///{folder}/journal.sqlite3", clock=SetClock())


def _outcome(journal: SqlJournal | MemoryJournal, batch: list[Draft]) -> object:
    try:
        return journal.append(RUN, batch)
    except DrError as error:
        return type(error), error.message
