"""Serial numbers of pre-printed forms: each is accounted for, also where both sides agree.

A comparison can not see a form that neither side has.  So the numbers themselves are audited: a
sum of hashes proves that a range is whole, and only ranges that are not are looked at one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from dr.reconcile.breaks import SerialRange
from dr.reconcile.relation import INTEGERS, SEPARATOR, Relation, is_bigint, literal
from dr.reconcile.serial_ranges import (
    Gap,
    Scope,
    SerialBlock,
    gaps_between,
    joined,
    numbers_of,
    of_blocks,
    outside_of_blocks,
    overlaps,
    parse_serial,
    texts_of,
    without,
)
from dr.reconcile.session import Session
from dr.reconcile.shape import SerialScope

_MOST_NAMED = 10_000
_MOST_DIGITS = 18
_TAIL = 3
_BUCKET = 10**_TAIL
"""Numbers that are proven, or looked through, together."""


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

    def by_number(self) -> SerialRegister:
        """Return it for a centre that keeps bare numbers: without what is printed before them."""
        parsed = ((parse_serial(text), state) for text, state in self.forms.items())
        return SerialRegister(
            tuple(replace(block, prefix="") for block in self.blocks),
            {str(serial[1]): state for serial, state in parsed if serial},
        )


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


@dataclass
class _Numbers:
    """The numbers of one scope and prefix: runs that are used, and those used more than once."""

    runs: list[tuple[int, int]] = field(default_factory=list)
    width: int = 0  # the smallest that was seen: longer numbers are printed in full all the same
    doubled: list[str] = field(default_factory=list)


Bucket = str
"""Numbers of one scope that are alike but for their last three digits."""

_Range = tuple[str, int, int, int]
"""Prefix, first, last, width."""

Whole = Mapping[str, Sequence[_Range]]
"""By scope the ranges of its numbers, where each number of a range is used once."""


def whole_scopes(relation: Relation, session: Session, *, windowed: bool = True) -> Whole:
    """Return what needs no look; it can be asked before ledgers are compared."""
    if not relation.shape.serial:
        return {}
    ranges, broken = _Auditor(relation, session, windowed).proven(())
    doubtful = {bucket.partition(SEPARATOR)[0] for bucket in broken}
    return {scope: each for scope, each in ranges.items() if scope not in doubtful}


def audit(
    relation: Relation,
    session: Session,
    register: SerialRegister,
    explained: Iterable[tuple[str, str]] = (),
    *,
    strange: Iterable[str] = (),
    windowed: bool = True,
    whole: Whole | None = None,
) -> SerialFindings:
    """Audit the serial numbers that the centre has used.

    Args:
        whole: what ``whole_scopes`` said in the same snapshot.
        explained: branch and serial of what is accounted for otherwise: of records that the
            centre lacks, and a branch's own number where the centre has another.
        strange: serials of records that stand at the wrong branch; they open no gap there.
        windowed: look at the session's window only.
    """
    if not relation.shape.serial:
        return SerialFindings()
    auditor = _Auditor(relation, session, windowed)
    if relation.types[relation.shape.serial] in INTEGERS:
        register = register.by_number()
    besides = set(explained)
    numbers = auditor.numbers(besides, whole or {})
    doubled = auditor.doubled(numbers)
    elsewhere = auditor.out_of_block(register.blocks, numbers)
    strangers = numbers_of(
        [*strange, *(d.serial for d in doubled), *(serial for _, _, serial in elsewhere)]
    )
    gaps = [
        (branch, gap)
        for (branch, prefix), each in numbers.items()
        for gap in gaps_between(each.runs, strangers.get(prefix, []), prefix, each.width)
    ]
    gaps = of_blocks(gaps, register.blocks, relation.shape.serial_scope)
    gaps = without(gaps, {*register.forms, *(serial for _, serial in besides)})
    return SerialFindings(
        tuple(auditor.confirmed(gaps)),
        doubled,
        elsewhere,
        auditor.not_usable(register.forms),
    )


def _narrower(one: int, other: int) -> int:
    """Return the smaller of two widths; 0 is none yet."""
    return min(one, other) if one and other else one or other


class _Auditor:
    """Asks the centre; every question is one SELECT."""

    def __init__(self, relation: Relation, session: Session, windowed: bool) -> None:
        self._relation = relation
        self._seed = session.seed
        name = relation.shape.serial
        self._where, self._parameters = relation.within(session.window if windowed else None)
        self._by_branch = relation.shape.serial_scope is SerialScope.BRANCH
        self._is_number = relation.types[name] in INTEGERS
        text = f'q."{name}"::text'
        # only of scopes that are not whole: to part a text costs more than to hash it
        prefix = "''" if self._is_number else f"rtrim({text}, '0123456789')"
        digits = f"substr({text}, length({prefix}) + 1)"
        usable = f"length({digits}) BETWEEN 1 AND {_MOST_DIGITS}"
        scope = "coalesce(q.\"branch\"::text, '')" if self._by_branch else "''"
        head = self._head(f'q."{name}"::bigint' if self._is_number else text)
        self._columns = {
            "scope": scope,
            "head": head,
            "bucket": f"({scope} || {literal(SEPARATOR)} || {head})",
            "prefix": prefix,
            "n": f'q."{name}"::bigint'
            if self._is_number
            else f"CASE WHEN {usable} THEN {digits}::bigint END",
            "width": "1" if self._is_number else f"length({digits})",
            "branch": 'q."branch"::text',
            "key": f'q."{relation.shape.key}"::text',
            "serial": text,
        }

    def _head(self, value: str) -> str:
        """Return SQL for what the numbers of a bucket have in common."""
        return f"({value} / {_BUCKET})::text" if self._is_number else f"left({value}, -{_TAIL})"

    @property
    def _parted(self) -> str:
        """SQL that parts the ends of a bucket; start and stop are NULL where they are no range."""
        if self._is_number:
            return "'' AS prefix, 1 AS width, 0 AS tens, first AS start, last AS stop"
        one, other = (f"rtrim({end}, '0123456789')" for end in ("first", "last"))
        width = f"length(first) - length({one})"
        alike = (
            f"{one} = {other} AND length(first) = length(last)"
            f" AND {width} BETWEEN 1 AND {_MOST_DIGITS}"
        )
        return ", ".join([
            f"{one} AS prefix",
            f"{width} AS width",
            f"CASE WHEN {alike} THEN (10 ^ ({width})::numeric)::bigint END AS tens",
            f"CASE WHEN {alike} THEN substr(first, length({one}) + 1)::bigint END AS start",
            f"CASE WHEN {alike} THEN substr(last, length({one}) + 1)::bigint END AS stop",
        ])  # fmt: skip

    @property
    def _printed(self) -> str:
        """SQL for number ``i`` of a bucket as it is printed."""
        return "i" if self._is_number else '(prefix || substr((tens + i)::text, 2)) COLLATE "C"'

    @property
    def _living(self) -> str:
        """The condition, after others, that a record is not void."""
        shape = self._relation.shape
        if not shape.void_words:
            return ""
        words = ", ".join(literal(word) for word in shape.void_words)
        status = f'q."{shape.status}"'
        return f"AND ({status} IS NULL OR {status}::text <> ALL (ARRAY[{words}]))"

    def _from(self, *names: str, where: str = "") -> str:
        """Return a SELECT of these columns; OFFSET 0 keeps them from being computed twice."""
        shown = ", ".join(f"{self._columns[name]} AS {name}" for name in names)
        serial = self._relation.shape.serial
        return (
            f'(SELECT {shown} FROM {self._relation.source} WHERE q."{serial}" IS NOT NULL '
            f"AND {where or self._where} OFFSET 0) AS s"
        )

    def _ask(self, statement: str, **more: Any) -> list[tuple[Any, ...]]:
        return self._relation.ask(statement, {**self._parameters, **more})

    def numbers(self, explained: Iterable[tuple[str, str]], whole: Whole) -> dict[Scope, _Numbers]:
        """Return what is used of every scope; only buckets that are not whole are looked through.

        A bucket that is whole with what is explained needs no look either.

        Count and ends alone prove nothing: one number lost and another doubled keeps them.  A sum
        of hashes that is that of the whole range does.
        """
        known = [
            (branch if self._by_branch else "", serial)
            for branch, serial in explained
            if not self._is_number or is_bigint(serial)
        ]
        touched = {scope for scope, _ in known}
        kept = {scope: each for scope, each in whole.items() if scope not in touched}
        ranges, broken = self.proven(known, but=list(kept))
        found = self._looked_through(broken) if broken else defaultdict(_Numbers)
        for scope, each in [*kept.items(), *ranges.items()]:
            for prefix, first, last, width in each:
                numbers = found[scope, prefix]
                numbers.runs.append((first, last))
                numbers.width = _narrower(numbers.width, width)
        for numbers in found.values():
            numbers.runs = joined(numbers.runs)
        return found

    def proven(
        self, explained: Iterable[tuple[str, str]], but: Sequence[str] = ()
    ) -> tuple[dict[str, list[_Range]], list[Bucket]]:
        """Return the ranges of each scope that are whole, and the buckets that are not.

        All of it is one SELECT, and what it answers grows with what is wrong.

        Args:
            explained: scope and serial of what counts as used too.
            but: scopes that are left out.
        """
        known = list(explained)
        cast, value = ("bigint", "v") if self._is_number else ("text", 'v COLLATE "C"')
        sums = f"count(*) AS count, min({value}) AS first, max({value}) AS last, " + (
            f"sum({self._hash(value)}) AS total"
        )
        used = "n" if self._is_number else "serial"
        # to compile what runs once costs up to a second here, and saves less
        self._relation.wire.execute("SET LOCAL jit = off")
        where = f"{self._where} AND {self._columns['scope']} <> ALL (%(but)s::text[])"
        found = self._ask(
            f"""
