"""One form for values that mean the same: used to compare, never to keep.

It is applied only to rows whose raw values differ, so its cost is that of the doubtful rows.  The
original always stays beside it, and a comparison records ``CANON_VERSION``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, timezone
from decimal import Decimal, InvalidOperation
from typing import Final

from dr.reconcile.moments import canonical_day, canonical_moment, same_moment
from dr.reconcile.shape import Column, Kind, RecordShape

CANON_VERSION: Final = 2
"""Raised whenever a value may get another canonical form."""

Values = Sequence[str | None]
Canonical = tuple[str | None, ...]

_MOST_KEPT = 50_000
_GUARDS = ("=", "'")
"""What keeps a spreadsheet from eating zeros begins with one of these."""
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−─﹣"), "-")  # noqa: RUF001 - what people type for a dash
# what GB18030 of 2000, Python's, puts into the private use area, where the standard of 2022 has it
_PRIVATE = {
    0xE816: 0x20087, 0xE817: 0x20089, 0xE818: 0x200CC, 0xE81E: 0x9FB4, 0xE826: 0x9FB5,
    0xE82B: 0x9FB6, 0xE82C: 0x9FB7, 0xE831: 0x215D7, 0xE832: 0x9FB8, 0xE83B: 0x2298F,
    0xE843: 0x9FB9, 0xE854: 0x9FBA, 0xE855: 0x241FE, 0xE864: 0x9FBB, 0xE7C7: 0x1E3F,
}  # fmt: skip
_FIRST = {**_INVISIBLE, **_PRIVATE}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(E[+-]?\d{1,2})?", re.IGNORECASE)
_MONEY = str.maketrans("", "", "¥$,_' ")
_GUARDED = re.compile(r"=\"(.+)\"|'(.+)")
_BETWEEN_OWNERS = re.compile(r"[、,;/\n]|\s{2,}")
_HAN_SPACE = re.compile(r"(?<=[^\x00-\u02ff]) (?=[^\x00-\u02ff])")


class Canon:
    """Brings rows of one shape to canonical form; moments without a zone are of ``zone``."""

    def __init__(
        self, shape: RecordShape, zone: timezone, ten_thousands: frozenset[str] = frozenset()
    ) -> None:
        self.shape = shape
        self._each = [
            _quickly(c, _remembering(canoniser(c, zone, in_ten_thousands=c.name in ten_thousands)))
            for c in shape.columns
        ]

    def row(self, values: Values) -> Canonical:
        """Return the canonical form of a row, column by column."""
        return tuple(each(v) for each, v in zip(self._each, values, strict=True))

    def value(self, place: int, raw: str | None) -> str | None:
        """Return the canonical form of one value."""
        return self._each[place](raw)


def canoniser(
    column: Column, zone: timezone, *, in_ten_thousands: bool = False
) -> Callable[[str | None], str | None]:
    """Return the function that brings values of ``column`` to canonical form."""
    empty = frozenset(_text(word).lower() for word in column.empty)
    words = {_text(k).lower(): _text(v) for k, v in column.words.items()}

    def canonical(raw: str | None) -> str | None:
        if raw is None:
            return None
        text = _text(raw)
        found = text if text.lower() in empty else formed(raw, text)
        if found.lower() in empty:
            return None if column.empty_is_null else ""
        return found

    def formed(raw: str, text: str) -> str:
        match column.kind:
            case Kind.CODE:
                return _code(text)
            case Kind.NUMBER:
                return _number(text, column.scale, in_ten_thousands=in_ten_thousands)
            case Kind.MOMENT:
                return canonical_moment(text, zone) or text
            case Kind.DAY:
                return canonical_day(text, zone) or text
            case Kind.OWNERS:
                return _owners(raw)
            case Kind.CHOICE:
                return words.get(text.lower(), text)
            case Kind.TEXT:
                return text

    return canonical


def same(column: Column, one: str | None, other: str | None, zone: timezone) -> bool:
    """Say whether two canonical values of a column mean the same."""
    if one == other:
        return True
    if one is None or other is None or column.kind is not Kind.MOMENT:
        return False
    return same_moment(one, other, zone)


def is_read(column: Column, canonical: str | None) -> bool:
    """Say whether a canonical value is what its column should hold; only forms are looked at."""
    if not canonical:
        return True
    if column.kind is Kind.NUMBER:
        return bool(_NUMBER.fullmatch(canonical))
    if column.kind in {Kind.MOMENT, Kind.DAY}:
        return canonical_moment(canonical, UTC) == canonical
    return True


def _remembering(
    function: Callable[[str | None], str | None],
) -> Callable[[str | None], str | None]:
    """Return ``function`` with a memory that is thrown away when it is full."""
    known: dict[str | None, str | None] = {}

    def recalled(raw: str | None) -> str | None:
        try:
            return known[raw]
        except KeyError:
            if len(known) >= _MOST_KEPT:
                known.clear()
            known[raw] = found = function(raw)
            return found

    return recalled


def _quickly(
    column: Column, function: Callable[[str | None], str | None]
) -> Callable[[str | None], str | None]:
    """Return ``function``, for codes with a way round it for what is nearly canonical already.

    Codes are many and rarely come twice: to remember them costs more than this does.
    """
    if column.kind is not Kind.CODE:
        return function
    longest = max((len(_text(word)) for word in column.empty), default=0)

    def quick(raw: str | None) -> str | None:
        if raw is None or len(raw) <= longest or not raw.isascii() or not raw.isprintable():
            return function(raw)
        return function(raw) if " " in raw or raw[0] in _GUARDS else raw.upper()

    return quick


def _text(raw: str) -> str:
    if raw.isascii():
        return " ".join(raw.split())
    seen = raw
    for _ in range(4):  # what is taken away may let its neighbours combine
        found = " ".join(unicodedata.normalize("NFKC", seen.translate(_FIRST)).split())
        if found == seen:
            break
        seen = found
    return seen


def _code(text: str) -> str:
    if text.isascii() and " " not in text and text[:1] not in _GUARDS:
        return text.upper()
    bare = text.replace(" ", "")
    for _ in range(4):
        found = bare.translate(_DASHES).upper()
        found = _unguarded(found if found.isascii() else _text(found).replace(" ", ""))
        if found == bare:
            break
        bare = found
    return bare


def _unguarded(text: str) -> str:
    """Take off what keeps a spreadsheet from eating zeros: ="0012" and '0012."""
    while (match := _GUARDED.fullmatch(text)) is not None:
        text = match[1] or match[2]
    return text


