"""All branches against the recovered database in one pass.

1. one SELECT gives count and hash of every branch; equal ones are done;
2. the records of the others are fetched, and lines that are the same are settled;
3. what is in doubt is matched by key, numbers and likeness, in canonical form;
4. what is left is looked for outside of the window and at other branches;
5. serial numbers and totals are audited.

The central database is only read.  Comparing again gives the same breaks the same names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dr.reconcile.branch_type import BranchType, Source
from dr.reconcile.branch_work import BranchWork, Desk
from dr.reconcile.breaks import Break
from dr.reconcile.by_hand import Total, read_totals
from dr.reconcile.canon import CANON_VERSION
from dr.reconcile.classify import Book
from dr.reconcile.evidence import EvidenceError
from dr.reconcile.fingerprints import (
    Fingerprint,
    central_fingerprints,
    fingerprint,
)
from dr.reconcile.intake import read_evidence
from dr.reconcile.reading import Reading
from dr.reconcile.relation import Relation, Row
from dr.reconcile.resolving import resolve
from dr.reconcile.serials import SerialRegister
from dr.reconcile.session import Session
from dr.reconcile.totals import note_totals

_AT_ONCE = 50_000
"""Records of the centre that are fetched together."""
_KEPT = 200_000
"""Rows of evidence that stay in memory for a second look; others are read again."""


class BranchState(StrEnum):
    """How far a branch is, as the comparison sees it."""

    WAITING = "waiting"  # nothing was handed in
    REJECTED = "rejected"  # its evidence can not be used
    CLEAN = "clean"
    BREAKS = "breaks"
    TOTALS_ONLY = "totals_only"


@dataclass(frozen=True, slots=True)
class Submission:
    """Evidence of a branch that counts now; ``path`` is where the store keeps its bytes.

    A branch may have several, such as its ledger, receipts typed in, a queue of unsent work; the
    later ones add what the earlier ones do not have.
    """

    branch: str
    branch_type: BranchType
    path: Path
    known_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BranchOutcome:
    """What the comparison says of one branch.

    Attributes:
        because: why its evidence was rejected; "" when it was not.
        ledger / central: how many records of the window each side has.
        format_only: records that differ in the way of writing alone; they are no breaks.
        arrived: records without an answer at the branch that the centre has.
        unread: lines that could not be read, in words.
    """

    branch: str
    state: BranchState
    because: str = ""
    ledger: int = 0
    central: int = 0
    breaks: int = 0
    format_only: int = 0
    arrived: int = 0
    refused: int = 0
    unread: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    encodings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What a pass over all branches found; breaks are in the order of branch, class and key."""

    session: str
    breaks: tuple[Break, ...]
    branches: Mapping[str, BranchOutcome]
    snapshot: str = ""
    canon_version: int = CANON_VERSION
    looked_at: int = 0


@dataclass
class _Seen:
    """A piece of evidence after it was read once."""

    submission: Submission
    desk: Desk
    names: tuple[str, ...]
    fingerprint: Fingerprint
    doubts: bool
    reading: Reading | None
    unread: tuple[str, ...] = ()
    refused: int = 0
    evidence: str = ""
    encoding: str = ""


def compare_branches(
    session: Session,
    relation: Relation,
    submissions: Iterable[Submission],
    *,
    expected: Iterable[str] = (),
    register: SerialRegister | None = None,
    audit: bool = True,
    snapshot: str = "",
) -> Comparison:
    """Compare every branch with the centre; ``relation`` is to be inside of ``snapshot``.

    Args:
        expected: the branches of the bureau; those without evidence are WAITING.
        register: of forms; None when none is kept.
        audit: whether serial numbers are audited; not needed when one late branch is compared.

    Raises:
        CentralError: the centre does not have what is compared.
        psycopg.Error: it went away.
    """
    return _Pass(session, relation, list(submissions)).run(
        frozenset(expected), register or SerialRegister(), audit=audit, snapshot=snapshot
    )


