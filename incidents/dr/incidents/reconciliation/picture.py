"""The picture of a reconciliation as SVG: branches × state, whether there are 3 or 3,000 of them.

A few branches stand in a table, each with a mark in the column of its state.  Many stand as
squares in one band for each state.  Where a mark stands says what it means; colour only helps.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from dr.incidents.reconciliation.content import ReconciliationContent
from dr.incidents.reconciliation.facts import STATES, BranchFacts

FEW = 30
"""Up to so many branches each has a line of its own."""

_WIDTH = 1000
_NAME, _COLUMN, _LINE, _HEAD = 204, 84, 26, 46
_BAND, _BAND_GAP = 236, 14
_PITCHES = ((200, 18.0), (1000, 11.0))
_SMALLEST = 8.4
_LONGEST_NAME, _LONGEST_VALUE = 32, 42
"""In halves of a wide character."""


def picture(content: ReconciliationContent) -> str:
    """Return the section with the picture."""
    say = content.say
    branches = content.facts.branches
    if not branches:
        return ""
    few = len(branches) <= FEW
    height, pieces = _lines(content) if few else _bands(content)
    told = say.joined(
        f"{content.state(str(state))} {content.facts.states.get(state, 0)}" for state in STATES
    )
    alt = escape(say("rc_picture_alt", told=told))
    legend = [] if few else [say("rc_each")]
    if any(branch.critical for branch in branches):
        legend.append(say("rc_legend_critical"))
    words = "".join(f"<span>{escape(word)}</span>" for word in legend)
    return (
        f'<section class="drawing"><h2>{escape(say("rc_picture"))}</h2>'
        f'<p class="legend">{words}</p>'
        f'<svg class="branches" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" '
        f'aria-label="{alt}">{"".join(pieces)}</svg></section>'
    )


def by_state(content: ReconciliationContent) -> dict[str, list[BranchFacts]]:
    """Return the branches of each state that has any, in the order of the picture."""
    found: dict[str, list[BranchFacts]] = {}
    for branch in content.sorted():
        found.setdefault(branch.state, []).append(branch)
    return found


# -- a few


def _lines(content: ReconciliationContent) -> tuple[float, Iterator[str]]:
    return _HEAD + _LINE * len(content.facts.branches) + 8, _matrix(content)


def _matrix(content: ReconciliationContent) -> Iterator[str]:
    facts = content.facts
    for index, state in enumerate(STATES):
        middle = _NAME + _COLUMN * index + _COLUMN / 2
        yield from _heading(content.state(str(state)), facts.states.get(state, 0), middle)
    for row, branch in enumerate(content.sorted()):
        yield from _line(content, branch, _HEAD + row * _LINE)


def _heading(word: str, count: int, middle: float) -> Iterator[str]:
    lines = _two_lines(word)
    for index, text in enumerate(lines):
        y = 13 + 13 * index + (6 if len(lines) == 1 else 0)
        yield f'<text class="tick" x="{middle:.0f}" y="{y}">{escape(text)}</text>'
    yield f'<text class="count" text-anchor="middle" x="{middle:.0f}" y="41">{count}</text>'


def _two_lines(word: str) -> list[str]:
    """Break words that are too long for a column at the space nearest the middle."""
    if len(word) <= _COLUMN // 6 or " " not in word:
        return [word]
    spaces = [i for i, char in enumerate(word) if char == " "]
    at = min(spaces, key=lambda i: abs(i - len(word) / 2))
    return [word[:at], word[at + 1 :]]


def _line(content: ReconciliationContent, branch: BranchFacts, y: float) -> Iterator[str]:
    say = content.say
    name = content.name(branch)
    yield (
        f'<text class="label" x="0" y="{y + 17:.0f}">{escape(_short(name))}'
        f"<title>{escape(name)}</title></text>"
    )
    for index, state in enumerate(STATES):
        x, is_here = _NAME + _COLUMN * index, branch.state == state
        style = f"s-{state}" if is_here else "slot"
        yield (
            f'<rect class="{style}" x="{x + 3}" y="{y + 3:.0f}" width="{_COLUMN - 6}" '
            f'height="{_LINE - 6}" rx="3"/>'
        )
        if is_here and branch.critical:
            yield (
                f'<rect class="s-critical" x="{x + 3}" y="{y + 3:.0f}" width="9" '
                f'height="{_LINE - 6}" rx="3"/>'
            )
    if branch.open.count:
        words = (say("rc_open_cases", n=branch.open.count), content.value(branch.open))
        x = _NAME + _COLUMN * len(STATES) + 8
        told = _short(say.joined(words, " · "), _LONGEST_VALUE)
        yield f'<text class="value" x="{x}" y="{y + 17:.0f}">{escape(told)}</text>'


def _short(text: str, longest: int = _LONGEST_NAME) -> str:
    """Return ``text`` cut to what fits; a wide character counts as two."""
    room = longest
    for index, char in enumerate(text):
        room -= 2 if ord(char) > 0x2E7F else 1  # noqa: PLR2004 - the first of the wide scripts
        if room < 0:
            return text[:index] + "…"
    return text


# -- many


def _bands(content: ReconciliationContent) -> tuple[float, Iterator[str]]:
    pitch = pitch_of(len(content.facts.branches))
    per_row = int((_WIDTH - _BAND) / pitch)
    bands = by_state(content)
    heights = [max(-(-len(found) // per_row) * pitch, 34.0) for found in bands.values()]
    return sum(heights) + _BAND_GAP * len(heights), _squares(content, bands, pitch, per_row)


def pitch_of(branches: int) -> float:
    """Return how far squares stand apart so that all of them fit a page."""
    return next((pitch for most, pitch in _PITCHES if branches <= most), _SMALLEST)


def _squares(
    content: ReconciliationContent,
    bands: dict[str, list[BranchFacts]],
    pitch: float,
    per_row: int,
) -> Iterator[str]:
    y, size, all_of = 0.0, pitch * 0.86, len(content.facts.branches)
    for state, branches in bands.items():
        share = f"{len(branches):,} · {len(branches) / all_of:.1%}"
        yield f'<text class="label" x="0" y="{y + 13:.0f}">{escape(content.state(state))}</text>'
        yield f'<text class="count" x="0" y="{y + 29:.0f}">{share}</text>'
        for index, branch in enumerate(branches):
            row, column = divmod(index, per_row)
            style = "s-critical" if branch.critical else f"s-{state}"
            yield (
                f'<rect class="{style}" x="{_BAND + column * pitch:.1f}" '
                f'y="{y + row * pitch:.1f}" width="{size:.1f}" height="{size:.1f}">'
                f"<title>{escape(content.name(branch))}</title></rect>"
            )
        y += max((-(-len(branches) // per_row)) * pitch, 34.0) + _BAND_GAP
