"""The timeline as SVG: a bar for each step, with waits, doubts and the moments that are measured.

Drawn in pieces of at most ``ROWS`` steps, each with its own axis, so that no piece is longer
than a printed page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from dr.incidents.report.content import tone_of
from dr.incidents.report.data import ReportData, Span, StepFacts
from dr.incidents.report.voice import Voice

ROWS = 26

_WIDTH, _LEFT, _RIGHT = 1000, 268, 84
_ROW, _BAR, _TOP = 23, 13, 50
_NARROWEST = 2.5
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200)
_MOST_TICKS = 9
_WIDE = 0x2E80
"""Code points from here on are as wide as they are high."""
_LABEL_UNITS = 38


@dataclass(frozen=True, slots=True)
class _Scale:
    """From moments to places on the page."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return max((self.end - self.start).total_seconds(), 1.0)

    def x(self, at: datetime) -> float:
        share = (at - self.start).total_seconds() / self.seconds
        return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)


def timeline(data: ReportData, voice: Voice) -> Iterator[str]:
    """Yield the pieces of the drawing; none when no step ever started."""
    steps = [step for step in data.steps if step.started]
    if not steps:
        return
    scale = _scale(data, steps)
    for first in range(0, len(steps), ROWS):
        yield _piece(steps[first : first + ROWS], data, voice, scale)


def _scale(data: ReportData, steps: Sequence[StepFacts]) -> _Scale:
    moments = data.moments
    starts = [step.started for step in steps if step.started]
    told = [moments.detected, moments.started]
    ends = [step.ended for step in steps if step.ended]
    late = [data.journal.last, moments.recovered, moments.closed, moments.ended]
    start = min([*starts, *(at for at in told if at)])
    end = max([*starts, *ends, *(at for at in late if at)])
    return _Scale(start, max(end, start + timedelta(seconds=1)))


def _piece(steps: Sequence[StepFacts], data: ReportData, voice: Voice, scale: _Scale) -> str:
    rows: list[str] = []
    y, phase = float(_TOP), None
    for step in steps:
        if step.phase != phase:
            phase = step.phase
            rows.append(_phase(phase, voice, y))
            y += _ROW - 3
        rows.append(_row(step, voice, scale, y, data.journal.last))
        y += _ROW
    height = y + 12
    parts = [
        f'<svg class="timeline" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(voice("timeline_alt"))}">',
        _PATTERNS,
        *_axis(scale, voice, height),
        *_moments(data, voice, scale, height),
        *rows,
        "</svg>",
    ]
    return "\n".join(parts)


_PATTERNS = (
    '<defs><pattern id="wait" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="6" height="6" fill="#f3e3bd"/>'
    '<rect width="2.4" height="6" fill="#cf9a2b"/></pattern>'
    '<pattern id="doubt" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(-45)"><rect width="6" height="6" fill="#ead9f2"/>'
    '<rect width="2.4" height="6" fill="#8a3fb0"/></pattern></defs>'
)


def _axis(scale: _Scale, voice: Voice, height: float) -> Iterator[str]:
    every = next((t for t in _TICKS_S if scale.seconds / t <= _MOST_TICKS), 86400)
    for number in range(int(scale.seconds // every) + 1):
        at = scale.start + timedelta(seconds=number * every)
        x = scale.x(at)
        yield f'<path class="grid" d="M{x:.1f} {_TOP - 6}V{height - 6:.0f}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{_TOP - 10}">{voice.hour(at)}</text>'


def _phase(phase: str, voice: Voice, y: float) -> str:
    name = escape(voice.named("phase", phase))
    return (
        f'<text class="phase p-{_word(phase)}" x="0" y="{y + 12:.1f}">{name}</text>'
        f'<line class="phase-line" x1="{_LEFT}" y1="{y + 8:.1f}" x2="{_WIDTH}" y2="{y + 8:.1f}"/>'
    )


def _row(step: StepFacts, voice: Voice, scale: _Scale, y: float, last: datetime | None) -> str:
    start = step.started or scale.start
    end = step.ended or last or scale.end
    title = _shortened(voice.text(step.title))
    bars = [
        _bar(
            Span(start, end),
            f"b-{_word(tone_of(step.state) or 'plain')} p-{_word(step.phase)}",
            scale,
            y,
        )
    ]
    bars += [_bar(_within(span, end), "b-waited", scale, y) for span in step.waited]
    bars += [_bar(_within(span, end), "b-doubted", scale, y) for span in step.doubted]
    x = max(scale.x(end), scale.x(start) + _NARROWEST) + 6
    took = voice.length(step.duration_s) if step.ended else voice.named("state", step.state)
    mark = "✕ " if step.state in {"failed", "undo_failed"} else ""
    return (
        f'<text class="label" x="12" y="{y + 12:.1f}">{escape(title)}</text>'
        + "".join(bars)
        + f'<text class="took" x="{x:.1f}" y="{y + 12:.1f}">{mark}{escape(took)}</text>'
    )


def _within(span: Span, end: datetime) -> Span:
    return Span(span.start, min(span.end or end, end))


def _bar(span: Span, style: str, scale: _Scale, y: float) -> str:
    x = scale.x(span.start)
    width = max(scale.x(span.end or scale.end) - x, _NARROWEST)
    return (
        f'<rect class="{style}" x="{x:.1f}" y="{y + 2:.1f}" width="{width:.1f}" '
        f'height="{_BAR}" rx="2"/>'
    )


def _moments(data: ReportData, voice: Voice, scale: _Scale, height: float) -> Iterator[str]:
    """Draw the moments; where two labels would touch, the later one goes to a line of its own."""
    free = [0.0, 0.0, 0.0]
    for name in ("detected", "decided", "recovered", "closed"):
        at = getattr(data.moments, name)
        if at is None:
            continue
        x, text = scale.x(at), voice(f"moment_{name}")
        wide = 9.0 * _units(text) * 0.62 + 14
        line = next((i for i, taken in enumerate(free) if taken <= x - wide / 2), len(free) - 1)
        free[line] = x + wide / 2
        yield (
            f'<line class="moment m-{name}" x1="{x:.1f}" y1="{_TOP - 38}" '
            f'x2="{x:.1f}" y2="{height - 6:.0f}"/>'
            f'<text class="moment-label m-{name}" x="{x + 4:.1f}" y="{12 + 11 * line}">'
            f"{escape(text)}</text>"
        )


def _units(text: str) -> int:
    return sum(2 if ord(letter) >= _WIDE else 1 for letter in text)


def _shortened(text: str) -> str:
    """Return ``text`` cut to the width of the label column."""
    if _units(text) <= _LABEL_UNITS:
        return text
    kept = ""
    for letter in text:
        if _units(kept + letter) > _LABEL_UNITS - 1:
            break
        kept += letter
    return kept.rstrip() + "…"


def _word(text: str) -> str:
    """Return a class name: letters only, whatever the journal says."""
    return "".join(letter for letter in text if letter.isascii() and letter.isalpha()) or "none"
