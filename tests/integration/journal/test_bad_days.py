"""Full disks, foreign locks, read-only files and damaged ones: a clear error, nothing lost."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dr.engine.core.errors import JournalBusyError, JournalError, UserError
from dr.engine.journal.sql import SqlJournal
from tests.contract.journal.sample import created, note, record
from tests.integration.postgres_server import PostgresServer

RUN = "r-20261101-0001"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with one run and one note, closed."""
    where = tmp_path / "journal.sqlite3"
    with _journal(where) as journal:
        journal.create(record(), created())
        journal.append(RUN, [note("remember the quick brown fox")])
    return where


def _journal(path: Path, busy_s: float = 10.0) -> SqlJournal:
    return SqlJournal(f"sqlite:///{path}", busy_s=busy_s)


def test_a_full_disk_is_said_and_nothing_is_half_written(path: Path) -> None:
    script = """
import resource, sys
from dr.engine.core.errors import JournalError
from dr.engine.journal.sql import SqlJournal
from tests.contract.journal.sample import note
journal = SqlJournal(sys.argv[1]).open()
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, -1))  # as good as a full disk
kept = 0
try:
    for kept in range(1000):
        journal.append("r-20261101-0001", [note("x" * 4000), note("y" * 4000)])
except JournalError as error:
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    assert len(journal.events("r-20261101-0001")) == 2 + 2 * kept
    print(kept, error.code, error.message, "|", error.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, f"sqlite:///{path}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert done.returncode == 0, done.stderr
    kept, code, *words = done.stdout.split()
    assert code in {"journal_full", "journal_io"}
    assert "df -h" in " ".join(words)
    assert "dr resume RUN" in " ".join(words)
    with _journal(path) as journal:
        assert len(journal.events(RUN)) == 2 + 2 * int(kept)
        assert journal.verify(RUN).ok
        journal.append(RUN, [note("space again")])


def test_no_space_within_the_database_is_said(path: Path) -> None:
    with _journal(path) as journal:
        journal.events(RUN)
        writer = journal._db._writer  # type: ignore[attr-defined]
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(JournalError, match="no space is left") as full:
            journal.append(RUN, [note("x" * 50_000)])
        assert full.value.code == "journal_full"
        assert len(journal.events(RUN)) == 2
        writer.execute("PRAGMA max_page_count=1000000")
        journal.append(RUN, [note("x" * 50_000)])
        assert journal.verify(RUN).ok


def test_a_lock_that_stays_is_said_and_one_that_goes_is_waited_for(path: Path) -> None:
    wire = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with contextlib.closing(wire), _journal(path, busy_s=0.2) as journal:
        journal.events(RUN)
        wire.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalBusyError, match="locked by another process") as busy:
            journal.append(RUN, [note()])
        assert "fuser" in busy.value.hint
        assert len(journal.events(RUN)) == 2  # reading goes on
        wire.execute("ROLLBACK")
        journal.append(RUN, [note()])

    wire = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with contextlib.closing(wire), _journal(path) as journal:
        journal.events(RUN)
        wire.execute("BEGIN IMMEDIATE")
        thread = threading.Thread(target=journal.append, args=(RUN, [note()]))
        thread.start()
        wire.execute("ROLLBACK")
        thread.join(10)
        assert len(journal.events(RUN)) == 4


def test_a_read_only_journal_is_said(path: Path) -> None:
    with _journal(path) as journal:
        journal.events(RUN)
        journal._db._writer.execute("PRAGMA query_only=ON")  # type: ignore[attr-defined]
        with pytest.raises(JournalError, match="cannot be written") as refused:
            journal.append(RUN, [note()])
        assert refused.value.code == "journal_read_only"
        assert len(journal.events(RUN)) == 2


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match="cannot be opened") as refused:
        _journal(tmp_path / "file" / "journal.sqlite3").open()
    assert "ls -ld" in refused.value.hint


@pytest.mark.parametrize("url", ["sqlite://", "mysql://h/x", "no address at all"])
def test_an_address_that_is_no_journal_is_said(url: str) -> None:
    with pytest.raises(JournalError, match="names no database") as refused:
        SqlJournal(url)
    assert "DR_DATABASE_URL" in refused.value.hint


def test_one_byte_edited_in_the_file_is_found(path: Path) -> None:
    held = path.read_bytes()
    assert held.count(b"quick brown fox") == 1
    path.write_bytes(held.replace(b"quick brown fox", b"quick brown fix"))

    with _journal(path) as journal:
        told = journal.verify(RUN)
    assert (told.ok, told.first_bad, told.rows) == (False, 2, 1)
    assert told.because == "event 2 is not as it was written: its hash does not fit"


def test_a_byte_that_is_no_text_any_more_is_found(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"quick brown fox", b"quick brown \xffox"))

    with _journal(path) as journal:
        assert journal.verify(RUN).first_bad == 2
        with pytest.raises(JournalError) as refused:
            journal.events(RUN)
    assert "dr journal verify" in refused.value.hint


@pytest.mark.parametrize("page", range(16))
def test_a_page_of_rubbish_never_ends_in_a_traceback(path: Path, page: int) -> None:
    held = bytearray(path.read_bytes())
    assert len(held) // 4096 > 16
    held[page * 4096 : page * 4096 + 4096] = b"\xa5" * 4096
    path.write_bytes(bytes(held))

    with contextlib.closing(_journal(path)) as journal:
        told = journal.verify(RUN)
    assert not told.ok
    assert "damaged" in told.because or told.first_bad


def test_a_run_that_is_not_there_cannot_be_verified(path: Path) -> None:
    with _journal(path) as journal, pytest.raises(UserError, match="no run is called 'nope'"):
        journal.verify("nope")


@pytest.fixture
def own_server(postgres_server: PostgresServer) -> Iterator[tuple[PostgresServer, SqlJournal]]:
    """A journal on PostgreSQL with one run."""
    with SqlJournal(postgres_server.database()) as journal:
        journal.create(record(), created())
        yield postgres_server, journal


@pytest.mark.postgres
def test_a_connection_that_was_cut_is_made_anew(
    own_server: tuple[PostgresServer, SqlJournal],
) -> None:
    server, journal = own_server
    _cut(server)
    assert len(journal.events(RUN)) == 1
    _cut(server)
    with contextlib.suppress(JournalBusyError):  # the first to notice is told so
        journal.append(RUN, [note()])
    before = len(journal.events(RUN))
    journal.append(RUN, [note()])
    assert len(journal.events(RUN)) == before + 1
    assert journal.verify(RUN).ok


@pytest.mark.postgres
def test_a_commit_whose_answer_was_lost_is_looked_up(
    own_server: tuple[PostgresServer, SqlJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, journal = own_server
    journal.append(RUN, [note()])
    wire = journal._db._writer  # type: ignore[attr-defined]
    commit = wire.commit

    def commit_then_lose_the_line() -> None:
        commit()
        _cut(server)
        wire.execute("SELECT 1")

    monkeypatch.setattr(wire, "commit", commit_then_lose_the_line)
    (kept,) = journal.append(RUN, [note("kept")])
    assert journal.events(RUN)[-1] == kept

    journal.append(RUN, [note()])
    wire = journal._db._writer  # type: ignore[attr-defined]

    def lose_the_line_first() -> None:
        _cut(server)
        wire.execute("SELECT 1")

    monkeypatch.setattr(wire, "commit", lose_the_line_first)
    with pytest.raises(JournalBusyError):
        journal.append(RUN, [note("lost")])
    assert [e.data.get("text") for e in journal.events(RUN)][-1] != "lost"


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    journal = SqlJournal(f"postgresql+psycopg://ana:hunter2@/x?host={tmp_path}")
    with pytest.raises(JournalBusyError, match="cannot be reached") as refused:
        journal.open()
    assert "hunter2" not in refused.value.message + refused.value.hint
    assert "pg_isready" in refused.value.hint


@pytest.mark.postgres
def test_a_read_only_server_is_said(own_server: tuple[PostgresServer, SqlJournal]) -> None:
    _server, journal = own_server
    writer = journal._db._writer  # type: ignore[attr-defined]
    writer.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    writer.commit()
    with pytest.raises(JournalError, match="cannot be written") as refused:
        journal.append(RUN, [note()])
    assert refused.value.code == "journal_read_only"


def _cut(server: PostgresServer) -> None:
    with contextlib.closing(server.connect()) as wire:
        wire.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'dr journal'"
        )
