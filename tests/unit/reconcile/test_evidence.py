"""Evidence: kept as it came, read strictly, shown before it counts."""

# ruff: noqa: RUF001 - full-width characters are what is tested

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from dr.reconcile.branch_type import BranchType, Source
from dr.reconcile.by_hand import Total, read_totals, read_typed, told_totals, typed_receipts
from dr.reconcile.evidence import EvidenceError, EvidenceStore
from dr.reconcile.intake import preview, read_evidence
from dr.reconcile.ledger import Told
from dr.reconcile.reading import Reading
from dr.reconcile.shape import RecordShape
from dr.reconcile.templates import csv_template, xlsx_template

SHAPE = RecordShape.of(
    {
        "columns": {
            "receipt": {"kind": "code"},
            "holder": {"kind": "owners"},
            "amount": {"kind": "number"},
            "at": {"kind": "moment"},
        },
        "key": "receipt",
        "moment": "at",
    }
)
COLUMNS = {"receipt": "受理号", "holder": "权利人", "amount": "金额", "at": "受理时间"}
CSV = BranchType("office", columns=COLUMNS)
XLSX = BranchType("office", Source.XLSX, COLUMNS)
HEAD = "受理号,权利人,金额,受理时间\r\n"
# Chinese that charset detectors took for Korean; the rare names are in GB18030 and not in GBK
LINES = HEAD + "R-1,张伟,100.00,2026-11-25 08:30:00\r\nR-2,李㐱、王𠅤,2,2026-11-25 09:00:00\r\n"


def read(data: bytes, branch_type: BranchType = CSV, **more: Any) -> Reading:
    return read_evidence("b1", data, branch_type, SHAPE, **more)


@pytest.mark.parametrize(
    ("encoding", "bom", "told"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", b"\xef\xbb\xbf", "utf-8"),
        ("gb18030", b"", "gb18030"),
        ("utf-16-le", b"\xff\xfe", "utf-16"),
        ("utf-16-be", b"\xfe\xff", "utf-16"),
    ],
)
def test_a_ledger_reads_the_same_in_every_encoding(encoding: str, bom: bytes, told: str) -> None:
    reading = read(bom + LINES.encode(encoding))
    assert reading.encoding == told
    assert reading.rows[1] == ("R-2", "李㐱、王𠅤", "2", "2026-11-25 09:00:00")


def test_a_thousand_small_gb18030_files_are_read_as_chinese() -> None:
    surnames = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
    for number in range(1000):
        name = "".join(surnames[(number * k + k) % len(surnames)] for k in (1, 3, 7))
        data = f"{HEAD}R-1,{name},1,2026-11-25\r\n".encode("gb18030")
        assert read(data).rows[0][1] == name


@pytest.mark.parametrize(
    "data",
    [
        LINES.encode("gb18030")[:-3] + b"\xff\xff\r\n",
        b"\xff\xfe" + LINES.encode("utf-16-le")[:-1],
        LINES.encode("big5", "ignore"),
        LINES.encode("cp949", "ignore"),
        b"",
        b"\x00\x01\x02",
        "受理号,权利人\r\nR-1,张伟\r\n".encode(),
        b"PK\x03\x04" + bytes(200),
    ],
    ids=["broken", "cut", "big5", "korean", "empty", "binary", "columns", "zip"],
)
def test_what_is_not_surely_the_ledger_is_refused_whole(data: bytes) -> None:
    with pytest.raises(EvidenceError) as caught:
        read(data)
    assert "b1" in str(caught.value)
    assert caught.value.hint or "empty" in str(caught.value)


def test_titles_above_the_header_and_totals_below_are_no_business() -> None:
    text = "登记中心业务台账,,,\r\n,,,\r\n" + LINES + "合计,,102.00,\r\n,,,\r\n"
    reading = read(text.encode())
    assert [row[0] for row in reading.rows] == ["R-1", "R-2"]
    assert reading.totals_left_out == 1
    assert reading.lines == [4, 5]
    assert reading.complete


def test_a_tab_separated_file_is_a_ledger_too() -> None:
    assert len(read(LINES.replace(",", "\t").encode()).rows) == 2


def test_a_line_that_is_not_understood_is_told_with_its_number() -> None:
    text = LINES + "R-3,赵,\r\n,无号,1,2026-11-25\r\n" + 'R-4,"多\r\n行",1,2026-11-25\r\nR-5,a\r\n'
    reading = read(text.encode())
    assert reading.problems == (
        "line 4: it has 3 fields and the header has 4",
        "line 5: it has no key",
        "line 8: it has 2 fields and the header has 4",
    )
    assert reading.lines == [2, 3, 7]


