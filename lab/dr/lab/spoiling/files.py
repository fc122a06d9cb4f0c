"""Spoiling what a branch hands in as CSV: a copy of its book, made unfit in one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from dr.engine.core.values import Text
from dr.lab.errors import LabUsageError
from dr.lab.office import COLUMNS, LEDGER, ZONE
from dr.lab.spoiling.plans import (
    SHEET,
    Book,
    HandIn,
    Kind,
    Plan,
    Planner,
    Row,
    Stand,
    Wish,
    branch_of,
    csv_text,
    order,
    too_few,
)
from dr.lab.spoiling.truths import Truth

_CLOCK = timedelta(hours=3)
_DAY = timedelta(days=1)
_PAGE = 20
_SAME, _BAD = "format_only", "ledger_unreadable"
_MB = 1 << 20
Made = tuple[bytes, Mapping[str, Any]]
"""The file, and what there is to know of it."""
Maker = Callable[[Stand, Wish, Book], Made]


def handed_in(
    branch: str, data: bytes | None, *, sheet: bool = False, size: int = 0
) -> tuple[HandIn, ...]:
    """Return the files of a branch that hands in one and no other."""
    here, gone = (SHEET, LEDGER) if sheet else (LEDGER, SHEET)
    return HandIn(branch, here, data, size=size), HandIn(branch, gone)


def book_of(stand: Stand, wish: Wish) -> Book:
    """Return the book of the branch that is meant, which must have a few lines."""
    book = stand.books[branch_of(stand, wish)]
    if not book.lines:
        raise too_few(0, 1)
    return book


def _plan(
    stand: Stand,
    wish: Wish,
    make: Maker,
    break_class: str,
    subclass: str,
) -> Plan:
    book = book_of(stand, wish)
    data, detail = make(stand, wish, book)
    size = int(detail.get("size", 0))
    truth = Truth(
        wish.what,
        break_class,
        book.branch,
        subclass,
        where="file",
        file=LEDGER,
        detail={"lines": len(book.lines), **detail},
    )
    files = handed_in(book.branch, data, size=size)
    return Plan((truth,), files=files, replaces=book.branch)


def planner(make: Maker, break_class: str, subclass: str) -> Planner:
    """Return the planner that hands in what ``make`` makes of the book."""
    return partial(_plan, make=make, break_class=break_class, subclass=subclass)


def encoded(encoding: str) -> Maker:
    """Return the maker of a file in another encoding, sound in every other way."""

    def make(_stand: Stand, _wish: Wish, book: Book) -> Made:
        return book.text().encode(encoding), {"encoding": encoding}

    return make


def gbk_broken(stand: Stand, wish: Wish, book: Book) -> Made:
    """Cut the last character of holders in two; what GBK lacks became question marks before."""
    numbers = [
        str(n)
        for n, line in enumerate(book.lines)
        if line["slip"] not in stand.touched and not line["holder"].isascii()
    ]
    if len(numbers) < wish.count:
        raise too_few(len(numbers), wish.count)
    chosen = sorted(map(int, order(numbers, wish)[: wish.count]))
    raw = book.text().encode("gbk", "replace").split(b"\n")
    for number in chosen:
        name = book.lines[number]["holder"].encode("gbk", "replace")
        name = name.rstrip(b"?") or name
        raw[number + 1] = raw[number + 1].replace(name, name[:-1], 1)
    # line 1 is the header
    return b"\n".join(raw), {"encoding": "gbk", "broken_lines": [n + 2 for n in chosen]}


def header_in_the_middle(_stand: Stand, _wish: Wish, book: Book) -> Made:
    """Begin with a title, and repeat the header on each page, as a print-out does."""
    rows: list[Sequence[str]] = [[f"{book.branch} 业务台账"], ["导出人", "clerk-1"], []]
    for start in range(0, len(book.lines), _PAGE):
        rows.append(COLUMNS)
        rows += [[line[c] for c in COLUMNS] for line in book.lines[start : start + _PAGE]]
    return csv_text(rows).encode(), {"header_line": 4, "page": _PAGE}


def of_other_branch(stand: Stand, _wish: Wish, book: Book) -> Made:
    """Hand in the book of another branch."""
    other = stand.other(book.branch)
    if other not in stand.books:
        raise LabUsageError(
            "another branch's file can be handed in only when there is another branch",
            hint="Bring a lab up with --branches 2 or more.",
        )
    return stand.books[other].text().encode(), {"of": other}


def of_other_day(_stand: Stand, _wish: Wish, book: Book) -> Made:
    """Hand in a file of the day before: other slips, other moments."""
    lines = [_a_day_before(line) for line in book.lines]
    day = _moment(lines[0]).astimezone(ZONE).date().isoformat()
    return Book(book.branch, tuple(lines)).text().encode(), {"day": day}


def _moment(line: Row) -> datetime:
    return datetime.fromisoformat(line["accepted_at"])


def _shifted(line: Row, by: timedelta) -> str:
    return (_moment(line) + by).isoformat(timespec="milliseconds")


def _a_day_before(line: Row) -> Row:
    day = f"{(_moment(line) - _DAY).astimezone(ZONE):%Y%m%d}"
    slip = line["slip"][:6] + day + line["slip"][14:]
    return {**line, "slip": slip, "accepted_at": _shifted(line, -_DAY)}


def truncated(_stand: Stand, wish: Wish, book: Book) -> Made:
    """End in the middle of a line."""
    raw = book.text().encode().split(b"\n")[:-1]
    if len(raw) < 3:  # noqa: PLR2004  a header and two lines
        raise too_few(len(book.lines), 2)
    whole = 1 + int(order(map(str, range(1, len(raw) - 1)), wish)[0])
    cut = raw[whole][: len(raw[whole]) // 2]
    missing = [line["slip"] for line in book.lines[whole - 1 :]]
    return b"\n".join([*raw[:whole], cut]), {"whole_lines": whole - 1, "missing": missing}


def extra_columns(_stand: Stand, _wish: Wish, book: Book) -> Made:
    """Have columns that nobody asked for, one of them without a name, and another order."""
    header = ["序号", *reversed(COLUMNS), "备注", ""]
    rows = [
        [str(n), *(line[c] for c in reversed(COLUMNS)), "已核", ""]
        for n, line in enumerate(book.lines, 1)
    ]
    return csv_text([header, *rows]).encode(), {"columns": header}


def clock_off(_stand: Stand, _wish: Wish, book: Book) -> Made:
    """Have every moment three hours late: the clock of the branch was wrong."""
    lines = [{**line, "accepted_at": _shifted(line, _CLOCK)} for line in book.lines]
    data = Book(book.branch, tuple(lines)).text().encode()
    return data, {"offset_s": int(_CLOCK.total_seconds()), "word": "at"}


def huge(_stand: Stand, wish: Wish, book: Book) -> Made:
    """Seem to have ``--count`` megabytes; all but the beginning is a hole."""
    return book.text().encode(), {"size": wish.count * _MB}


def _kind(
    name: str, title: Text, make: Maker, break_class: str, subclass: str, count: int = 1
) -> Kind:
    return Kind(name, title, planner(make, break_class, subclass), count, register=False)


KINDS = (
    _kind(
        "file-gb18030",
        Text("the file is in GB18030", "文件为 GB18030 编码"),
        encoded("gb18030"),
        _SAME,
        "encoding",
    ),
    _kind(
        "file-bom",
        Text("the file has a byte-order mark", "文件带 UTF-8 BOM"),
        encoded("utf-8-sig"),
        _SAME,
        "encoding",
    ),
    _kind(
        "file-utf16",
        Text("the file is in UTF-16", "文件为 UTF-16 编码"),
        encoded("utf-16"),
        _SAME,
        "encoding",
    ),
    _kind(
        "file-gbk-broken",
        Text("the file is in GBK with characters cut in two", "文件为 GBK 编码且有半个汉字"),
        gbk_broken,
        _BAD,
        "broken_bytes",
        3,
    ),
    _kind(
        "file-header-middle",
        Text("the header comes late, and again on each page", "表头不在首行且逐页重复"),
        header_in_the_middle,
        _SAME,
        "header",
    ),
    _kind(
        "file-extra-columns",
        Text("the file has columns that nobody asked for", "文件有多余的列"),
        extra_columns,
        _SAME,
        "columns",
    ),
    _kind(
        "file-other-branch",
        Text("the file is another branch's", "交来的是别的网点的文件"),
        of_other_branch,
        _BAD,
        "other_branch",
    ),
    _kind(
        "file-other-day",
        Text("the file is of the day before", "交来的是前一天的文件"),
        of_other_day,
        _BAD,
        "other_day",
    ),
    _kind(
        "file-truncated",
        Text("the file ends in the middle of a line", "文件在行中截断"),
        truncated,
        _BAD,
        "truncated",
    ),
    _kind(
        "file-clock",
        Text("every moment in the file is three hours late", "文件中的时间都晚三小时"),
        clock_off,
        "field_diff",
        "clock",
    ),
    _kind(
        "file-huge",
        Text("the file seems to have as many megabytes", "文件大小异常（单位 MB）"),
        huge,
        _BAD,
        "too_large",
        2048,
    ),
)
