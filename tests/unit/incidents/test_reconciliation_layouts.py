"""What every layout of a report of a reconciliation keeps to, whatever the journal says."""

from __future__ import annotations

import re
import struct
import zlib
from io import BytesIO
from string import Formatter
from typing import Any

import docx
import pytest

from dr.engine.core.ports import Check
from dr.engine.core.values import UNKNOWN
from dr.incidents.reconciliation.document import branch_document, bureau_document
from dr.incidents.reconciliation.facts import ReconciliationFacts
from dr.incidents.reconciliation.filing import file_word
from dr.incidents.reconciliation.page import branch_page, bureau_page
from dr.incidents.reconciliation.png import squares
from dr.incidents.reconciliation.reading import reconciliation_facts
from dr.incidents.reconciliation.words import RECONCILIATION
from dr.incidents.report.reading import report_data
from dr.incidents.report.rendering import Format, render
from dr.incidents.report.voice import Voice, zone_of
from tests.unit.incidents.branch_story import Told, begun, found, many, reconciled_record, week
from tests.unit.incidents.papers import words_of
from tests.unit.incidents.test_report_layouts import EVIL, read_page

CHECKS = {
    "branch-01": Check(holds=True, because="signed by 'chen.wei'"),
    "branch-02": Check(UNKNOWN, "spoken"),
}
ALL = ("branch-01", "branch-02", "branch-04")


def facts(told: Told, checks: dict[str, Check] = CHECKS, **record: Any) -> ReconciliationFacts:
    made = reconciliation_facts(
        reconciled_record(**record), told.view, told.teller.now, checks=checks, cases_of=ALL
    )
    assert made is not None
    return made


def evil() -> ReconciliationFacts:
    """Return a report in which every name wants to be something else."""
    told = begun(["branch-01", EVIL])
    bad = found(
        "branch-01", 1, amount="=1+1", key="=HYPERLINK(1)", ledger={EVIL: "=cmd|' /C calc'!A0"},
        central={"holder": "\u202eevil\u202c"},
    )  # fmt: skip
    told.received("branch-01", name=EVIL, via=EVIL).compared("branch-01", [bad])
    told.received(EVIL, problem=EVIL)
    told.decided(bad, "propose", EVIL, resolution="lost", reason=EVIL, reference=EVIL)
    told.decided(bad, "approve", EVIL).signed("branch-01", EVIL)
    checks = {"branch-01": Check(holds=False, because=EVIL)}
    return facts(told, checks, title={"en": EVIL, "zh": EVIL})


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_in_the_journal_becomes_a_tag_of_the_page(language: str) -> None:
    made = evil()
    for page in (
        bureau_page(made, Voice(language)),
        branch_page(made, made.branch("branch-01"), Voice(language)),
    ):
        reader = read_page(page)
        assert not {"script", "img", "link", "iframe", "object", "embed"} & set(reader.tags)
        assert reader.open == []
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_in_the_journal_becomes_markup_of_the_document(language: str) -> None:
    made = evil()
    for paper in (
        bureau_document(made, Voice(language)),
        branch_document(made, made.branch("branch-01"), Voice(language)),
    ):
        text = "\n".join(words_of(paper))
        assert "<script>alert(1)</script>" in text  # as words
        assert "\u202e" not in text
        assert "\x1b" not in text


@pytest.mark.parametrize("text", ["\ufffe", "\uffff", "\x00", "\x0b", "a\nb", "]]>", "&amp;"])
def test_a_name_that_xml_has_no_place_for_still_makes_a_document(text: str) -> None:
    told = begun(["branch-01"])
    told.received("branch-01", name=f"x{text}y", problem=f"x{text}y")
    words = list(words_of(bureau_document(facts(told), Voice())))
    assert any(line.startswith("x") and line.endswith("y") for line in words)


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    page = bureau_page(facts(week()), Voice("zh"))
    reader = read_page(page)
    assert "default-src 'none'" in page
    assert not [
        name for name, _ in reader.attributes if name in {"src", "href"} or name[:2] == "on"
    ]
    assert not re.search(r"@import|url\((?!#)|https?:", page)


def test_each_of_a_few_branches_has_one_mark_in_the_column_of_its_state() -> None:
    page = bureau_page(facts(week()), Voice())
    drawn = page.partition('<svg class="branches"')[2].partition("</svg>")[0]
    marks = re.findall(r'<rect class="s-(\w+)"', drawn)
    assert sorted(mark for mark in marks if mark != "critical") == [
        "refused", "signed", "signed", "waived", "working",
    ]  # fmt: skip
    assert marks.count("critical") == 1


def test_each_of_three_thousand_branches_has_one_mark_on_one_page() -> None:
    page = bureau_page(facts(many(3000)), Voice())
    drawn = page.partition('<svg class="branches"')[2].partition("</svg>")[0]
    assert drawn.count("<rect") == 3000
    height = re.search(r'class="branches" viewBox="0 0 1000 (\d+)"', page)
    assert height is not None
    assert int(height[1]) < 700


