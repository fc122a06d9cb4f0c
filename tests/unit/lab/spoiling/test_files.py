"""Each spoilt file is spoilt in its own way and sound in every other."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest

from dr.lab.office import BOOK, COLUMNS, LEDGER
from dr.lab.spoiling import KINDS, Truth
from dr.lab.spoiling.plans import SHEET, Row
from tests.unit.lab.spoiling.stand import stand, wish

_NS = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
BOOK_LINES = stand().books["branch-02"].lines


def spoilt(what: str, count: int = 3) -> tuple[bytes, Sequence[Truth]]:
    """Return the file that branch-02 hands in, and the truths."""
    plan = KINDS[what].plan(stand(), wish(what, count, branch="branch-02"))
    [data] = [file.data for file in plan.files if file.data is not None]
    return data, plan.truths


def lines_of(text: str) -> list[Row]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def sheet(data: bytes) -> tuple[list[Mapping[str, str | float | None]], ET.Element]:
    """Return the rows of a workbook, each by the letter of the column, and its XML."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        root = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))  # noqa: S314  our own
    rows: list[Mapping[str, str | float | None]] = [
        {re.sub(r"\d", "", str(cell.get("r"))): _value(cell) for cell in row.iterfind("x:c", _NS)}
        for row in root.iterfind(".//x:row", _NS)
    ]
    return rows, root


def _value(cell: ET.Element) -> str | float | None:
    if cell.get("t") == "inlineStr":
        return cell.findtext(".//x:t", namespaces=_NS) or ""
    text = cell.findtext("x:v", namespaces=_NS)
    return float(text) if text is not None and cell.get("t") != "str" else text


def letter(column: str) -> str:
    return chr(ord("A") + COLUMNS.index(column))


@pytest.mark.parametrize(
    ("what", "encoding", "mark"),
    [
        ("file-gb18030", "gb18030", b"slip"),
        ("file-bom", "utf-8-sig", b"\xef\xbb\xbf"),
        ("file-utf16", "utf-16", b"\xff\xfe"),
    ],
)
def test_another_encoding_is_all_that_is_odd(what: str, encoding: str, mark: bytes) -> None:
    data, [truth] = spoilt(what)
    assert data.startswith(mark)
    assert lines_of(data.decode(encoding)) == list(BOOK_LINES)
    assert (truth.break_class, truth.detail["encoding"]) == ("format_only", encoding)


def test_characters_that_were_cut_in_two_can_be_decoded_by_nobody() -> None:
    data, [truth] = spoilt("file-gbk-broken", 3)
    bad = []
    for number, raw in enumerate(data.split(b"\n"), 1):
        try:
            raw.decode("gb18030")
        except UnicodeDecodeError:
            bad.append(number)
    assert bad == truth.detail["broken_lines"]
    assert len(bad) == 3


def test_the_header_comes_late_and_again() -> None:
    data, [truth] = spoilt("file-header-middle")
    rows = list(csv.reader(io.StringIO(data.decode())))
    headers = [number for number, row in enumerate(rows, 1) if tuple(row) == COLUMNS]
    assert headers[0] == truth.detail["header_line"] == 4
    assert len(headers) == 2
    body = [row for row in rows[3:] if tuple(row) != COLUMNS]
    assert [dict(zip(COLUMNS, row, strict=True)) for row in body] == list(BOOK_LINES)


def test_more_columns_and_another_order_change_no_value() -> None:
    data, [truth] = spoilt("file-extra-columns")
    found = lines_of(data.decode())
    assert [{c: line[c] for c in COLUMNS} for line in found] == list(BOOK_LINES)
    assert set(truth.detail["columns"]) - set(COLUMNS) == {"序号", "备注", ""}


def test_another_branchs_file_has_nothing_of_this_branch() -> None:
    data, [truth] = spoilt("file-other-branch")
    assert {line["branch"] for line in lines_of(data.decode())} == {truth.detail["of"]}
    assert truth.branch == "branch-02" != truth.detail["of"]


def test_a_file_of_the_day_before_has_no_slip_of_today() -> None:
    data, [truth] = spoilt("file-other-day")
    found = lines_of(data.decode())
    assert not {line["slip"] for line in found} & {line["slip"] for line in BOOK_LINES}
    days = {line["slip"][6:14] for line in found}
    assert days == {truth.detail["day"].replace("-", "")}
    assert len({len(line["slip"]) for line in found}) == 1


def test_a_truncated_file_ends_within_a_line() -> None:
    data, [truth] = spoilt("file-truncated")
    whole = stand().books["branch-02"].text().encode()
    assert whole.startswith(data)
    assert whole[len(data) :][:1] not in {b"\n", b""}
    kept = data.split(b"\n")[1:-1]
    assert len(kept) == truth.detail["whole_lines"]
    assert truth.detail["missing"] == [line["slip"] for line in BOOK_LINES[len(kept) :]]


