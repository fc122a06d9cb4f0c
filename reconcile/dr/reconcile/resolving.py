"""What is left of all branches after their own match: looked for elsewhere, and then named."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dr.reconcile.branch_work import BranchWork, Desk
from dr.reconcile.breaks import BreakClass, MatchPass
from dr.reconcile.classify import Book, is_void, note_extra, note_missing, note_pair
from dr.reconcile.ledger import Told
from dr.reconcile.matching import Candidate, Matcher, Pair
from dr.reconcile.relation import Relation
from dr.reconcile.serials import SerialRegister, Whole
from dr.reconcile.serials import audit as audit_serials
from dr.reconcile.shape import Severity


@dataclass
class _Left:
    """A branch after its own match; ``keys`` are those that each side has already placed."""

    desk: Desk
    work: BranchWork
    matcher: Matcher
    pairs: list[Pair]
    ledger: list[Candidate]
    central: list[Candidate]
    keys: set[str] = field(default_factory=set)
    unread: bool = False

    @property
    def branch(self) -> str:
        return self.work.branch


def resolve(
    book: Book,
    relation: Relation,
    work: Sequence[tuple[Desk, BranchWork]],
    register: SerialRegister,
    *,
    audit: bool,
    windowed: bool = True,
    whole: Whole | None = None,
) -> None:
    """Match, look elsewhere, and note every break; ``whole`` is of ``serials.whole_scopes``."""
    left = [_matched(desk, each) for desk, each in work]
    _elsewhere(book, relation, left)
    _outside(left)
    siblings = _siblings(relation, left)
    for each in left:
        for pair in each.pairs:
            note_pair(book, each.matcher, pair)
        _doubled(book, each)
        for candidate in each.ledger:
            note_missing(book, each.matcher, candidate)
        _extra(book, each, siblings)
    _reissued(book, relation, left)
    if audit:
        _audit(book, relation, left, register, windowed=windowed, whole=whole)


def _matched(desk: Desk, work: BranchWork) -> _Left:
    matcher = Matcher(desk.shape)
    found = matcher.match(work.ledger, work.central)
    left = _Left(desk, work, matcher, list(found.pairs), list(found.ledger), list(found.central))
    by_key = [p for p in left.pairs if p.by is MatchPass.KEY]
    left.keys = work.settled | {matcher.key(p.ledger) or "" for p in by_key}
    unmatched = any(c.damaged for c in left.ledger)
    left.unread = unmatched or work.unread
    return left


def _elsewhere(book: Book, relation: Relation, left: Sequence[_Left]) -> None:
    """Look for what branches have and the centre has not at other branches and other times."""
    lost = [(each, c) for each in left for c in each.ledger if _is_lost(each, c)]
    wanted = {k for each, c in lost for k in (each.matcher.key(c), _raw_key(each, c)) if k}
    if not wanted:
        return
    where, parameters = relation.among(relation.shape.key, sorted(wanted))
    found: dict[str, list[Candidate]] = defaultdict(list)
    desk = left[0].desk
    for row in relation.rows(where, parameters):
        candidate = desk.of_centre(row)
        found[left[0].matcher.key(candidate) or ""].append(candidate)
    by_branch = {each.branch: each for each in left}
    for each, ledger in lost:
        for central in found.get(each.matcher.key(ledger) or "", ()):
            if each.matcher.trusts(ledger, central) and _placed(book, each, ledger, central,
                                                                 by_branch):  # fmt: skip
                each.ledger.remove(ledger)
                break


def _is_lost(each: _Left, candidate: Candidate) -> bool:
    known = each.matcher.key(candidate) in each.keys
    return not candidate.damaged and candidate.told is not Told.FAILED and not known


def _raw_key(each: _Left, candidate: Candidate) -> str | None:
    return candidate.row.values[each.desk.shape.place(each.desk.shape.key)]


def _placed(
    book: Book,
    each: _Left,
    ledger: Candidate,
    central: Candidate,
    by_branch: dict[str, _Left],
) -> bool:
    """Note a record that the centre has elsewhere; False when it is another matter."""
    moment, window = book.moment(central), book.session.window
    key, branch = each.matcher.key(ledger) or "", each.branch
    if central.row.branch != branch:
        other = by_branch.get(central.row.branch)
        if other is not None:
            mine = [c for c in other.central if c.row.values == central.row.values]
            if not mine:
                return False  # that branch has it too: two records with one key
            other.central.remove(mine[0])
        book.add(BreakClass.CROSS_BRANCH, branch, key, ledger=ledger, central=central,
                 also=(central.row.branch,), matched_by=MatchPass.KEY)  # fmt: skip
        return True
    if window.holds(moment):
        return False
    if moment is not None and window.is_after(moment):
        book.add(BreakClass.LATE, branch, key, ledger=ledger, central=central,
                 fields=each.matcher.differences(ledger, central), severity=Severity.MINOR,
                 matched_by=MatchPass.KEY)  # fmt: skip
        return True
    each.pairs.append(Pair(ledger, central, MatchPass.KEY))
    return True


def _outside(left: Sequence[_Left]) -> None:
    """Pair what the centre has in the window with what the branch has outside of it."""
    for each in left:
        if not each.central or not each.work.outside:
            continue
        found = each.matcher.match_by_key(each.work.rows_outside(), each.central)
        each.pairs += found.pairs
        each.central = list(found.central)


def _siblings(relation: Relation, left: Sequence[_Left]) -> list[Candidate]:
    """Return the centre's records that may be the same business as one that is extra."""
    shape = relation.shape
    if not shape.same:
        return []
    first = shape.place(shape.same[0])
    values = {c.row.values[first] for each in left for c in each.central} - {None}
    if not values:
        return []
    where, parameters = relation.among(shape.same[0], sorted(v for v in values if v))
    return [left[0].desk.of_centre(row) for row in relation.rows(where, parameters)]


