"""The report of a reconciliation as .docx, set as official papers are: A4, black, by sections.

Tables are written as XML in one piece: adding row by row costs the square of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from dr.incidents.reconciliation.certificates import CertificatesContent
from dr.incidents.reconciliation.content import ReconciliationContent
from dr.incidents.reconciliation.docx_tables import (
    COLOURS,
    STATE_COLOURS,
    TEXT_STYLE,
    matrix_xml,
    table_xml,
)
from dr.incidents.reconciliation.docx_text import safe
from dr.incidents.reconciliation.facts import BranchFacts, ReconciliationFacts
from dr.incidents.reconciliation.picture import FEW, by_state
from dr.incidents.reconciliation.png import squares
from dr.incidents.report.parts import Cell, Section
from dr.incidents.report.voice import Voice

_PER_ROW = 80
_STRIP_CM = 10.4
_CRITICAL = (0x16, 0x20, 0x2C)
_NUMERALS = "一二三四五六七八九十"
_FONTS = {  # body, headings, title; Latin, then East Asian
    "zh": (("Times New Roman", "仿宋"), ("Times New Roman", "黑体"), ("Times New Roman", "宋体")),
    "en": (("Calibri", "仿宋"), ("Calibri", "黑体"), ("Calibri", "宋体")),
}


def bureau_document(facts: ReconciliationFacts, voice: Voice) -> bytes:
    """Return the bureau's report."""
    paper = Paper(ReconciliationContent(facts, voice))
    paper.head(paper.content.title)
    for section in paper.content.bureau():
        paper.section(section)
        if section.id == "reconcile-situation":
            paper.picture()
    return paper.finished()


def branch_document(facts: ReconciliationFacts, branch: BranchFacts, voice: Voice) -> bytes:
    """Return a branch's report."""
    paper = Paper(ReconciliationContent(facts, voice))
    paper.head(paper.content.branch_title(branch))
    for section in paper.content.branch(branch):
        paper.section(section)
    return paper.finished()


def certificates_document(content: CertificatesContent) -> bytes:
    """Return the account of certificates."""
    paper = Paper(content)
    paper.head(content.title)
    for section in content.sections():
        paper.section(section)
    return paper.finished()


