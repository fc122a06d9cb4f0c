"""A real PostgreSQL for tests: its own cluster in a temporary folder, on a Unix socket only.

Use the fixture ``postgres_server`` (one server for the whole session) and mark the test
``postgres``; ``server.database()`` gives the SQLAlchemy URL of a new, empty database.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.deadline import wait_for

_SETTINGS = """
listen_addresses = ''
fsync = off
full_page_writes = off
max_connections = 60
shared_buffers = 16MB
logging_collector = off
"""


@dataclass
class PostgresServer:
    """A running server; ``folder`` holds its data, its socket and its log."""

    folder: Path
    binaries: Path
    process: subprocess.Popen[bytes]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of ``database``."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection that commits each statement."""
        return psycopg.connect(
            host=str(self.folder), user="postgres", dbname=database, autocommit=True
        )

    def database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"test_{next(self._numbers)}"
        with self.connect() as wire:
            wire.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0".encode())
        return self.url(name)

    def answers(self) -> bool:
        """Say whether it takes connections."""
        takes = self._takes()
        assert takes or self.process.poll() is None, (self.folder / "log").read_text()
        return takes

    def crash(self) -> None:
        """Kill the server with -9 and start it again on what it left."""
        self.process.kill()
        self.process.wait(20)

        def again() -> bool:
            # until the last of its processes is gone the new one refuses to start
            self.process = launch(self.folder, self.binaries)
            wait_for(lambda: self.process.poll() is not None or self._takes(), 60, "the restart")
            return self.process.poll() is None

        wait_for(again, 60, "the server after its crash")

    def _takes(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), self.connect():
            return True
        return False

    def stop(self) -> None:
        """End the server by its process id and wait for it."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)


def newest_binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL that is installed, 15 or later."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    found = [p for p in found if p.parent.name.isdigit() and int(p.parent.name) >= 15]
    return max(found, key=lambda p: int(p.parent.name), default=None)


def start(folder: Path, binaries: Path) -> PostgresServer:
    """Make a cluster below ``folder`` and start it; as user postgres when we are root."""
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        account = pwd.getpwnam(user)
        os.chown(folder, account.pw_uid, account.pw_gid)
    data = folder / "data"
    subprocess.run(
        [*f"{binaries}/initdb -U postgres -A trust -E UTF8 --locale=C --no-sync -D".split(), data],
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(f"{_SETTINGS}unix_socket_directories = '{folder}'\n")
    server = PostgresServer(folder, binaries, launch(folder, binaries))
    try:
        wait_for(server.answers, 60, "the test's PostgreSQL")
    except BaseException:
        server.stop()
        raise
    return server


def launch(folder: Path, binaries: Path) -> subprocess.Popen[bytes]:
    """Start a server on the cluster below ``folder``."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data"],
            user="postgres" if os.geteuid() == 0 else None,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


@contextlib.contextmanager
def own_server() -> Iterator[PostgresServer]:
    """Run a server of one's own below /tmp, where the account of PostgreSQL gets to."""
    binaries = newest_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL 15 or later is installed below /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="dr-pg-", dir="/tmp"))
    try:
        server = start(folder, binaries)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL for this session of tests."""
    with own_server() as server:
        yield server
