"""Serial numbers of pre-printed forms: each is accounted for, also where both sides agree.

A comparison can not see a form that neither side has.  So the numbers themselves are audited: a
sum of hashes proves that a range is whole, and only ranges that are not are looked at one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dr.reconcile.breaks import SerialRange
from dr.reconcile.relation import INTEGERS, Relation
from dr.reconcile.serial_ranges import (
    Gap,
    Scope,
    SerialBlock,
    gaps_between,
    numbers_of,
    of_blocks,
    overlaps,
    runs_of,
    texts_of,
    without,
)
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
class SerialRegister:
    """What is known of forms besides the records; ``forms`` are by serial number as printed."""

    blocks: tuple[SerialBlock, ...] = ()
    forms: Mapping[str, FormState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doubled:
    """A serial number on several records of the centre; ``uses`` are branch and key."""

    serial: str
    uses: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SerialFindings:
    """What the audit of the centre found.

    Attributes:
        gaps: by branch, "" where one sequence serves all.
        out_of_block: branch, key and serial.
        not_usable: the same, and what the form is said to be.
    """

    gaps: tuple[Gap, ...] = ()
    doubled: tuple[Doubled, ...] = ()
    out_of_block: tuple[tuple[str, str, str], ...] = ()
    not_usable: tuple[tuple[str, str, str, FormState], ...] = ()


@dataclass(frozen=True, slots=True)
class _Range:
    """The numbers of one scope, from the first to the last."""

    scope: Scope
    first: int
    last: int
    width: int
    whole: bool


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
    ranges = auditor.ranges()
    broken = [r for r in ranges if not r.whole]
    found = auditor.gaps(broken) if broken else {}
    runs = {r.scope: runs_of(r.first, r.last, found.get(r.scope, [])) for r in ranges}
    doubled = auditor.doubled(broken, overlaps(runs))
    strangers = numbers_of([*strange, *(d.serial for d in doubled)])
    gaps = [
        (r.scope[0], gap)
        for r in broken
        for gap in gaps_between(runs[r.scope], strangers.get(r.scope[1], []), r.scope[1], r.width)
    ]
    gaps = of_blocks(gaps, register.blocks, relation.shape.serial_scope)
    gaps = without(gaps, {*explained, *register.forms})
    return SerialFindings(
        tuple(auditor.confirmed(gaps)),
        doubled,
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
        self._columns = {
            "scope": self._scope,
            "prefix": prefix,
            "n": number,
            "width": width,
            "branch": 'q."branch"::text',
            "key": f'q."{relation.shape.key}"::text',
            "serial": text,
        }

    def _numbers(self, *names: str, where: str = "") -> str:
        """Return a SELECT of these columns; OFFSET 0 keeps them from being computed twice."""
        shown = ", ".join(f"{self._columns[name]} AS {name}" for name in names)
        serial = self._relation.shape.serial
        return (
            f'(SELECT {shown} FROM {self._relation.source} WHERE q."{serial}" IS NOT NULL '
            f"AND {where or self._where} OFFSET 0) AS s"
        )

    def _ask(self, statement: str, **more: Any) -> list[tuple[Any, ...]]:
        return self._relation.ask(statement, {**self._parameters, **more})

    def ranges(self) -> list[_Range]:
        """Return the range of every scope, and whether each number in it is there once.

        Count and ends alone prove nothing: one number lost and another doubled keeps them.
        """
        found = self._ask(f"""
WITH g AS (
  SELECT scope, prefix, count(*) AS n, min(n) AS first, max(n) AS last, min(width) AS width,
         sum(hashint8extended(n, {self._seed})) AS found
  FROM {self._numbers("scope", "prefix", "n", "width")} WHERE n IS NOT NULL GROUP BY 1, 2)
SELECT scope, prefix, first, last, width, CASE WHEN last - first + 1 = n THEN found =
       (SELECT sum(hashint8extended(i, {self._seed})) FROM generate_series(first, last) AS i)
       ELSE false END
FROM g""")
        return [
            _Range((str(s), str(p)), int(first), int(last), int(width), bool(whole))
            for s, p, first, last, width, whole in found
        ]

    def gaps(self, broken: Sequence[_Range]) -> dict[Scope, list[SerialRange]]:
        """Return the ranges that nobody used between numbers that were, in order."""
        found = self._ask(
            f"""
