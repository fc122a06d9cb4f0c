"""A small writer of XLSX, by the standard library: also of what no honest program writes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from xml.sax.saxutils import escape

_NEVER = (1980, 1, 1, 0, 0, 0)
"""Of every part of the archive, so that equal content is an equal file."""
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml."
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}styles+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}worksheet+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="台账" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
    ),
    # style 1 is text: what is typed into such a cell stays as it is
    "xl/styles.xml": (
        f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts>'
        '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
        '<borders count="1"><border/></borders>'
        '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="49" applyNumberFormat="1"/></cellXfs>'
        "</styleSheet>"
    ),
}
_CHUNK = 1 << 20
_LETTERS = 26


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula; ``shown`` is what the program last computed, None when none ever did."""

    text: str
    shown: str | float | None = None


Cell = str | float | Formula | None


def workbook(rows: Iterable[Sequence[Cell]], merged: Sequence[str] = ()) -> bytes:
    """Return a workbook of one sheet.

    Args:
        rows: text cells, numbers, formulas; None is an empty cell.
        merged: ranges such as ``A1:C1``.
    """
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        _write_parts(archive)
        with archive.open(_entry("xl/worksheets/sheet1.xml"), "w") as sheet:
            for piece in _sheet(rows, merged):
                sheet.write(piece.encode())
    return out.getvalue()


def bomb(size: int) -> bytes:
    """Return a workbook that is small, and whose sheet unpacks to ``size`` bytes and more."""
    out = BytesIO()
    start = f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'
    with zipfile.ZipFile(out, "w") as archive:
        _write_parts(archive)
        entry = _entry("xl/worksheets/sheet1.xml")
        with archive.open(entry, "w", force_zip64=True) as sheet:
            sheet.write(start.encode())
            for _ in range(-(-size // _CHUNK)):
                sheet.write(b" " * _CHUNK)
            sheet.write(b"</sheetData></worksheet>")
    return out.getvalue()


def _write_parts(archive: zipfile.ZipFile) -> None:
    for name, text in _PARTS.items():
        archive.writestr(_entry(name), _HEAD + text)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _NEVER)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _sheet(rows: Iterable[Sequence[Cell]], merged: Sequence[str]) -> Iterator[str]:
    yield f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'
    for number, row in enumerate(rows, 1):
        cells = "".join(
            _cell(f"{column_name(column)}{number}", value)
            for column, value in enumerate(row)
            if value is not None
        )
        yield f'<row r="{number}">{cells}</row>'
    yield "</sheetData>"
    if merged:
        ranges = "".join(f'<mergeCell ref="{one}"/>' for one in merged)
        yield f'<mergeCells count="{len(merged)}">{ranges}</mergeCells>'
    yield "</worksheet>"


def _cell(place: str, value: str | float | Formula) -> str:
    if isinstance(value, str):
        text = f'<is><t xml:space="preserve">{escape(value)}</t></is>'
        return f'<c r="{place}" s="1" t="inlineStr">{text}</c>'
    if isinstance(value, Formula):
        formula = f"<f>{escape(value.text)}</f>"
        if value.shown is None:
            return f'<c r="{place}">{formula}</c>'
        kind = ' t="str"' if isinstance(value.shown, str) else ""
        return f'<c r="{place}"{kind}>{formula}<v>{escape(str(value.shown))}</v></c>'
    return f'<c r="{place}"><v>{value!r}</v></c>'


def column_name(number: int) -> str:
    """Return the letters of a column: A for 0, AA for 26."""
    name = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, _LETTERS)
        name = chr(ord("A") + letter) + name
    return name


def as_a_spreadsheet_keeps_it(digits: str) -> float:
    """Return the number that is left of long digits: a spreadsheet keeps fifteen of them."""
    return float(f"{int(digits):.14e}")