def _doubled(book: Book, each: _Left) -> None:
    """Note keys that one side has more than once, and take their copies out of what is left."""
    for key in sorted(each.work.doubled):
        book.add(BreakClass.DUP_KEY_LEDGER, each.branch, key)
        book.add(BreakClass.DUP_KEY_CENTRAL, each.branch, key)
    seen: Counter[str] = Counter()
    for candidate in list(each.ledger):
        key = each.matcher.key(candidate) or ""
        if not key or candidate.damaged or candidate.told is not Told.ACKNOWLEDGED:
            continue
        seen[key] += 1
        if key in each.keys or seen[key] > 1:
            book.add(BreakClass.DUP_KEY_LEDGER, each.branch, key, ledger=candidate)
            each.ledger.remove(candidate)


def _extra(book: Book, each: _Left, siblings: Iterable[Candidate]) -> None:
    """Note what the centre has and the branch has not: a copy, a double, or extra."""
    matcher, seen = each.matcher, Counter[str]()
    by_first: dict[str | None, list[Candidate]] = defaultdict(list)
    place = each.desk.shape.place(each.desk.shape.same[0]) if each.desk.shape.same else -1
    for sibling in siblings if place >= 0 else ():
        by_first[sibling.canon[place]].append(sibling)
    for candidate in each.central:
        if is_void(each.desk.shape, candidate):
            continue  # it says of itself that it does not count
        key = matcher.key(candidate) or ""
        seen[key] += 1
        if key in each.keys or seen[key] > 1:
            book.add(BreakClass.DUP_KEY_CENTRAL, each.branch, key, central=candidate)
            continue
        near = by_first.get(candidate.canon[place], ()) if place >= 0 else ()
        twins = [
            matcher.key(s) or "" for s in near
            if matcher.key(s) != key
            and not is_void(each.desk.shape, s)
            and matcher.is_same_business(s, candidate)
        ]  # fmt: skip
        if twins:
            book.add(BreakClass.DUP_BUSINESS, each.branch, key, central=candidate,
                     also=twins, matched_by=MatchPass.BUSINESS)  # fmt: skip
        else:
            note_extra(book, matcher, candidate, unread=each.unread)


def _reissued(book: Book, relation: Relation, left: Sequence[_Left]) -> None:
    """Note forms of lost records that the centre has since printed for others."""
    shape = relation.shape
    place = shape.place(shape.serial)
    if place < 0:
        return
    lost = {
        serial: (each, c)
        for each in left
        for c in each.ledger
        if not c.damaged and c.told is Told.ACKNOWLEDGED and (serial := c.canon[place])
    }
    if not lost:
        return
    where, parameters = relation.among(shape.serial, sorted(lost))
    for row in relation.rows(where, parameters):
        central = left[0].desk.of_centre(row)
        each, ledger = lost.get(central.canon[place] or "", (None, None))
        if each is None or ledger is None:
            continue
        mine, theirs = each.matcher.key(ledger) or "", each.matcher.key(central) or ""
        if mine != theirs:
            book.add(BreakClass.SERIAL_DUP, each.branch, central.canon[place] or "",
                     ledger=ledger, central=central, severity=Severity.CRITICAL,
                     also=(f"{each.branch}/{mine}", f"{row.branch}/{theirs}"),
                     matched_by=MatchPass.SERIAL)  # fmt: skip


def _audit(
    book: Book,
    relation: Relation,
    left: Sequence[_Left],
    register: SerialRegister,
    *,
    windowed: bool,
    whole: Whole | None,
) -> None:
    shape = relation.shape
    place = shape.place(shape.serial)
    if place < 0:
        return
    # what the centre has under the same number is not explained: it would count twice
    known = [c for each in left for c in each.ledger]
    known += [
        p.ledger
        for each in left
        for p in each.pairs
        if p.ledger.canon[place] != p.central.canon[place]
    ]
    explained = [(c.row.branch, c.canon[place]) for c in known]
    moved = {BreakClass.CROSS_BRANCH, BreakClass.LATE}
    explained += [
        (b.branch, b.ledger[shape.serial])
        for b in book.breaks.values()
        if b.kind in moved and b.ledger
    ]
    strange = [
        b.central[shape.serial]
        for b in book.breaks.values()
        if b.kind is BreakClass.CROSS_BRANCH and b.central
    ]
    found = audit_serials(
        relation,
        book.session,
        register,
        [(branch, serial) for branch, serial in explained if serial],
        strange=[s for s in strange if s],
        windowed=windowed,
        whole=whole,
    )
    for branch, gap in found.gaps:
        book.add(BreakClass.SERIAL_GAP, branch, str(gap), serials=gap)
    for doubled in found.doubled:
        branch = doubled.uses[0][0]
        book.add(BreakClass.SERIAL_DUP, branch, doubled.serial, severity=Severity.CRITICAL,
                 also=tuple(f"{b}/{k}" for b, k in doubled.uses))  # fmt: skip
    elsewhere = set(strange)
    for branch, key, serial in found.out_of_block:
        if serial in elsewhere:
            continue  # the record stands at the wrong branch, and its form with it: one break
        book.add(BreakClass.SERIAL_OUT_OF_BLOCK, branch, serial, also=(key,))
    for branch, key, serial, state in found.not_usable:
        book.add(BreakClass.SERIAL_VOID, branch, serial, severity=Severity.CRITICAL,
                 also=(key,), notes={"form": state.value})  # fmt: skip
