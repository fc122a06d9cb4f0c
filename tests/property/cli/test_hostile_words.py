"""Whatever a file, a host or a person says: no screen, line, error or JSON steers the terminal."""

from __future__ import annotations

import json
import unicodedata
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dr.cli.failure import Failure, problem_lines
from dr.cli.gate_screen import GatePage, draw_gate
from dr.cli.lines import painted
from dr.cli.outline import outline_of
from dr.cli.screen import Frame, draw
from dr.cli.sentences import plain_line
from dr.cli.width import json_text
from dr.engine.core.errors import ExitCode, Problem
from dr.engine.core.events import Event, Kind
from dr.engine.core.view import RunView
from tests.property.budget import examples
from tests.sample_run import ASKS, FANS_OUT, IN_DOUBT, REJECTED, created_differently, view_of

STEERING = st.sampled_from(
    ["\x1b[2J", "\x1b[31m", "\x1b]0;x\x07", "\x1b]8;;http://x\x07", "\x9b31m", "\x9d0;x\x9c", "\r",
     "\b\b\b", "\x00", "\x07", "\x7f", "\x85", "\u202e", "\u2066", "\u2069", "\u200b", "\u200f",
     "\u2028", "\u2029", "\ufeff", "\xad", "\U000e0041", "\ud800", "\nhint: type rm", "\t", "恢"]
)  # fmt: skip
TEXTS = st.lists(STEERING | st.text(max_size=8), min_size=1, max_size=6).map("".join)
KEPT = frozenset(
    {"id", "kind", "state", "nonce", "opened", "decide_by", "step", "uses", "phase", "effect",
     "presence", "verdict", "means", "at", "mode", "question", "outcome"}
)  # fmt: skip
"""What machines read of an event."""

REORDERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
ZERO_WIDE = set("\u200b\u200e\u200f\u2060\ufeff\xad") | {chr(0xE0000 + n) for n in range(128)}


def steers(text: str) -> set[str]:
    """Return what a terminal would obey, or a reader not see, in what was printed."""
    return {
        c
        for c in set(text) - {"\n", "\t"}
        if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(c) in REORDERING
        or c in ZERO_WIDE
    }


def hurt(value: Any, text: str) -> Any:
    """Return the data of an event with ``text`` behind every word for people in it."""
    if isinstance(value, dict):
        return {k: v if k in KEPT else hurt(v, text) for k, v in value.items()}
    if isinstance(value, list):
        return [hurt(inner, text) for inner in value]
    is_moment = isinstance(value, str) and value[:4].isdigit() and value.endswith("Z")
    return f"{value}{text}" if isinstance(value, str) and not is_moment else value


def _views(text: str) -> list[RunView]:
    return [
        view_of([(at, kind, step, host, hurt(data, text)) for at, kind, step, host, data in rows])
        for rows in (ASKS, IN_DOUBT, FANS_OUT, REJECTED, created_differently(ASKS, runbook=text))
    ]


@examples(40)
@given(TEXTS, st.sampled_from([40, 80, 132]))
def test_no_screen_steers_the_terminal(text: str, width: int) -> None:
    for view in _views(text):
        assert view.at is not None
        now = view.at + timedelta(seconds=30)
        frame = Frame(view, outline_of(view), now, width=width, height=None, output=[text])
        lines = draw(frame)
        for colour in (False, True):
            page = painted(lines, colour=colour)
            if not colour:
                assert steers(page) == set()
                assert len(page.split("\n")) == len(lines), "a text ended a line"
            assert "\x1b[2J" not in page
            assert "\x1b]" not in page
        for asked in view.open_questions():
            gate = GatePage(view, outline_of(view), asked, now, width=width)
            page = painted(draw_gate(gate), colour=False)
            assert steers(page) == set()


@examples(60)
@given(TEXTS)
def test_no_plain_line_steers_the_terminal(text: str) -> None:
    view = _views("")[2]
    outline = outline_of(view)
    for kind in Kind:
        for data in (
            {"state": "failed", "error": {"message": text}},
            {"because": text, "by": text},
        ):
            assert view.at is not None
            event = Event("r", view.seq + 1, view.at, kind, text, text, 1, 1, data, "")
            try:
                said = plain_line(event, view, outline) or ""
            except (KeyError, ValueError, TypeError, AttributeError):
                continue  # not the data of such an event
            assert steers(said) == set()
            assert "\n" not in said


@examples(100)
@given(TEXTS)
def test_no_error_steers_the_terminal_or_writes_a_hint_of_its_own(text: str) -> None:
    problem = Problem(f"a{text}", (text,), f"{text}:1:2", f"    1 | {text}\n", f"b{text}")
    failure = Failure(ExitCode.FAILED, "failed", f"a{text}", f"b{text}", [problem])
    said = failure.to_text()
    assert steers(said) == set()
    hints = [line for line in said.split("\n") if line.startswith("hint: ")]
    assert len(hints) == 1, "only the hint at the end is dr's"
    assert steers("\n".join(problem_lines(problem))) == set()


@examples(100)
@given(st.recursive(TEXTS, lambda i: st.lists(i, max_size=3) | st.dictionaries(TEXTS, i)))
def test_json_holds_the_very_text_and_steers_nothing(data: object) -> None:
    said = json_text(data, indent=2)
    assert json.loads(said) == data
    assert steers(said) == set()
