"""Reading a database over its host's local socket, in a read-only transaction."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from dr.engine.actions.hosts import Completed, Observer
from dr.engine.actions.observations import PSQL_READ, Observation
from dr.engine.actions.postgres.service import Database
from dr.engine.core.errors import RetryableError


class SilentDatabaseError(RetryableError):
    """The host answers and its database does not give an answer; ``message`` has its own words."""

    def __init__(self, host: str, said: str) -> None:
        words = said.strip().splitlines()[0] if said.strip() else "no answer"
        super().__init__(f"the database on {host} does not answer: {words}", reason="not_yet")
        self.said = words


def psql(
    observer: Observer,
    database: Database,
    sql: str,
    *,
    timeout: timedelta,
    name: str | None = None,
    how: Observation = PSQL_READ,
) -> Completed:
    """Run one SELECT; ``name`` is another database than the service's own."""
    return observer.observe(
        how,
        timeout=timeout,
        bin_dir=database.bin_dir,
        os_user=database.os_user,
        socket_dir=database.socket_dir,
        port=str(database.port),
        admin_user=database.admin_user,
        database=name or database.name,
        statement_timeout_ms=str(max(1, int(timeout.total_seconds() * 1000))),
        sql=sql,
    )


def rows(
    observer: Observer,
    database: Database,
    sql: str,
    *,
    timeout: timedelta,
    name: str | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of a SELECT as mappings.

    Raises:
        SilentDatabaseError: the database gave an error or no answer.
        RetryableError: the host did not answer.
    """
    wrapped = f"SELECT row_to_json(dr_row) FROM ({sql}) AS dr_row"  # noqa: S608 - fixed or declared
    done = psql(observer, database, wrapped, timeout=timeout, name=name)
    if not done.ok:
        raise SilentDatabaseError(observer.host, done.stderr)
    if done.truncated:
        raise SilentDatabaseError(observer.host, "its answer is longer than can be kept")
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def quoted(text: str) -> str:
    """Return a string literal of standard SQL."""
    return "'" + text.replace("'", "''") + "'"