def test_a_wrong_clock_is_wrong_by_the_same_everywhere() -> None:
    data, [truth] = spoilt("file-clock")
    by = timedelta(seconds=truth.detail["offset_s"])
    for line, was in zip(lines_of(data.decode()), BOOK_LINES, strict=True):
        moments = [datetime.fromisoformat(one["accepted_at"]) for one in (line, was)]
        assert moments[0] - moments[1] == by == timedelta(hours=3)
        assert {**line, "accepted_at": ""} == {**was, "accepted_at": ""}


def test_a_huge_file_costs_no_more_to_make_than_a_small_one() -> None:
    plan = KINDS["file-huge"].plan(stand(), wish("file-huge", 2048, branch="branch-02"))
    [file] = [file for file in plan.files if file.data]
    assert (file.size, len(file.data or b"")) == (
        2 << 30,
        len(stand().books["branch-02"].text().encode()),
    )


def test_a_workbook_of_text_cells_has_the_book() -> None:
    rows, _ = sheet(spoilt("xlsx-text")[0])
    found = [{c: row[letter(c)] for c in COLUMNS} for row in rows[1:]]
    assert found == list(BOOK_LINES)


def test_a_spreadsheet_leaves_fifteen_digits_of_a_slip() -> None:
    data, truths = spoilt("xlsx-floats", 3)
    rows, _ = sheet(data)
    numbers = {i: row["A"] for i, row in enumerate(rows) if isinstance(row["A"], float)}
    assert {repr(value) for value in numbers.values()} == {t.fields["key"][1] for t in truths}
    for place, value in numbers.items():
        slip = BOOK_LINES[place - 1]["slip"]
        assert str(int(value)) != slip
        assert f"{int(slip):.14e}" == f"{value:.14e}"
    assert {t.key for t in truths} == {BOOK_LINES[place - 1]["slip"] for place in numbers}


def test_moments_as_people_write_them_are_the_same_moments() -> None:
    rows, _ = sheet(spoilt("xlsx-dates")[0])
    for row, line in zip(rows[1:], BOOK_LINES, strict=True):
        written = datetime.strptime(f"{row[letter('accepted_at')]}+0800", "%Y/%m/%d %H:%M:%S%z")
        assert written == datetime.fromisoformat(line["accepted_at"]).replace(microsecond=0)


def test_merged_cells_and_a_total_hide_nothing() -> None:
    data, [truth] = spoilt("xlsx-merged")
    rows, root = sheet(data)
    assert len(root.findall(".//x:mergeCell", _NS)) == 3
    body = rows[truth.detail["header_line"] : -1]
    assert [row["A"] for row in body] == [line["slip"] for line in BOOK_LINES]
    assert [row.get(letter("branch")) for row in body] == ["branch-02", *[None] * (len(body) - 1)]
    total = sum(Decimal(line["amount"] or 0) for line in BOOK_LINES)
    assert rows[-1][letter("amount")] == truth.detail["total"] == str(total)


def test_a_formula_that_was_never_computed_has_no_value() -> None:
    data, truths = spoilt("xlsx-formulas", 3)
    rows, _ = sheet(data)
    without = set()
    for row, line in zip(rows[1:], BOOK_LINES, strict=True):
        value = row.get(letter("amount"), "")
        if line["amount"] and value is None:
            without.add(line["slip"])
        elif line["amount"]:
            assert value == float(line["amount"])
    assert without == {truth.key for truth in truths}


def test_a_zip_bomb_is_small_until_it_is_unpacked() -> None:
    data, [truth] = spoilt("xlsx-bomb", 8)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    assert unpacked >= truth.detail["unpacked"] == 8 << 20
    assert len(data) < unpacked / 100


def test_an_xlsx_takes_the_place_of_the_csv_and_the_other_way_round() -> None:
    for what, gone in (("xlsx-text", LEDGER), ("file-bom", SHEET)):
        plan = KINDS[what].plan(stand(), wish(what, 1))
        assert [file.path for file in plan.files if file.data is None] == [gone]


def test_unsent_cases_and_paper_are_business_that_nobody_else_has() -> None:
    known = {case.key for case in stand().cases}
    queue, truths = spoilt("queue-unsent")
    assert [json.loads(line)["key"] for line in queue.decode().splitlines()] == [
        t.key for t in truths
    ]
    sheet_, (*papers, total) = spoilt("paper-receipts")
    rows = list(csv.reader(io.StringIO(sheet_.decode("utf-8-sig"))))
    assert [row[0] for row in rows[1:-1]] == [truth.key for truth in papers]
    assert not known & {truth.key for truth in (*truths, *papers)}
    amounts = sum(Decimal(row[3] or 0) for row in rows[1:-1])
    assert (rows[-1][3], str(amounts)) == (total.detail["total"], total.detail["sum"])
    assert total.break_class == "total_mismatch"


def test_a_branch_that_answers_twice_lacks_its_newest_lines_at_first() -> None:
    data, [truth] = spoilt("answers-twice", 4)
    assert lines_of(data.decode()) == list(BOOK_LINES[:-4])
    assert truth.detail["missing"] == [line["slip"] for line in BOOK_LINES[-4:]]
    assert BOOK.rpartition("/")[0] == LEDGER.rpartition("/")[0]
