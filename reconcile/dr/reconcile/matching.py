"""Which record of a branch is which of the centre: by key, by other numbers, by likeness.

A key alone is not believed: with dense numbering a slip of the pen hits another valid number.
It counts only when other columns agree.  Everything that is matched otherwise is a proposal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial

from dr.reconcile.breaks import FieldDifference, MatchPass
from dr.reconcile.canon import Canonical, same
from dr.reconcile.ledger import Told
from dr.reconcile.relation import Row
from dr.reconcile.shape import FuzzyRule, RecordShape

_MOST_CANDIDATES = 200


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A record in doubt: as it was written, and in canonical form.

    Attributes:
        told: what the centre answered the branch.
        damaged: the column whose number a spreadsheet has damaged; "" when none is.
        absent: columns that this evidence does not have; they are not compared.
    """

    row: Row
    canon: Canonical
    told: Told = Told.ACKNOWLEDGED
    damaged: str = ""
    absent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two records that are one piece of business; ``score`` is that of a fuzzy rule."""

    ledger: Candidate
    central: Candidate
    by: MatchPass
    score: float | None = None


@dataclass(frozen=True)
class Matched:
    """Pairs, and what is left on both sides."""

    pairs: tuple[Pair, ...]
    ledger: tuple[Candidate, ...]
    central: tuple[Candidate, ...]


class Matcher:
    """Matches records of one shape."""

    def __init__(self, shape: RecordShape) -> None:
        self.shape = shape
        self._agree = [shape.place(name) for name in shape.agree]
        self._key = shape.place(shape.key)

    def key(self, candidate: Candidate) -> str | None:
        """Return the canonical key."""
        return candidate.canon[self._key]

    def match(self, ledger: Iterable[Candidate], central: Iterable[Candidate]) -> Matched:
        """Match by key, then receipt number, serial number, the same business, likeness."""
        pairs: list[Pair] = []
        left = Matched((), tuple(ledger), tuple(central))
        for step in self._steps():
            left = step(left)
            pairs += left.pairs
        return Matched(tuple(pairs), left.ledger, left.central)

    def match_by_key(self, ledger: Iterable[Candidate], central: Iterable[Candidate]) -> Matched:
        """Match by key alone."""
        return self._by_key(Matched((), tuple(ledger), tuple(central)))

    def trusts(self, one: Candidate, other: Candidate) -> bool:
        """Say whether enough columns agree for an equal key to count."""
        comparable = [
            p for p in self._agree if one.canon[p] is not None and other.canon[p] is not None
        ]
        need = min(self.shape.agreeing, len(comparable))
        return self._agreement(one, other) >= need

    def differences(self, ledger: Candidate, central: Candidate) -> tuple[FieldDifference, ...]:
        """Return the columns in which both mean something else."""
        zone = self.shape.zone
        return tuple(
            FieldDifference(c.name, ledger.row.values[i], central.row.values[i], c.severity)
            for i, c in enumerate(self.shape.columns)
            if c.name not in ledger.absent and not same(c, ledger.canon[i], central.canon[i], zone)
        )

    def is_same_business(self, one: Candidate, other: Candidate) -> bool:
        """Say whether both are the same business, whatever their numbers."""
        places = [self.shape.place(name) for name in self.shape.same]
        return bool(places) and all(
            one.canon[p] is not None and one.canon[p] == other.canon[p] for p in places
        )

    def _agreement(self, one: Candidate, other: Candidate) -> int:
        return sum(one.canon[p] is not None and one.canon[p] == other.canon[p] for p in self._agree)

    def _steps(self) -> Iterator[Callable[[Matched], Matched]]:
        yield self._by_key
        for name, by in (
            (self.shape.receipt, MatchPass.RECEIPT),
            (self.shape.serial, MatchPass.SERIAL),
        ):
            if name and name != self.shape.key:
                yield partial(self._by_columns, names=(name,), by=by, least=2)
        if self.shape.same:
            yield partial(self._by_columns, names=self.shape.same, by=MatchPass.BUSINESS, least=0)
        for rule in self.shape.fuzzy:
            yield partial(self._by_likeness, rule=rule)

    def _by_key(self, left: Matched) -> Matched:
        by_key: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in left.central:
            key = self.key(candidate)
            if key:
                by_key[key].append(candidate)
        pairs, taken = [], set()
        for ledger in left.ledger:
            free = [c for c in by_key.get(self.key(ledger) or "", ()) if c not in taken]
            trusted = [c for c in free if self.trusts(ledger, c)]
            if trusted:
                best = min(trusted, key=lambda c: len(self.differences(ledger, c)))
                taken.add(best)
                pairs.append(Pair(ledger, best, MatchPass.KEY))
        return _rest(left, pairs)

    def _by_columns(
        self, left: Matched, names: Sequence[str], by: MatchPass, *, least: int
    ) -> Matched:
        """Match those that are the only ones on each side with these values."""
        places = [self.shape.place(name) for name in names]
        sides = [_by_values(side, places) for side in (left.ledger, left.central)]
        pairs = [
            Pair(ledger[0], sides[1][values][0], by)
            for values, ledger in sides[0].items()
            if len(ledger) == 1 and len(sides[1].get(values, ())) == 1
        ]
        enough = [p for p in pairs if self._agreement(p.ledger, p.central) >= least]
        return _rest(left, enough)

    def _by_likeness(self, left: Matched, rule: FuzzyRule) -> Matched:
        """Match those that are more alike than to any other; they share one agreeing column."""
        near: dict[tuple[int, str], list[Candidate]] = defaultdict(list)
        for candidate in left.central:
            for place in self._agree:
                value = candidate.canon[place]
                if value is not None:
                    near[place, value].append(candidate)
        best: dict[Candidate, tuple[float, Candidate]] = {}
        for ledger in left.ledger:
            found = {
                c for p in self._agree for c in near.get((p, ledger.canon[p] or ""), ())
            }  # fmt: skip
            if not 0 < len(found) <= _MOST_CANDIDATES:
                continue
            scores = sorted(((self._likeness(ledger, c, rule), c) for c in found), key=_score)
            second = scores[-2][0] if len(scores) > 1 else 0.0
            if scores[-1][0] >= rule.least and scores[-1][0] - second >= rule.margin:
                best[ledger] = scores[-1]
        wanted: dict[Candidate, int] = defaultdict(int)
        for _, central in best.values():
            wanted[central] += 1
        pairs = [
            Pair(ledger, central, MatchPass.FUZZY, round(score, 1))
            for ledger, (score, central) in best.items()
            if wanted[central] == 1
        ]
        return _rest(left, pairs)

    def _likeness(self, one: Candidate, other: Candidate, rule: FuzzyRule) -> float:
        total = sum(rule.weights.values())
        score = sum(
            weight * _alike(one.canon[self.shape.place(n)], other.canon[self.shape.place(n)])
            for n, weight in rule.weights.items()
        )
        return 100 * score / total if total else 0.0


def _score(scored: tuple[float, Candidate]) -> tuple[float, str]:
    return scored[0], str(scored[1].canon)


def _alike(one: str | None, other: str | None) -> float:
    if one is None or other is None:
        return 0.0
    return 1.0 if one == other else SequenceMatcher(None, one, other, autojunk=False).ratio()


def _by_values(
    side: Iterable[Candidate], places: Sequence[int]
) -> dict[tuple[str, ...], list[Candidate]]:
    found: dict[tuple[str, ...], list[Candidate]] = defaultdict(list)
    for candidate in side:
        values = tuple(candidate.canon[p] or "" for p in places)
        if all(values):
            found[values].append(candidate)
    return found


def _rest(left: Matched, pairs: Sequence[Pair]) -> Matched:
    ledger = {pair.ledger for pair in pairs}
    central = {pair.central for pair in pairs}
    return Matched(
        tuple(pairs),
        tuple(c for c in left.ledger if c not in ledger),
        tuple(c for c in left.central if c not in central),
    )
