"""Pages as pure functions: what must be on them, and what must never be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dr.cli.gate_screen import GatePage, draw_gate
from dr.cli.jobs import job_lines
from dr.cli.lines import Line, painted, text_of
from dr.cli.outline import outline_of
from dr.cli.plan_screen import draw_plan
from dr.cli.plan_summary import draw_summary
from dr.cli.screen import Frame, draw, next_command
from dr.cli.text import use
from dr.cli.width import cells
from dr.engine.core.events import Kind
from dr.engine.core.states import RunState
from dr.engine.core.view import RunView, StepView, UnitView
from dr.engine.service.progress import Progress, Waiting
from tests.sample_run import (
    APPROVED,
    ASKS,
    FANS_OUT,
    IN_DOUBT,
    OUTLINE,
    PLAN,
    REJECTED,
    START,
    SUCCEEDS,
    Row,
    created_differently,
    view_of,
)

MOMENTS = [ASKS, APPROVED, IN_DOUBT, FANS_OUT, SUCCEEDS, REJECTED]


def _frame(rows: list[Row], **more: Any) -> Frame:
    view = view_of(rows)
    assert view.at is not None
    return Frame(view, outline_of(view), view.at + timedelta(seconds=30), **more)


def _text(lines: list[Line]) -> str:
    return "\n".join(text_of(one) for one in lines)


@pytest.mark.parametrize("rows", MOMENTS)
@pytest.mark.parametrize("language", ["en", "zh_Hans"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 12), (60, 40), (132, None)])
def test_a_picture_fits_the_terminal(
    rows: list[Row], language: str, width: int, height: int | None
) -> None:
    use(language)
    lines = draw(_frame(rows, width=width, height=height, output=["x" * 200]))
    assert max(cells(text_of(one)) for one in lines) <= width
    assert height is None or len(lines) <= height


def test_who_is_awaited_since_when_and_the_next_command_are_on_the_screen() -> None:
    waiting = Waiting("choose#1", "choose", ("chen.wei", "li.na"), START)
    progress = Progress(60.0, None, 7200.0, (waiting,), "dr approve X")
    text = _text(draw(_frame(ASKS, progress=progress)))
    assert "awaits chen.wei, li.na since 03:00" in text
    assert "ETA 1m (P50), unknown (P90)" in text
    assert "RTO left 2h" in text
    assert text.endswith("next: dr approve X")


def test_a_missed_rto_is_shouted() -> None:
    rows = created_differently(ASKS, objectives={"rto_s": 10})
    assert "RTO MISSED by 40s" in _text(draw(_frame(rows)))


@pytest.mark.parametrize(
    ("kind", "word"), [("production", "PRODUCTION"), ("staging", "STAGING"), ("lab", "LAB")]
)
def test_the_environment_is_the_first_word_of_every_page(kind: str, word: str) -> None:
    rows = created_differently(ASKS, environment={"name": "site", "kind": kind}, mode="drill")
    frame = _frame(rows)
    asked = frame.view.open_questions()[0]
    for lines in (
        draw(frame),
        draw_gate(GatePage(frame.view, frame.outline, asked, frame.now)),
        draw_plan(PLAN, kind=kind),
    ):
        assert text_of(lines[0]).split()[0] == word
    assert "DRILL" in text_of(draw(frame)[0])


def test_a_doubt_shows_what_is_known_and_how_to_settle_it() -> None:
    text = _text(draw(_frame(IN_DOUBT)))
    assert "IN DOUBT" in text
    assert "? promote @ db-b  the connection broke" in text
    assert "dr resolve R-20261122-abcde promote --as done|not-done|failed" in text


def test_hosts_with_trouble_come_first_in_the_table() -> None:
    text = _text(draw(_frame(FANS_OUT)))
    positions = [text.index(host) for host in ("branch-02", "branch-03", "branch-01")]
    assert positions == sorted(positions)


def test_without_colour_no_escape_sequence_is_written_and_no_word_is_lost() -> None:
    lines = draw(_frame(IN_DOUBT))
    plain, coloured = painted(lines, colour=False), painted(lines, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[" in coloured


@pytest.mark.parametrize("rows", MOMENTS)
def test_ascii_marks_are_ascii(rows: list[Row]) -> None:
    text = _text(draw(_frame(rows, ascii_marks=True, height=30, output=["out"])))
    assert text.replace("…", "").isascii()


def _gate(**changed: Any) -> str:
    frame = _frame(ASKS)
    asked = frame.view.open_questions()[0]
    asked.question = replace(asked.question, **changed)
    return _text(draw_gate(GatePage(frame.view, frame.outline, asked, frame.now)))


def test_the_gate_page_says_the_gravest_things_first() -> None:
    text = _gate()
    order = [
        "LAB",
        "Declare the storage lost and promote the standby?",
        "DATA LOSS: 2.5s",
        "basis: replication position",
        "can not be undone: Promote the standby [promote]",
        "If you reject",
        "If nobody decides by 03:30",
        "what would be done",
        "0 of 1 approvals, from leadership; does not count: ana",
        "plan code: ",
    ]
    positions = [text.index(part) for part in order]
    assert positions == sorted(positions)


def test_a_loss_that_nobody_knows_is_unknown_and_never_zero() -> None:
    view = view_of(ASKS)
    proposed = view.open_questions()[0].question.options[0]
    text = _gate(options=(replace(proposed, loss_s=None, loss_known=False),))
    assert "DATA LOSS: UNKNOWN" in text
    assert "data loss unknown" in text
    assert "0s" not in text.split("If nobody")[0].replace("40s", "")


def test_a_known_loss_of_nothing_is_none() -> None:
    proposed = view_of(ASKS).open_questions()[0].question.options[0]
    assert "DATA LOSS: none" in _gate(options=(replace(proposed, loss_s=0.0),))


def test_a_rung_that_is_not_available_shows_its_reason() -> None:
    assert "not available: not built yet" in _gate()


@pytest.mark.parametrize(
    ("rows", "command"),
    [
        (ASKS, "dr approve R-20261122-abcde choose"),
        (SUCCEEDS, "dr show R-20261122-abcde"),
        (APPROVED, ""),
    ],
)
def test_the_next_command_follows_from_the_journal_alone(rows: list[Row], command: str) -> None:
    assert next_command(view_of(rows)) == command


def test_a_plan_says_unknown_where_nothing_is_known() -> None:
    text = _text(draw_plan(PLAN, kind="lab"))
    assert "data loss unknown, time unknown (P50) / unknown (P90)" in text
    assert "whole run: 2m (P50), unknown (P90)" in text
    assert "whether it fits the RTO of 4h is unknown" in text
    assert " 0s" not in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "availability unknown until the hosts are asked"),
        ("zh_Hans", "须询问主机后方知是否可用"),
    ],
)
def test_a_plan_that_asked_no_host_does_not_say_whether_a_rung_is_available(
    language: str, words: str
) -> None:
    use(language)
    rung = {"name": "promote", "available": None, "loss_known": False}
    step = {"id": "database", "mark": "?", "wave": 1, "rungs": [rung]}
    text = _text(draw_plan({**PLAN, "steps": [step], "probed": False}, kind="lab"))
    assert words in text
    assert "not available" not in text


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
@pytest.mark.parametrize("details", [False, True])
def test_a_plan_fits_eighty_cells(language: str, details: bool) -> None:
    use(language)
    lines = draw_plan(PLAN, kind="production", details=details)
    assert [text_of(one) for one in lines if cells(text_of(one)) > 80] == []


def test_a_plan_shows_marks_waves_gates_and_reasons() -> None:
    text = _text(draw_plan(PLAN, kind="lab", details=True))
    for part in (
        "1   =",
        "2   @",
        "4   !",
        "asks leadership, 1 needed; today: chen.wei",
        "branch-02 can not be reached",
        "$ stat PG_VERSION",
        "batch 2: b, c",
        "critical path: storage_dead, choose, database",
        "NOT READY",
    ):
        assert part in text


def test_a_gate_says_what_can_not_be_undone_of_the_proposed_rung_and_of_no_other() -> None:
    assert "can not be undone: Promote the standby [promote]" in _gate()
    promote, cold, tape = view_of(ASKS).open_questions()[0].question.options
    options = (replace(promote, proposed=False, available=False), replace(cold, proposed=True))
    assert "can not be undone" not in _gate(options=(*options, tape))


def test_a_step_of_a_rung_that_was_never_tried_is_not_pending_once_the_run_is_over() -> None:
    cold = {
        **OUTLINE[4],
        "id": "restore_cold",
        "title": {"en": "Restore", "zh": "恢复"},
        "rung": "restore-cold-backup",
    }
    outline = [*OUTLINE, cold]
    for rows, word in ((ASKS, "pending"), (SUCCEEDS, "not tried"), (REJECTED, "not tried")):
        text = _text(draw(_frame(created_differently(rows, outline=outline), width=100)))
        (row,) = (line for line in text.splitlines() if "restore_cold" in line)
        assert word in row


def test_what_the_run_waits_for_is_said_by_its_question_and_not_in_the_engine_s_words() -> None:
    rows = [*ASKS, (21, Kind.RUN_STATE, None, None, {"state": "waiting", "because": _WAITS})]
    use("zh_Hans")
    text = _text(draw(_frame(rows)))
    assert "认定存储故障" in text
    assert _WAITS not in text


_WAITS = "gate 'choose' waits for people"


def test_a_summary_of_a_plan_names_approvers_rungs_and_what_is_for_good_on_one_screen() -> None:
    text = _text(draw_summary(PLAN, kind="lab"))
    assert "chen.wei" in text
    assert "Restore the cold backup" in text
    assert "can not be undone: Promote the standby [promote]" in text
    assert "unknown" not in text
    assert len(text.splitlines()) < len(draw_plan(PLAN, kind="lab"))


def test_what_a_step_waits_for_is_not_cut_off_by_a_long_title() -> None:
    outline = [{**step, "title": {"en": "A title " * 20, "zh": ""}} for step in OUTLINE]
    text = _text(draw(_frame(created_differently(ASKS, outline=outline), width=80)))
    assert ": for an approval" in text


@pytest.mark.parametrize(
    ("state", "offered"), [(RunState.RUNNING, True), (RunState.ABORTED, False)]
)
def test_ending_a_job_that_was_left_is_offered_only_while_the_run_can_do_it(
    state: RunState,
    offered: bool,
) -> None:
    view = RunView("R-1")
    view.state, view.abort = state, {"by": "liu.yang"}
    unit = UnitView("db-b", stop={"outcome": "left", "detail": ""})
    view.steps["promote"] = StepView("promote", units={"db-b": unit})
    said = "\n".join(map(text_of, job_lines(view)))
    assert "promote @ db-b" in said
    assert ("--kill-jobs" in said) is offered