WITH used AS (
  SELECT scope, head, {sums}
  FROM (SELECT scope, head, {used} AS v
        FROM {self._from("scope", "head", used, where=where if but else "")}) AS s
  GROUP BY scope, head UNION ALL
  SELECT scope, {self._head("v")} AS head, {sums}
  FROM unnest(%(s)s::text[], %(v)s::{cast}[]) AS s (scope, v) GROUP BY 1, 2
), bucket AS MATERIALIZED (
  SELECT scope, head, sum(count) AS count, min(first) AS first, max(last) AS last,
         sum(total) AS total
  FROM used GROUP BY scope, head
), likely AS MATERIALIZED (
  SELECT scope, head, total, prefix, width, tens, start, stop
  FROM (SELECT *, {self._parted} FROM bucket) AS s
  WHERE stop - start + 1 = count
), proven AS MATERIALIZED (
  SELECT scope, head, prefix, width, start, stop
  FROM likely WHERE total = (
    SELECT sum({self._hash(self._printed)}) FROM generate_series(start, stop) AS i)
)
SELECT scope, NULL, prefix, min(start), max(stop), max(width)
FROM (SELECT *, stop - sum(stop - start + 1) OVER (PARTITION BY scope, prefix, width
                                                    ORDER BY start) AS island
      FROM proven) AS s