def _number(text: str, scale: int, *, in_ten_thousands: bool) -> str:
    bare = text.translate(_MONEY).removeprefix("人民币").removeprefix("CNY").removesuffix("整")
    times = Decimal(10_000) if in_ten_thousands else Decimal(1)
    for suffix, factor in (("万元", 10_000), ("万", 10_000), ("元", 1)):
        if bare.endswith(suffix):
            bare, times = bare.removesuffix(suffix), Decimal(factor)
            break
    if bare.startswith("(") and bare.endswith(")"):
        bare = f"-{bare[1:-1]}"
    if not _NUMBER.fullmatch(bare):
        return text
    try:
        value = Decimal(bare) * times
        rounded = value.quantize(Decimal(1).scaleb(-scale))
    except InvalidOperation:
        return text
    if rounded != value:  # digits beyond the scale count: they are a difference
        return f"{value.normalize():f}"
    return f"{rounded if rounded else abs(rounded):f}"


def _owners(raw: str) -> str:
    # what stood on both sides of a space that goes away may change places
    names = (_text(_HAN_SPACE.sub("", _text(n))) for n in _BETWEEN_OWNERS.split(_spaced(raw)))
    return "、".join(sorted({name for name in names if name}))


def _spaced(raw: str) -> str:
    """Return the text in canonical characters, runs of spaces kept: they part names."""
    return unicodedata.normalize("NFKC", raw.translate(_FIRST)).replace("\t", "  ")