def test_the_marks_stay_inside_of_the_picture() -> None:
    for told in (week(), many(31), many(400), many(3000)):
        page = bureau_page(facts(told), Voice())
        drawn = page.partition('<svg class="branches" viewBox="0 0 1000 ')[2]
        height = float(drawn.partition('"')[0])
        boxes = re.findall(r'x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', drawn)
        assert boxes
        assert all(float(x) + float(w) <= 1000 for x, _, w, _ in boxes)
        assert all(float(y) + float(h) <= height for _, y, _, h in boxes)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["LOST FOR EVER", "unknown for all 1", "990,000, and 1 of unknown value",
                "spoken: nothing to check", "checks", "flooded; its ledger dries"]),
        ("zh", ["永久丢失", "1 笔金额均待核实", "990,000，另有 1 笔金额待核实",
                "口头签认，无签名可核验", "核验通过", "实验市自然资源局", "2026年11月22日"]),
    ],
)  # fmt: skip
def test_the_document_says_what_the_page_says(language: str, words: list[str]) -> None:
    voice = Voice(language, zone_of("Asia/Shanghai"))
    made = facts(week())
    text = "\n".join(words_of(bureau_document(made, voice)))
    page = bureau_page(made, voice)
    for word in words:
        assert word in text
        assert word in page or word == "2026年11月22日"


def test_headings_of_the_chinese_document_are_numbered_as_official_papers_are() -> None:
    paper = docx.Document(BytesIO(bureau_document(facts(week()), Voice("zh"))))
    heads = [
        line.text for line in paper.paragraphs if line.style and line.style.name == "Heading 1"
    ]
    assert heads[:3] == ["一、总体情况", "二、各网点核对状态", "三、恢复与办结"]
    assert paper.sections[0].page_width is not None
    assert round(paper.sections[0].page_width.cm, 1) == 21.0


def test_the_document_of_many_branches_lists_and_draws_all_of_them() -> None:
    paper = docx.Document(BytesIO(bureau_document(facts(many(300)), Voice("zh"))))
    assert len(paper.inline_shapes) == 6
    rows = max(len(table._tbl.tr_lst) for table in paper.tables)
    assert rows == 301


def test_a_signature_that_does_not_check_is_said_aloud() -> None:
    made = facts(week(), {"branch-01": Check(holds=False, because="the signature does not fit")})
    for text in (bureau_page(made, Voice()), "\n".join(words_of(bureau_document(made, Voice())))):
        assert "DOES NOT CHECK" in text
        assert "the signature does not fit" in text


def test_a_report_that_could_check_no_signature_does_not_say_that_one_checks() -> None:
    data = report_data(reconciled_record(), week().teller.events)
    text = render(data, Format.MARKDOWN, Voice())
    assert "not checked here" in text
    assert "check: 0" in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_of_the_run_tells_the_reconciliation(language: str) -> None:
    voice = Voice(language)
    data = report_data(reconciled_record(), week().teller.events)
    markdown, page = (render(data, form, voice) for form in (Format.MARKDOWN, Format.HTML))
    assert voice("rc_out_lost") in markdown
    assert '<svg class="branches"' in page
    assert '"unpriced":1' in render(data, Format.JSON, voice)


def test_the_report_of_the_run_lists_no_more_branches_than_people_read() -> None:
    text = render(
        report_data(reconciled_record(), many(900).teller.events), Format.MARKDOWN, Voice()
    )
    assert text.count("| branch-") < 130
    assert "more: dr reconcile report" in text


@pytest.mark.parametrize("count", [1, 79, 80, 81, 3000])
def test_a_strip_of_squares_is_a_png_of_the_right_size(count: int) -> None:
    png = squares([0] * count, ((1, 2, 3),), 80)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    size = struct.unpack(">I", png[png.index(b"IDAT") - 4 :][:4])[0]
    raw = zlib.decompress(png[png.index(b"IDAT") + 4 :][:size])
    assert len(raw) == (width + 1) * height
    assert (width, height) == (min(count, 80) * 15 - 2, -(-count // 80) * 15 - 2)
    assert raw.count(b"\x01") >= count * 13 * 13


def test_every_word_has_the_same_places_in_both_languages() -> None:
    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    wrong = [k for k, (en, zh) in RECONCILIATION.items() if places(en) != places(zh)]
    assert wrong == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b", ".hidden", "a" * 300, "网点 一", "a\0b"]
)
def test_a_branch_s_name_never_leads_out_of_the_folder(name: str) -> None:
    word = file_word(name)
    assert "/" not in word
    assert "\0" not in word
    assert not word.startswith(".")
    assert len(word) < 100
    assert file_word(name + "x") != word
