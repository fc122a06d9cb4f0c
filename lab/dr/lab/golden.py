"""The database that every lab starts from, made once and kept.

initdb, the seed and a first full backup cost seconds, so they are paid once and cached; a lab's
clusters are overlays or sparse copies of the result.  The cluster is made in a mount namespace
where it lies at the very path that it has on a host, and the backup is a real pgBackRest
repository of that very cluster: same system identifier, same WAL.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dr.lab import kernel
from dr.lab.errors import LabError
from dr.lab.postgres import (
    CLIENT_RULES,
    REPOSITORY,
    SOCKET_DIR,
    STANZA,
    VOLUME,
    Installation,
    as_postgres,
    server_settings,
    slot_name,
)
from dr.lab.topology import LAB_CLUSTER, STAGING_CLUSTER

_FORMAT = "1"
_SCHEMA = Path(__file__).with_name("schema.sql")
IMAGE_MB = 768
_START_S = 30.0
_CONFIG = Path("/run/pgbackrest.conf")  # on the builder's own /run
_OPTIONS = f"--config={_CONFIG} --stanza={STANZA}"


@dataclass(frozen=True, slots=True)
class Golden:
    """A finished cache entry."""

    directory: Path

    @property
    def volume(self) -> Path:
        """What lies at /var/lib/postgresql of a database host."""
        return self.directory / "volume"

    @property
    def repository(self) -> Path:
        """What lies at /var/lib/pgbackrest of the backup host."""
        return self.directory / "repository"

    @property
    def passwords(self) -> dict[str, str]:
        """Passwords of the roles app, dr_reader and repl."""
        loaded: dict[str, str] = json.loads((self.directory / "passwords.json").read_text())
        return loaded

    def image(self) -> Path:
        """Return an ext4 image of the volume, made on first use."""
        image = self.directory / f"volume-{IMAGE_MB}.ext4"
        if not image.exists():
            part = image.with_suffix(f".{os.getpid()}")
            make_image(part, self.volume)
            part.rename(image)
        return image


def make_image(path: Path, content: Path | None = None) -> None:
    """Write a sparse ext4 image, empty or with what lies in ``content``."""
    with path.open("wb") as file:
        file.truncate(IMAGE_MB << 20)
    options = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    command = ["mkfs.ext4", "-q", "-F", "-m", "0", "-E", options]
    if content is not None:
        command += ["-d", str(content)]
    subprocess.run([*command, str(path)], check=True)


def default_cache() -> Path:
    """Return where this user's golden clusters are kept."""
    return Path(f"/var/tmp/dr-lab-cache-{os.geteuid()}")  # noqa: S108  the owner is checked on use


def golden(
    cache: Path, installation: Installation, *, rows: int, archive_timeout_s: int, backup: bool
) -> Golden:
    """Return the cached cluster for these settings, making it when there is none."""
    cache.mkdir(mode=0o711, parents=True, exist_ok=True)
    if cache.stat().st_uid != os.geteuid():
        raise LabError(
            f"the cache {cache} belongs to somebody else",
            hint="Set DR_LAB_CACHE to a directory of your own.",
        )
    text = "\0".join(
        [
            _FORMAT,
            installation.version,
            str(rows),
            str(backup),
            server_settings(archive_timeout_s),
            CLIENT_RULES,
            _SCHEMA.read_text(encoding="utf-8"),
        ]
    )
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    final = cache / f"pg{installation.major}-{rows}-{key}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.exists():
            for stale in cache.glob("making-*"):
                shutil.rmtree(stale, ignore_errors=True)
            part = cache / f"making-{os.getpid()}"
            _make(part, installation, rows, archive_timeout_s, backup=backup)
            part.rename(final)
    return Golden(final)