GROUP BY scope, prefix, width, island UNION ALL
SELECT scope, head, NULL, NULL, NULL, NULL
FROM bucket WHERE (scope, head) NOT IN (SELECT scope, head FROM proven)""",
            s=[scope for scope, _ in known],
            v=[serial for _, serial in known],
            but=list(but),
        )
        ranges: dict[str, list[_Range]] = defaultdict(list)
        broken: list[Bucket] = []
        for scope, head, prefix, first, last, width in found:
            if head is None:
                ranges[scope].append((prefix, int(first), int(last), int(width)))
            else:
                broken.append(f"{scope}{SEPARATOR}{head}")
        return ranges, broken

    def _hash(self, value: str) -> str:
        function = "hashint8extended" if self._is_number else "hashtextextended"
        return f"{function}({value}, {self._seed})"

    def _looked_through(self, buckets: Sequence[Bucket]) -> dict[Scope, _Numbers]:
        """Return the runs of buckets number by number, and what comes twice."""
        inside = f"{self._columns['bucket']} = ANY (%(buckets)s::text[]) AND {self._where}"
        found = self._ask(
            f"""
SELECT scope, prefix, n, next, before, width
FROM (SELECT scope, prefix, n, width, lead(n) OVER w AS next, lag(n) OVER w AS before
      FROM {self._from("scope", "prefix", "n", "width", where=inside)}
      WHERE n IS NOT NULL WINDOW w AS (PARTITION BY scope, prefix ORDER BY n)) AS s
