"""A declared SELECT on a database, seen as rows of the record shape.  It is only ever read.

Everything is one SELECT in a REPEATABLE READ, READ ONLY transaction: it runs on a hot standby and
with ``default_transaction_read_only = on``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timezone
from typing import Any

import psycopg
from psycopg import sql

from dr.engine.core.errors import DrError
from dr.reconcile.reading import Values
from dr.reconcile.shape import Kind, RecordShape
from dr.reconcile.window import Window

Wire = psycopg.Connection[tuple[Any, ...]]

TIMESTAMPTZ, TIMESTAMP, DATE, TEXT, VARCHAR, CHAR, NUMERIC = 1184, 1114, 1082, 25, 1043, 1042, 1700
INT2, INT4, INT8, BOOL, UUID = 21, 23, 20, 16, 2950
TEXTS = frozenset({TEXT, VARCHAR, CHAR})
INTEGERS = frozenset({INT2, INT4, INT8})
SEPARATOR = "\x1f"
_SECOND, _DAY = 19, 10
_FORMS = {_SECOND: "YYYY-MM-DD HH24:MI:SS", _DAY: "YYYY-MM-DD"}


class CentralError(DrError):
    """The central database, or a copy of it, does not give what a comparison needs."""

    code = "central"


@dataclass(frozen=True, slots=True)
class Row:
    """A record as one side wrote it; ``line`` and ``evidence`` say where, at a branch."""

    branch: str
    values: Values
    line: int = 0
    evidence: str = ""


@contextlib.contextmanager
def snapshot(wire: Wire) -> Iterator[str]:
    """Hold one view of the database in which nothing can be written; yield its name.

    Raises:
        CentralError: the server went away or refused.
    """
    try:
        wire.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        wire.read_only = True
        with wire.transaction():
            row = wire.execute("SELECT txid_current_snapshot()::text").fetchone()
            yield str(row[0]) if row else ""
    except psycopg.Error as error:
        raise CentralError(
            f"the database does not answer as it should: {str(error).strip()}",
            hint="Compare again when it serves; nothing was changed.",
        ) from error


@dataclass(frozen=True)
class Relation:
    """A SELECT whose columns are called as those of the shape, and ``branch``.

    Attributes:
        locator: an integer column by which single rows are found through an index; "" when there
            is none, and then they are found by a scan.
        zone: of moments without a zone, and in which moments are written.
    """

    wire: Wire
    query: str
    shape: RecordShape
    locator: str = ""
    types: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def open(cls, wire: Wire, query: str, shape: RecordShape, locator: str = "") -> Relation:
        """Look at the columns that the SELECT has; run it inside of ``snapshot``.

        Raises:
            CentralError: one is missing.
        """
        text = query.strip().rstrip(";")
        cursor = wire.execute(f"SELECT * FROM ({text}) AS q LIMIT 0".encode())
        types = {column.name: column.type_code for column in cursor.description or ()}
        wanted = (*shape.names, "branch", *((locator,) if locator else ()))
        missing = [name for name in wanted if name not in types]
        if missing:
            raise CentralError(
                f"the query of the central records has no column '{missing[0]}'",
                hint=f"It has: {', '.join(types)}. Correct its query in ledgers.yaml.",
            )
        return cls(wire, text, shape, locator, types)

    @property
    def zone(self) -> timezone:
        """The bureau's zone."""
        return self.shape.zone

    def rows(self, where: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Return the rows for which ``where`` holds, values as text, moments with their zone."""
        columns = ", ".join(self.raw(name) for name in self.shape.names)
        select = f'SELECT q."branch"::text, {columns}'
        found = self.ask(f"{select} FROM {self.source} WHERE {where}", parameters)
        return [Row(str(row[0]), row[1:]) for row in found]

    def ask(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a SELECT and return what it found."""
        return self.wire.execute(statement.encode(), parameters).fetchall()

    @property
    def source(self) -> str:
        """The SELECT as something to select from; it takes no parameters itself."""
        return f"({self.query.replace('%', '%%')}) AS q"

    def raw(self, name: str) -> str:
        """Return SQL for a value as it is shown to people and kept as evidence."""
        if self.types[name] == TIMESTAMPTZ:
            return f"to_char({self._local(name)}, 'YYYY-MM-DD HH24:MI:SS.US') || '{self._offset}'"
        return f'q."{name}"::text'

    def plain(self, name: str) -> str:
        """Return SQL for a value as a template writes it, NULL as an empty text."""
        length = self.plain_length(name)
        if length:
            local = self._local(name) if self.types[name] == TIMESTAMPTZ else f'q."{name}"'
            return f"coalesce(to_char({local}, '{_FORMS[length]}'), '')"
        return f"coalesce(q.\"{name}\"::text, '')"

    def plain_length(self, name: str) -> int:
        """Return to how many characters ``raw`` is cut to make ``plain``; 0 when it is not."""
        if self.types[name] not in {TIMESTAMPTZ, TIMESTAMP}:
            return 0
        kind = self.shape.columns[self.shape.place(name)].kind
        return {Kind.MOMENT: _SECOND, Kind.DAY: _DAY}.get(kind, 0)

    @property
    def cut(self) -> tuple[int, ...]:
        """``plain_length`` of every column of the shape."""
        return tuple(self.plain_length(name) for name in self.shape.names)

    def within(self, window: Window | None) -> tuple[str, dict[str, Any]]:
        """Return the condition that a row is inside of the window, with its parameters."""
        name = self.shape.moment
        if window is None or not name:
            return "true", {}
        since, until = window.since, window.service_back
        if self.types[name] == TIMESTAMP:
            since = since.astimezone(self.zone).replace(tzinfo=None)
            until = until.astimezone(self.zone).replace(tzinfo=None) if until else None
        elif self.types[name] != TIMESTAMPTZ:
            raise CentralError(
                f"the column '{name}' of the central records is no timestamp",
                hint="Cast it in the query in ledgers.yaml.",
            )
        before = f' AND q."{name}" < %(until)s' if until else ""
        condition = f'((q."{name}" >= %(since)s{before}) OR q."{name}" IS NULL)'
        return condition, {"since": since, "until": until}

    def among(self, name: str, values: Sequence[str]) -> tuple[str, dict[str, Any]]:
        """Return the condition that a column has one of these values; indexes on it are used."""
        if self.types[name] in INTEGERS:
            whole = [v for v in values if is_bigint(v)]
            return f'q."{name}" = ANY(%(values)s::bigint[])', {"values": [int(v) for v in whole]}
        side = f'q."{name}"' if self.types[name] in TEXTS else f'q."{name}"::text'
        return f"{side} = ANY(%(values)s::text[])", {"values": list(values)}

    def _local(self, name: str) -> str:
        return f"(q.\"{name}\" AT TIME ZONE INTERVAL '{self._offset}')"

    @property
    def _offset(self) -> str:
        minutes = int((self.zone.utcoffset(None)).total_seconds() // 60)
        return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def is_bigint(text: str) -> bool:
    """Say whether a text is a whole number that the database can hold."""
    return text.isascii() and text.isdigit() and int(text) < 1 << 63


def literal(value: str) -> str:
    """Return a text as SQL; % signs are doubled, as parameters go with the statement."""
    return sql.Literal(value).as_string(None).replace("%", "%%")
