"""The report of a reconciliation as one HTML file: no script, no request, prints on A4."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from dr.engine.core.values import Unknown
from dr.incidents.reconciliation.certificates import CertificatesContent
from dr.incidents.reconciliation.content import STATE_TONES, ReconciliationContent
from dr.incidents.reconciliation.facts import BranchFacts, ReconciliationFacts, Sum
from dr.incidents.reconciliation.picture import picture
from dr.incidents.report.page import POLICY, section_html, style_sheet, tile_html
from dr.incidents.report.parts import Section
from dr.incidents.report.voice import Voice, visible


def bureau_page(facts: ReconciliationFacts, voice: Voice) -> str:
    """Return the bureau's report."""
    content = ReconciliationContent(facts, voice)
    state = (content.how(), "good" if facts.closed else "wait")
    parts = [_tiles(content), *_drawn(content, content.bureau())]
    return _document(content, content.title, state, parts)


def branch_page(facts: ReconciliationFacts, branch: BranchFacts, voice: Voice) -> str:
    """Return a branch's report."""
    content = ReconciliationContent(facts, voice)
    state = (content.state(branch.state), STATE_TONES.get(branch.state, ""))
    parts = [section_html(section) for section in content.branch(branch)]
    return _document(content, content.branch_title(branch), state, parts)


def certificates_page(content: CertificatesContent) -> str:
    """Return the account of certificates."""
    tone = "bad" if content.stolen else "good"
    state = (content.say("rcf_stolen") if content.stolen else content.say("rcf_none_stolen"), tone)
    parts = [section_html(section) for section in content.sections()]
    return _document(content, content.title, state, parts)


def _drawn(content: ReconciliationContent, sections: Iterable[Section]) -> Iterable[str]:
    for section in sections:
        yield section_html(section)
        if section.id == "reconcile-situation":
            yield picture(content)


def _tiles(content: ReconciliationContent) -> str:
    facts, say = content.facts, content.say
    lost = facts.outcomes.get("lost", Sum())
    signed = facts.states.get("signed", 0)
    whole = len(facts.branches)
    done = "good" if signed == whole else "doubt"
    moments = {name: at for name, at, _ in content.steps()}
    told = (
        tile_html(content.state("signed"), f"{signed:,} / {whole:,}", [_waived(content)], done),
        tile_html(
            say("rc_out_open"),
            *_seen(content, facts.open),
            "bad" if facts.critical else "doubt" if facts.open.count else "good",
        ),
        tile_html(
            say("rc_out_lost"),
            *_seen(content, lost),
            "bad" if lost.count else "good",
        ),
        tile_html(
            say("rc_moment_closed"),
            moments[say("rc_moment_closed")],
            [say.pair(say("rc_moment_recovered"), moments[say("rc_moment_recovered")])],
            "good" if facts.closed else "doubt",
        ),
    )
    return f'<section class="tiles">{"".join(told)}</section>'


def _seen(content: ReconciliationContent, of: Sum) -> tuple[str, list[str]]:
    """Return a sum as a figure and what stands below it; unknown is never a zero."""
    say = content.say
    if not of.count:
        return say("none"), []
    below = [say("rc_cases_of", n=f"{of.count:,}")]
    if of.unpriced and not isinstance(of.value, Unknown):
        below.insert(0, say("rc_more_unpriced", n=of.unpriced))
    return content.money(of.value), below


def _waived(content: ReconciliationContent) -> str:
    count = content.facts.states.get("waived", 0)
    return content.say.pair(content.state("waived"), str(count)) if count else ""


def _document(
    content: ReconciliationContent, title: str, state: tuple[str, str], parts: Iterable[str]
) -> str:
    say = content.say
    language = "zh-CN" if say.is_chinese else "en"
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="{language}">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)} · {escape(visible(content.facts.run))}</title>",
            f"<style>\n{style_sheet()}</style></head>",
            "<body>",
            _header(content, title, state),
            "<main>",
            *(part for part in parts if part),
            "</main>",
            "</body></html>",
            "",
        )
    )


def _header(content: ReconciliationContent, title: str, state: tuple[str, str]) -> str:
    facts, say = content.facts, content.say
    known = facts.kind in {"production", "staging", "lab"}
    badges = "".join(f'<span class="badge">{escape(word)}</span>' for word in content.banner)
    told = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(visible(value))}</dd></div>"
        for name, value in ((say("run"), facts.run), (say("rc_session"), facts.session))
    )
    why = "" if facts.closed else f'<p class="provisional">{escape(say("rc_provisional_why"))}</p>'
    word, tone = state
    return (
        f'<header class="band-{facts.kind if known else "other"}">'
        f'<div class="band">{badges or "&nbsp;"}'
        f'<span class="bureau">{escape(say.text(facts.bureau))}</span></div>'
        f'<p class="kicker">{escape(say("rc_kicker"))}</p>'
        f'<h1>{escape(title)} <span class="state {tone}">{escape(word)}</span></h1>'
        f'<dl class="facts">{told}</dl>{why}</header>'
    )
