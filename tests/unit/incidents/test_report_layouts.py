"""What every layout of a report keeps to, whatever the journal says."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from string import Formatter

import pytest

from dr.engine.core.errors import UserError
from dr.engine.core.events import Kind
from dr.engine.core.values import UNKNOWN
from dr.incidents.report.reading import report_data
from dr.incidents.report.rendering import Format, file_name, render
from dr.incidents.report.voice import Voice, zone_of
from dr.incidents.report.words import WORDS
from tests.unit.incidents.story import Teller, opening, record, recovered_night

EVIL = "<script>alert(1)</script>|`x`\x1b[2J\u202e<img src=http://198.18.1.5/x>"


class Reader(HTMLParser):
    """Notes the tags and attributes, and checks that each tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in {"meta", "br", "rect", "line", "path"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def read_page(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def _evil_page(form: Format, language: str = "en") -> str:
    teller = opening(Teller()).begin("fence", EVIL)
    error = {"code": EVIL, "message": EVIL}
    teller.tell(Kind.FINISHED, "fence", EVIL, 1, state="failed", error=error)
    teller.tell(Kind.STEP_SKIPPED, EVIL, by=EVIL, because=EVIL)
    teller.tell(Kind.OP_NOTE, by=EVIL, text=EVIL)
    teller.tell(Kind.RUN_ENDED, state="failed", because=EVIL)
    row = record(title={"en": EVIL, "zh": EVIL}, requester=EVIL, inputs={EVIL: EVIL})
    return render(report_data(row, teller.events), form, Voice(language))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_in_the_journal_becomes_a_tag_of_the_page(language: str) -> None:
    page = _evil_page(Format.HTML, language)
    reader = read_page(page)
    assert not {"script", "img", "link", "iframe", "object", "embed"} & set(reader.tags)
    assert reader.open == []
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_nothing_in_the_journal_becomes_markup_of_the_markdown() -> None:
    page = _evil_page(Format.MARKDOWN)
    assert "\\<script\\>" in page
    assert not re.search(r"(?<!\\)<(?!br>)", page)
    assert "\x1b" not in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) in {3, 4, 5, 6, 7} for row in rows)


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    page = render(report_data(record(), recovered_night().events), Format.HTML, Voice("zh"))
    reader = read_page(page)
    assert "default-src 'none'" in page
    assert not [
        name for name, _ in reader.attributes if name in {"src", "href"} or name[:2] == "on"
    ]
    assert not re.search(r"@import|url\((?!#)|https?:", page)


def test_the_timeline_of_two_hundred_steps_comes_in_pieces_that_fit_a_page() -> None:
    teller = opening(Teller(), outline=[])
    for number in range(200):
        teller.work(f"step_{number}", None, 1.5)
    page = render(report_data(record(), teller.events), Format.HTML, Voice())
    heights = [float(height) for height in re.findall(r'viewBox="0 0 1000 (\d+)"', page)]
    assert len(heights) == 8
    assert max(heights) < 1000


def test_a_run_of_which_nothing_started_has_no_timeline_and_no_error() -> None:
    page = render(report_data(record(), opening(Teller()).events), Format.HTML, Voice())
    assert "<svg" not in page


@pytest.mark.parametrize(("language", "word"), [("en", "unknown"), ("zh", "待核实")])
def test_unknown_is_printed_as_unknown(language: str, word: str) -> None:
    data = report_data(record(), opening(Teller()).events)
    voice = Voice(language)
    assert voice.length(UNKNOWN) == word
    assert f"| {word} |" in render(data, Format.MARKDOWN, voice)


def test_a_provisional_drill_says_so_in_every_layout() -> None:
    data = report_data(record(mode="drill"), opening(Teller()).events)
    for form in (Format.MARKDOWN, Format.HTML):
        page = render(data, form, Voice("zh"))
        assert "演练" in page
        assert "暂定稿" in page
    assert json.loads(render(data, Format.JSON, Voice()))["run"]["provisional"] is True


def test_the_json_form_is_canonical_and_carries_its_version() -> None:
    text = render(report_data(record(), recovered_night().events), Format.JSON, Voice())
    data = json.loads(text)
    again = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert text == again + "\n"
    assert (data["kind"], data["v"]) == ("dr.report", 1)
    assert data["loss"]["records"] == {"unknown": True}


def test_both_languages_have_every_word_with_the_same_blanks() -> None:
    for key, (english, chinese) in WORDS.items():
        assert english, key
        assert chinese, key
        blanks = [
            sorted(name for _, name, _, _ in Formatter().parse(text) if name)
            for text in (english, chinese)
        ]
        assert blanks[0] == blanks[1], key


@pytest.mark.parametrize(
    ("length_s", "english", "chinese"),
    [
        (0.0, "0 s", "0秒"),
        (0.03, "< 0.1 s", "< 0.1秒"),
        (2.4, "2.4 s", "2.4秒"),
        (59.6, "1 min", "1分"),
        (3725.0, "1 h 2 min", "1小时2分"),
        (90061.0, "1 d 1 h", "1天1小时"),
        (-7.0, "-7 s", "-7秒"),
    ],
)
def test_lengths_are_said_in_two_units(length_s: float, english: str, chinese: str) -> None:
    assert Voice("en").length(length_s) == english
    assert Voice("zh").length(length_s) == chinese


def test_a_time_zone_nobody_knows_is_refused_with_a_hint() -> None:
    with pytest.raises(UserError, match="no time zone is called 'Mars/Base'"):
        zone_of("Mars/Base")


def test_the_files_are_named_by_language_and_form() -> None:
    assert file_name(Format.HTML, "zh") == "report.zh.html"
    assert file_name(Format.JSON, "zh") == "report.json"


def test_a_chinese_pair_has_a_chinese_colon_and_an_english_one_does_not() -> None:
    assert Voice("zh").pair("依据", "甲") == "依据：甲"
    assert Voice("en").pair("Basis", "a") == "Basis: a"