class Paper:
    """A document that is being written."""

    def __init__(self, content: ReconciliationContent) -> None:
        self.content = content
        self.say = content.say
        self._doc: Any = docx.Document()
        self._sections = 0
        self._set_page()
        self._set_styles()

    # -- the sheet

    def _set_page(self) -> None:
        page = self._doc.sections[0]
        page.page_width, page.page_height = Cm(21), Cm(29.7)
        page.top_margin, page.bottom_margin = Cm(3.7), Cm(3.5)
        page.left_margin, page.right_margin = Cm(2.8), Cm(2.6)
        foot = page.footer.paragraphs[0]
        foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
        foot.add_run("— ")
        run = foot.add_run()
        for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
            tag = OxmlElement("w:instrText" if text else "w:fldChar")
            if text:
                tag.text = text
            else:
                tag.set(qn("w:fldCharType"), kind)
            run._r.append(tag)
        foot.add_run(" —")
        about = self._doc.core_properties
        about.author = safe(self.say.text(self.content.facts.bureau)) or "dr"
        about.title = safe(self.content.title)
        about.comments = ""
        about.created = about.modified = self.content.facts.as_of.replace(tzinfo=None)

    def _set_styles(self) -> None:
        body, heading, _title = _FONTS["zh" if self.say.is_chinese else "en"]
        styles = self._doc.styles
        size, spacing = (16, Pt(28)) if self.say.is_chinese else (11, 1.2)
        _font(styles["Normal"], body, size)
        styles["Normal"].paragraph_format.line_spacing = spacing
        styles["Normal"].paragraph_format.space_after = Pt(0 if self.say.is_chinese else 5)
        one = styles["Heading 1"]
        _font(one, heading, 16 if self.say.is_chinese else 13)
        one.font.color.rgb = RGBColor(0, 0, 0)
        one.font.bold = not self.say.is_chinese
        one.paragraph_format.space_before = Pt(12)
        one.paragraph_format.space_after = Pt(4)
        table = styles.add_style(TEXT_STYLE, 1)
        _font(table, body, 10 if self.say.is_chinese else 9)
        table.paragraph_format.line_spacing = 1.0
        table.paragraph_format.space_after = Pt(0)

    # -- what stands on it

    def head(self, title: str) -> None:
        """Write the warning words and the title."""
        if self.content.banner:
            banner = self._doc.add_paragraph()
            banner.alignment = WD_ALIGN_PARAGRAPH.CENTER
            marks = ("【", "】") if self.say.is_chinese else ("[", "] ")
            words = "".join(f"{marks[0]}{word}{marks[1]}" for word in self.content.banner)
            run = banner.add_run(safe(words.strip()))
            run.bold, run.font.size, run.font.color.rgb = True, Pt(12), RGBColor(0x9C, 0x1F, 0x18)
        line = self._doc.add_paragraph()
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
        line.paragraph_format.space_after = Pt(14)
        line.paragraph_format.line_spacing = 1.2
        run = line.add_run(safe(title))
        _font(run, _FONTS["zh" if self.say.is_chinese else "en"][2], 22)
        run.bold = True

    def heading(self, text: str) -> None:
        """Write a numbered heading."""
        number = self._sections
        self._sections += 1
        if self.say.is_chinese:
            mark = f"{_NUMERALS[number]}、" if number < len(_NUMERALS) else f"{number + 1}、"
        else:
            mark = f"{number + 1}. "
        self._doc.add_heading(safe(mark + text), level=1)

    def section(self, section: Section) -> None:
        """Write a section; what the journal holds stays text."""
        self.heading(section.title)
        for note in section.notes:
            self.paragraph(note)
        if section.rows:
            self._add(table_xml(section))

    def paragraph(self, note: Cell) -> None:
        """Write a paragraph of the text."""
        line = self._doc.add_paragraph()
        if self.say.is_chinese:
            line.paragraph_format.first_line_indent = Pt(32)
        run = line.add_run(safe(note.text))
        if note.tone in COLOURS and note.tone != "faint":
            run.font.color.rgb = RGBColor.from_string(COLOURS[note.tone])
            run.bold = note.tone == "bad"

    def picture(self) -> None:
        """Draw branches × state: a shaded table for a few, strips of squares for many."""
        branches = self.content.facts.branches
        if not branches:
            return
        self.heading(self.say("rc_picture"))
        if len(branches) <= FEW:
            self._add(matrix_xml(self.content))
        else:
            self._strips()
        if any(branch.critical for branch in branches):
            self._small(self.say("rc_legend_critical"))

    def _strips(self) -> None:
        bands = by_state(self.content)
        table = self._doc.add_table(rows=len(bands), cols=2)
        table.autofit = False
        for column, width in zip(table.columns, (4.6, _STRIP_CM + 0.6), strict=True):
            column.width = Cm(width)
        whole = len(self.content.facts.branches)
        for row, (state, branches) in zip(table.rows, bands.items(), strict=True):
            left, right = row.cells
            left.width, right.width = Cm(4.6), Cm(_STRIP_CM + 0.6)
            word = self.content.state(state)
            _filled(left, f"{word}\n{len(branches):,} · {len(branches) / whole:.1%}")
            self._strip(right, state, branches, f"{word}: {len(branches):,}")
        self._small(self.say("rc_each"))

    def _small(self, text: str) -> None:
        self._doc.add_paragraph(safe(text)).style = TEXT_STYLE

    def _strip(self, cell: Any, state: str, branches: Sequence[BranchFacts], alt: str) -> None:
        marks = [1 if branch.critical else 0 for branch in branches]
        png = squares(marks, (_rgb(STATE_COLOURS[state]), _CRITICAL), _PER_ROW)
        line = cell.paragraphs[0]
        line.style = TEXT_STYLE
        width = _STRIP_CM * min(len(marks), _PER_ROW) / _PER_ROW
        shape = line.add_run().add_picture(BytesIO(png), width=Cm(width))
        shape._inline.docPr.set("descr", safe(alt))

    def _add(self, xml: str) -> None:
        body = self._doc.element.body
        body.insert(len(body) - 1, parse_xml(xml))  # before the properties of the section
        self._doc.add_paragraph().style = TEXT_STYLE

    def finished(self) -> bytes:
        """Return the file, closed by the bureau's name and the day."""
        bureau = self.say.text(self.content.facts.bureau)
        for text in (bureau, _day(self.content.facts.as_of, self.say)):
            line = self._doc.add_paragraph(safe(text))
            line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            line.paragraph_format.keep_together = True
        out = BytesIO()
        self._doc.save(out)
        return out.getvalue()


def _day(at: datetime, say: Voice) -> str:
    day = at.astimezone(say.zone)
    return f"{day.year}年{day.month}月{day.day}日" if say.is_chinese else f"{day:%Y-%m-%d}"


def _font(of: Any, names: tuple[str, str], size: float) -> None:
    of.font.name, of.font.size = names[0], Pt(size)
    fonts = of.element.get_or_add_rPr().get_or_add_rFonts()
    for theme in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
        fonts.attrib.pop(qn(theme), None)
    fonts.set(qn("w:eastAsia"), names[1])
    fonts.set(qn("w:hAnsi"), names[0])


def _filled(cell: Any, text: str) -> None:
    cell.text = safe(text)
    for line in cell.paragraphs:
        line.style = TEXT_STYLE


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[:2], 16), int(colour[2:4], 16), int(colour[4:], 16)