def _make(
    part: Path, installation: Installation, rows: int, archive_timeout_s: int, *, backup: bool
) -> None:
    for name in ("volume", "repository"):
        (part / name).mkdir(parents=True)
    data = part / "volume" / installation.major / "main"
    data.mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        for path in (part / "repository", part / "volume", data.parent, data):
            shutil.chown(path, "postgres", "postgres")
    passwords = {role: secrets.token_urlsafe(15) for role in ("app", "dr_reader", "repl")}
    secret = part / "passwords.json"
    secret.touch(mode=0o600)
    secret.write_text(json.dumps(passwords))
    child = kernel.fork()
    if child == 0:
        status = 1
        try:
            _isolate(part)
            # the pid namespace begins with the next child: when it ends, nothing of it is left
            worker = kernel.fork()
            if worker == 0:
                os._exit(
                    _build_in_namespace(
                        part, installation, passwords, rows, archive_timeout_s, backup
                    )
                )
            status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        except BaseException as error:  # noqa: BLE001  a forked child must end here, whatever happens
            sys.stderr.write(f"golden: {error}\n")
        finally:
            os._exit(1 if status else 0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        log = part / "log"
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        raise LabError(
            f"the lab's database could not be made: {tail.strip() or 'no log'}",
            hint="Look for free space with 'df', and try again.",
        )


def _isolate(part: Path) -> None:
    if os.geteuid() != 0:
        kernel.unshare_user()
    kernel.unshare(kernel.ALL_NAMESPACES)
    kernel.make_mounts_private()
    kernel.bind(part / "volume", VOLUME)
    # pgBackRest syncs each of its thousand files: in memory that costs nothing, and the finished
    # repository is copied out and synced once
    Path(REPOSITORY).mkdir(exist_ok=True)
    kernel.mount("tmpfs", REPOSITORY, "tmpfs", 0, "mode=755")
    if os.geteuid() == 0:
        shutil.chown(REPOSITORY, "postgres", "postgres")
    kernel.mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777")  # noqa: S108
    kernel.mount("tmpfs", "/run", "tmpfs", 0, "mode=755")


def _build_in_namespace(
    part: Path,
    installation: Installation,
    passwords: dict[str, str],
    rows: int,
    archive_timeout_s: int,
    backup: bool,
) -> int:
    log = os.open(part / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir("/")
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        _Builder(installation, passwords, archive_timeout_s, backup=backup).build(rows)
        subprocess.run(["cp", "-a", f"{REPOSITORY}/.", str(part / "repository")], check=True)
        subprocess.run(["sync", "-f", str(part / "log")], check=True)
    except (OSError, subprocess.SubprocessError, LabError) as error:
        os.write(2, f"{error}\n".encode())
        return 1
    return 0


class _Builder:
    """Makes the cluster and its first backup inside the namespaces."""

    def __init__(
        self,
        installation: Installation,
        passwords: dict[str, str],
        archive_timeout_s: int,
        *,
        backup: bool,
    ) -> None:
        self.installation = installation
        self.data = Path(installation.data_dir)
        self.passwords = passwords
        self.archive_timeout_s = archive_timeout_s
        self.backup = backup

    def build(self, rows: int) -> None:
        Path(SOCKET_DIR).mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(SOCKET_DIR, "postgres", "postgres")
        _CONFIG.write_text(_repository_settings(self.data))
        self._initialise()
        # the seed needs no WAL: nothing of it is replicated or archived, the backup comes after
        self._serve({"wal_level": "minimal", "max_wal_senders": "0", "archive_mode": "off"}, rows)
        self._serve(
            {"archive_command": f"pgbackrest {_OPTIONS} archive-push %p", "archive_timeout": "0"}
            if self.backup
            else {"archive_mode": "off"}
        )

    def _serve(self, settings: dict[str, str], rows: int | None = None) -> None:
        server = self._start(settings)
        try:
            if rows is not None:
                self._psql(self._variables(rows) + _SCHEMA.read_text(encoding="utf-8"))
                return
            self._psql(_slots())
            if self.backup:
                options = _OPTIONS.split()
                self._run("pgbackrest", *options, "stanza-create")
                self._run("pgbackrest", *options, "--type=full", "--start-fast", "backup")
        finally:
            # SIGINT is PostgreSQL's fast shutdown; its last act is to archive the last segment
            server.send_signal(signal.SIGINT)
            server.wait(_START_S)

    def _initialise(self) -> None:
        # a 4 MB segment: a lab archives often and writes little
        program = self.installation.program("initdb")
        words = ["-D", str(self.data), "-N", "-k", "-U", "postgres", "-A", "trust"]
        words += ["-E", "UTF8", "--locale=C.UTF-8", "--wal-segsize=4"]
        self._run(program, *words)
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(server_settings(self.archive_timeout_s))
        (self.data / "pg_hba.conf").write_text(CLIENT_RULES)

    def _start(self, settings: dict[str, str]) -> subprocess.Popen[bytes]:
        settings = {"listen_addresses": "", "fsync": "off", **settings}
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        server = subprocess.Popen(
            [*as_postgres(), self.installation.program("postgres"), "-D", str(self.data), *words],
            stdin=subprocess.DEVNULL,
            cwd="/",
        )
        ready = [self.installation.program("pg_isready"), "-q", "-h", SOCKET_DIR]
        end = time.monotonic() + _START_S
        while subprocess.run(ready, check=False).returncode != 0:
            if server.poll() is not None or time.monotonic() > end:
                raise LabError("the lab's database did not start")
            time.sleep(0.02)
        return server

    def _variables(self, rows: int) -> str:
        # not as arguments, which everybody on the machine can read
        lines = [f"\\set rows {rows}"]
        names = {"app_password": "app", "reader_password": "dr_reader", "repl_password": "repl"}
        lines += [f"\\set {name} '{self.passwords[role]}'" for name, role in names.items()]
        return "\n".join(lines) + "\n"

    def _psql(self, script: str) -> None:
        command = [self.installation.program("psql"), "-qX", "-v", "ON_ERROR_STOP=1"]
        subprocess.run(
            [*as_postgres(), *command, "-h", SOCKET_DIR, "-U", "postgres", "-d", "postgres"],
            input=script,
            text=True,
            stdout=subprocess.DEVNULL,
            check=True,
            cwd="/",
        )

    def _run(self, *command: str) -> None:
        subprocess.run([*as_postgres(), *command], check=True, stdout=subprocess.DEVNULL, cwd="/")


def _repository_settings(data: Path) -> str:
    return f"""[global]
repo1-path={REPOSITORY}
repo1-retention-full=4
compress-type=lz4
start-fast=y
log-level-console=warn
log-level-file=off
lock-path={SOCKET_DIR}/lock
spool-path={SOCKET_DIR}/spool

[{STANZA}]
pg1-path={data}
pg1-socket-path={SOCKET_DIR}
pg1-user=postgres
"""


def _slots() -> str:
    names = [*LAB_CLUSTER.standbys, *STAGING_CLUSTER.standbys]
    calls = [f"SELECT pg_create_physical_replication_slot('{slot_name(name)}');" for name in names]
    return "\n".join(calls)


def clear_cache(cache: Path) -> None:
    """Forget every golden cluster; labs that are up keep working, as their files stay open."""
    with suppress(FileNotFoundError):
        shutil.rmtree(cache)
