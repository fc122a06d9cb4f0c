"""One branch whose fingerprint is not the centre's: its rows against the centre's, line by line.

Lines that are the same to the character are settled at once; only the others are brought to
canonical form and go on to be matched.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

from dr.reconcile.branch_type import BranchType
from dr.reconcile.canon import Canon
from dr.reconcile.fingerprints import in_window_fast, line_of
from dr.reconcile.ledger import Told
from dr.reconcile.matching import Candidate
from dr.reconcile.moments import parse_moment
from dr.reconcile.reading import Reading, Values
from dr.reconcile.relation import Row
from dr.reconcile.shape import RecordShape
from dr.reconcile.window import Window

_SECOND = 19
"""Characters of YYYY-MM-DD HH:MM:SS; its 5th, 11th and 17th are "- :"."""


@dataclass
class BranchWork:
    """What is in doubt between a branch and the centre.

    Attributes:
        outside: the branch's rows that are not in the window; they are looked at only when the
            centre has something inside that the branch has not.
        settled: canonical keys of lines that both have to the character.
        doubled: keys that both sides have more than once, and agree on.
        keys: canonical keys of evidence that was looked at before: a later piece, such as a queue
            of unsent work, adds what the earlier ones do not have.
        unread: whether the evidence has lines that nobody understands.
    """

    branch: str
    ledger: list[Candidate] = field(default_factory=list)
    central: list[Candidate] = field(default_factory=list)
    outside: list[tuple[Desk, Reading, int]] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    unread: bool = False

    def rows_outside(self) -> list[Candidate]:
        """Return the branch's rows that are not in the window."""
        return [desk.of_branch(reading, number) for desk, reading, number in self.outside]


class Desk:
    """Looks at the branches of one type, one after the other.

    Args:
        cut: to how many characters the centre's values are cut, by column (``Relation.cut``).
    """

    def __init__(
        self, shape: RecordShape, branch_type: BranchType, cut: Sequence[int], window: Window
    ) -> None:
        self.shape = shape
        self.canon = Canon(shape, branch_type.zone, branch_type.ten_thousands)
        self.central_canon = Canon(shape, shape.zone)
        self._window = window
        self._texts = window.texts(branch_type.zone)
        self._same_zone = branch_type.zone == shape.zone
        self._moment = shape.place(shape.moment)
        self._key = shape.place(shape.key)
        self._cut = cut

    def lines(self, reading: Reading) -> Sequence[Values]:
        """Return the rows that belong to the window and the centre should have."""
        if not reading.told:
            fast = self._fast(reading.rows)
            if fast is not None:
                return fast
        return [
            row
            for number, row in enumerate(reading.rows)
            if number not in reading.told and self._inside(row)
        ]

    def names(self, reading: Reading) -> tuple[str, ...]:
        """Return the columns that this evidence has."""
        return tuple(n for n in self.shape.names if n not in reading.absent)

    def moment(self, row: Sequence[str | None]) -> datetime | None:
        """Return when a row of a branch was accepted; None when it does not say."""
        if self._moment < 0:
            return None
        text = self.canon.value(self._moment, row[self._moment])
        try:
            return parse_moment(text, self.shape.zone) if text else None
        except ValueError:
            return None

    def doubts(self, reading: Reading, lines: Sequence[Values]) -> bool:
        """Say whether a branch is to be looked at whatever its fingerprint says."""
        keys = set(map(itemgetter(self._key), lines))
        return bool(reading.told or not reading.complete or len(keys) < len(lines))

    def settle(self, work: BranchWork, reading: Reading, central: Sequence[Row]) -> list[Row]:
        """Settle what is the same to the character; what is in doubt goes into ``work``.

        Returns:
            The centre's records that this evidence does not settle.
        """
        places = [self.shape.place(n) for n in self.names(reading)]
        waiting: dict[str, list[Row]] = defaultdict(list)
        for record in central:
            waiting[line_of([self._plain(record.values, p) for p in places])].append(record)
        settled: Counter[str | None] = Counter()
        for number, row in enumerate(reading.rows):
            if work.keys and self.canon.value(self._key, row[self._key]) in work.keys:
                continue
            same = waiting.get(line_of([row[p] for p in places]))
            if same and number not in reading.told:
                same.pop()
                settled[row[self._key]] += 1
            elif self._inside(row):
                work.ledger.append(self.of_branch(reading, number))
            else:
                work.outside.append((self, reading, number))
        work.ledger += self._damaged(reading)
        work.settled |= {self.canon.value(self._key, key) or "" for key in settled}
        work.doubled |= {self.canon.value(self._key, k) or "" for k, n in settled.items() if n > 1}
        work.unread |= bool(reading.problems)
        return [row for rows in waiting.values() for row in rows]

    def keys_of(self, reading: Reading) -> set[str]:
        """Return the canonical keys of evidence."""
        return {self.canon.value(self._key, row[self._key]) or "" for row in reading.rows}

    def of_branch(self, reading: Reading, number: int) -> Candidate:
        """Return a row of evidence as a candidate."""
        row = Row(reading.branch, reading.rows[number], reading.lines[number], reading.evidence)
        told = reading.told.get(number, Told.ACKNOWLEDGED)
        return Candidate(row, self.canon.row(row.values), told, absent=reading.absent)

    def _inside(self, row: Values) -> bool:
        text = row[self._moment] if self._moment >= 0 else None
        if text and self._same_zone and len(text) == _SECOND and text[4::6] == "- :":
            return self._texts[0] <= text < self._texts[1]
        return self._window.holds(self.moment(row))

    def of_centre(self, row: Row) -> Candidate:
        """Return a record of the centre as a candidate."""
        return Candidate(row, self.central_canon.row(row.values))

    def _damaged(self, reading: Reading) -> Iterator[Candidate]:
        for refused in reading.refused:
            if self._window.holds(self.moment(refused.values)):
                row = Row(reading.branch, refused.values, refused.line, reading.evidence)
                canon = self.canon.row(refused.values)
                yield Candidate(row, canon, damaged=refused.column, absent=reading.absent)

    def _plain(self, values: Values, place: int) -> str | None:
        """Return a value of the centre as ``Relation.plain`` writes it."""
        value, length = values[place], self._cut[place]
        return value[:length] if value is not None and length else value

    def _fast(self, rows: Sequence[Values]) -> Sequence[Values] | None:
        if self._moment < 0 or not self._same_zone:
            return None
        moments = list(map(itemgetter(self._moment), rows))
        return in_window_fast(moments, rows, self._texts)