WHERE next IS NULL OR before IS NULL OR next <> n + 1 ORDER BY 1, 2, 3""",
            buckets=list(buckets),
        )
        numbers: dict[Scope, _Numbers] = defaultdict(_Numbers)
        start = 0
        for scope, prefix, n, following, before, width in found:
            each = numbers[str(scope), str(prefix)]
            each.width = _narrower(each.width, int(width))
            if before is None:
                start = n
            if following == n:
                each.doubled.append(f"{prefix}{n:0{width}d}")
            elif following != n + 1:
                each.runs.append((start, n))
                start = following
        return numbers

    def doubled(self, numbers: Mapping[Scope, _Numbers]) -> tuple[Doubled, ...]:
        """Return the numbers of several records: in one scope, and where scopes overlap."""
        named = {serial for each in numbers.values() for serial in each.doubled}
        width: dict[str, int] = {}
        for (_, prefix), each in numbers.items():
            width[prefix] = _narrower(width.get(prefix, 0), each.width)
        shared = overlaps({scope: each.runs for scope, each in numbers.items()})
        few = sum(r.count for r in shared) <= _MOST_NAMED
        for r in shared if few else ():
            named.update(texts_of(replace(r, width=width[r.prefix])))
        uses: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for branch, key, serial in self._using(sorted(named), void=False):
            uses[serial].append((branch, key))
        for branch, key, serial in () if few else self._in_ranges(shared):
            uses[serial].append((branch, key))
        return tuple(
            Doubled(serial, tuple(sorted(found)))
            for serial, found in sorted(uses.items())
            if len(found) > 1
        )

    def _in_ranges(self, shared: Sequence[SerialRange]) -> list[tuple[Any, ...]]:
        """Return branch, key and serial of the records whose number is in a range."""
        return self._ask(
            f"""
SELECT branch, key, serial
FROM {self._from("branch", "key", "serial", "prefix", "n", where=f"{self._where} {self._living}")}
WHERE EXISTS (
  SELECT FROM unnest(%(p)s::text[], %(f)s::bigint[], %(l)s::bigint[]) AS r (prefix, first, last)
  WHERE r.prefix = s.prefix AND s.n BETWEEN r.first AND r.last)""",
            p=[r.prefix for r in shared],
            f=[r.first for r in shared],
            l=[r.last for r in shared],
        )

    def confirmed(self, gaps: list[Gap]) -> list[Gap]:
        """Take out of gaps what other records have used, at any branch and of any time."""
        named = [t for _, gap in gaps if gap.count <= _MOST_NAMED for t in texts_of(gap)]
        if not named:
            return gaps
        return without(gaps, {serial for _, _, serial in self._using(named)})

    def out_of_block(
        self, blocks: Sequence[SerialBlock], numbers: Mapping[Scope, _Numbers]
    ) -> tuple[tuple[str, str, str], ...]:
        """Return the records whose form was not issued to their branch; none without blocks."""
        if not blocks:
            return ()
        if self._by_branch:
            outside = outside_of_blocks({s: each.runs for s, each in numbers.items()}, blocks)
            if sum(r.count for _, r in outside) <= _MOST_NAMED:
                return self._at_branches(outside, numbers)
            blocks = [b for b in blocks if b.branch in {branch for branch, _ in outside}]
        found = self._ask(
            f"""
SELECT branch, key, serial FROM {self._from("branch", "key", "serial", "prefix", "n")}
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

    def _at_branches(
        self, outside: Sequence[Gap], numbers: Mapping[Scope, _Numbers]
    ) -> tuple[tuple[str, str, str], ...]:
        """Return the records of a branch whose number is in one of its ranges."""
        named = {
            (branch, text)
            for branch, r in outside
            for text in texts_of(replace(r, width=numbers[branch, r.prefix].width))
        }
        found = self._using(sorted({text for _, text in named}))
        return tuple(use for use in found if (use[0], use[2]) in named)

    def not_usable(
        self, forms: Mapping[str, FormState]
    ) -> tuple[tuple[str, str, str, FormState], ...]:
        """Return the records, of any time, on forms that are said to carry none."""
        if not forms:
            return ()
        return tuple((b, k, s, forms[s]) for b, k, s in self._using(sorted(forms)))

    def _using(self, serials: Sequence[str], *, void: bool = True) -> list[tuple[str, str, str]]:
        """Return branch, key and serial of the records with these serials, of any time.

        Args:
            void: take void records too: a form that is printed and voided is used all the same.
        """
        where, parameters = self._relation.among(self._relation.shape.serial, serials)
        if not void:
            where += f" {self._living}"
        if not serials:
            return []
        records = self._from("branch", "key", "serial", where=where)
        found = self._relation.ask(f"SELECT branch, key, serial FROM {records}", parameters)
        return [(str(b), str(k), str(s)) for b, k, s in found]
