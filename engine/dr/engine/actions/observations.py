"""The fixed read-only commands that an observer may run on a host.

Arguments become shell variables; each must match its pattern.  A new observation is added here,
where a reviewer sees the whole list of what a dry run can send.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_PATH: Final = r"/[^\x00\n]*"
_NAME: Final = r"[A-Za-z0-9_.$-]{1,63}"
_USER: Final = r"([a-z_][a-z0-9_-]{0,31})?"
_NUMBER: Final = r"[0-9]{1,9}"

# One query, no psql command, and no function that acts although the transaction only reads.
_QUERY: Final = (
    r"(?is)(?!.*\b(?:pg_(?:promote|terminate_\w+|cancel_\w+|reload_\w+|switch_\w+|rotate_\w+|drop_\w+"
    r"|create_\w+|copy_\w+|wal_replay_(?:pause|resume)|backup_\w+|write_\w+|file_\w+|logical_\w+"
    r"|replication_\w+|advisory_\w+)|dblink\w*|lo_\w+|set_config|nextval|setval)\s*\()"
    r"\s*(?:select|show|with|table)\b[^\\;\x00]*;?\s*"
)

_PRELUDE: Final = """
as_user() {
  u=$1; shift
  if [ -z "$u" ] || [ "$u" = "$(id -un)" ]; then exec "$@"; fi
  cd / || exit 126
  if command -v setpriv >/dev/null; then
    exec setpriv --reuid="$u" --regid="$(id -g "$u")" --init-groups --reset-env -- "$@"
  fi
  exec runuser -u "$u" -- "$@"
}
"""


@dataclass(frozen=True)
class Observation:
    """A read-only command.  ``arguments`` maps each argument to the pattern that it must match."""

    name: str
    script: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    def command(self, arguments: Mapping[str, str]) -> str:
        """Return the shell text with ``arguments`` quoted.

        Raises:
            ValueError: an argument is missing, unknown or of the wrong shape.
        """
        if set(arguments) != set(self.arguments):
            wrong = sorted(set(arguments) ^ set(self.arguments))
            raise ValueError(f"observation '{self.name}': missing or unknown: {', '.join(wrong)}")
        for name, pattern in self.arguments.items():
            if not re.fullmatch(pattern, arguments[name]):
                raise ValueError(
                    f"observation '{self.name}': {name} can not be {arguments[name]!r}"
                )
        given = "".join(f"{name}={shlex.quote(text)}\n" for name, text in arguments.items())
        return f"export LC_ALL=C\n{given}{_PRELUDE}{self.script}\n"


_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._%-]{0,199}"

PING: Final = Observation("ping", "exit 0")
ADDRESSES: Final = Observation("addresses", "exec ip -json address show")
DISK_FREE: Final = Observation("disk-free", 'exec df -Pk -- "$path"', {"path": _PATH})
PROCESSES: Final = Observation(
    "processes",  # pid, start in clock ticks and command line of the processes of a user
    'exec ps -o pid=,lstart=,args= -u "$user"',
    {"user": r"[a-z_][a-z0-9_-]{0,31}"},
)
PG_CONTROLDATA: Final = Observation(
    "pg-controldata",
    'as_user "$os_user" "$bin_dir/pg_controldata" -D "$data_dir"',
    {"bin_dir": _PATH, "data_dir": _PATH, "os_user": _USER},
)
PG_PROCESSES: Final = Observation(
    "pg-processes",  # says whether the postmaster of a data directory lives
    'as_user "$os_user" "$bin_dir/pg_ctl" status -D "$data_dir"',
    {"bin_dir": _PATH, "data_dir": _PATH, "os_user": _USER},
)
PSQL_READ: Final = Observation(
    "psql-read",
    """as_user "$os_user" env PGCONNECT_TIMEOUT=5 \\
  PGOPTIONS="-c default_transaction_read_only=on -c statement_timeout=$statement_timeout_ms" \\
  "$bin_dir/psql" -XAtq -v ON_ERROR_STOP=1 -h "$socket_dir" -p "$port" -U "$admin_user" \\
  -d "$database" -c "$sql" </dev/null""",
    {
        "bin_dir": _PATH,
        "os_user": _USER,
        "socket_dir": _PATH,
        "port": _NUMBER,
        "admin_user": _NAME,
        "database": _NAME,
        "statement_timeout_ms": _NUMBER,
        "sql": _QUERY,
    },
)
PG_BACKENDS: Final = Observation(
    "pg-backends",  # every PostgreSQL process of the host, whoever runs it
    """ps -eo pid=,ppid=,stat=,comm=,args= | awk '$4 == "postgres" || $4 == "postmaster"'""",
)
PG_SCAN: Final = Observation(
    # Reads every page of every table with the index ways switched off, so that each page's
    # checksum is checked; a count that an index answers misses a damaged or truncated table.
    "pg-scan",
    """as_user "$os_user" env PGCONNECT_TIMEOUT=5 \\
  PGOPTIONS="-c default_transaction_read_only=on -c statement_timeout=$statement_timeout_ms \\
-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off" \\
  "$bin_dir/psql" -XAtq -v ON_ERROR_STOP=1 -h "$socket_dir" -p "$port" -U "$admin_user" \\
  -d "$database" -c "SELECT count(*), sum((xpath('//n/text()', query_to_xml(format(
    'SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1]::text::bigint)
  FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p'" </dev/null""",
    {
        "bin_dir": _PATH,
        "os_user": _USER,
        "socket_dir": _PATH,
        "port": _NUMBER,
        "admin_user": _NAME,
        "database": _NAME,
        "statement_timeout_ms": _NUMBER,
    },
)
TCP_OPEN: Final = Observation(
    "tcp-open",  # whether this host reaches a port of another
    """timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$address" "$port" """,
    {"address": r"[0-9a-fA-F.:]{3,45}", "port": _NUMBER},
)
NEIGHBOUR: Final = Observation(
    "neighbour",  # whose network card this host takes an address for
    'exec ip -json neighbour show to "$address"',
    {"address": r"[0-9a-fA-F.:]{3,45}"},
)
PGBACKREST_INFO: Final = Observation(
    "pgbackrest-info",
    'as_user "$os_user" pgbackrest --config="$config" --stanza="$stanza" --output=json info',
    {"config": _PATH, "stanza": _NAME, "os_user": _USER},
)
JOBS_OF_RUN: Final = Observation(
    "jobs-of-run",  # the guard's epoch, then KEY/ATTEMPT of each job that this host was sent
    """[ ! -d "$root" ] || [ -r "$root" ] || exit 13
cd "$root" 2>/dev/null || exit 0
[ ! -e "guard/$run" ] || printf 'guard %s\\n' "$(head -c 20 "guard/$run")"
for job in "jobs/$run"+*/[0-9]*; do
  [ ! -d "$job" ] || [ -e "$job/void" ] || printf 'job %s\\n' "${job#jobs/}"
done""",
    {"root": _PATH, "run": _ID},
)

OBSERVATIONS: Final[Mapping[str, Observation]] = {
    each.name: each
    for each in (
        PING,
        ADDRESSES,
        DISK_FREE,
        PROCESSES,
        PG_CONTROLDATA,
        PG_PROCESSES,
        PSQL_READ,
        PGBACKREST_INFO,
        PG_BACKENDS,
        PG_SCAN,
        TCP_OPEN,
        NEIGHBOUR,
        JOBS_OF_RUN,
    )
}
