"""How a branch answers: never, later, twice; and what it hands in beside its ledger."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from dr.engine.core.values import Text
from dr.lab import names
from dr.lab.office import LEDGER
from dr.lab.spoiling.files import book_of, handed_in
from dr.lab.spoiling.plans import (
    FOLDER,
    SHEET,
    Book,
    HandIn,
    Kind,
    Plan,
    Row,
    Stand,
    Wish,
    branch_of,
    csv_text,
    made_up_slip,
    one_sided,
    too_few,
)
from dr.lab.spoiling.truths import Truth

_PAPER = {
    "key": "流水号",
    "parcel": "宗地号",
    "holder": "权利人",
    "amount": "金额",
    "at": "受理时间",
}
_STEP = timedelta(seconds=75)


def _late(wish: Wish, branch: str, subclass: str, **detail: object) -> Truth:
    return Truth(
        wish.what, "ledger_late", branch, subclass, where="file", file=LEDGER, detail=detail
    )


def never(stand: Stand, wish: Wish) -> Plan:
    """Hand in nothing."""
    branch = branch_of(stand, wish)
    return Plan((_late(wish, branch, "never"),), files=handed_in(branch, None), replaces=branch)


def later(stand: Stand, wish: Wish) -> Plan:
    """Hand in nothing now and the book in a while."""
    branch = branch_of(stand, wish)
    files = (*handed_in(branch, None), HandIn(branch, LEDGER, link=True, after_s=wish.after_s))
    truth = _late(wish, branch, "later", after_s=wish.after_s)
    return Plan((truth,), files=files, replaces=branch)


def twice(stand: Stand, wish: Wish) -> Plan:
    """Hand in a file that lacks the newest lines, and the book in a while."""
    book = book_of(stand, wish)
    if len(book.lines) < wish.count:
        raise too_few(len(book.lines), wish.count)
    kept, missing = book.lines[: -wish.count], book.lines[-wish.count :]
    data = Book(book.branch, kept).text().encode()
    truth = _late(
        wish,
        book.branch,
        "answered_twice",
        after_s=wish.after_s,
        first_sha256=hashlib.sha256(data).hexdigest(),
        missing=[line["slip"] for line in missing],
    )
    files = (
        *handed_in(book.branch, data),
        HandIn(book.branch, LEDGER, link=True, after_s=wish.after_s),
    )
    return Plan((truth,), files=files, replaces=book.branch)


def truly(stand: Stand, wish: Wish) -> Plan:
    """Hand in the book again."""
    branch = branch_of(stand, wish)
    files = (HandIn(branch, LEDGER, link=True), HandIn(branch, SHEET))
    return Plan((), files=files, replaces=branch)


def unsent(stand: Stand, wish: Wish) -> Plan:
    """Have cases that were accepted and never sent, in a file of their own."""
    book = book_of(stand, wish)
    cases = _unknown_cases(book, wish, 8)
    path = f"{FOLDER}/queue-{wish.batch}.jsonl"
    data = "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in cases).encode()
    return Plan(
        tuple(_missing(wish, book, case, "unsent", path) for case in cases),
        files=(HandIn(book.branch, path, data),),
    )


def paper(stand: Stand, wish: Wish) -> Plan:
    """Have receipts on paper, typed into a sheet whose total is wrong by one of them."""
    book = book_of(stand, wish)
    cases = _unknown_cases(book, wish, 7)
    path = f"{FOLDER}/paper-{wish.batch}.csv"
    amounts = [Decimal(case["amount"] or 0) for case in cases]
    right, written = sum(amounts), sum(amounts) + 100
    rows: list[Sequence[str]] = [tuple(_PAPER.values())]
    rows += [[case[word] or "" for word in _PAPER] for case in cases]
    rows.append(["合计", "", str(len(cases)), str(written), ""])
    truths = [_missing(wish, book, case, "paper", path, tuple(_PAPER)) for case in cases]
    total = Truth(
        wish.what,
        "total_mismatch",
        book.branch,
        where="file",
        file=path,
        detail={"total": str(written), "sum": str(right), "count": len(cases)},
    )
    data = csv_text(rows).encode("utf-8-sig")
    return Plan((*truths, total), files=(HandIn(book.branch, path, data),))


def _unknown_cases(book: Book, wish: Wish, series: int) -> list[dict[str, str | None]]:
    """Return business of which neither the centre nor the book knows."""
    chance = random.Random(f"{wish.seed}/{wish.what}/{book.branch}")  # noqa: S311  no secret
    last: Row = book.lines[-1]
    cases: list[dict[str, str | None]] = []
    for number in range(wish.count):
        at = datetime.fromisoformat(last["accepted_at"]) + (number + 1) * _STEP
        kind = chance.choice(("transfer", "mortgage"))
        cases.append(
            {
                "key": made_up_slip(book.branch, at, wish, number, series),
                "parcel": chance.choice(book.lines)["parcel_no"],
                "kind": kind,
                "clerk": last["clerk"],
                "at": at.isoformat(timespec="milliseconds"),
                "branch": book.branch,
                "holder": names.holder(kind, chance),
                "amount": names.amount(kind, chance),
            }
        )
    return cases


def _missing(
    wish: Wish,
    book: Book,
    case: dict[str, str | None],
    subclass: str,
    path: str,
    words: Sequence[str] = (),
) -> Truth:
    known = {word: value for word, value in case.items() if not words or word in words}
    return Truth(
        wish.what,
        "missing_central",
        book.branch,
        subclass,
        str(case["key"]),
        one_sided(known, central=False),
        "file",
        path,
    )


KINDS = (
    Kind(
        "answers-never",
        Text("the branch hands in nothing", "网点不交台账"),
        never,
        1,
        register=False,
    ),
    Kind(
        "answers-later",
        Text("the branch hands in its book later", "网点稍后才交台账"),
        later,
        1,
        register=False,
    ),
    Kind(
        "answers-twice",
        Text(
            "the branch hands in a file and then another; the first lacks as many lines",
            "网点先后交来两份不同的台账",
        ),
        twice,
        3,
        register=False,
    ),
    Kind(
        "answers-truly",
        Text("the branch hands in its book again, as it is", "网点重新交来真实台账"),
        truly,
        1,
        register=False,
    ),
    Kind(
        "queue-unsent",
        Text("cases lie unsent in a file of their own", "有未发送的业务队列文件"),
        unsent,
        3,
        register=False,
    ),
    Kind(
        "paper-receipts",
        Text(
            "receipts on paper were typed into a sheet with a wrong total",
            "纸质收件单录入表，合计有误",
        ),
        paper,
        3,
        register=False,
    ),
)