SELECT scope, prefix, n + 1, next - 1, width
FROM (SELECT scope, prefix, n, width, lead(n) OVER (PARTITION BY scope, prefix ORDER BY n) AS next
      FROM {self._numbers("scope", "prefix", "n", "width")}
      WHERE n IS NOT NULL AND {_IN_SCOPES}) AS s
WHERE next > n + 1 ORDER BY 1, 2, 3""",
            **_scopes(broken),
        )
        gaps: dict[Scope, list[SerialRange]] = defaultdict(list)
        for s, p, first, last, width in found:
            gaps[str(s), str(p)].append(SerialRange(str(p), int(first), int(last), int(width)))
        return gaps

    def doubled(
        self, broken: Sequence[_Range], shared: Sequence[SerialRange]
    ) -> tuple[Doubled, ...]:
        """Return the numbers of several records: in one scope, and where scopes overlap."""
        groups = """
SELECT min(serial), array_agg(branch ORDER BY branch, key), array_agg(key ORDER BY branch, key)
FROM {} WHERE n IS NOT NULL AND {} GROUP BY {} prefix, n HAVING count(*) > 1"""
        numbers = self._numbers("scope", "prefix", "n", "branch", "key", "serial")
        found: dict[str, Doubled] = {}
        asked: list[tuple[str, dict[str, Any]]] = []
        if broken:
            asked.append((groups.format(numbers, _IN_SCOPES, "scope,"), _scopes(broken)))
        if shared:
            ends = {
                "p": [r.prefix for r in shared],
                "f": [r.first for r in shared],
                "l": [r.last for r in shared],
            }
            asked.append((groups.format(numbers, _IN_RANGES, ""), ends))
        for statement, parameters in asked:
            for serial, branches, keys in self._ask(statement, **parameters):
                uses = tuple(zip(branches, keys, strict=True))
                found[str(serial)] = Doubled(str(serial), uses)
        return tuple(found[serial] for serial in sorted(found))

    def confirmed(self, gaps: list[Gap]) -> list[Gap]:
        """Take out of gaps what other records have used, at any branch and of any time."""
        named = [t for _, gap in gaps if gap.count <= _MOST_NAMED for t in texts_of(gap)]
        if not named:
            return gaps
        return without(gaps, {serial for _, _, serial in self._using(named)})

    def out_of_block(self, blocks: Sequence[SerialBlock]) -> tuple[tuple[str, str, str], ...]:
        """Return the records whose form was not issued to their branch; none without blocks."""
        if not blocks:
            return ()
        found = self._ask(
            f"""
SELECT branch, key, serial FROM {self._numbers("branch", "key", "serial", "prefix", "n")}
WHERE branch = ANY(%(b)s::text[]) AND NOT EXISTS (
  SELECT FROM unnest(%(b)s::text[], %(p)s::text[], %(f)s::bigint[], %(l)s::bigint[])
         AS b (branch, prefix, first, last)
  WHERE b.branch = s.branch AND b.prefix = s.prefix AND s.n BETWEEN b.first AND b.last)""",
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
        return tuple((b, k, s, forms[s]) for b, k, s in self._using(sorted(forms)))

    def _using(self, serials: Sequence[str]) -> list[tuple[str, str, str]]:
        """Return branch, key and serial of the records with these serials, of any time."""
        where, parameters = self._relation.among(self._relation.shape.serial, serials)
        numbers = self._numbers("branch", "key", "serial", where=where)
        found = self._relation.ask(f"SELECT branch, key, serial FROM {numbers}", parameters)
        return [(str(b), str(k), str(s)) for b, k, s in found]


_IN_SCOPES = """(scope, prefix) IN
  (SELECT * FROM unnest(%(scopes)s::text[], %(prefixes)s::text[]))"""
_IN_RANGES = """EXISTS (
  SELECT FROM unnest(%(p)s::text[], %(f)s::bigint[], %(l)s::bigint[]) AS r (prefix, first, last)
  WHERE r.prefix = s.prefix AND s.n BETWEEN r.first AND r.last)"""


def _scopes(ranges: Sequence[_Range]) -> dict[str, Any]:
    return {"scopes": [r.scope[0] for r in ranges], "prefixes": [r.scope[1] for r in ranges]}
