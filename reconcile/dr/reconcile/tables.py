"""Two large tables on two databases, compared where they lie: only differences are moved.

One SELECT a side makes a sketch of its rows; what the sketches give away is fetched by its
locator.  What is moved grows with the number of differences and not with the tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from dr.reconcile.relation import CentralError, Relation, Row
from dr.reconcile.row_hash import HashKind, agree, portable, typed
from dr.reconcile.session import Session
from dr.reconcile.sketch import (
    LARGEST_BITS,
    Cell,
    Element,
    Place,
    decode,
    difference,
)

FIRST_BITS: Final = 9
"""3 × 512 cells: about 1,000 differences."""
_GROW_BITS = 2
_TABLE_OF = {3: 0, 5: 1, 6: 2}
"""What ``grouping()`` says of a row is which of the three tables its cell is in."""


@dataclass(frozen=True, slots=True)
class TableDifference:
    """What one side has and the other has not.

    Attributes:
        left / right: rows that only one side has, as often as it has them more.
        beside_left / beside_right: rows with the keys of these on which both sides agree: a row
            that one side has once more has its twin here.
        rows_left / rows_right: how many were compared.
        tries: how often the sketch was made; more than one when too much differed for it.
    """

    left: tuple[Row, ...]
    right: tuple[Row, ...]
    beside_left: tuple[Row, ...]
    beside_right: tuple[Row, ...]
    rows_left: int
    rows_right: int
    hash: HashKind
    cells: int
    tries: int


def compare_tables(
    session: Session,
    left: Relation,
    right: Relation,
    *,
    windowed: bool = True,
    first_bits: int = FIRST_BITS,
    largest_bits: int = LARGEST_BITS,
    kind: HashKind | None = None,
) -> TableDifference:
    """Find the rows in which two relations differ; both are to be inside of ``snapshot``.

    Args:
        windowed: compare the session's window only, else everything.
        kind: of the hash; None finds out which one both sides compute alike.

    Raises:
        CentralError: more differs than the largest sketch can tell.
    """
    chosen = kind or (HashKind.TYPED if agree(left, right, session.seed) else HashKind.PORTABLE)
    sides = [_Side(relation, session, chosen, windowed) for relation in (left, right)]
    bits, tries = first_bits, 0
    while True:
        tries += 1
        one, other = _both(lambda side, b=bits: side.sketch(b), sides)  # type: ignore[misc]
        found = decode(difference(one, other), bits)
        if found.complete:
            break
        if bits >= largest_bits:
            raise CentralError(
                f"the two databases differ in more records than {3 << bits} cells can tell apart",
                hint="Compare a narrower window, or look whether it is the right database.",
            )
        bits = min(bits + _GROW_BITS, largest_bits)
    elements = found.elements
    (left_rows, beside_left), (right_rows, beside_right) = _both(
        lambda side: side.fetch(elements, sign=1 if side is sides[0] else -1), sides
    )
    return TableDifference(
        tuple(left_rows), tuple(right_rows), tuple(beside_left), tuple(beside_right),
        sum(c.count for (t, _), c in one.items() if t == 0),
        sum(c.count for (t, _), c in other.items() if t == 0),
        chosen, 3 << bits, tries,
    )  # fmt: skip


def _both(task: Callable[[_Side], Any], sides: Sequence[_Side]) -> list[Any]:
    """Ask both databases at once."""
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="side") as pool:
        return list(pool.map(task, sides))


class _Side:
    """One of the two databases."""

    def __init__(
        self, relation: Relation, session: Session, kind: HashKind, windowed: bool
    ) -> None:
        self._relation = relation
        self._hash = (
            typed(relation, session.seed)
            if kind is HashKind.TYPED
            else portable(relation, session.salt)
        )
        self._where, self._parameters = relation.within(session.window if windowed else None)
        self._locator = f'q."{relation.locator}"::bigint' if relation.locator else "0::bigint"

    def sketch(self, bits: int) -> dict[Place, Cell]:
        """Return the sketch; ``OFFSET 0`` keeps the planner from computing the hash again."""
        mask = (1 << bits) - 1
        found = self._relation.ask(
            f"""
SELECT grouping(c0, c1, c2), coalesce(c0, c1, c2), count(*),
       sum((h & 2147483647) * ((h >> 32) & 2147483647)), sum(h), sum(k)
FROM (SELECT (h & {mask})::int AS c0, ((h >> 20) & {mask})::int AS c1,
             ((h >> 40) & {mask})::int AS c2, h, k
      FROM (SELECT {self._hash} AS h, {self._locator} AS k
            FROM {self._relation.source} WHERE {self._where} OFFSET 0) AS x) AS y
GROUP BY GROUPING SETS ((c0), (c1), (c2))""",
            self._parameters,
        )
        return {
            (_TABLE_OF[row[0]], int(row[1])): Cell(*(int(value) for value in row[2:]))
            for row in found
        }

    def fetch(self, elements: Sequence[Element], *, sign: int) -> tuple[list[Row], list[Row]]:
        """Return this side's own rows, and those with the same locators that the other has too."""
        more = {e.hash: abs(e.times) for e in elements if e.times * sign > 0}
        own: list[Row] = []
        places = {e.locator for e in elements if e.times * sign > 0} - {None}
        if self._relation.locator and places:
            own += self._found(f"{self._locator} = ANY(%(wanted)s::bigint[])", places, more)
        lost = {value for value, times in more.items() if times > 0}
        if lost:  # no locator, or both sides number their rows differently
            own += self._found(f"({self._hash}) = ANY(%(wanted)s::bigint[])", lost, more)
        return own, self._beside(own)

    def _found(self, where: str, wanted: Iterable[int | None], more: dict[int, int]) -> list[Row]:
        """Return rows whose hash is in ``more``, as often as it says, and count them off."""
        relation = self._relation
        columns = ", ".join(relation.raw(name) for name in relation.shape.names)
        found = relation.ask(
            f'SELECT {self._hash}, q."branch"::text, {columns} FROM {relation.source} '
            f"WHERE {where} AND {self._where}",
            {"wanted": list(wanted), **self._parameters},
        )
        own: list[Row] = []
        for row in found:
            if more.get(row[0], 0) > 0:
                more[row[0]] -= 1
                own.append(Row(str(row[1]), row[2:]))
        return own

    def _beside(self, own: Sequence[Row]) -> list[Row]:
        """Return the rows that have the keys of ``own`` and are not among them."""
        relation = self._relation
        if not own:
            return []
        place = relation.shape.place(relation.shape.key)
        keys = sorted({row.values[place] or "" for row in own})
        where, parameters = relation.among(relation.shape.key, keys)
        left = Counter(own)
        beside: list[Row] = []
        for row in relation.rows(f"{where} AND {self._where}", {**parameters, **self._parameters}):
            if left[row] > 0:
                left[row] -= 1
            else:
                beside.append(row)
        return beside
