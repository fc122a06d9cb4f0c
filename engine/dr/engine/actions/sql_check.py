"""``sql.check``: ask a service's database, or prove that it takes writes."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.inputs import Duration, Inputs
from dr.engine.core.errors import (
    ActionError,
    FailedError,
    LostContactError,
    RefusedError,
    RetryableError,
)
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt, Outcome, World
from dr.engine.core.values import Secret

if TYPE_CHECKING:
    import psycopg

# psycopg is imported where a server is spoken to: every engine loads this module, few ask.

_MAX_ROWS = 1000
_SLACK_S = 2.0


class SqlCheckInputs(Inputs):
    """``with`` of sql.check: a ``query``, or ``write: true``."""

    service: str | None = Field(None, description="The run's service if not given.")
    query: str | None = Field(None, description="One statement, in a read-only transaction.")
    write: bool = Field(False, description="Run the service's declared write check instead.")
    role: Literal["reader", "writer"] = "reader"
    host: str | None = Field(None, description="Ask this member; else the service address.")
    within: Duration = timedelta(seconds=15)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.query is None) != self.write:
            raise ValueError("give either 'query' or 'write: true'")
        return self


@dataclass(frozen=True)
class _Target:
    """Where and as whom."""

    address: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.user}@{self.address}:{self.port}/{self.database}"


class SqlCheck(Driver[SqlCheckInputs]):
    """Asks as the read-only role, or writes as the application does.

    A query runs in a read-only transaction with a time limit on both sides, since the server's own
    limit never fires while its storage hangs.  A query is free text, so a dry run does not send it.
    ``write: true`` runs the ``business.write_check`` statements that the service declares to leave
    no false record, and commits.
    """

    inputs = SqlCheckInputs
    spec = specify(
        "sql.check",
        "Ask a service's database",
        "查询业务数据库",
        SqlCheckInputs,
        effects=(Effect.READ, Effect.IDEMPOTENT),
        outputs={"value": "any", "rows": "list", "count": "integer", "took_s": "number"},
    )

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what is asked of whom."""
        given = self.given(attempt)
        service = given.service or "the run's service"
        where = f"{service} on {given.host or attempt.host or 'the service address'}"
        if given.write:
            return [f"run the declared write check of {where} as the application"]
        return [f"ask {where} in a read-only transaction:", str(given.query)]

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Ask or write; every way to fail is an error that says what is known."""
        given = self.given(attempt)
        name, service = _service(given, world)
        target = _target(given, service, attempt, world)
        began = time.monotonic()
        limit_s = min(given.within, attempt.timeout).total_seconds()
        if given.write:
            statements = (service.get("business") or {}).get("write_check") or []
            if not statements:
                raise RefusedError(
                    f"service '{name}' declares no write check",
                    hint="Add business.write_check to services.yaml.",
                )
            rows = _bounded(lambda c: _write(c, statements), target, limit_s, writes=True)
        else:
            query = str(given.query)
            rows = _bounded(lambda c: _read(c, query), target, limit_s, writes=False)
        took_s = round(time.monotonic() - began, 3)
        world.output(f"{target}: {len(rows)} rows after {took_s} s\n")
        value = rows[0][0] if rows and rows[0] else None
        return Outcome(
            outputs={"value": value, "rows": rows, "count": len(rows), "took_s": took_s},
            facts={"service": name, "address": target.address, "write": given.write},
        )


def _service(given: SqlCheckInputs, world: World) -> tuple[str, Mapping[str, Any]]:
    services: Mapping[str, Any] = world.inventory.get("services") or {}
    name = given.service or world.record().inputs.get("service")
    if name is None and len(services) == 1:
        name = next(iter(services))
    if name is None or name not in services:
        raise RefusedError(
            f"the inventory has no service '{name}'" if name else "no service is named",
            hint=f"Known services: {', '.join(sorted(services)) or 'none'}.",
        )
    return str(name), services[name]


def _target(
    given: SqlCheckInputs, service: Mapping[str, Any], attempt: Attempt, world: World
) -> _Target:
    database: Mapping[str, Any] = service.get("database") or {}
    role = "writer" if given.write else given.role
    account = database.get(role) or {}
    if "user" not in account:
        raise RefusedError(
            f"the service declares no {role} for its database",
            hint=f"Add database.{role} with user and password to services.yaml.",
        )
    host = given.host or attempt.host
    hosts = world.inventory.get("hosts") or {}
    if host is not None and host not in hosts:
        raise RefusedError(f"the inventory has no host '{host}'")
    address = hosts[host].get("address") if host else (service.get("address") or {}).get("ip")
    if not address:
        raise RefusedError("the service declares no address", hint="Give `with: { host: ... }`.")
    return _Target(
        str(address),
        int(database.get("port") or 5432),
        str(database.get("name") or "postgres"),
        str(account["user"]),
        _password(account.get("password"), world),
    )


def _password(value: object, world: World) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return world.secret(value).reveal()
    return str(value or "")


Rows = list[list[Any]]


def _read(connection: psycopg.Connection[Any], query: str) -> Rows:
    connection.read_only = True
    # prepared, so that the server takes one statement and no second one after a COMMIT
    cursor = connection.execute(query.encode(), prepare=True)
    rows = cursor.fetchmany(_MAX_ROWS) if cursor.description else []
    connection.rollback()
    return [[_json(value) for value in row] for row in rows]


def _write(connection: psycopg.Connection[Any], statements: Sequence[str]) -> Rows:
    for statement in statements:
        connection.execute(str(statement).encode())
    connection.commit()
    return [[True]]


def _json(value: object) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


@dataclass
class _Work:
    """What the thread that waits for the server leaves behind."""

    connection: psycopg.Connection[Any] | None = None
    rows: Rows | None = None
    error: Exception | None = None


def _bounded(
    ask: Callable[[psycopg.Connection[Any]], Rows],
    target: _Target,
    limit_s: float,
    *,
    writes: bool,
) -> Rows:
    work = _Work()
    thread = threading.Thread(
        target=_converse, args=(work, ask, target, limit_s), name="sql-check", daemon=True
    )
    thread.start()
    thread.join(limit_s + _SLACK_S)
    if thread.is_alive():
        _hang_up(work.connection)
        raise _late(target, limit_s, sent=writes and work.connection is not None)
    if work.error is not None:
        raise _explained(work.error, target, limit_s, sent=writes and work.connection is not None)
    return work.rows or []


def _converse(
    work: _Work,
    ask: Callable[[psycopg.Connection[Any]], Rows],
    target: _Target,
    limit_s: float,
) -> None:
    import psycopg

    milliseconds = max(1, int(limit_s * 1000))
    try:
        connection = psycopg.connect(
            host=target.address,
            port=target.port,
            dbname=target.database,
            user=target.user,
            password=target.password,
            connect_timeout=max(2, int(limit_s)),
            application_name="dr",
            options=f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}",
            tcp_user_timeout=milliseconds,
        )
        work.connection = connection
        with connection:
            work.rows = ask(connection)
    except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
        work.error = error


def _hang_up(connection: psycopg.Connection[Any] | None) -> None:
    """End the conversation under the thread that waits for it, so that the thread ends too."""
    if connection is None or connection.closed:
        return
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _late(target: _Target, limit_s: float, *, sent: bool) -> ActionError:
    message = f"{target} did not answer within {limit_s:g} s"
    return LostContactError(message) if sent else RetryableError(message, reason="timeout")


def _explained(error: Exception, target: _Target, limit_s: float, *, sent: bool) -> ActionError:
    import psycopg
    from psycopg import errors

    words = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    match error:
        case ActionError():
            return error
        case (
            errors.QueryCanceled() | errors.LockNotAvailable() | psycopg.errors.ConnectionTimeout()
        ):
            return RetryableError(f"{target} did not answer within {limit_s:g} s", reason="timeout")
        case errors.ReadOnlySqlTransaction():
            return FailedError(
                f"{target} takes no writes: {words}",
                hint="A standby, or a database that is held read-only, answers there.",
            )
        case errors.InvalidPassword() | errors.InvalidAuthorizationSpecification():
            return RefusedError(
                f"{target} does not let us in: {words}", hint="Check the role's password."
            )
        case errors.CannotConnectNow():
            return RetryableError(f"{target} is not ready: {words}", reason="not_yet")
        case psycopg.OperationalError():
            return _connection_error(target, words, sent=sent)
        case psycopg.Error():
            return FailedError(f"{target}: {words}", facts={"sqlstate": error.sqlstate})
    return FailedError(f"{target}: {words}")


def _connection_error(target: _Target, words: str, *, sent: bool) -> ActionError:
    if "authentication failed" in words:
        return RefusedError(f"{target}: {words}", hint="Check the role's password.")
    if sent:
        return LostContactError(f"the connection to {target} ended while it wrote: {words}")
    if "starting up" in words or "not yet accepting" in words:
        return RetryableError(f"{target} is not ready: {words}", reason="not_yet")
    reason = "timeout" if "timeout" in words else "unreachable"
    return RetryableError(f"{target} can not be reached: {words}", reason=reason)
