"""The migrations create what the tables say, on both databases, once, and never go backwards."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from dr.engine.core.errors import DrError, JournalError
from dr.engine.journal.schema import MIGRATIONS, REVISIONS
from dr.engine.journal.sql import SqlJournal
from dr.engine.journal.tables import Base
from tests.contract.journal.sample import created, note, record

RUN = "r-20261101-0001"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new, empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/journal.sqlite3"
    address: str = request.getfixturevalue("postgres_server").database()
    return address


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A look at the database past the journal."""
    opened = create_engine(url, poolclass=NullPool)
    yield opened
    opened.dispose()


def test_the_migrated_schema_is_what_the_tables_say(url: str, engine: Engine) -> None:
    SqlJournal(url).open().close()

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_every_constraint_has_the_name_that_the_tables_give_it(url: str, engine: Engine) -> None:
    SqlJournal(url).open().close()

    found, wanted = set(), set()
    looking = inspect(engine)
    for name, table in Base.metadata.tables.items():
        found |= {looking.get_pk_constraint(name)["name"]}
        found |= {c["name"] for c in looking.get_unique_constraints(name)}
        found |= {c["name"] for c in looking.get_foreign_keys(name)}
        found |= {c["name"] for c in looking.get_check_constraints(name)}
        wanted |= {c.name for c in table.constraints}
    assert found == wanted
    assert None not in wanted


@pytest.mark.parametrize("statement", ["UPDATE event SET data = '{}'", "DELETE FROM event"])
def test_the_database_itself_refuses_to_change_an_event(
    url: str, engine: Engine, statement: str
) -> None:
    with SqlJournal(url) as journal:
        journal.create(record(), created())
        before = journal.events(RUN)
        with engine.begin() as connection, pytest.raises(DBAPIError, match="only ever added"):
            connection.execute(text(statement))
        assert journal.events(RUN) == before


def test_opening_again_changes_nothing(url: str, engine: Engine) -> None:
    with SqlJournal(url) as journal:
        journal.create(record(), created())
    with SqlJournal(url) as journal:
        assert len(journal.events(RUN)) == 1
    with engine.connect() as connection:
        versions = connection.execute(text("SELECT version_num FROM alembic_version")).all()
    assert [tuple(v) for v in versions] == [(REVISIONS[-1],)]


def test_many_processes_may_open_a_new_database_at_once(url: str) -> None:
    journals = [SqlJournal(url) for _ in range(6)]
    barrier, failures = threading.Barrier(len(journals)), list[DrError]()

    def work(journal: SqlJournal) -> None:
        barrier.wait()
        try:
            journal.open()
        except DrError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(j,)) for j in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    journals[0].create(record(), created())
    assert all(len(j.events(RUN)) == 1 for j in journals)
    for journal in journals:
        journal.close()


def test_a_schema_of_a_newer_dr_is_refused_and_left_alone(url: str, engine: Engine) -> None:
    SqlJournal(url).open().close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(JournalError, match="written by a newer dr: its schema is 9999") as refused:
        SqlJournal(url).open()
    assert refused.value.hint == "Install the newer dr on this machine; nothing was changed."
    with engine.connect() as connection:
        assert (
            connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"
        )


def test_somebody_elses_tables_are_refused_and_left_alone(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE event (birthday TEXT)"))

    with pytest.raises(JournalError, match="has a table 'event' but is not a journal of dr"):
        SqlJournal(url).open()
    assert inspect(engine).get_table_names() == ["event"]


def test_a_failed_migration_leaves_no_table_behind(
    url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic.operations import Operations

    def torn(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("torn")

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "execute", torn)  # the triggers come last
        with pytest.raises(RuntimeError, match="torn"):
            SqlJournal(url).open()
    assert inspect(engine).get_table_names() == []
    with SqlJournal(url) as journal:
        journal.create(record(), [*created(), note()])


def test_the_revisions_in_the_code_are_those_in_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)

    assert tuple(s.revision for s in scripts.walk_revisions())[::-1] == REVISIONS
    assert scripts.get_heads() == [REVISIONS[-1]]


def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.sqlite3"
    with SqlJournal(f"sqlite:///{path}") as journal:
        journal.create(record(), created())
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.glob("journal*3*")}
        assert modes.pop("journal.sqlite3.locks", 0o700) == 0o700
        assert set(modes.values()) == {0o600}
        assert "journal.sqlite3-wal" in modes


def test_a_new_file_is_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    SqlJournal(f"sqlite:///{path}").open().close()
    wire = sqlite3.connect(path)
    try:
        assert wire.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        wire.close()


def test_the_migrations_are_in_the_wheel(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(Path(__file__).parents[2])).build(
        directory=str(tmp_path), versions=["standard"]
    )
    names = set(ZipFile(wheel).namelist())
    wanted = {"env.py", "script.py.mako", *(f"versions/{p.name}" for p in _versions())}
    assert {f"dr/engine/journal/migrations/{name}" for name in wanted} <= names


def _versions() -> list[Path]:
    return list((MIGRATIONS / "versions").glob("[0-9]*.py"))


@pytest.mark.parametrize("point", ["before-migration", "within-migration", "after-migration"])
def test_a_journal_whose_first_opening_was_killed_is_opened_by_the_next(
    url: str, engine: Engine, point: str
) -> None:
    words = (
        "import sys; from dr.engine.journal.sql import SqlJournal; SqlJournal(sys.argv[1]).open()"
    )
    killed = subprocess.run(
        [sys.executable, "-c", words, url],
        env={**os.environ, "DR_FAULT": point, "PYTHONPATH": ":".join(sys.path)},
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL

    with SqlJournal(url) as journal:
        journal.create(record(RUN), created())
        assert journal.verify(RUN).ok
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
