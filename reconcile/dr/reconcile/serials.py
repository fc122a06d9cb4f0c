"""Serial numbers of pre-printed forms: each is accounted for, also where both sides agree.

A comparison can not see a form that neither side has.  So the numbers themselves are audited: a
sum of hashes proves that a range is whole, and only ranges that are not are looked at one by one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dr.reconcile.breaks import SerialRange
from dr.reconcile.relation import INTEGERS, Relation
from dr.reconcile.session import Session
from dr.reconcile.shape import SerialScope

_MOST_NAMED = 10_000
_MOST_DIGITS = 18


class FormState(StrEnum):
    """What became of a form that carries no record."""

    SPOILED = "spoiled"
    VOID = "void"
    IN_STOCK = "in_stock"
    LOST = "lost"
    STOLEN = "stolen"


@dataclass(frozen=True, slots=True)
class SerialBlock:
    """Forms that were issued to a branch, both ends included."""

    branch: str
    prefix: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class SerialRegister:
    """What is known of forms besides the records; ``forms`` are by serial number as printed."""

    blocks: tuple[SerialBlock, ...] = ()
    forms: Mapping[str, FormState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doubled:
    """A serial number on several records of the centre."""

    serial: str
    uses: tuple[tuple[str, str], ...]  # branch and key


@dataclass(frozen=True, slots=True)
class SerialFindings:
    """What the audit of the centre found; gaps by branch, "" where one sequence serves all."""

    gaps: tuple[tuple[str, SerialRange], ...] = ()
    doubled: tuple[Doubled, ...] = ()
    out_of_block: tuple[tuple[str, str, str], ...] = ()  # branch, key, serial
    not_usable: tuple[tuple[str, str, str, FormState], ...] = ()  # branch, key, serial, state


def parse_serial(text: str) -> tuple[str, int, int] | None:
    """Return prefix, number and width of a serial; None when it does not end with digits."""
    prefix = text.rstrip("0123456789")
    digits = text[len(prefix) :]
    return (prefix, int(digits), len(digits)) if digits.isascii() and digits else None


def audit(
    relation: Relation,
    session: Session,
    register: SerialRegister,
    explained: Iterable[str] = (),
    *,
    strange: Iterable[str] = (),
    windowed: bool = True,
) -> SerialFindings:
    """Audit the serial numbers that the centre has used.

    Args:
        explained: serials that are accounted for otherwise: of records that the centre lacks,
            and a branch's own number where the centre has another.
        strange: serials of records that stand at the wrong branch; they open no gap there.
        windowed: look at the session's window only.
    """
    if not relation.shape.serial:
        return SerialFindings()
    auditor = _Auditor(relation, session, windowed)
    scopes = auditor.broken_scopes()
    ranges = auditor.gaps(scopes, sorted(set(strange))) if scopes else []
    issued = _of_blocks(ranges, register.blocks, relation.shape.serial_scope)
    gaps = _all_without(issued, {*explained, *register.forms})
    if windowed:
        gaps = auditor.confirmed(gaps)
    return SerialFindings(
        tuple(gaps),
        auditor.doubled(scopes) if scopes else (),
        auditor.out_of_block(register.blocks),
        auditor.not_usable(register.forms),
    )


class _Auditor:
    """Asks the centre; every question is one SELECT."""

    def __init__(self, relation: Relation, session: Session, windowed: bool) -> None:
        self._relation = relation
        self._seed = session.seed
        name = relation.shape.serial
        self._where, self._parameters = relation.within(session.window if windowed else None)
        by_branch = relation.shape.serial_scope is SerialScope.BRANCH
        self._scope = 'q."branch"::text' if by_branch else "''"
        text = f'q."{name}"::text'
        if relation.types[name] in INTEGERS:
            prefix, number, width = "''", f'q."{name}"::bigint', "1"
        else:
            prefix = f"rtrim({text}, '0123456789')"
            digits = f"substr({text}, length({prefix}) + 1)"
            usable = f"length({digits}) BETWEEN 1 AND {_MOST_DIGITS}"
            number = f"CASE WHEN {usable} THEN {digits}::bigint END"
            width = f"length({digits})"
        key = f'q."{relation.shape.key}"::text'
        self._numbers = f"""
SELECT {self._scope} AS scope, {prefix} AS prefix, {number} AS n, {width} AS width,
       q."branch"::text AS branch, {key} AS key, {text} AS serial
FROM {relation.source} WHERE q."{name}" IS NOT NULL AND {self._where}"""

    def _ask(self, statement: str, **more: Any) -> list[tuple[Any, ...]]:
        return self._relation.ask(statement, {**self._parameters, **more})

    def broken_scopes(self) -> list[tuple[str, str]]:
        """Return scope and prefix of the ranges that are not whole, each number once.

        Count and ends alone prove nothing: one number lost and another doubled keeps them.
        """
        found = self._ask(f"""
WITH g AS (
  SELECT scope, prefix, count(*) AS n, min(n) AS first, max(n) AS last,
         sum(hashint8extended(n, {self._seed})) AS found
  FROM (SELECT scope, prefix, n FROM ({self._numbers} OFFSET 0) AS s) AS s
  WHERE n IS NOT NULL GROUP BY 1, 2)
SELECT scope, prefix FROM g
WHERE last - first + 1 <> n OR found <>
      (SELECT sum(hashint8extended(i, {self._seed})) FROM generate_series(first, last) AS i)""")
        return [(str(scope), str(prefix)) for scope, prefix in found]

    def gaps(
        self, scopes: Sequence[tuple[str, str]], strange: Sequence[str]
    ) -> list[tuple[str, SerialRange]]:
        """Return the ranges that nobody used between numbers that were."""
        found = self._ask(
            f"""
