"""Spoiling what a branch hands in as a spreadsheet; its CSV is not there then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from dr.engine.core.values import Text
from dr.lab.office import COLUMNS, ZONE
from dr.lab.spoiling.files import book_of, handed_in
from dr.lab.spoiling.plans import SHEET, Book, Kind, Plan, Row, Stand, Wish, order, too_few
from dr.lab.spoiling.truths import Truth
from dr.lab.spoiling.xlsx import (
    Cell,
    Formula,
    as_a_spreadsheet_keeps_it,
    bomb,
    column_name,
    workbook,
)

_MB = 1 << 20
_AMOUNT, _BRANCH = COLUMNS.index("amount"), COLUMNS.index("branch")


def _file(wish: Wish, book: Book, break_class: str, subclass: str, **detail: object) -> Truth:
    return Truth(
        wish.what,
        break_class,
        book.branch,
        subclass,
        where="file",
        file=SHEET,
        detail={"lines": len(book.lines), **detail},
    )


def _plan(book: Book, data: bytes, *truths: Truth) -> Plan:
    files = handed_in(book.branch, data, sheet=True)
    return Plan(tuple(truths), files=files, replaces=book.branch)


def _cells(book: Book, change: Callable[[Row], dict[str, Cell]]) -> list[Sequence[Cell]]:
    rows: list[Sequence[Cell]] = [COLUMNS]
    for line in book.lines:
        cells: dict[str, Cell] = {**line, **change(line)}
        rows.append([cells[c] for c in COLUMNS])
    return rows


def text(stand: Stand, wish: Wish) -> Plan:
    """Hand in a sound workbook, every cell text."""
    book = book_of(stand, wish)
    data = workbook(_cells(book, lambda _: {}))
    return _plan(book, data, _file(wish, book, "format_only", "xlsx"))


def dates_as_text(stand: Stand, wish: Wish) -> Plan:
    """Write moments as people do, in Beijing time, without a zone and to the second."""
    book = book_of(stand, wish)
    data = workbook(_cells(book, lambda line: {"accepted_at": _as_people_write(line)}))
    return _plan(book, data, _file(wish, book, "format_only", "dates"))


def _as_people_write(line: Row) -> str:
    moment = datetime.fromisoformat(line["accepted_at"]).astimezone(ZONE)
    return f"{moment:%Y/%m/%d %H:%M:%S}"


def floats(stand: Stand, wish: Wish) -> Plan:
    """Have the slips of some lines as numbers: the last digits are gone for good."""
    book = book_of(stand, wish)
    chosen = _chosen(stand, book, wish, book.lines)
    kept = {slip: as_a_spreadsheet_keeps_it(slip) for slip in chosen}
    data = workbook(_cells(book, lambda line: _slip(kept, line)))
    truths = [
        Truth(
            wish.what,
            "key_damaged",
            book.branch,
            "",
            slip,
            {"key": (slip, repr(kept[slip]))},
            "file",
            SHEET,
        )
        for slip in chosen
    ]
    return _plan(book, data, *truths)


def _slip(kept: dict[str, float], line: Row) -> dict[str, Cell]:
    return {"slip": kept[line["slip"]]} if line["slip"] in kept else {}


def _chosen(stand: Stand, book: Book, wish: Wish, lines: Sequence[Row]) -> list[str]:
    slips = {line["slip"] for line in lines} - stand.touched
    if len(slips) < wish.count:
        raise too_few(len(slips), wish.count)
    place = {line["slip"]: number for number, line in enumerate(book.lines)}
    return sorted(order(slips, wish)[: wish.count], key=place.__getitem__)


def merged(stand: Stand, wish: Wish) -> Plan:
    """Have a title over all columns, the branch once for all lines, and a line of totals."""
    book = book_of(stand, wish)
    first, last = 4, 3 + len(book.lines)
    rows: list[Sequence[Cell]] = [[f"{book.branch} 业务台账"], [], COLUMNS]
    for number, line in enumerate(book.lines):
        cells: list[Cell] = [line[c] for c in COLUMNS]
        cells[_BRANCH] = line["branch"] if number == 0 else None
        rows.append(cells)
    total = sum(Decimal(line["amount"] or 0) for line in book.lines)
    rows.append(["合计", *[None] * (_AMOUNT - 1), str(total)])
    end, branch = column_name(len(COLUMNS) - 1), column_name(_BRANCH)
    ranges = [f"A1:{end}1", f"A{last + 1}:C{last + 1}"]
    if last > first:
        ranges.append(f"{branch}{first}:{branch}{last}")
    truth = _file(wish, book, "format_only", "merged", header_line=3, total=str(total))
    return _plan(book, workbook(rows, ranges), truth)


def formulas(stand: Stand, wish: Wish) -> Plan:
    """Have amounts computed; those of some lines were never computed, so no value is there."""
    book = book_of(stand, wish)
    chosen = _chosen(stand, book, wish, [line for line in book.lines if line["amount"]])
    data = workbook(_cells(book, lambda line: _amount(chosen, line)))
    amounts = {line["slip"]: line["amount"] for line in book.lines}
    truths = [
        Truth(
            wish.what,
            "field_diff",
            book.branch,
            "no_value",
            slip,
            {"amount": (amounts[slip], None)},
            "file",
            SHEET,
        )
        for slip in chosen
    ]
    return _plan(book, data, *truths)


def _amount(chosen: Sequence[str], line: Row) -> dict[str, Cell]:
    if not line["amount"]:
        return {}
    shown = None if line["slip"] in chosen else float(line["amount"])
    return {"amount": Formula(f"ROUND({line['amount']},2)", shown)}


def zip_bomb(stand: Stand, wish: Wish) -> Plan:
    """Hand in a small workbook that unpacks to ``--count`` megabytes."""
    book = book_of(stand, wish)
    data = bomb(wish.count * _MB)
    detail = {"unpacked": wish.count * _MB}
    return _plan(book, data, _file(wish, book, "ledger_unreadable", "zip_bomb", **detail))


KINDS = (
    Kind(
        "xlsx-text",
        Text("the file is a workbook of text cells", "文件为文本单元格的 XLSX"),
        text,
        1,
        register=False,
    ),
    Kind(
        "xlsx-floats",
        Text("a workbook turned long numbers into floats", "XLSX 中长数字变成浮点数"),
        floats,
        3,
        register=False,
    ),
    Kind(
        "xlsx-dates",
        Text("a workbook has moments as people write them", "XLSX 中时间为文本"),
        dates_as_text,
        1,
        register=False,
    ),
    Kind(
        "xlsx-merged",
        Text("a workbook has merged cells and a line of totals", "XLSX 有合并单元格和合计行"),
        merged,
        1,
        register=False,
    ),
    Kind(
        "xlsx-formulas",
        Text("a workbook has formulas; some have no value", "XLSX 有公式，部分没有值"),
        formulas,
        3,
        register=False,
    ),
    Kind(
        "xlsx-bomb",
        Text("a small workbook unpacks to as many megabytes", "XLSX 压缩炸弹（解压后单位 MB）"),
        zip_bomb,
        512,
        register=False,
    ),
)
