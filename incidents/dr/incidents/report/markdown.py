"""The report as Markdown."""

from __future__ import annotations

import re

from dr.incidents.report.content import Content
from dr.incidents.report.data import ReportData
from dr.incidents.report.parts import Cell, Section
from dr.incidents.report.voice import Voice, visible

_LEADING = re.compile(r"^(\d+(?=[.)](?: |$))|(?=[-+=]))")
"""What makes a list, a heading or a rule of the line that it begins."""

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def as_markdown(data: ReportData, voice: Voice) -> str:
    """Return the report as CommonMark with tables; nothing in the journal can become markup."""
    content = Content(data, voice)
    heading = voice("drill_report" if data.run.mode == "drill" else "report")
    lines = [f"# {_plain(heading)}: {_plain(content.title)}", ""]
    if content.banner:
        lines += [" · ".join(f"**{_plain(word)}**" for word in content.banner), ""]
    if data.run.provisional:
        lines += [f"> {_plain(voice('provisional_why'))}", ""]
    lines += [_head(data, voice), ""]
    for section in content.sections():
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _head(data: ReportData, voice: Voice) -> str:
    run = data.run
    facts = (
        voice.text(run.bureau),
        voice.pair(voice("environment"), visible(run.environment)),
        voice.pair(voice("run"), visible(run.id)),
        voice.pair(voice("requester"), voice.person(run.requester)),
        voice.pair(voice("state"), voice.named("state", run.state)),
        visible(run.because),
    )
    return "  \n".join(_line(fact) for fact in facts if fact)


def _section(section: Section) -> list[str]:
    lines = [f"## {_plain(section.title)}", ""]
    for note in section.notes:
        lines += [_line(note.text), ""]
    if section.rows:
        lines.append("| " + " | ".join(_plain(header) or " " for header in section.headers) + " |")
        lines.append("|" + " --- |" * len(section.headers))
        lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in section.rows]
        lines.append("")
    return lines


def _cell(cell: Cell) -> str:
    text = _plain(cell.text)
    if text and cell.tone in {"bad", "doubt"}:
        text = f"**{text}**"
    return "<br>".join(part for part in (text, *(_plain(note) for note in cell.notes)) if part)


def _plain(text: str) -> str:
    """Return ``text`` on one line, with what Markdown would read as markup escaped."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")


def _line(text: str) -> str:
    """Return ``text`` as a line of its own that begins nothing but a paragraph."""
    return _LEADING.sub(r"\1\\", _plain(text))
