"""A run's journal as one file that is checked anywhere: JSON Lines, each line canonical JSON.

The first line says what it is a bundle of, then come the events one a line, then the end line
with the digest of all bytes before it and, where somebody signed, the signature.  docs/reference/
journal.md describes the lines; docs/decisions/0017-journal-bundle.md says why they are so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Self

from dr.engine.core.canonical import canonical_bytes, plain
from dr.engine.core.errors import JournalError
from dr.engine.core.ports import RunRecord
from dr.engine.core.values import utc_text
from dr.engine.journal.database import Row
from dr.engine.journal.rows import event_of
from dr.engine.journal.sealing import canonical_text
from dr.engine.journal.verdict import Walk
from dr.engine.journal.withholding import withheld

FORMAT = "dr-journal/1"
NAMESPACE = "dr-journal@"
"""How the signature namespace of heads begins; the bureau's own follows."""

COLUMNS = ("run", "seq", "at", "kind", "step", "host", "attempt", "epoch")
"""The columns of an event that are never withheld."""


@dataclass(frozen=True, slots=True)
class HeadStatement:
    """What a person signs of a bundle.  ``issued`` is RFC 3339 in UTC.

    ``bundle_sha256`` covers every byte of the bundle before the end line, so the signature vouches
    also for what the chain can not prove: the columns of withheld rows.
    """

    run: str
    seq: int
    head: str
    bundle_sha256: str
    withheld: tuple[str, ...]
    issued: str
    namespace: str
    alg: str = "sshsig"
    v: int = 1

    def text(self) -> str:
        """Return the canonical text: exactly these bytes, in UTF-8, are signed."""
        return canonical_bytes(asdict(self)).decode()

    @classmethod
    def read(cls, data: Any) -> Self:
        """Read a statement from parsed JSON.

        Raises:
            ValueError: it is not a statement of this version.
        """
        if not isinstance(data, dict) or set(data) != {f.name for f in fields(cls)}:
            raise ValueError("it does not have the fields of a signed head")
        statement = cls(**{**data, "withheld": tuple(data["withheld"])})
        if statement.v != 1 or statement.alg != "sshsig":
            raise ValueError("it is of another version than this dr reads")
        if not str(statement.namespace).startswith(NAMESPACE):
            raise ValueError("it is signed for another purpose")
        return statement


@dataclass(frozen=True, slots=True)
class Body:
    """A bundle without its end line.

    Attributes:
        head: the hash of the last event.
        withheld_rows: how many rows hold back their data.
    """

    run: str
    rows: int
    head: str
    withheld: tuple[str, ...]
    withheld_rows: int
    lines: tuple[bytes, ...]

    def statement(self, sha256: str, issued: datetime, namespace: str) -> HeadStatement:
        """Return what is to be signed of it."""
        return HeadStatement(
            self.run, self.rows, self.head, sha256, self.withheld, utc_text(issued), namespace
        )


def body(record: RunRecord, rows: Sequence[Row], withhold: Iterable[str] = ()) -> Body:
    """Return the bundle of the events in ``rows``, which are all of the run's, in order.

    Args:
        withhold: names out of ``withholding.NAMES``.

    Raises:
        JournalError: the rows are no whole chain: what does not verify is no evidence.
    """
    walk = Walk(record.id)
    bad = walk.along(rows)
    if bad is not None or not rows:
        because = bad.because if bad is not None else "it has no events"
        raise JournalError(
            f"the journal of run {record.id} is not intact: {because}",
            hint=f"Keep a copy of the journal itself; 'dr journal verify {record.id}' says more.",
            code="journal_damaged",
        )
    names = tuple(sorted(set(withhold)))
    held = withheld(record, [event_of(row) for row in rows], names)
    shown = None if held.record else plain(replace(record, state="", epoch=0))
    first = {
        "bundle": FORMAT,
        "head": walk.head,
        "record": shown,
        "rows": walk.rows,
        "run": record.id,
        "withheld": names,
    }
    lines = (canonical_bytes(first), *(_line(row, held.rows.get(row[1])) for row in rows))
    return Body(record.id, walk.rows, walk.head, names, len(held.rows), lines)


def end_line(sha256: str, statement: HeadStatement | None, signature: str | None) -> bytes:
    """Return the line after which nothing follows.

    Args:
        sha256: of all bytes before, line feeds included.
    """
    signed = asdict(statement) if statement is not None else None
    return canonical_bytes({"end": sha256, "signature": signature, "statement": signed})


def _line(row: Row, names: tuple[str, ...] | None) -> bytes:
    columns, data, row_hash = row[:8], row[8], row[9]
    if names is None:
        return shown_line(columns, data, row_hash).encode()
    named = dict(zip(COLUMNS, columns, strict=True))
    return canonical_bytes({**named, "hash": row_hash, "withheld": names})


def shown_line(columns: Sequence[Any], data: str, row_hash: str) -> str:
    """Return the line of an event whose data is shown; composed, as its hash is."""
    run, seq, at, kind, step, host, attempt, epoch = (canonical_text(value) for value in columns)
    return (
        f'{{"at":{at},"attempt":{attempt},"data":{data},"epoch":{epoch},'
        f'"hash":"{row_hash}","host":{host},"kind":{kind},"run":{run},"seq":{seq},"step":{step}}}'
    )