SELECT scope, prefix, n + 1, next - 1, width
FROM (SELECT scope, prefix, n, width, lead(n) OVER (PARTITION BY scope, prefix ORDER BY n) AS next
      FROM ({self._numbers}) AS s
      WHERE n IS NOT NULL AND serial <> ALL(%(strange)s::text[]) AND (scope, prefix) IN
            (SELECT * FROM unnest(%(scopes)s::text[], %(prefixes)s::text[]))) AS s
WHERE next > n + 1 ORDER BY 1, 2, 3""",
            scopes=[s for s, _ in scopes],
            prefixes=[p for _, p in scopes],
            strange=strange,
        )
        return [(str(s), SerialRange(str(p), int(a), int(b), int(w))) for s, p, a, b, w in found]

    def doubled(self, scopes: Sequence[tuple[str, str]]) -> tuple[Doubled, ...]:
        """Return the numbers that several records have."""
        found = self._ask(
            f"""
SELECT min(serial), array_agg(branch ORDER BY branch, key), array_agg(key ORDER BY branch, key)
FROM ({self._numbers}) AS s
WHERE (scope, prefix) IN (SELECT * FROM unnest(%(scopes)s::text[], %(prefixes)s::text[]))
GROUP BY scope, prefix, n HAVING count(*) > 1 AND n IS NOT NULL""",
            scopes=[s for s, _ in scopes],
            prefixes=[p for _, p in scopes],
        )
        return tuple(Doubled(str(s), tuple(zip(b, k, strict=True))) for s, b, k in found)

    def confirmed(self, gaps: list[tuple[str, SerialRange]]) -> list[tuple[str, SerialRange]]:
        """Take out of gaps what records outside of the window have used."""
        named = [t for _, gap in gaps if gap.count <= _MOST_NAMED for t in _texts(gap)]
        if not named:
            return gaps
        relation = self._relation
        where, parameters = relation.among(relation.shape.serial, named)
        used = relation.ask(
            f'SELECT q."{relation.shape.serial}"::text FROM {relation.source} WHERE {where}',
            parameters,
        )
        return _all_without(gaps, {str(row[0]) for row in used})

    def out_of_block(self, blocks: Sequence[SerialBlock]) -> tuple[tuple[str, str, str], ...]:
        """Return the records whose form was not issued to their branch; none without blocks."""
        if not blocks:
            return ()
        found = self._ask(
            f"""
SELECT branch, key, serial FROM ({self._numbers}) AS s WHERE NOT EXISTS (
  SELECT FROM unnest(%(b)s::text[], %(p)s::text[], %(f)s::bigint[], %(l)s::bigint[])
         AS b (branch, prefix, first, last)
  WHERE b.branch = s.branch AND b.prefix = s.prefix AND s.n BETWEEN b.first AND b.last)
AND branch = ANY(%(b)s::text[])""",
            b=[b.branch for b in blocks],
            p=[b.prefix for b in blocks],
            f=[b.first for b in blocks],
            l=[b.last for b in blocks],
        )
        return tuple((str(b), str(k), str(s)) for b, k, s in found)

    def not_usable(
        self, forms: Mapping[str, FormState]
    ) -> tuple[tuple[str, str, str, FormState], ...]:
        """Return the records, of any time, on forms that are said to carry none."""
        if not forms:
            return ()
        relation = self._relation
        shape = relation.shape
        where, parameters = relation.among(shape.serial, sorted(forms))
        found = relation.ask(
            f'SELECT q."branch"::text, q."{shape.key}"::text, q."{shape.serial}"::text '
            f"FROM {relation.source} WHERE {where}",
            parameters,
        )
        return tuple((str(b), str(k), str(s), forms[str(s)]) for b, k, s in found)


def _of_blocks(
    gaps: Iterable[tuple[str, SerialRange]], blocks: Sequence[SerialBlock], scope: SerialScope
) -> list[tuple[str, SerialRange]]:
    """Return the parts of gaps that were issued; all of a gap where no blocks are known."""
    issued: dict[str, list[SerialBlock]] = defaultdict(list)
    for block in blocks:
        issued[block.branch if scope is SerialScope.BRANCH else ""].append(block)
    found: list[tuple[str, SerialRange]] = []
    for branch, gap in gaps:
        if branch not in issued:
            found.append((branch, gap))
        for block in issued.get(branch, ()):
            if block.prefix != gap.prefix:
                continue
            first, last = max(gap.first, block.first), min(gap.last, block.last)
            if first <= last:
                found.append((branch, SerialRange(gap.prefix, first, last, gap.width)))
    return found


def _all_without(
    gaps: Iterable[tuple[str, SerialRange]], known: Iterable[str]
) -> list[tuple[str, SerialRange]]:
    """Return what is left of the ranges when numbers are taken out."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for text in known:
        parsed = parse_serial(text)
        if parsed:
            numbers[parsed[0]].append(parsed[1])
    for found in numbers.values():
        found.sort()
    return [(s, left) for s, gap in gaps for left in _without(gap, numbers[gap.prefix])]


def _without(gap: SerialRange, numbers: Sequence[int]) -> list[SerialRange]:
    """Return what is left of a range; ``numbers`` are sorted."""
    left, start = [], gap.first
    for number in numbers[bisect_left(numbers, gap.first) : bisect_right(numbers, gap.last)]:
        if number > start:
            left.append(SerialRange(gap.prefix, start, number - 1, gap.width))
        start = number + 1
    if start <= gap.last:
        left.append(SerialRange(gap.prefix, start, gap.last, gap.width))
    return left


def _texts(gap: SerialRange) -> list[str]:
    return [f"{gap.prefix}{n:0{gap.width}d}" for n in range(gap.first, gap.last + 1)]