@pytest.mark.parametrize("more", ["", 'R-3,"李,四",1,2026-11-25\r\n'])
def test_a_line_that_ends_the_reading_takes_none_with_it_that_came_before(more: str) -> None:
    reading = read((LINES + more + "x" * 200_000 + "\r\n").encode())
    assert len(reading.rows) == (3 if more else 2)
    assert [text.endswith("what follows was not read") for text in reading.problems] == [True]


def test_a_file_of_another_branch_is_refused() -> None:
    named = BranchType("named", columns=COLUMNS, branch="网点")
    data = "受理号,权利人,金额,受理时间,网点\r\nR-1,张,1,2026-11-25,南湖所\r\n".encode()
    assert len(read(data, named, known_as=["南湖所"]).rows) == 1
    with pytest.raises(EvidenceError, match="not the evidence of b1: it names 南湖所"):
        read(data, named, known_as=["北湖所"])


def test_what_the_centre_answered_is_kept_beside_the_row() -> None:
    answered = BranchType("answered", columns=COLUMNS, outcome="结果")
    rows = "".join(
        f"R-{n},张,1,2026-11-25,{word}\r\n" for n, word in enumerate(("成功", "拒绝", "?"))
    )
    reading = read(f"受理号,权利人,金额,受理时间,结果\r\n{rows}".encode(), answered)
    assert reading.told == {1: Told.FAILED, 2: Told.UNKNOWN}


def workbook(rows: list[list[Any]], *, epoch_1904: bool = False) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    if epoch_1904:
        from openpyxl.utils.datetime import CALENDAR_MAC_1904

        book.epoch = CALENDAR_MAC_1904
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


HEADER = list(COLUMNS.values())


def test_numbers_that_a_spreadsheet_has_damaged_are_refused_with_their_line() -> None:
    moment = datetime(2026, 11, 25, 8, 30)  # noqa: DTZ001 - a workbook knows no zone
    reading = read(
        workbook(
            [
                HEADER,
                ["R-1", "张伟", 100.5, moment],
                [310112345678901234567, "李娜", 1, moment],
                [2026112200012346, "王芳", 1, moment],
                [202611220001, "赵敏", 1, moment],
                [0.5, "孙", 1, moment],
                ["2.02611E+15", "周", 1, moment],
            ]
        ),
        XLSX,
    )
    assert [(r.line, r.column) for r in reading.refused] == [
        (3, "receipt"), (4, "receipt"), (6, "receipt"), (7, "receipt"),
    ]  # fmt: skip
    assert [row[0] for row in reading.rows] == ["R-1", "202611220001"]
    assert reading.refused[0].values[:2] == (None, "李娜")
    assert reading.rows[0][2:] == ("100.5", "2026-11-25 08:30:00")
    assert not reading.complete


def test_a_code_that_lost_its_leading_zeros_is_damaged_when_its_length_is_known() -> None:
    columns = {"receipt": {"kind": "code", "length": 6}, "at": {"kind": "moment"}}
    shape = RecordShape.of({"columns": columns, "key": "receipt", "moment": "at"})
    kind = BranchType("t", Source.XLSX, {"receipt": "受理号", "at": "受理时间"})
    data = workbook([["受理号", "受理时间"], [123, "2026-11-25"], ["000124", "2026-11-25"]])
    reading = read_evidence("b1", data, kind, shape)
    assert [r.line for r in reading.refused] == [2]
    assert [row[0] for row in reading.rows] == ["000124"]


@pytest.mark.parametrize("epoch_1904", [False, True])
def test_a_day_count_without_a_date_format_is_a_moment(*, epoch_1904: bool) -> None:
    days = 46351.354166666664 - (1462 if epoch_1904 else 0)
    data = workbook([HEADER, ["R-1", "张伟", 1, days]], epoch_1904=epoch_1904)
    assert read(data, XLSX).rows[0][3] == "2026-11-25 08:30:00"


def test_a_workbook_that_unpacks_without_end_is_not_opened() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in ("xl/worksheets/sheet1.xml", "xl/workbook.xml"):
            packed.writestr(name, b" " * (150 << 20))
    with pytest.raises(EvidenceError, match="unpacks to 300 MiB"):
        read(out.getvalue(), XLSX)


def test_what_is_no_workbook_is_an_error_and_no_traceback() -> None:
    for data in (b"", b"PK\x03\x04 broken", b"\xd0\xcf\x11\xe0 broken", LINES.encode()):
        with pytest.raises(EvidenceError, match="can not be opened"):
            read(data, XLSX)


