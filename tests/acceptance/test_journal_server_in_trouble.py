"""The journal's PostgreSQL is restarted, cut off, full, impatient, replaced by an older one.

Each time nothing acts that is not written down, it is said, and the run goes on later.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dr.engine.core.events import Kind
from dr.lab.testing import SMALL, LabFactory
from tests.acceptance.second_site import EFFECTS, Site, is_frozen, lives, pid_of, two_sites
from tests.deadline import wait_for
from tests.integration.postgres_server import PostgresServer, launch, own_server

pytestmark = [pytest.mark.lab, pytest.mark.postgres, pytest.mark.slow]

ONCE = dict.fromkeys(EFFECTS, 1)
_LINE = "echo ran >>/root/$DR_RUN"
LONG = f"""
format: 1
name: long
title: {{ en: A long command, zh: 长时间命令 }}
steps:
  - id: work
    uses: ssh.run
    hosts: db-b
    effect: once
    with: {{ shell: "{_LINE}.work; while [ ! -e /root/go ]; do sleep 0.1; done" }}
  - {{ id: after, uses: ssh.run, hosts: dr-a, effect: once, with: {{ shell: "{_LINE}.after" }} }}
"""


@pytest.fixture(scope="module")
def lab(lab_factory: LabFactory) -> Path:
    return lab_factory(**SMALL)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server to be hurt: not the one that other tests use."""
    with own_server() as server:
        yield server


@pytest.fixture
def site(lab: Path, server: PostgresServer) -> Iterator[Site]:
    """The control host, its journal in a database of its own."""
    site, _second = two_sites(lab, server.database())
    (site.workspace / "runbooks/long.yaml").write_text(LONG, "utf-8")
    site.on("db-b", "rm", "-f", "/root/go")
    yield site
    if site.runs() and site.engine_lives():
        os.kill(site.engine_pid(), signal.SIGKILL)


@contextlib.contextmanager
def at_work(site: Site) -> Iterator[str]:
    """Run ``long`` until its command runs on its host; give the engine's holder."""
    with site.beside("run", "long", "--no-wait"):
        wait_for(lambda: site.runs() > 0, 30, "the run")
        wait_for(lambda: site.begun_jobs("db-b", "work"), 30, "the command to begin")
        yield site.view.holder


def ran(site: Site) -> dict[str, int]:
    """Return how often each step of ``long`` took effect: the truth."""
    paths = {s: site.upper(h, f"/root/{site.run}.{s}") for s, h in LONG_EFFECTS.items()}
    return {s: len(p.read_text().splitlines()) if p.exists() else 0 for s, p in paths.items()}


LONG_EFFECTS = {"work": "db-b", "after": "dr-a"}


def log_of(site: Site) -> str:
    return (site.workspace / ".dr/logs" / site.run / "engine.log").read_text("utf-8")


@pytest.mark.parametrize("hurt", ["cut", "crash"])
def test_a_server_that_cuts_lines_or_is_restarted_while_a_step_runs_costs_no_engine_its_run(
    site: Site, server: PostgresServer, hurt: str
) -> None:
    with at_work(site) as holder:
        cut(server) if hurt == "cut" else server.crash()
        renewed = renewal(site, server)
        wait_for(lambda: renewal(site, server) != renewed, 20, "the lease to be renewed")
        site.on("db-b", "touch", "/root/go")
        assert str(site.wait_end().state) == "succeeded"
    assert [e.data["holder"] for e in site.events(Kind.RUN_LEASE)] == [holder]
    assert site.events(Kind.LOST) == []
    assert ran(site) == {"work": 1, "after": 1}


def test_a_server_that_stays_away_stops_the_engine_before_it_acts_again(
    site: Site, server: PostgresServer
) -> None:
    with at_work(site) as holder:
        run, log = site.run, site.workspace / ".dr/logs" / site.run / "engine.log"
        server.stop()
        try:
            site.on("db-b", "touch", "/root/go")
            wait_for(lambda: not lives(holder), 40, "the engine's end")
            assert "the journal postgresql+psycopg:" in log.read_text("utf-8")
            said = site.dr("status", run, expect=1)
            assert "cannot be reached" in said.stderr
            assert "pg_isready" in said.stderr
        finally:
            server.process = launch(server.folder, server.binaries)
            wait_for(server.answers, 60, "the server")
    assert ran(site) == {"work": 1, "after": 0}
    site.dr("resume", run, "--detach")
    assert str(site.wait_end().state) == "succeeded"
    assert ran(site) == {"work": 1, "after": 1}


