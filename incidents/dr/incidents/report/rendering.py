"""One report in the formats and languages that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from dr.engine.core.canonical import canonical_bytes
from dr.incidents.report.data import ReportData
from dr.incidents.report.markdown import as_markdown
from dr.incidents.report.page import as_page
from dr.incidents.report.voice import Voice

LANGUAGES = ("en", "zh")


class Format(StrEnum):
    """A form of the report."""

    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


_SUFFIX = {Format.MARKDOWN: "md", Format.JSON: "json", Format.HTML: "html"}
_DRAW: dict[Format, Callable[[ReportData, Voice], str]] = {
    Format.MARKDOWN: as_markdown,
    Format.HTML: as_page,
}


def as_json(data: ReportData) -> str:
    """Return the report as canonical JSON, the same bytes for the same facts, in no language."""
    return canonical_bytes(data.to_data()).decode() + "\n"


def render(data: ReportData, form: Format, voice: Voice) -> str:
    """Return the report as the text of a file."""
    return as_json(data) if form is Format.JSON else _DRAW[form](data, voice)


def file_name(form: Format, language: str) -> str:
    """Return the name of the file: ``report.en.html``; JSON has no language: ``report.json``."""
    return "report.json" if form is Format.JSON else f"report.{language}.{_SUFFIX[form]}"
