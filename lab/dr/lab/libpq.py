"""Just enough of libpq for a branch office, through ctypes.

A host sees no Python packages, but wherever there is PostgreSQL there is libpq.so.5.  Every call
here has a deadline of its own: a frozen server acknowledges packets for ever.
"""

from __future__ import annotations

import ctypes
import functools
import select
import time
from dataclasses import dataclass, field
from typing import Any

_CONNECTION_OK, _CONNECTION_BAD = 0, 1
_POLLING_FAILED, _POLLING_READING, _POLLING_WRITING, _POLLING_OK = 0, 1, 2, 3
_COMMAND_OK, _TUPLES_OK = 1, 2
_SQLSTATE = ord("C")


class ServerLostError(Exception):
    """The connection broke or did not answer in time; a pending COMMIT may or may not have held."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query brought back."""

    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    error: str = ""
    sqlstate: str = ""
    tag: str = ""
    """The command tag of the last statement: ``COMMIT``, or ``ROLLBACK`` instead of it."""


@functools.cache
def _library() -> Any:
    lib = ctypes.CDLL("libpq.so.5")
    pointer, text, integer = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "PQconnectStart": (pointer, [text]),
        "PQconnectPoll": (integer, [pointer]),
        "PQstatus": (integer, [pointer]),
        "PQsocket": (integer, [pointer]),
        "PQerrorMessage": (text, [pointer]),
        "PQsendQuery": (integer, [pointer, text]),
        "PQconsumeInput": (integer, [pointer]),
        "PQisBusy": (integer, [pointer]),
        "PQgetResult": (pointer, [pointer]),
        "PQresultStatus": (integer, [pointer]),
        "PQresultErrorMessage": (text, [pointer]),
        "PQresultErrorField": (text, [pointer, integer]),
        "PQcmdStatus": (text, [pointer]),
        "PQntuples": (integer, [pointer]),
        "PQnfields": (integer, [pointer]),
        "PQgetisnull": (integer, [pointer, integer, integer]),
        "PQgetvalue": (text, [pointer, integer, integer]),
        "PQclear": (None, [pointer]),
        "PQfinish": (None, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def _line(message: bytes | None) -> str:
    return " ".join((message or b"").decode(errors="replace").split())


class Connection:
    """One connection; unusable after a ServerLostError."""

    def __init__(self, conninfo: str, *, timeout_s: float) -> None:
        self._lib = _library()
        self._connection = self._lib.PQconnectStart(conninfo.encode())
        end = time.monotonic() + timeout_s
        wanted = _POLLING_WRITING
        while True:
            if self._lib.PQstatus(self._connection) == _CONNECTION_BAD:
                raise self._lost("the connection was refused")
            self._wait(end, writing=wanted == _POLLING_WRITING)
            wanted = self._lib.PQconnectPoll(self._connection)
            if wanted == _POLLING_OK:
                return
            if wanted == _POLLING_FAILED:
                raise self._lost("the connection was refused")

    def query(self, sql: str, *, timeout_s: float) -> Answer:
        """Send ``sql`` (one or more statements) and return the last answer, or the first error."""
        end = time.monotonic() + timeout_s
        if not self._lib.PQsendQuery(self._connection, sql.encode()):
            raise self._lost("the query could not be sent")
        answer = Answer()
        while True:
            while self._lib.PQisBusy(self._connection):
                self._wait(end, writing=False)
                if not self._lib.PQconsumeInput(self._connection):
                    raise self._lost("the connection broke")
            result = self._lib.PQgetResult(self._connection)
            if not result:
                break
            try:
                if not answer.error:
                    answer = self._read(result)
            finally:
                self._lib.PQclear(result)
        if self._lib.PQstatus(self._connection) != _CONNECTION_OK:
            raise self._lost(answer.error or "the connection broke")
        return answer

    def close(self) -> None:
        if self._connection:
            self._lib.PQfinish(self._connection)
            self._connection = None

    def _read(self, result: int) -> Answer:
        lib = self._lib
        if lib.PQresultStatus(result) not in {_COMMAND_OK, _TUPLES_OK}:
            state = lib.PQresultErrorField(result, _SQLSTATE) or b""
            return Answer(error=_line(lib.PQresultErrorMessage(result)), sqlstate=state.decode())
        columns = range(lib.PQnfields(result))
        rows = [
            tuple(
                None
                if lib.PQgetisnull(result, row, column)
                else lib.PQgetvalue(result, row, column).decode()
                for column in columns
            )
            for row in range(lib.PQntuples(result))
        ]
        return Answer(rows=rows, tag=_line(lib.PQcmdStatus(result)))

    def _wait(self, end: float, *, writing: bool) -> None:
        poll = select.poll()
        poll.register(
            self._lib.PQsocket(self._connection), select.POLLOUT if writing else select.POLLIN
        )
        left_s = end - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise self._lost("no answer in time")

    def _lost(self, fallback: str) -> ServerLostError:
        message = _line(self._lib.PQerrorMessage(self._connection)) or fallback
        self.close()
        return ServerLostError(message)
