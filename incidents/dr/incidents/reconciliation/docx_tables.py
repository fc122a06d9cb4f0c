"""Tables of a .docx as WordprocessingML, in one piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dr.incidents.reconciliation.content import ReconciliationContent
from dr.incidents.reconciliation.docx_text import escaped
from dr.incidents.reconciliation.facts import STATES, BranchFacts
from dr.incidents.report.parts import Cell, Section

TEXT_STYLE = "Table Text"
COLOURS: Mapping[str, str] = {
    "good": "17713F",
    "bad": "B3261E",
    "doubt": "7A2F9E",
    "wait": "8A5A00",
    "faint": "5A6676",
}
STATE_COLOURS: Mapping[str, str] = {
    "waiting": "D9A441",
    "refused": "B3261E",
    "working": "5B8FC4",
    "clean": "A678C0",
    "signed": "3D9463",
    "waived": "98A4B1",
}
_WIDTH = 8844  # twentieths of a point: A4 less the margins
_WEIGHTS: Mapping[str, Sequence[float]] = {
    "moments": (3, 4, 3),
    "outcomes": (5, 2, 4),
    "classes": (5, 2, 4),
    "branches": (4, 4, 2, 1.7, 1.7, 4),
    "signatures": (3, 3, 3.2, 3, 2.6),
    "waivers": (3.5, 5, 3, 3.2),
    "cases": (3.2, 3.8, 3.8, 3, 2.6),
    "evidence": (3, 1.8, 3.2, 6),
    "stolen": (3, 5, 2, 2.4),
    "forms": (4, 1.8, 1.8, 1.6, 5),
    "source": (2.4, 7),
}
_NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_EDGES = "".join(
    f'<w:{edge} w:val="single" w:sz="4" w:space="0" w:color="9AA5B1"/>'
    for edge in ("top", "left", "bottom", "right", "insideH", "insideV")
)


def table_xml(section: Section) -> str:
    """Return the table of a section."""
    weights = _WEIGHTS.get(section.id.partition("-")[2]) or [1.0] * len(section.rows[0])
    numbers = [cell.tone == "number" for cell in section.rows[0]]
    rows = [_row(map(_cell, row)) for row in section.rows]
    if any(section.headers):
        head = (
            _tc(_line(header, bold=True, right=number), "E9EDF1")
            for header, number in zip(section.headers, numbers, strict=True)
        )
        rows.insert(0, _row(head, is_head=True))
    return _table(weights, rows)


def matrix_xml(content: ReconciliationContent) -> str:
    """Return a few branches × state: a shaded cell with a mark in the column of its state."""
    say, facts = content.say, content.facts
    head = [
        _tc(_line(say("branch"), bold=True), "E9EDF1"),
        *(
            _tc(
                _line(content.state(str(state)), bold=True, middle=True)
                + _line(str(facts.states.get(state, 0)), bold=True, middle=True),
                "E9EDF1",
            )
            for state in STATES
        ),
        _tc(_line(say("rc_open_column"), bold=True), "E9EDF1"),
    ]
    rows = [_row(_marked(content, branch)) for branch in content.sorted()]
    return _table((3.6, *[1.9] * len(STATES), 3), [_row(head, is_head=True), *rows])


def _marked(content: ReconciliationContent, branch: BranchFacts) -> Iterator[str]:
    yield _tc(_line(content.name(branch)))
    for state in STATES:
        if branch.state != state:
            yield _tc(_line(""))
            continue
        mark = "◆" if branch.critical else "●"
        yield _tc(_line(mark, middle=True, colour="FFFFFF", bold=True), STATE_COLOURS[state])
    still = content.say("rc_open_cases", n=branch.open.count) if branch.open.count else ""
    worth = content.value(branch.open) if branch.open.count else ""
    yield _tc(_line(still) + (_line(worth) if worth else ""))


def _table(weights: Sequence[float], rows: Sequence[str]) -> str:
    widths = [round(_WIDTH * weight / sum(weights)) for weight in weights]
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    return (
        f'<w:tbl xmlns:w="{_NAMESPACE}"><w:tblPr><w:tblW w:w="{_WIDTH}" w:type="dxa"/>'
        f"<w:tblBorders>{_EDGES}</w:tblBorders>"
        '<w:tblLayout w:type="fixed"/><w:tblCellMar>'
        '<w:top w:w="30" w:type="dxa"/><w:left w:w="80" w:type="dxa"/>'
        '<w:bottom w:w="30" w:type="dxa"/><w:right w:w="80" w:type="dxa"/></w:tblCellMar></w:tblPr>'
        f"<w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>"
    )


def _row(cells: Iterator[str] | Sequence[str] | map[str], *, is_head: bool = False) -> str:
    again = "<w:tblHeader/>" if is_head else ""
    return f"<w:tr><w:trPr><w:cantSplit/>{again}</w:trPr>{''.join(cells)}</w:tr>"


def _cell(cell: Cell) -> str:
    colour, right = COLOURS.get(cell.tone, ""), cell.tone == "number"
    lines = []
    if cell.text or not cell.notes:
        lines.append(_line(cell.text, colour=colour, bold=cell.tone == "bad", right=right))
    lines += [_line(note, colour=COLOURS["faint"] if cell.text else "") for note in cell.notes]
    return _tc("".join(lines))


def _tc(lines: str, shade: str = "") -> str:
    fill = f'<w:shd w:val="clear" w:color="auto" w:fill="{shade}"/>' if shade else ""
    return f"<w:tc><w:tcPr>{fill}</w:tcPr>{lines}</w:tc>"


def _line(
    text: str, *, colour: str = "", bold: bool = False, right: bool = False, middle: bool = False
) -> str:
    side = "right" if right else "center" if middle else "left"
    strong = "<w:b/>" if bold else ""
    ink = f'<w:color w:val="{colour}"/>' if colour else ""
    return (
        f'<w:p><w:pPr><w:pStyle w:val="{TEXT_STYLE.replace(" ", "")}"/><w:jc w:val="{side}"/>'
        f"</w:pPr><w:r><w:rPr>{strong}{ink}</w:rPr>"
        f'<w:t xml:space="preserve">{escaped(text)}</w:t></w:r></w:p>'
    )
