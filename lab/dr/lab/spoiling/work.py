"""Carrying a spoiling out: at rest, written down first, in one transaction, then the files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from dr.lab import api, register, rpc
from dr.lab.errors import LabDownError, LabError, LabUsageError
from dr.lab.spoiling import truths
from dr.lab.spoiling.counter import Counter, closed_counters
from dr.lab.spoiling.kinds import Kind, find_kind
from dr.lab.spoiling.plans import Book, Case, Plan, Row, Stand, Wish
from dr.lab.spoiling.truths import Batch, TruthFile
from dr.lab.topology import unknown

_MOST = 999
"""More would make up numbers that the next batch makes up as well; a size may be larger."""
_BOOK_IN_THE_END = frozenset({"answers-truly", "answers-later", "answers-twice"})
_SIZES = frozenset({"file-huge", "xlsx-bomb"})


@dataclass(frozen=True, slots=True)
class Spoilt:
    """What one call did; what exactly, only the truth tells."""

    batch: int
    what: str
    seed: int
    truths: int
    host: str = ""
    """Whose database was spoilt; empty when none was."""


def spoil(
    directory: Path,
    what: str,
    *,
    branch: str = "",
    count: int | None = None,
    seed: int = 1,
    after_s: float = 20.0,
    host: str = "",
) -> Spoilt:
    """Spoil something in the lab that is up in ``directory`` and keep the truth aside.

    The same lab at rest, the same call and the same seed spoil the same.

    Args:
        what: a name of :data:`dr.lab.spoiling.KINDS`.
        branch: whose business; any branch's when empty, and for a file the seed's choice.
        count: how many records, lines or pairs, or megabytes for ``file-huge`` and ``xlsx-bomb``.
        after_s: seconds until what comes later comes.
        host: whose database; the one that is written to and has the service address when empty.

    Raises:
        LabUsageError: no such kind or branch, or not enough business to spoil.
        LabDownError: no lab is up there.
        LabError: a branch or the database does not answer; the message says what was changed.
    """
    kind = find_kind(what)
    wish = Wish(what, kind.count if count is None else count, seed, 1, branch, after_s)
    _check(wish)
    running, branches = _running(directory, wish.branch)
    if host and host not in running:
        raise unknown("running host", host, running)
    try:
        return _spoil(directory, kind, wish, host, running, branches)
    except rpc.WorldRefusedError as error:
        raise LabError(error.message, hint=error.hint) from None


def _spoil(
    directory: Path, kind: Kind, wish: Wish, host: str, running: list[str], branches: list[str]
) -> Spoilt:
    with truths.opened(directory) as file, ExitStack() as stack:
        wish = replace(wish, batch=file.next_number)
        counters = stack.enter_context(closed_counters(directory, branches))
        session = None
        if kind.register:
            chosen = host or register.serving_host(directory, running)
            session = stack.enter_context(register.opened(directory, chosen))
        stand = _stand(kind, wish, counters, session, file)
        plan = _with_sums(kind.plan(stand, wish))
        batch = Batch(wish.batch, wish.what, wish.seed, truths.now(), plan.truths, plan.replaces)
        _carry_out(plan, batch, file, counters, session)
        served = session.host if session else ""
        return Spoilt(wish.batch, wish.what, wish.seed, len(plan.truths), served)


def _check(wish: Wish) -> None:
    if wish.count < 1 or (wish.count > _MOST and wish.what not in _SIZES):
        raise LabUsageError(f"--count is a number from 1 to {_MOST}, not {wish.count}")


def _running(directory: Path, branch: str) -> tuple[list[str], list[str]]:
    """Return the hosts that are on, and the branches among them."""
    status = api.status(directory)
    if not status.up:
        raise LabDownError(directory)
    running = [str(host["name"]) for host in status.hosts if host["power"] == "on"]
    every = [str(host["name"]) for host in status.hosts if host["role"] == "branch"]
    if branch and branch not in every:
        raise unknown("branch", branch, every)
    if branch and branch not in running:
        raise LabUsageError(
            f"branch '{branch}' is off or frozen, and its book can not be reached",
            hint="Heal it first, or choose another with --branch.",
        )
    branches = [name for name in every if name in running]
    if not branches:
        raise LabUsageError(
            "the lab has no branch that is on", hint="Bring a lab up with --branches 1 or more."
        )
    return running, branches


def _stand(
    kind: Kind,
    wish: Wish,
    counters: Mapping[str, Counter],
    session: register.Register | None,
    file: TruthFile,
) -> Stand:
    books = {name: Book.of(name, counter.text) for name, counter in counters.items()}
    touched = frozenset(key for batch in file.batches for key in batch.keys)
    if session is None:
        return Stand(books, touched)
    lines = {line["key"]: line for book in books.values() for line in book.words()}
    earliest = min((line["at"] for line in lines.values()), default="infinity")
    central = session.cases(f"timestamptz '{earliest}' - interval '1 day'")
    used = {int(row["certificate"]) for row in central if row["certificate"]}
    used |= {int(line["certificate"]) for line in lines.values() if line["certificate"].isdecimal()}
    return Stand(
        books,
        touched,
        _cases(central, lines, touched | _in_a_copy(wish, books, file)),
        {row["key"]: row for row in central if row["at"] >= earliest},
        session.receipts(wish.count) if kind.receipts else (),
        frozenset(used),
        frozenset(used | _spoken_of(file)),
    )


def _in_a_copy(wish: Wish, books: Mapping[str, Book], file: TruthFile) -> set[str]:
    """Return the keys of branches that hand in something else than their book.

    Raises:
        LabUsageError: the branch that is meant is one of them: nobody could find the truth.
    """
    last = {batch.replaces: batch for batch in file.batches if batch.replaces}
    copies = {branch for branch, batch in last.items() if batch.what not in _BOOK_IN_THE_END}
    if wish.branch in copies:
        raise LabUsageError(
            f"'{wish.branch}' hands in a spoilt file, in which nothing new would be seen",
            hint="Spoil business first and files last; 'dr lab spoil answers-truly' lets a branch "
            "hand in its book again.",
        )
    return {line["slip"] for branch in copies & books.keys() for line in books[branch].lines}


def _cases(
    central: Sequence[Mapping[str, str]], lines: Mapping[str, Row], touched: frozenset[str]
) -> tuple[Case, ...]:
    """Return what both sides have and nothing has touched, each slip once."""
    found = {
        row["key"]: Case(row, lines[row["key"]])
        for row in central
        if row["key"] in lines and row["key"] not in touched
    }
    return tuple(
        case
        for case in found.values()
        if case.ledger["outcome"] == "acknowledged" and case.central["certificate"]
    )


def _spoken_of(file: TruthFile) -> set[int]:
    texts = {key for batch in file.batches for key in batch.keys}
    for batch in file.batches:
        for truth in batch.truths:
            texts.update(value or "" for value in truth.fields.get("certificate", ()))
    return {int(text) for text in texts if text.isdecimal() and len(text) < 16}  # noqa: PLR2004  slips are longer


def _with_sums(plan: Plan) -> Plan:
    """Note the checksum of each file in the truths that are about it."""
    sums = {
        file.path: hashlib.sha256(file.data).hexdigest()
        for file in plan.files
        if file.data is not None
    }
    return replace(
        plan,
        truths=tuple(
            replace(truth, detail={**truth.detail, "sha256": sums[truth.file]})
            if truth.file in sums
            else truth
            for truth in plan.truths
        ),
    )


def _carry_out(
    plan: Plan,
    batch: Batch,
    file: TruthFile,
    counters: Mapping[str, Counter],
    session: register.Register | None,
) -> None:
    file.announce(batch)
    if session is not None:
        try:
            session.carry_out(plan.changes)
        except BaseException:
            file.withdraw(batch.number)
            raise
        # from here to its end the batch is in doubt
        session.commit()
    for branch, edits in plan.edits.items():
        counter = counters[branch]
        counter.write(Book.of(branch, counter.text).edited(edits).text())
    if plan.replaces:
        counters[plan.replaces].forget_late_files()
    for handed in plan.files:
        counters[handed.branch].put(handed)
    file.close(batch.number)
