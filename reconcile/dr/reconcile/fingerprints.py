"""Count and hash of what a branch did, on both sides: equal ones need no second look.

The hash is MD5 over the raw line, salted, 64 bits, summed: order does not count, how often a line
comes does.  It only tells which branches to look at.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from dr.reconcile.reading import Values
from dr.reconcile.relation import SEPARATOR, Relation, literal
from dr.reconcile.window import Window

_SECOND: Final = len("2026-11-25 08:30:00")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How many records, and the sum of their hashes."""

    count: int = 0
    total: int = 0


NOTHING = Fingerprint()
"""Of a branch that did nothing."""


def fingerprint(rows: Sequence[Sequence[str | None]], salt: str) -> Fingerprint:
    """Return the fingerprint of rows: each is its values joined by ``SEPARATOR``."""
    md5, join = hashlib.md5, SEPARATOR.join
    try:
        lines = [join(row) for row in rows]  # type: ignore[arg-type]
    except TypeError:  # some value is NULL
        lines = [line_of(row) for row in rows]
    digests = b"".join([md5((salt + line).encode()).digest() for line in lines])
    halves = array("q", digests)
    if sys.byteorder == "little":
        halves.byteswap()
    return Fingerprint(len(digests) // 16, sum(halves[::2]))


def line_of(values: Sequence[str | None]) -> str:
    """Return the raw line of values; nothing is written for NULL."""
    return SEPARATOR.join([value or "" for value in values])


def central_fingerprints(
    relation: Relation, names: Sequence[str], salt: str, window: Window
) -> Mapping[str, Fingerprint]:
    """Return the fingerprint of every branch, over the columns that these branches have."""
    separator = f" || {literal(SEPARATOR)} || "
    line = separator.join(relation.plain(name) for name in names)
    where, parameters = relation.within(window)
    found = relation.ask(
        f"""
SELECT q."branch"::text, count(*),
       sum(('x' || left(md5({literal(salt)} || {line}), 16))::bit(64)::bigint)
FROM {relation.source} WHERE {where} GROUP BY 1""",
        parameters,
    )
    return {str(branch): Fingerprint(int(n), int(total)) for branch, n, total in found}


def in_window_fast(
    moments: Sequence[str | None], rows: Sequence[Values], window: tuple[str, str]
) -> Sequence[Values] | None:
    """Return the rows inside of the window by comparing texts, when all are of a template's form.

    None when one is not: then each moment is to be understood first.
    """
    known = [text for text in moments if text]
    if len(known) < len(rows) or set(map(len, known)) - {_SECOND}:
        return None
    if set(map(itemgetter(4), known)) - {"-"} or set(map(itemgetter(10), known)) - {" "}:
        return None
    since, until = window
    if not known or (since <= min(known) and max(known) < until):
        return rows
    return [row for row, text in zip(rows, known, strict=True) if since <= text < until]
