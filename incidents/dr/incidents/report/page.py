"""The report as one HTML file: no script, no request, prints on A4."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from dr.engine.core.values import Unknown
from dr.incidents.reconciliation.content import ReconciliationContent
from dr.incidents.reconciliation.picture import picture
from dr.incidents.report.content import Content, tone_of
from dr.incidents.report.data import Objective, ReportData
from dr.incidents.report.parts import Cell, Section
from dr.incidents.report.timeline import timeline
from dr.incidents.report.voice import Voice, visible

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""A browser that obeys it can fetch nothing, whatever the text says."""


def as_page(data: ReportData, voice: Voice) -> str:
    """Return the report as a self-contained HTML document."""
    content = Content(data, voice)
    language = "zh-CN" if voice.is_chinese else "en"
    heading = voice("drill_report" if data.run.mode == "drill" else "report")
    sections = list(content.sections())
    drawing = _timeline(data, voice)
    body: list[str] = []
    for section in sections:
        if section.id == "objectives":
            continue  # the tiles say the same
        if section.id == "moments":
            body += [_moments(content, section), drawing]
        elif section.id == "reconcile-situation" and data.reconciliation is not None:
            told = ReconciliationContent(data.reconciliation, voice)
            body += [section_html(section), picture(told)]
        else:
            body.append(section_html(section))
    style = style_sheet()
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="{language}">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(heading)}: {escape(content.title)} · {escape(data.run.id)}</title>",
            f"<style>\n{style}</style></head>",
            "<body>",
            _header(content, heading),
            "<main>",
            _tiles(content),
            *(part for part in body if part),
            "</main>",
            "</body></html>",
            "",
        )
    )


def style_sheet() -> str:
    """Return the style of every report."""
    return files("dr.incidents.report").joinpath("report.css").read_text(encoding="utf-8")


def _header(content: Content, heading: str) -> str:
    data, say = content.data, content.say
    run = data.run
    kind = f"band-{run.kind}" if run.kind in {"production", "staging", "lab"} else "band-other"
    badges = "".join(f'<span class="badge">{escape(word)}</span>' for word in content.banner)
    state = (
        f'<span class="state {tone_of(run.state)}">{escape(say.named("state", run.state))}</span>'
    )
    facts = (
        (say("run"), run.id),
        (say("environment"), run.environment),
        (say("requester"), say.person(run.requester)),
    )
    told = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(visible(value))}</dd></div>"
        for name, value in facts
    )
    because = f'<p class="because">{escape(visible(run.because))}</p>' if run.because else ""
    why = f'<p class="provisional">{escape(say("provisional_why"))}</p>' if run.provisional else ""
    return (
        f'<header class="{kind}"><div class="band">{badges or "&nbsp;"}'
        f'<span class="bureau">{escape(say.text(run.bureau))}</span></div>'
        f'<p class="kicker">{escape(heading)}</p>'
        f"<h1>{escape(content.title)} {state}</h1>{because}"
        f'<dl class="facts">{told}</dl>{why}</header>'
    )


def _tiles(content: Content) -> str:
    data, say = content.data, content.say
    loss = data.loss
    records = (
        say.pair(say("records_lost"), say("unknown"))
        if isinstance(loss.records, Unknown)
        else say("records", count=say.count(loss.records))
    )
    recovery = data.recovery
    means = say(recovery.means) if recovery.means else say("nothing_recovered")
    where = [say("on_host", host=say.known(recovery.host))] if recovery.means else []
    if recovery.backup:
        where.append(say("backup_is", backup=visible(recovery.backup)))
    approved = list(dict.fromkeys(say.named("means", a.means) for _, a in data.approvals))
    people = say.joined(dict.fromkeys(say.text(a.by.name) or a.by.id for _, a in data.approvals))
    return (
        '<section class="tiles">'
        + "".join(
            (
                _measured(content, say("time_down"), data.recovery_time, ""),
                _measured(content, say("data_lost"), data.recovery_point, records),
                tile_html(say("recovered_by"), means, where, ""),
                tile_html(say("approved_by"), people or say("none"), approved, ""),
            )
        )
        + "</section>"
    )


def _measured(content: Content, name: str, objective: Objective, extra: str) -> str:
    say, met = content.say, objective.met
    tone = "doubt" if isinstance(met, Unknown) else "good" if met else "bad"
    target = say("target_is", value=say.length(objective.target_s))
    verdict = say.met(met)
    below = [extra] if extra else []
    return tile_html(name, say.length(objective.actual_s), [*below, f"{target} · {verdict}"], tone)


def tile_html(name: str, value: str, below: Sequence[str], tone: str) -> str:
    """Return a figure that is seen from afar."""
    lines = "".join(f"<p>{escape(line)}</p>" for line in below if line)
    return (
        f'<div class="tile {tone}"><h2>{escape(name)}</h2>'
        f'<p class="value">{escape(value)}</p>{lines}</div>'
    )


def _moments(content: Content, section: Section) -> str:
    told = "".join(
        f"<li><b>{escape(name)}</b><span>{escape(at)}</span>"
        f"<em>{escape('+' + after if after else '')}</em></li>"
        for name, at, after in content.moments()
    )
    note = escape(section.notes[0].text)
    return (
        f'<section class="moments"><h2>{escape(section.title)} <small>{note}</small></h2>'
        f"<ol>{told}</ol></section>"
    )


def _timeline(data: ReportData, voice: Voice) -> str:
    pieces = list(timeline(data, voice))
    if not pieces:
        return ""
    legend = "".join(
        f'<span><i class="k-{name}"></i>{escape(voice(f"legend_{name}"))}</span>'
        for name in ("act", "wait", "doubt", "fail")
    )
    return (
        f'<section class="drawing"><h2>{escape(voice("timeline"))}</h2>'
        f'<p class="legend">{legend}</p>{"".join(pieces)}</section>'
    )


def section_html(section: Section) -> str:
    notes = "".join(
        f'<p class="note {note.tone}">{escape(note.text)}</p>' for note in section.notes
    )
    table = ""
    if section.rows:
        numbers = [cell.tone == "number" for cell in section.rows[0]]
        head = "".join(
            f'<th class="number">{escape(header)}</th>' if number else f"<th>{escape(header)}</th>"
            for header, number in zip(section.headers, numbers, strict=True)
        )
        rows = "".join(
            "<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in section.rows
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    style = section.id.split("-", 1)[0]
    return f'<section class="s-{style}"><h2>{escape(section.title)}</h2>{notes}{table}</section>'


def _cell(cell: Cell) -> str:
    notes = "".join(f"<small>{escape(note)}</small>" for note in cell.notes)
    text = escape(cell.text)
    if cell.tone == "number":
        return f'<td class="number">{text}{notes}</td>'
    if cell.tone == "code":
        text = f"<code>{text}</code>"
    elif cell.tone and text:
        text = f'<span class="{cell.tone}">{text}</span>'
    return f"<td>{text}{notes}</td>"
