"""Whatever people and hosts wrote, a report has the shape that harmless words give it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dr.engine.core.events import Kind
from dr.incidents.report.reading import report_data
from dr.incidents.report.rendering import Format, render
from dr.incidents.report.voice import Voice
from tests.property.budget import examples
from tests.unit.incidents.story import Teller, opening, record

PIECES = st.sampled_from(
    ["<script>alert(1)</script>", "</td></tr></table>", "<img src=x onerror=y>", '" onload="x',
     "' x='", "&lt;", "&#60;", "&amp;amp", "-->", "<!--", "<![CDATA[", "]]>", "</style>",
     "</svg><a href=x>", "|", "||", "\\", "\\|", "`", "```", "~~~", "\n", "\n\n", "\r", "\t", "# ",
     "\n# ", "- ", "\n- ", "1. ", "\n1) ", "> ", "***", "---", "\n---\n", "\n===\n",
     "[x](http://198.18.1.5)", "![x](y)", "<http://x.y>", "    code", "\x1b[2J", "\x1b]0;x\x07",
     "\x9b31m", "\x00", "\x07", "\u202e", "\u2066", "\u200b", "\u2028", "\ufeff", "\x85", "{{ 1 }}",
     "{% x %}", "${{ x }}", "$(x)", "\U0001f600", "恢复", "é", "javascript:x"]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=6), min_size=1, max_size=6).map("".join)
UNSEEN = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))} - {"\n"}
UNSEEN |= set("\u200b\u2028\u2029\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Shape(HTMLParser):
    """The elements of a page in their order, with the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[Any] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.seen.append((tag, *(name for name, _value in attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Note its end."""
        self.seen.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        """Note what no page of ours has."""
        self.seen.append("comment")

    def unknown_decl(self, data: str) -> None:
        """Note what no page of ours has."""
        self.seen.append("declaration")


def told(text: str, form: Format, language: str) -> str:
    """Return a report in which every word that somebody could choose is ``text``."""
    text = f"a{text}"  # an empty one would leave its line out
    teller = opening(Teller()).begin("fence", text)
    error = {"code": text, "message": text}
    teller.tell(Kind.FINISHED, "fence", text, 1, state="failed", error=error)
    teller.tell(Kind.STEP_SKIPPED, text, by=text, because=text)
    teller.tell(Kind.OP_NOTE, by=text, text=text)
    teller.tell(Kind.RUN_ENDED, state="failed", because=text)
    row = record(title={"en": text, "zh": text}, requester=text, inputs={text: text})
    return render(report_data(row, teller.events), form, Voice(language))


@examples(60)
@given(TEXTS, st.sampled_from(["en", "zh"]))
@example("\t", "en")
def test_no_text_becomes_an_element_or_an_attribute_of_the_page(text: str, language: str) -> None:
    page = told(text, Format.HTML, language)
    assert Shape(page).seen == Shape(told("harmless", Format.HTML, language)).seen
    assert not (UNSEEN - {"\t"}) & set(page), "a tab is one more space to a browser"


def outline(page: str) -> list[Any]:
    """Return the blocks of a Markdown page, and the marks inside of each."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    return [
        (t.type, t.tag, t.level, [c.type for c in t.children or () if c.type != "text"])
        for t in tokens
    ]


@examples(60)
@given(TEXTS, st.sampled_from(["en", "zh"]))
def test_no_text_leaves_its_cell_or_its_line_in_the_markdown(text: str, language: str) -> None:
    page = told(text, Format.MARKDOWN, language)
    assert outline(page) == outline(told("harmless", Format.MARKDOWN, language))
    assert not UNSEEN & set(page)


def lone(text: str) -> str:
    """Return the report of a run whose reason is ``text`` alone, without a word before it."""
    teller = opening(Teller())
    teller.tell(Kind.RUN_ENDED, state="failed", because=text)
    return render(report_data(record(), teller.events), Format.MARKDOWN, Voice("en"))


@examples(60)
@given(
    st.sampled_from(["- ", "+ ", "* ", "1. ", "7) ", "===", "---", "# ", "> ", "~~~", ""]), TEXTS
)
def test_a_reason_begins_no_list_heading_or_rule(begins: str, text: str) -> None:
    page = lone(f"{begins}{text}a")  # the line of the reason is there as soon as it holds anything
    assert [block[:3] for block in outline(page)] == [
        block[:3] for block in outline(lone("harmless"))
    ]


@examples(60)
@given(TEXTS, st.sampled_from(["en", "zh"]))
def test_the_json_form_is_json_with_the_very_text_in_it(text: str, language: str) -> None:
    data = json.loads(told(text, Format.JSON, language))
    assert f"a{text}" in str(data["run"].values()) or f"a{text}" in _strings(data)


def _strings(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(_strings, value.values()), map(str, value))
    if isinstance(value, list):
        return set().union(*map(_strings, value))
    return {value} if isinstance(value, str) else set()
