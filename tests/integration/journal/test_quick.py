"""Reading a journal without SQLAlchemy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dr.engine.core.errors import JournalError
from dr.engine.journal.quick import quick_events, quick_runs
from dr.engine.journal.sql import SqlJournal, sqlite_url
from tests.contract.journal.sample import NOON, SetClock, asked, created, ended, record

RUN = "r-20261101-0001"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal will be."""
    return tmp_path / "my journal%20.sqlite3"


def test_runs_are_listed_with_their_open_questions(path: Path) -> None:
    with SqlJournal(sqlite_url(path), clock=SetClock()) as journal:
        journal.create(record(), created())
        journal.append(RUN, [asked("b#1"), asked("a#1")])
        journal.create(record("older", created=NOON.replace(hour=1)), created())
        journal.append("older", [ended("failed")])

        newest, older = quick_runs(path)  # while the journal is open
        assert quick_events(path, RUN) == journal.events(RUN)
        assert quick_events(path, RUN, after=2) == journal.events(RUN, after=2)
    assert (newest.id, newest.state, newest.questions) == (RUN, "running", ("a#1", "b#1"))
    assert (older.id, older.state, older.questions, older.events) == ("older", "failed", (), 2)
    assert (newest.at, newest.created, newest.title["zh"]) == (NOON, NOON, "存储故障")
    assert quick_runs(path) == [newest, older]  # and when it is closed


def test_reading_never_writes(path: Path) -> None:
    assert quick_runs(path) == []
    assert quick_events(path, RUN) == []
    assert not path.exists()
    SqlJournal(sqlite_url(path)).open().close()
    before = path.read_bytes()
    assert quick_runs(path) == []
    assert path.read_bytes() == before


def test_what_is_no_journal_is_said(path: Path) -> None:
    path.write_text("no database at all, but long enough to look at" * 20)
    with pytest.raises(JournalError, match="is damaged"):
        quick_runs(path)


def test_importing_it_loads_no_library() -> None:
    script = "import sys, dr.engine.journal.quick; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & {"sqlalchemy", "alembic", "psycopg", "tenacity", "pydantic"} == set()
    assert "sqlite3" in loaded


def test_importing_the_package_loads_nothing() -> None:
    script = "import sys, dr.engine.journal; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert [m for m in done.stdout.split() if m.startswith("dr.engine.journal.")] == []
