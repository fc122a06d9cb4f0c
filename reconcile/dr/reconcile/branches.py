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

from dr.reconcile.branch_type import Source
from dr.reconcile.branch_work import BranchWork, Desk
from dr.reconcile.breaks import Break
from dr.reconcile.by_hand import Total
from dr.reconcile.canon import CANON_VERSION
from dr.reconcile.classify import Book
from dr.reconcile.fingerprints import NOTHING, Fingerprint, central_fingerprints
from dr.reconcile.first_look import Eye, Look, Submission
from dr.reconcile.readers import look_at_all
from dr.reconcile.relation import Relation, Row
from dr.reconcile.resolving import resolve
from dr.reconcile.serials import SerialRegister, Whole, whole_scopes
from dr.reconcile.session import Session
from dr.reconcile.totals import note_totals

_AT_ONCE = 50_000
"""Records of the centre that are fetched together."""


class BranchState(StrEnum):
    """How far a branch is, as the comparison sees it."""

    WAITING = "waiting"  # nothing was handed in
    REJECTED = "rejected"  # its evidence can not be used
    CLEAN = "clean"
    BREAKS = "breaks"
    TOTALS_ONLY = "totals_only"


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
        self._eye = Eye(session, relation.shape, relation.cut)
        self._rejected: dict[str, str] = {}
        self._totals: dict[str, tuple[Total, ...]] = {}
        self._central: dict[tuple[str, ...], Mapping[str, Fingerprint]] = {}
        self._whole: Whole = {}

    def run(
        self, expected: frozenset[str], register: SerialRegister, *, audit: bool, snapshot: str
    ) -> Comparison:
        """Go through the five parts."""
        seen = self._look(audit=audit)
        unequal = [pieces for pieces in seen.values() if self._is_unequal(pieces)]
        work = list(self._work(unequal))
        resolve(self._book, self._relation, work, register, audit=audit, whole=self._whole)
        note_totals(self._book, self._relation, self._totals)
        outcomes = self._outcomes(seen, expected)
        breaks = sorted(
            self._book.breaks.values(), key=lambda b: (b.branch, b.kind.value, b.key, b.id)
        )
        return Comparison(
            self._session.id, tuple(breaks), outcomes, snapshot, looked_at=len(unequal)
        )

    def _is_unequal(self, pieces: Sequence[Look]) -> bool:
        first = pieces[0]
        return len(pieces) > 1 or first.doubts or self._of_centre(first) != first.fingerprint

    def _look(self, *, audit: bool) -> dict[str, list[Look]]:
        """Read all evidence while the centre computes what needs none of it."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="centre") as pool:
            asked = self._ask_centre(pool)
            whole = pool.submit(whole_scopes, self._relation, self._session) if audit else None
            looks = look_at_all(self._eye, self._submissions)
            self._central = {names: future.result() for names, future in asked.items()}
            self._whole = whole.result() if whole else {}
        seen: list[Look] = []
        for look in looks:
            if look.rejected:
                self._rejected[look.submission.branch] = look.rejected
            elif look.totals is not None:
                self._totals[look.submission.branch] = look.totals
            else:
                seen.append(look)
        for names in {s.names for s in seen} - self._central.keys():
            self._central[names] = self._fingerprints(names)
        by_branch: dict[str, list[Look]] = {}
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

    def _of_centre(self, seen: Look) -> Fingerprint:
        return self._central[seen.names].get(seen.submission.branch, NOTHING)

    def _work(self, unequal: Sequence[list[Look]]) -> Iterator[tuple[Desk, BranchWork]]:
        """Fetch the centre's records of many branches at once, and settle what is the same."""
        within, parameters = self._relation.within(self._session.window)
        for part in self._parts(unequal):
            central: dict[str, list[Row]] = {p[0].submission.branch: [] for p in part}
            where = f'q."branch"::text = ANY(%(branches)s::text[]) AND {within}'
            for row in self._relation.rows(where, {**parameters, "branches": list(central)}):
                central[row.branch].append(row)
            for pieces in part:
                yield self._settled(pieces, central[pieces[0].submission.branch])

    def _settled(self, pieces: Sequence[Look], central: list[Row]) -> tuple[Desk, BranchWork]:
        work, left = BranchWork(pieces[0].submission.branch), central
        types = [piece.submission.branch_type for piece in pieces]
        is_partial = all(kind.partial or kind.unsent for kind in types)
        for piece in pieces:
            reading = piece.reading or self._eye.read(piece.submission)
            left = self._eye.desk(piece.submission.branch_type).settle(work, reading, left)
            if len(pieces) > 1 or is_partial:
                work.keys |= self._eye.desk(piece.submission.branch_type).keys_of(reading)
        desk = self._eye.desk(pieces[0].submission.branch_type)
        work.central = [desk.of_centre(row) for row in left]
        if is_partial:
            key = desk.shape.place(desk.shape.key)
            work.central = [one for one in work.central if one.canon[key] in work.keys]
        return desk, work

    def _parts(self, unequal: Sequence[list[Look]]) -> Iterator[list[list[Look]]]:
        part: list[list[Look]] = []
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
        self, seen: Mapping[str, Sequence[Look]], expected: frozenset[str]
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

    def _outcome(self, pieces: Sequence[Look], breaks: int) -> BranchOutcome:
        branch = pieces[0].submission.branch
        unread = tuple(problem for piece in pieces for problem in piece.unread)
        refused = sum(piece.refused for piece in pieces)
        return BranchOutcome(
            branch,
            BranchState.BREAKS if breaks or unread or refused else BranchState.CLEAN,
            # what a copy has, the branch may have told already
            ledger=sum(p.fingerprint.count for p in pieces if not p.submission.branch_type.partial),
            central=self._of_centre(pieces[0]).count,
            breaks=breaks,
            format_only=self._book.format_only.get(branch, 0),
            arrived=self._book.arrived.get(branch, 0),
            refused=refused,
            unread=unread,
            evidence=tuple(piece.evidence for piece in pieces),
            encodings=tuple(piece.encoding for piece in pieces),
        )