class _Pass:
    """One comparison."""

    def __init__(
        self, session: Session, relation: Relation, submissions: Sequence[Submission]
    ) -> None:
        self._session = session
        self._relation = relation
        self._submissions = submissions
        self._book = Book(session, relation.shape)
        self._desks: dict[str, Desk] = {}
        self._rejected: dict[str, str] = {}
        self._totals: dict[str, tuple[Total, ...]] = {}
        self._central: dict[tuple[str, ...], Mapping[str, Fingerprint]] = {}

    def run(
        self, expected: frozenset[str], register: SerialRegister, *, audit: bool, snapshot: str
    ) -> Comparison:
        """Go through the five parts."""
        seen = self._look()
        unequal = [pieces for pieces in seen.values() if self._is_unequal(pieces)]
        work = list(self._work(unequal))
        resolve(self._book, self._relation, work, register, audit=audit)
        note_totals(self._book, self._relation, self._totals)
        outcomes = self._outcomes(seen, expected)
        breaks = sorted(
            self._book.breaks.values(), key=lambda b: (b.branch, b.kind.value, b.key, b.id)
        )
        return Comparison(
            self._session.id, tuple(breaks), outcomes, snapshot, looked_at=len(unequal)
        )

    def _is_unequal(self, pieces: Sequence[_Seen]) -> bool:
        first = pieces[0]
        return len(pieces) > 1 or first.doubts or self._of_centre(first) != first.fingerprint

    def _look(self) -> dict[str, list[_Seen]]:
        """Read all evidence while the centre computes its fingerprints."""
        seen: list[_Seen] = []
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="centre") as pool:
            asked = self._ask_centre(pool)
            kept = 0
            for submission in self._submissions:
                found = self._see(submission, keep=kept < _KEPT)
                if found is not None:
                    seen.append(found)
                    kept += found.fingerprint.count if found.reading else 0
            self._central = {names: future.result() for names, future in asked.items()}
        for names in {s.names for s in seen} - self._central.keys():
            self._central[names] = self._fingerprints(names)
        by_branch: dict[str, list[_Seen]] = {}
        for each in seen:
            if each.submission.branch not in self._rejected:
                by_branch.setdefault(each.submission.branch, []).append(each)
        return by_branch

    def _ask_centre(
        self, pool: ThreadPoolExecutor
    ) -> dict[tuple[str, ...], Future[Mapping[str, Fingerprint]]]:
        types = {s.branch_type.name: s.branch_type for s in self._submissions}.values()
        has = self._relation.shape.names
        wanted = {
            tuple(n for n in has if n in t.columns)
            for t in types
            if t.source not in {Source.TYPED, Source.TOTALS}
        }
        return {names: pool.submit(self._fingerprints, names) for names in wanted if names}

    def _fingerprints(self, names: tuple[str, ...]) -> Mapping[str, Fingerprint]:
        session = self._session
        return central_fingerprints(self._relation, names, session.salt, session.window)

    def _see(self, submission: Submission, *, keep: bool) -> _Seen | None:
        """Read one branch's evidence; None when it can not be used or has totals only."""
        branch = submission.branch
        try:
            if submission.branch_type.source is Source.TOTALS:
                self._totals[branch] = read_totals(branch, submission.path.read_bytes())
                return None
            reading = self._read(submission)
        except EvidenceError as error:
            self._rejected[branch] = error.message
            return None
        except OSError as error:
            self._rejected[branch] = f"its evidence can not be read: {error.strerror}"
            return None
        desk = self._desk(submission.branch_type)
        lines = desk.lines(reading)
        places = [i for i, n in enumerate(desk.shape.names) if n not in reading.absent]
        whole = len(places) == len(desk.shape.names)
        rows = lines if whole else [[row[i] for i in places] for row in lines]
        return _Seen(
            submission,
            desk,
            desk.names(reading),
            fingerprint(rows, self._session.salt),
            desk.doubts(reading, lines),
            reading if keep else None,
            reading.problems,
            len(reading.refused),
            reading.evidence,
            reading.encoding,
        )

    def _read(self, submission: Submission) -> Reading:
        return read_evidence(
            submission.branch,
            submission.path.read_bytes(),
            submission.branch_type,
            self._relation.shape,
            known_as=submission.known_as,
            parameters={
                "since": self._session.window.texts(submission.branch_type.zone)[0],
                "until": self._session.window.texts(submission.branch_type.zone)[1],
            },
        )

    def _desk(self, branch_type: BranchType) -> Desk:
        if branch_type.name not in self._desks:
            self._desks[branch_type.name] = Desk(
                self._relation.shape, branch_type, self._relation, self._session.window
            )
        return self._desks[branch_type.name]

    def _of_centre(self, seen: _Seen) -> Fingerprint:
        return self._central[seen.names].get(seen.submission.branch, Fingerprint())

    def _work(self, unequal: Sequence[list[_Seen]]) -> Iterator[tuple[Desk, BranchWork]]:
        """Fetch the centre's records of many branches at once, and settle what is the same."""
        within, parameters = self._relation.within(self._session.window)
        for part in self._parts(unequal):
            central: dict[str, list[Row]] = {p[0].submission.branch: [] for p in part}
            where = f'q."branch"::text = ANY(%(branches)s::text[]) AND {within}'
            for row in self._relation.rows(where, {**parameters, "branches": list(central)}):
                central[row.branch].append(row)
            for pieces in part:
                yield self._settled(pieces, central[pieces[0].submission.branch])

    def _settled(self, pieces: Sequence[_Seen], central: list[Row]) -> tuple[Desk, BranchWork]:
        work, left = BranchWork(pieces[0].submission.branch), central
        for piece in pieces:
            reading = piece.reading or self._read(piece.submission)
            left = piece.desk.settle(work, reading, left)
            if len(pieces) > 1:
                work.keys |= piece.desk.keys_of(reading)
        work.central = [pieces[0].desk.of_centre(row) for row in left]
        return pieces[0].desk, work

    def _parts(self, unequal: Sequence[list[_Seen]]) -> Iterator[list[list[_Seen]]]:
        part: list[list[_Seen]] = []
        size = 0
        for pieces in unequal:
            part.append(pieces)
            size += self._of_centre(pieces[0]).count
            if size >= _AT_ONCE:
                yield part
                part, size = [], 0
        if part:
            yield part

    def _outcomes(
        self, seen: Mapping[str, Sequence[_Seen]], expected: frozenset[str]
    ) -> dict[str, BranchOutcome]:
        counts: dict[str, int] = {}
        for found in self._book.breaks.values():
            counts[found.branch] = counts.get(found.branch, 0) + 1
        outcomes = {
            name: BranchOutcome(name, BranchState.REJECTED, because=because)
            for name, because in self._rejected.items()
        }
        for name in self._totals:
            outcomes[name] = BranchOutcome(
                name, BranchState.TOTALS_ONLY, breaks=counts.get(name, 0)
            )
        for name, pieces in seen.items():
            outcomes[name] = self._outcome(pieces, counts.get(name, 0))
        for name in expected - outcomes.keys():
            outcomes[name] = BranchOutcome(name, BranchState.WAITING, breaks=counts.get(name, 0))
        return dict(sorted(outcomes.items()))

    def _outcome(self, pieces: Sequence[_Seen], breaks: int) -> BranchOutcome:
        branch = pieces[0].submission.branch
        unread = tuple(problem for piece in pieces for problem in piece.unread)
        refused = sum(piece.refused for piece in pieces)
        return BranchOutcome(
            branch,
            BranchState.BREAKS if breaks or unread or refused else BranchState.CLEAN,
            ledger=sum(piece.fingerprint.count for piece in pieces),
            central=self._of_centre(pieces[0]).count,
            breaks=breaks,
            format_only=self._book.format_only.get(branch, 0),
            arrived=self._book.arrived.get(branch, 0),
            refused=refused,
            unread=unread,
            evidence=tuple(piece.evidence for piece in pieces),
            encodings=tuple(piece.encoding for piece in pieces),
        )