def test_a_server_that_drops_idle_connections_costs_no_engine_its_run(
    site: Site, server: PostgresServer
) -> None:
    name = site.database.split("/")[3].split("?")[0]
    with contextlib.closing(server.connect()) as wire:
        wire.execute(f"ALTER DATABASE {name} SET idle_session_timeout = '400ms'".encode())
    site.dr("run", "two", "--no-wait", expect=3)
    holder = site.view.holder
    for _ in range(2):
        renewed = renewal(site, server)
        wait_for(lambda seen=renewed: renewal(site, server) != seen, 20, "a renewal")  # type: ignore[misc]
    site.dr("answer", site.run, "ask", "done", "--by", "zhou.jie")
    assert str(site.wait_end().state) == "succeeded"
    assert [e.data["holder"] for e in site.events(Kind.RUN_LEASE)] == [holder]
    assert site.effects() == ONCE


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_below_the_server_stops_the_engine_before_it_acts_again(
    lab: Path, server: PostgresServer
) -> None:
    disk = server.folder / "small"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=True)
    try:
        shutil.chown(disk, "postgres", "postgres")
        with contextlib.closing(server.connect()) as wire:
            wire.execute(f"CREATE TABLESPACE small LOCATION '{disk}'".encode())
            wire.execute(b"CREATE DATABASE crowded TEMPLATE template0 TABLESPACE small")
            full(Site(lab, server.url("crowded")), disk)
            wire.execute(b"DROP DATABASE crowded WITH (FORCE)")
            wire.execute(b"DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def full(site: Site, disk: Path) -> None:
    """Fill the disk while a step runs whose output must be written."""
    words = "sleep 0.1; done"
    noisy = LONG.replace(words, f"{words}; base64 -w0 /dev/urandom | head -c 100000")
    (site.workspace / "runbooks/long.yaml").write_text(noisy, "utf-8")
    site.on("db-b", "rm", "-f", "/root/go")
    with at_work(site) as holder:
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
            while stream.write(b"\0" * 4096):
                pass
        site.on("db-b", "touch", "/root/go")
        wait_for(lambda: not lives(holder), 40, "the engine's end")
    assert "no space is left for the journal" in log_of(site)
    assert ran(site) == {"work": 1, "after": 0}
    filler.unlink()
    site.dr("resume", site.run, "--detach")
    assert str(site.wait_end().state) == "succeeded"
    assert ran(site) == {"work": 1, "after": 1}
    site.dr("journal", "verify", site.run)


# -- a fail-over that loses the last commits


@pytest.fixture
def standby(server: PostgresServer) -> Iterator[Callable[[], None]]:
    """Copy the server as a standby would be now; calling puts the copy in the server's place."""
    copy = server.folder / "copy"

    def fail_over() -> None:
        server.process.kill()
        server.process.wait(20)
        wait_for(lambda: not postmaster_left(server), 20, "the old server's processes")
        shutil.rmtree(server.folder / "data")
        copy.rename(server.folder / "data")
        (server.folder / "data/standby.signal").touch()
        shutil.chown(server.folder / "data/standby.signal", "postgres", "postgres")
        server.process = launch(server.folder, server.binaries)
        wait_for(server.answers, 60, "the standby")
        with contextlib.closing(server.connect()) as wire:
            wire.execute(b"SELECT pg_promote()")

    yield fail_over
    shutil.rmtree(copy, ignore_errors=True)


def take_copy(server: PostgresServer) -> None:
    """Let the standby have all up to now, and nothing later."""
    subprocess.run(
        [server.binaries / "pg_basebackup", "-h", server.folder, "-U", "postgres",
         "-D", server.folder / "copy", "-X", "stream", "-c", "fast", "--no-sync"],
        check=True, user="postgres" if os.geteuid() == 0 else None, cwd="/",
    )  # fmt: skip


def postmaster_left(server: PostgresServer) -> bool:
    """Say whether a process of the killed server still lives."""
    data = str(server.folder / "data")
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if str(entry.readlink()) == data:
                return True
    return False


def test_a_run_whose_journal_lost_its_last_events_waits_for_people_before_anything_acts(
    site: Site, server: PostgresServer, standby: Callable[[], None]
) -> None:
    run = site.begin()
    take_copy(server)
    with site.engine("after-perform:3") as holder:
        wait_for(lambda: not lives(holder), 20, "the engine's death")
    kept, effects = len(site.events()), site.effects()
    assert effects["first"] == 1
    standby()
    assert len(site.events()) < kept
    assert site.events(Kind.INTENT) == []

    said = site.dr("resume", run, expect=3)
    assert "the run is in doubt as a whole: the journal lacks what these hosts know" in said.stdout
    assert "db-b (epoch 2, first#1" in said.stdout
    assert f"dr resume {run} --as-it-is" in said.stderr
    assert str(site.view.state) == "in_doubt"
    assert "IN DOUBT" in site.dr("status", run, expect=3).stdout
    refused = site.json("resume", run, expect=3)["error"]
    assert refused["code"] == "run_behind"
    assert site.events(Kind.INTENT) == []
    assert site.effects() == effects

    because = ["--because", "the old server is lost", "--by", "sun.hao"]
    site.dr("resume", run, "--as-it-is", "--detach", *because)
    assert str(site.wait_end().state) == "succeeded"
    assert site.effects() == ONCE
    (accepted,) = site.events(Kind.OP_ACCEPT)
    assert (accepted.data["by"], accepted.data["because"]) == ("sun.hao", "the old server is lost")
    site.dr("journal", "verify", run)


def test_an_engine_that_remembers_more_than_the_journal_stops_before_it_acts(
    site: Site, server: PostgresServer, standby: Callable[[], None]
) -> None:
    site.begin()
    take_copy(server)
    with site.engine("after-append:5:stop") as holder:
        wait_for(lambda: is_frozen(holder), 20, "the engine to freeze")
        effects = site.effects()
        standby()
        os.kill(pid_of(holder), signal.SIGCONT)
        wait_for(lambda: not lives(holder), 20, "the engine's end")
    assert "the journal has lost events of run" in log_of(site)
    assert site.events(Kind.INTENT) == []
    assert site.effects() == effects


# -- the same with a standby that streams, while the engine lives

LIVE = LONG.replace("name: long", "name: live").replace(
    "steps:\n",
    "steps:\n  - { id: ask, uses: human.task, "
    "with: { group: support, instructions: { en: x, zh: x } } }\n",
).replace("    effect: once\n", """    effect: once
    probe:
      uses: path.check
      with: { path: "/root/${{ run.id }}.work" }
      when: "${{ result.state == 'present' }}"
""", 1)  # fmt: skip


@dataclass
class Pair:
    """A server, and a standby that streams from it without anybody waiting for it."""

    primary: PostgresServer
    standby: PostgresServer

    def url(self, database: str) -> str:
        """Return the address of whichever of the two takes writes."""
        hosts = f"{self.primary.folder},{self.standby.folder}"
        words = f"host={hosts}&target_session_attrs=read-write"
        return f"postgresql+psycopg://postgres@/{database}?{words}"

    def streams(self) -> bool:
        """Say whether the standby has replayed all that the primary has."""
        told = b"SELECT replay_lsn = pg_current_wal_lsn() FROM pg_stat_replication"
        return self._on_primary(told) == (True,)

    def is_cut(self) -> bool:
        """Say whether nobody streams from the primary."""
        return self._on_primary(b"SELECT count(*) FROM pg_stat_replication") == (0,)

    def cut(self) -> None:
        """Let the standby receive nothing that is committed from now on."""
        with contextlib.closing(self.standby.connect()) as wire:
            wire.execute(b"ALTER SYSTEM SET primary_conninfo = 'host=/nonexistent'")
            wire.execute(b"SELECT pg_reload_conf()")
        wait_for(self.is_cut, 20, "the end of the stream")

    def fail_over(self) -> None:
        """Kill the primary with -9 and promote the standby."""
        self.primary.process.kill()
        self.primary.process.wait(20)
        wait_for(lambda: not postmaster_left(self.primary), 20, "the primary's processes")
        with contextlib.closing(self.standby.connect()) as wire:
            wire.execute(b"SELECT pg_promote()")

    def _on_primary(self, sql: bytes) -> tuple[object, ...] | None:
        with contextlib.closing(self.primary.connect()) as wire:
            return wire.execute(sql).fetchone()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two servers of this test's own, ended by their ids."""
    with own_server() as primary:
        folder = primary.folder / "standby"
        folder.mkdir()
        shutil.chown(folder, *(["postgres"] * 2 if os.geteuid() == 0 else [os.geteuid()]))
        subprocess.run(
            [primary.binaries / "pg_basebackup", "-h", primary.folder, "-U", "postgres", "-R",
             "-D", folder / "data", "-X", "stream", "-c", "fast", "--no-sync"],
            check=True, user="postgres" if os.geteuid() == 0 else None, cwd="/",
        )  # fmt: skip
        with (folder / "data/postgresql.conf").open("a") as settings:
            settings.write(f"unix_socket_directories = '{folder}'\n")
        standby = PostgresServer(folder, primary.binaries, launch(folder, primary.binaries))
        try:
            wait_for(standby.answers, 60, "the standby")
            yield Pair(primary, standby)
        finally:
            standby.stop()


def test_a_standby_that_lacked_the_last_commits_takes_over_from_under_a_living_engine(
    lab: Path, pair: Pair
) -> None:
    primary_only = pair.primary.database()
    site = Site(lab, pair.url(primary_only.split("/")[3].split("?")[0]))
    (site.workspace / "runbooks/live.yaml").write_text(LIVE, "utf-8")
    site.on("db-b", "rm", "-f", "/root/go")
    site.dr("run", "live", "--no-wait", expect=3)
    run, holder = site.run, site.view.holder
    wait_for(pair.streams, 20, "the standby to have it all")
    pair.cut()
    kept = site.events()
    site.dr("answer", run, "ask", "done", "--by", "zhou.jie")
    wait_for(lambda: site.begun_jobs("db-b", "work"), 30, "the command to begin")
    assert site.events(Kind.INTENT, "work")

    pair.fail_over()
    wait_for(lambda: not lives(holder), 40, "the engine's end")
    assert f"the journal has lost events of run {run}" in log_of(site)
    assert site.events() == kept, "the answer and the start of the step are gone"
    site.on("db-b", "touch", "/root/go")
    wait_for(lambda: not site.job_runs("db-b", "work", 1), 20, "the command's end")

    said = site.dr("resume", run, expect=3)
    assert "the run is in doubt as a whole: the journal lacks what these hosts know" in said.stdout
    assert "db-b (work#1)" in said.stdout
    assert "IN DOUBT" in site.dr("status", run, expect=3).stdout
    assert site.json("resume", run, expect=3)["error"]["code"] == "run_behind"
    assert (site.events(Kind.INTENT), ran(site)) == ([], {"work": 1, "after": 0})

    because = ["--because", "the old server is lost", "--by", "sun.hao"]
    site.dr("resume", run, "--as-it-is", "--detach", *because)
    site.wait_event(Kind.OP_ACCEPT)
    site.dr("answer", run, "ask", "done", "--by", "zhou.jie")
    view = site.wait_end()
    assert (str(view.state), str(view.steps["work"].state)) == ("succeeded", "already_done")
    assert ran(site) == {"work": 1, "after": 1}
    site.dr("journal", "verify", run)


def cut(server: PostgresServer) -> None:
    """End every connection of the journal's users."""
    with contextlib.closing(server.connect()) as wire:
        wire.execute(
            b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            b"WHERE application_name = 'dr journal'"
        )


def renewal(site: Site, server: PostgresServer) -> str:
    """Return when the lease was renewed last."""
    name = site.database.split("/")[3].split("?")[0]
    with contextlib.closing(server.connect(name)) as wire:
        found = wire.execute(b"SELECT renewed_at::text FROM worker").fetchone()
        return str(found[0]) if found else ""