def test_a_template_that_is_filled_in_reads_back_digit_for_digit() -> None:
    book = load_workbook(io.BytesIO(xlsx_template(XLSX, SHAPE)))
    sheet = book.worksheets[0]
    assert sheet["A2"].number_format == "@"
    for column, value in zip("ABCD", ("0020261122000123456", "张伟", "100.00", "2026-11-25"),
                             strict=True):  # fmt: skip
        sheet[f"{column}2"] = value
    out = io.BytesIO()
    book.save(out)
    reading = read(out.getvalue(), XLSX)
    assert reading.rows == [("0020261122000123456", "张伟", "100.00", "2026-11-25")]
    assert reading.complete


def test_a_workbook_is_read_as_one_where_the_branch_hands_in_csv_as_a_rule() -> None:
    book = load_workbook(io.BytesIO(xlsx_template(CSV, SHAPE)))
    for column, value in enumerate(("R-1", "张伟", "1", "2026-11-25 08:30:00"), 1):
        book.worksheets[0].cell(2, column).value = value
    out = io.BytesIO()
    book.save(out)
    assert [row[0] for row in read(out.getvalue(), CSV).rows] == ["R-1"]


def test_a_csv_template_has_a_byte_order_mark_and_reads_as_an_empty_ledger() -> None:
    template = csv_template(CSV, SHAPE)
    assert template.startswith(b"\xef\xbb\xbf")
    assert read(template).rows == []


def test_an_outcome_that_nobody_declared_is_told_with_its_lines() -> None:
    kind = replace(CSV, outcome="结果")
    header, line = LINES.splitlines()[:2]
    rows = [f"{header},结果", *(f"{line},{word}" for word in ("成功", "处理中", "", "处理中"))]
    reading = read("\r\n".join(rows).encode(), kind)
    assert reading.undeclared == {"处理中": (3, 5)}
    assert list(reading.told) == [1, 2, 3]


def test_a_preview_shows_both_forms_and_counts_what_nobody_reads() -> None:
    text = HEAD + "ｒ-1,李娜、张伟,￥1,000,2026/11/25 8:30\r\n".replace("￥1,000", "￥1000")
    shown = preview(read((text + "R-2,张,三万,昨天\r\n").encode()), CSV, SHAPE, rows=1)
    assert shown.rows[0].raw[0] == "ｒ-1"
    assert shown.rows[0].canonical == ("R-1", "张伟、李娜", "1000.00", "2026-11-25T00:30Z")
    assert shown.unread == {"amount": 1, "at": 1}


def test_kept_bytes_are_found_by_their_hash_and_never_change(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path / "evidence")
    digest = store.keep(b"ledger")
    assert store.keep(b"ledger") == digest
    assert store.read(digest) == b"ledger"
    assert len(list((tmp_path / "evidence").rglob("*"))) == 2
    path = store.path(digest)
    path.chmod(0o600)
    path.write_bytes(b"ledgeR")
    with pytest.raises(EvidenceError, match="was changed after it was kept"):
        store.read(digest)
    with pytest.raises(EvidenceError, match="is not in"):
        store.read("ab" * 32)


def test_evidence_that_a_power_cut_tore_is_kept_anew(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path)
    digest = store.keep(b"ledger")
    store.path(digest).chmod(0o600)
    store.path(digest).write_bytes(b"led")
    assert store.keep(b"ledger") == digest
    assert store.read(digest) == b"ledger"


def test_a_folder_that_takes_nothing_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceError, match="can not be kept") as caught:
        EvidenceStore(tmp_path / "file").keep(b"x")
    assert "hand the file in again" in caught.value.hint


def test_typed_receipts_are_evidence_like_any_other() -> None:
    data = typed_receipts(
        [{"receipt": "R-1", "holder": "张伟"}, {"receipt": "R-2"}],
        by="clerk-1",
        at=datetime(2026, 11, 25, tzinfo=UTC),
    )
    reading = read_typed("b1", data, SHAPE)
    assert reading.rows == [("R-1", "张伟", None, None), ("R-2", None, None, None)]
    assert reading.absent == {"amount", "at"}
    with pytest.raises(EvidenceError, match="has 'colour', which no record has"):
        read_typed("b1", typed_receipts([{"colour": "red"}], by="c", at=datetime.now(UTC)), SHAPE)


def test_totals_by_telephone_need_two_who_heard_them() -> None:
    totals = [Total("2026-11-25", 12, Decimal("3.50"), "A001", "A012")]
    at = datetime(2026, 11, 25, tzinfo=UTC)
    data = told_totals(totals, told_by="head", heard_by=["ana", "bo"], at=at)
    assert read_totals("b1", data) == tuple(totals)
    for few in (["ana"], ["ana", "head"], ["ana", "ana"]):
        with pytest.raises(EvidenceError, match="two people who heard"):
            told_totals(totals, told_by="head", heard_by=few, at=at)
    for data in (b"", b"[]", b'{"totals": [{"day": 1}]}'):
        with pytest.raises(EvidenceError, match="not what was typed in"):
            read_totals("b1", data)
