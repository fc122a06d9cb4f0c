"""The central database, as the lab's own hand reaches it: superuser on the host that serves."""

from __future__ import annotations

import json
import os
import select
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dr.lab.enter import in_host, started_in_host
from dr.lab.errors import LabError
from dr.lab.postgres import DATABASE, SOCKET_DIR
from dr.lab.topology import LAB_CLUSTER

_PATIENCE_S = 30.0
_END = "-- end of answer --"
_PSQL = ["psql", "-qtAX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h", SOCKET_DIR]
# in dr's words, and written as the branches write it
_CASES = """\
SELECT row_to_json(found) FROM (
  SELECT r.slip AS key, r.receipt_no::text AS receipt, coalesce(c.serial::text, '') AS certificate,
         r.parcel_no AS parcel, r.kind, r.clerk, r.branch, r.holder,
         coalesce(r.amount::text, '') AS amount, r.status,
         to_char(r.accepted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"+00:00"') AS at
  FROM registration AS r LEFT JOIN certificate AS c USING (receipt_no)
  WHERE r.accepted_at >= {since} AND r.slip <> 'write-proof'
  ORDER BY r.receipt_no
) AS found"""


@dataclass(frozen=True, slots=True)
class Change:
    """A statement for the register; ``rows``: how many it must change, None for any number."""

    sql: str
    rows: int | None = 1


def quoted(value: str | None) -> str:
    """Return ``value`` as SQL."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


class Register:
    """One transaction on the register; it is rolled back unless it is committed."""

    def __init__(self, directory: Path, host: str) -> None:
        self.host = host
        self._psql = started_in_host(directory, host, [*_PSQL, "-d", DATABASE])
        self._left = b""
        self.ask("SET lock_timeout = '10s'")
        self.ask("SET statement_timeout = '25s'")
        self.ask("BEGIN")

    def ask(self, sql: str) -> list[str]:
        """Return the lines of the answer; the last is how many rows were meant.

        Raises:
            LabError: the database refuses, or does not answer; nothing was changed.
        """
        assert self._psql.stdin  # noqa: S101  it is a pipe
        with suppress(BrokenPipeError):
            self._psql.stdin.write(f"{sql};\n\\echo :ROW_COUNT\n\\echo '{_END}'\n".encode())
            self._psql.stdin.flush()
        return self._answer()

    def cases(self, since: str) -> list[Mapping[str, Any]]:
        """Return what was accepted from ``since`` on, an SQL expression, by receipt."""
        *lines, _ = self.ask(_CASES.format(since=since))
        return [json.loads(line) for line in lines]

    def receipts(self, count: int) -> tuple[int, ...]:
        """Take numbers that nobody else will get, whatever becomes of the transaction."""
        *lines, _ = self.ask(f"SELECT nextval('receipt_seq') FROM generate_series(1, {count})")  # noqa: S608
        return tuple(map(int, lines))

    def carry_out(self, changes: Iterable[Change]) -> None:
        """Change what was planned.

        Raises:
            LabError: the register is not what it was planned on; nothing was changed.
        """
        for change in changes:
            rows = self.ask(change.sql)[-1]
            if change.rows is not None and int(rows) != change.rows:
                raise LabError(
                    f"the register changed under the lab's hand: {rows} rows for {change.sql}",
                    hint="Nothing was changed; try again.",
                )

    def commit(self) -> None:
        """Make it last.

        Raises:
            LabError: no answer came; it may have been made to last or not.
        """
        try:
            self.ask("COMMIT")
        except LabError as error:
            raise LabError(
                f"the register may be changed or not: {error.message}",
                hint="Look before it is done again, or bring a new lab up; 'dr lab truth' says "
                "what was spoilt and is in doubt.",
            ) from error

    def _answer(self) -> list[str]:
        assert self._psql.stdout  # noqa: S101  it is a pipe
        end = f"{_END}\n".encode()
        fd = self._psql.stdout.fileno()
        poll = select.poll()
        poll.register(fd, select.POLLIN | select.POLLHUP)
        while not self._left.endswith(end):
            more = os.read(fd, 1 << 16) if poll.poll(_PATIENCE_S * 1000) else b""
            if not more:
                raise self._broken()
            self._left += more
        lines = self._left[: -len(end)].decode().splitlines()
        self._left = b""
        return lines

    def _broken(self) -> LabError:
        self._psql.kill()
        assert self._psql.stderr  # noqa: S101  it is a pipe
        words = self._psql.stderr.read().decode(errors="replace").split()
        said = " ".join(words) or "no answer in time"
        return LabError(
            f"the register on '{self.host}' could not be changed: {said}",
            hint="Nothing was changed; look at the lab with 'dr lab status'.",
        )

    def close(self) -> None:
        """End the session, and with it what was not committed."""
        self._psql.kill()
        self._psql.communicate()


@contextmanager
def opened(directory: Path, host: str) -> Iterator[Register]:
    """Open a transaction on the register of ``host``."""
    register = Register(directory, host)
    try:
        yield register
    finally:
        register.close()


def serving_host(directory: Path, running: Sequence[str]) -> str:
    """Return the host whose database is written to and that has the service address.

    Args:
        running: the hosts that are on.

    Raises:
        LabError: no database is written to, or several are and none has the address.
    """
    candidates = [host for host in (*LAB_CLUSTER.members, LAB_CLUSTER.spare) if host in running]
    with ThreadPoolExecutor(max(1, len(candidates))) as pool:
        answers = pool.map(lambda host: _look(directory, host), candidates)
        found = {
            host: f" {LAB_CLUSTER.address}/" in said
            for host, said in zip(candidates, answers, strict=True)
            if said.rstrip().endswith("\nf")
        }
    with_address = [host for host, has in found.items() if has]
    if len(with_address) == 1 or len(found) == 1:
        return [*with_address, *found][0]
    if not found:
        raise LabError(
            "no database of the lab takes writes",
            hint="Recover it first; what branches hand in can be spoilt all the same.",
        )
    raise LabError(
        f"{' and '.join(found)} both take writes, and none has the service address alone",
        hint="Name the one that is meant with --host.",
    )


def _look(directory: Path, host: str) -> str:
    """Return the addresses of a host, and at the end 'f' when its database is written to."""
    ask = [*_PSQL, "-d", DATABASE, "-c", "SELECT pg_is_in_recovery()"]
    script = f"ip -o -4 addr show dev eth0; {shlex.join(ask)}"
    return in_host(directory, host, ["timeout", "10", "sh", "-c", script]).stdout
