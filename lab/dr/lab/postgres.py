"""Finding this machine's PostgreSQL and describing a cluster of the lab to it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dr.lab.errors import LabError

SOCKET_DIR = "/run/postgresql"
VOLUME = "/var/lib/postgresql"
LOG = "/var/log/postgresql/postgresql.log"
PORT = 5432
STANZA = "registry"
DATABASE = "registry"
PGBACKREST_CONF = "/etc/pgbackrest.conf"
REPOSITORY = "/var/lib/pgbackrest"
# setpriv takes 2 ms where runuser takes 4 and su 7, and --reset-env keeps HOME=/root out
AS_POSTGRES = (
    "setpriv",
    "--reuid=postgres",
    "--regid=postgres",
    "--init-groups",
    "--reset-env",
    "--",
)


@dataclass(frozen=True, slots=True)
class Installation:
    """A PostgreSQL server installed on this machine."""

    bin_dir: Path
    version: str
    """As ``postgres --version`` says it, such as ``15.18``."""

    @property
    def major(self) -> str:
        return self.version.split(".")[0]

    @property
    def data_dir(self) -> str:
        """Where a host keeps its cluster, as Debian and Ubuntu do."""
        return f"{VOLUME}/{self.major}/main"

    def program(self, name: str) -> str:
        return str(self.bin_dir / name)


def find_installation(root: Path = Path("/usr/lib/postgresql")) -> Installation:
    """Return the newest PostgreSQL under ``root``; a LabError when there is none."""

    def major(path: Path) -> int:
        return int(path.name) if path.name.isdigit() else -1

    for version in sorted(root.glob("*"), key=major, reverse=True):
        server = version / "bin" / "postgres"
        if os.access(server, os.X_OK):
            shown = subprocess.run(
                [str(server), "--version"], capture_output=True, text=True, check=True
            ).stdout
            match = re.search(r"\d+(\.\d+)?", shown)
            return Installation(server.parent, match.group() if match else version.name)
    raise LabError(
        f"no PostgreSQL server is installed under {root}",
        hint="Type 'apt-get install --no-install-recommends postgresql pgbackrest' as root.",
    )


def as_postgres() -> tuple[str, ...]:
    """Return the words that make a command run as the database's user, if we can choose."""
    return AS_POSTGRES if os.geteuid() == 0 else ()


def has_pgbackrest() -> bool:
    return shutil.which("pgbackrest") is not None


def server_settings(archive_timeout_s: int) -> str:
    """Return what is appended to postgresql.conf of every cluster."""
    return f"""
listen_addresses = '*'
port = {PORT}
unix_socket_directories = '{SOCKET_DIR}'
max_connections = 60
shared_buffers = 32MB
wal_level = replica
wal_log_hints = on
max_wal_senders = 10
max_replication_slots = 10
hot_standby = on
hot_standby_feedback = off
min_wal_size = 32MB
max_wal_size = 256MB
wal_keep_size = 128MB
wal_receiver_timeout = 5s
wal_sender_timeout = 5s
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 500ms
archive_mode = on
archive_command = 'pgbackrest --stanza={STANZA} archive-push %p'
archive_timeout = {archive_timeout_s}s
tcp_keepalives_idle = 5
tcp_keepalives_interval = 1
tcp_keepalives_count = 3
tcp_user_timeout = 5000
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d '
timezone = 'UTC'
log_timezone = 'UTC'
jit = off
"""


CLIENT_RULES = """\
# the local socket is inside one host; whoever is root there may be anybody anyway
local all         all                    trust
host  all         all   127.0.0.1/32     trust
host  all         all   198.18.0.0/16    scram-sha-256
host  replication repl  198.18.0.0/16    scram-sha-256
"""


def standby_settings(service_address: str, host: str, password: str) -> str:
    """Return postgresql.auto.conf of a standby that follows the service address.

    ``application_name`` is said explicitly: what pg_basebackup -R writes makes every standby
    'walreceiver', and names could then not be told apart.
    """
    return (
        f"primary_conninfo = 'host={service_address} port={PORT} user=repl password={password} "
        f"application_name={host} connect_timeout=3'\n"
        f"primary_slot_name = '{slot_name(host)}'\n"
    )


def slot_name(host: str) -> str:
    """Return the replication slot of ``host``; slots allow no hyphen."""
    return host.replace("-", "_")
