"""A 64-bit hash of a row, computed by the database itself: typed and quick, or portable.

The typed one uses PostgreSQL's own hash functions, which are not promised to stay the same from
one major version to the next; so both sides hash a few known values first, and where they do
not agree the portable one, MD5 over text, is taken.  It only finds rows and proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from dr.reconcile.relation import (
    BOOL,
    DATE,
    INT2,
    INT4,
    INT8,
    NUMERIC,
    TEXTS,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    Relation,
    literal,
)

_TYPED = {
    INT2: ("hashint8extended({}::bigint, {})", "32000"),
    INT4: ("hashint8extended({}::bigint, {})", "2000000000"),
    INT8: ("hashint8extended({}, {})", "9000000000000000001"),
    NUMERIC: ("hash_numeric_extended({}, {})", "12345678901234.50"),
    DATE: ("hashint8extended(({} - DATE '2000-01-01')::bigint, {})", "2026-11-25"),
    TIMESTAMP: ("timestamp_hash_extended({}, {})", "2026-11-25 08:30:00.123456"),
    TIMESTAMPTZ: (
        "timestamp_hash_extended({} AT TIME ZONE 'UTC', {})",
        "2026-11-25 08:30:00.123456+08",
    ),
    BOOL: ("hashint8extended({}::int::bigint, {})", "true"),
    UUID: ("uuid_hash_extended({}, {})", "2b6f0cc9-04f1-4e8b-9a3b-0c5f7a1d2e3f"),
}
_NAMES = {
    INT2: "smallint", INT4: "integer", INT8: "bigint", NUMERIC: "numeric", DATE: "date",
    TIMESTAMP: "timestamp", TIMESTAMPTZ: "timestamptz", BOOL: "boolean", UUID: "uuid",
}  # fmt: skip
_TEXT = 'hashtextextended({} COLLATE "C", {})'
_CANARIES = ("", "registration R-000123", "不动产登记 㐱𠅤 ①")
_OF_NULL = "7046029254386353131"


class HashKind(StrEnum):
    """Which hash both sides can compute alike."""

    TYPED = "typed"
    PORTABLE = "portable"


def typed(relation: Relation, seed: int) -> str:
    """Return SQL for the typed hash of a row of ``q``."""
    parts = []
    for place, name in enumerate(_columns(relation)):
        form = _form(relation.types[name])
        value = f'q."{name}"' if relation.types[name] in {*_TYPED, *TEXTS} else f'q."{name}"::text'
        # a NULL without a stand-in would make the hash of the whole row NULL
        parts.append(f"coalesce({form.format(value, seed + place)}, {_OF_NULL} # {seed + place})")
    return " # ".join(parts)


def portable(relation: Relation, salt: str) -> str:
    """Return SQL for the MD5 of a row of ``q``, as 64 bits; it needs text that both write alike."""
    texts = [_text(relation, name) for name in _columns(relation)]
    line = f" || {_byte(31)} || ".join(texts)
    return f"('x' || left(md5({literal(salt)} || {line}), 16))::bit(64)::bigint"


def agree(left: Relation, right: Relation, seed: int) -> bool:
    """Say whether both databases hash the same values alike, with the typed hash."""
    names = _columns(left)
    kinds = [(_form(left.types[n]), _form(right.types[n])) for n in names]
    if any(one != other for one, other in kinds):
        return False
    return _canary(left, seed) == _canary(right, seed)


def _canary(relation: Relation, seed: int) -> Sequence[object]:
    asked = [_TEXT.format(literal(text), seed) for text in _CANARIES]
    for kind in sorted({relation.types[name] for name in _columns(relation)} & set(_TYPED)):
        form, value = _TYPED[kind]
        asked.append(form.format(f"CAST('{value}' AS {_NAMES[kind]})", seed))
    return relation.ask(f"SELECT {', '.join(asked)}", {})


def _columns(relation: Relation) -> list[str]:
    return ["branch", *relation.shape.names]


def _form(kind: int) -> str:
    return _TYPED[kind][0] if kind in _TYPED else _TEXT


def _text(relation: Relation, name: str) -> str:
    kind = relation.types[name]
    if kind == NUMERIC:
        return f'coalesce(trim_scale(q."{name}")::text, {_byte(30)})'
    if kind == TIMESTAMPTZ:
        utc = f"q.\"{name}\" AT TIME ZONE 'UTC'"
        return f"coalesce(to_char({utc}, 'YYYYMMDDHH24MISSUS'), {_byte(30)})"
    return f'coalesce(q."{name}"::text, {_byte(30)})'


def _byte(number: int) -> str:
    return f"chr({number})"
