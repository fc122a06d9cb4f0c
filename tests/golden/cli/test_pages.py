"""Pages of the command line, whole: 80 columns, no colour, both languages.

DR_GOLDEN=write writes them anew; look at the difference before committing it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dr.cli.details import run_lines, step_lines
from dr.cli.gate_screen import GatePage, draw_gate
from dr.cli.lines import Line, painted
from dr.cli.outline import outline_of
from dr.cli.plan_screen import draw_plan
from dr.cli.plan_summary import draw_summary
from dr.cli.screen import Frame, draw
from dr.cli.sentences import plain_line
from dr.cli.text import use
from dr.engine.core.view import RunView
from tests.sample_run import (
    ASKS,
    FANS_OUT,
    IN_DOUBT,
    PLAN,
    RUN,
    SUCCEEDS,
    Row,
    created_differently,
    events,
    view_of,
)

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _frame(rows: list[Row], *, ascii_marks: bool = False) -> Frame:
    view = view_of(rows)
    assert view.at is not None
    now = view.at + timedelta(seconds=30)
    return Frame(view, outline_of(view), now, output=["out put"], ascii_marks=ascii_marks)


def _gate() -> list[Line]:
    production = {"name": "site", "kind": "production"}
    frame = _frame(created_differently(ASKS, environment=production))
    return draw_gate(GatePage(frame.view, frame.outline, frame.view.open_questions()[0], frame.now))


def _journal() -> str:
    view, lines = RunView(RUN), []
    for event in events(SUCCEEDS):
        view.apply(event)
        lines.append(plain_line(event, view, outline_of(view)))
    return "\n".join(text for text in lines if text)


def _page(name: str) -> str:
    match name:
        case "gate":
            lines = _gate()
        case "plan":
            lines = draw_plan(PLAN, kind="staging", details=True)
        case "plan-summary":
            lines = draw_summary(PLAN, kind="staging")
        case "waits":
            lines = draw(_frame(ASKS))
        case "in-doubt-ascii":
            lines = draw(_frame(IN_DOUBT, ascii_marks=True))
        case "fan-out":
            lines = draw(_frame(FANS_OUT))
        case "run":
            lines = run_lines(_frame(SUCCEEDS))
        case "step":
            frame = _frame(IN_DOUBT)
            lines = step_lines(frame, frame.view.steps["promote"])
        case _:
            return _journal() + "\n"
    return painted(lines, colour=False) + "\n"


PAGES = (
    "gate",
    "plan",
    "plan-summary",
    "waits",
    "in-doubt-ascii",
    "fan-out",
    "run",
    "step",
    "journal",
)


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_the_one_that_was_reviewed(name: str, language: str) -> None:
    use(language)
    path = HERE / f"{name}.{language}.txt"
    page = _page(name)
    if os.environ.get("DR_GOLDEN") == "write":
        path.write_text(page, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == page
