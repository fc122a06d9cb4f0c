"""A branch's open cases as XLSX: the list that goes out and comes back filled in.

Every cell is text, so that no digit is lost and nothing is carried out; both versions stand side
by side; four columns are left for the branch.  A hidden sheet says what the list was made from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from dr.engine.core.canonical import digest
from dr.engine.core.case_words import CASE_STATES, RESOLUTIONS, resolution_of, what_of
from dr.engine.core.reconciliation import Branch, Case, Session
from dr.engine.core.values import Text
from dr.reconcile.harmless import begins_formula, cell_text

FORMAT: Final = "dr.worklist"
VERSION: Final = "1"
SHEET: Final = "cases 差错业务清单"
NOTES: Final = "notes 填写说明"
HIDDEN: Final = "dr"
_TEXT: Final = "@"
_DIGITS = 16
_LINES_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Column:
    """A column; the branch fills in those that are ``asked``."""

    key: str
    title: Text
    width: int
    asked: bool = False

    @property
    def header(self) -> str:
        """Both languages, as the cell says it."""
        return f"{self.title.en}\n{self.title.zh}"


COLUMNS: Final = (
    Column("id", Text("Case", "差错编号"), 13),
    Column("what", Text("What differs", "差错类型"), 22),
    Column("key", Text("Branch's number", "业务编号"), 18),
    Column("parcel", Text("Parcel", "宗地"), 18),
    Column("amount", Text("Amount", "金额"), 14),
    Column("ledger", Text("Branch's ledger", "网点台账记录"), 34),
    Column("central", Text("Recovered database", "恢复后数据库记录"), 34),
    Column("fields", Text("Fields that differ", "不一致项"), 14),
    Column("state", Text("State", "状态"), 18),
    Column("proposed", Text("Suggested", "建议处理方式"), 15),
    Column("resolution", Text("Resolution", "处理方式"), 17, asked=True),
    Column("reason", Text("Reason", "理由"), 34, asked=True),
    Column("reference", Text("Reference of the correction", "更正凭证号"), 20, asked=True),
    Column("maker", Text("Maker", "经办人"), 14, asked=True),
)

_NOTES = (
    Text(
        "Fill in the four yellow columns. A row without a resolution is left as it is.",
        "请填写黄色的四列。未填写处理方式的行视为暂不处理。",
    ),
    Text(
        "Resolution: choose from the list. Reason: a sentence, for every row that is filled in.",
        "处理方式：从下拉列表中选择。理由：凡已填写的行均须说明。",
    ),
    Text(
        "Reference: the number of the correction in the registration application, if there is one.",
        "更正凭证号：登记系统中更正业务的编号，如有请填写。",
    ),
    Text(
        "Maker: leave it empty, or name who hands the list in; another person approves.",
        "经办人：可留空，或填写交回本清单的人员；须由另一人复核。",
    ),
    Text(
        "Do not change the other columns; rows may be sorted or hidden.",
        "请勿改动其他列；可以排序或隐藏行。",
    ),
)
_MEANS: Mapping[str, Text] = {
    "re-enter": Text("the database lacks it: enter it again", "数据库中缺失：重新录入"),
    "void": Text("the database has it and must not: void it", "数据库中不应存在：作废"),
    "adjust": Text("both have it and differ: correct what is wrong", "两方不一致：更正错误一方"),
    "accept": Text("both are right as they are", "两方均无误：认可现状"),
    "lost": Text("it can not be entered again", "无法补录：永久丢失"),
    "refer": Text("somebody else must decide", "须由其他人员决定：移交"),
}

_HEAD = PatternFill("solid", fgColor="1F4E79")
_ASKED = PatternFill("solid", fgColor="8A6210")
_PAPER = PatternFill("solid", fgColor="FFF8E1")
_GRAVE = PatternFill("solid", fgColor="FBE3E1")
_THIN = Side(style="thin", color="C9D1DA")
_EDGE = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)


def words() -> list[str]:
    """Return the words of the drop-down, both languages in each."""
    return [f"{text.en} {text.zh}" for text in RESOLUTIONS.values()]


def facts_digest(case: Case) -> str:
    """Return what tells a case whose two versions are still those of the list."""
    found = case.found
    return digest([found.id, found.what, dict(found.ledger), dict(found.central)])[:_DIGITS]


def case_sheet(run: str, session: Session, branch: Branch) -> bytes:
    """Return the list of a branch's cases that are not settled.

    A person's name or a number in it may begin like a formula: it is a text cell all the same.
    """
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)  # noqa: S101 - a new book has one
    sheet.title = SHEET
    cases = sorted(branch.open_cases, key=lambda c: (not c.found.critical, c.found.key, c.found.id))
    looks: Looks = {}
    _head(sheet)
    for row, case in enumerate(cases, 2):
        _row(sheet, row, case, looks)
    _finish(sheet, len(cases) + 1)
    _explain(book.create_sheet(NOTES), branch.name)
    _hide(book.create_sheet(HIDDEN), list(_origin(run, session, branch, cases)))
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _head(sheet: Worksheet) -> None:
    for index, column in enumerate(COLUMNS, 1):
        cell = _put(sheet, 1, index, column.header)
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = _ASKED if column.asked else _HEAD
        cell.alignment = Alignment(wrap_text=True, vertical="center")
        sheet.column_dimensions[get_column_letter(index)].width = column.width
    sheet.row_dimensions[1].height = 48


def _row(sheet: Worksheet, row: int, case: Case, looks: Looks) -> None:
    found = case.found
    values = {
        "id": found.id,
        "what": _both(what_of(found.what)),
        "key": found.key,
        "parcel": found.parcel,
        "amount": found.amount,
        "ledger": _version(found.ledger, found.fields),
        "central": _version(found.central, found.fields),
        "fields": "\n".join(found.fields),
        "state": _both(CASE_STATES[case.state]) + _taken(case),
        "proposed": _resolution(str(found.proposed)),
    }
    for index, column in enumerate(COLUMNS, 1):
        look = _Look(asked=column.asked, grave=found.critical and not column.asked)
        _put(sheet, row, index, values.get(column.key, ""), look, looks)
    lines = max(_lines(values.get(column.key, ""), column.width) for column in COLUMNS)
    sheet.row_dimensions[row].height = 15 * min(lines, _LINES_SHOWN) + 4


def _lines(text: str, width: int) -> int:
    """Return how many lines a wrapped cell takes; a wide character is two."""
    return sum(
        1 + sum(2 if ord(char) > 0x2E7F else 1 for char in line) // width  # noqa: PLR2004
        for line in text.split("\n")
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """How a cell looks; openpyxl is slow to make a look, so each is made once and copied."""

    asked: bool = False
    grave: bool = False
    quoted: bool = False


Looks = dict[_Look, Any]


def _put(
    sheet: Worksheet,
    row: int,
    column: int,
    text: object,
    look: _Look = _Look(),
    looks: Looks | None = None,
) -> Cell:
    """Write a text cell; openpyxl would take one that begins with ``=`` for a formula."""
    cell: Any = sheet.cell(row, column)
    shown = cell_text(text)
    cell.value = shown or None
    if shown:
        cell.data_type = "s"
    look = replace(look, quoted=begins_formula(shown))
    known = looks.get(look) if looks is not None else None
    if known is None:
        _dress(cell, look)
        if looks is not None:
            looks[look] = copy(cell._style)
    else:
        cell._style = copy(known)
    found: Cell = cell
    return found


def _dress(cell: Any, look: _Look) -> None:
    cell.number_format = _TEXT
    if look.quoted:
        cell.quotePrefix = True  # as if an apostrophe had been typed: editing it keeps it text
    cell.border = _EDGE
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    if look.asked:
        cell.fill, cell.protection = _PAPER, Protection(locked=False)
    elif look.grave:
        cell.fill = _GRAVE


def _both(text: Text) -> str:
    return f"{text.en}\n{text.zh}"


def _taken(case: Case) -> str:
    if case.resolution is None:
        return ""
    return f"\n{_resolution(str(case.resolution))}: {case.maker}"


def _resolution(word: str) -> str:
    known = resolution_of(word)
    return f"{RESOLUTIONS[known].en} {RESOLUTIONS[known].zh}" if known else word


def _version(record: Mapping[str, str], fields: Sequence[str]) -> str:
    if not record:
        return "–"
    return "\n".join(
        f"{'≠ ' if name in fields else ''}{name}: {value}"
        for name, value in record.items()
        if value
    )


def _finish(sheet: Worksheet, last: int) -> None:
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(COLUMNS))}{last}"
    asked = next(i for i, column in enumerate(COLUMNS, 1) if column.key == "resolution")
    letter = get_column_letter(asked)
    choice = DataValidation(type="list", formula1=f'"{",".join(words())}"', allow_blank=True)
    choice.showErrorMessage = True
    choice.errorTitle, choice.error = "dr", "Choose from the list. 请从列表中选择。"
    choice.add(f"{letter}2:{letter}{max(last, 2)}")
    sheet.add_data_validation(choice)
    guard = sheet.protection
    guard.sheet = True
    guard.formatColumns = guard.formatRows = guard.autoFilter = guard.sort = False
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = "1:1"


def _explain(sheet: Worksheet, branch: str) -> None:
    lines = [Text(f"Branch: {branch}", f"网点：{branch}"), *_NOTES]
    lines += [
        Text(f"{text.en} – {_MEANS[str(r)].en}", f"{text.zh}：{_MEANS[str(r)].zh}")
        for r, text in RESOLUTIONS.items()
    ]
    for row, line in enumerate(lines, 1):
        for column, words_ in enumerate((line.zh, line.en), 1):
            _put(sheet, row, column, words_)
    sheet.column_dimensions["A"].width = sheet.column_dimensions["B"].width = 64
    sheet.protection.sheet = True


def _origin(
    run: str, session: Session, branch: Branch, cases: Sequence[Case]
) -> Iterator[tuple[str, ...]]:
    yield "format", FORMAT
    yield "v", VERSION
    yield "run", run
    yield "session", session.id
    yield "branch", branch.name
    yield "digest", session.digest_of(branch)
    yield "evidence", branch.compared_with
    for case in cases:
        yield "case", case.found.id, facts_digest(case)


def _hide(sheet: Worksheet, rows: Sequence[Sequence[str]]) -> None:
    looks: Looks = {}
    for row, values in enumerate(rows, 1):
        for column, value in enumerate(values, 1):
            _put(sheet, row, column, value, _Look(), looks)
    sheet.sheet_state = "veryHidden"
    sheet.protection.sheet = True
