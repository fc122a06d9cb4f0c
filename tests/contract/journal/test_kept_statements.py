"""SQLite's statements are kept compiled, so that most commands never load SQLAlchemy."""

from __future__ import annotations

import subprocess
import sys

from dr.engine.journal import sqlite_texts
from dr.engine.journal.compiling import sqlite_module


def test_the_kept_statements_are_what_sqlalchemy_compiles() -> None:
    fresh: dict[str, object] = {}
    exec(sqlite_module(), fresh)  # noqa: S102 - our own module, as text
    assert fresh["TEXTS"] == sqlite_texts.TEXTS
    assert fresh["TABLES"] == sqlite_texts.TABLES


def test_an_up_to_date_journal_is_opened_and_written_without_sqlalchemy(tmp_path: object) -> None:
    write = (
        "import sys; from datetime import UTC, datetime\n"
        "from dr.engine.core.events import Draft, Kind\n"
        "from dr.engine.core.ports import RunRecord\n"
        "from dr.engine.journal.sql import SqlJournal\n"
        f"journal = SqlJournal('sqlite:///{tmp_path}/journal.sqlite3').open()\n"
        "now = datetime.now(UTC)\n"
        "run = RunRecord(sys.argv[1], 'b', '', '', '', 'lab', 'real', 'ana', {}, {}, now)\n"
        "journal.create(run, [Draft(Kind.RUN_CREATED)])\n"
        "journal.append(run.id, [Draft(Kind.OP_NOTE)], lease=journal.acquire(run.id, 'x'))\n"
        "print(len(journal.events(run.id)), 'sqlalchemy' in sys.modules)\n"
    )

    def said(run: str) -> str:
        words = [sys.executable, "-c", write, run]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    assert said("R-1") == "3 True"  # the first one makes the tables
    assert said("R-2") == "3 False"
