"""Sentences of events, the plain view, and the exit code for how a run stands."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dr.cli.follow import PlainViewer, standing
from dr.cli.outline import outline_of
from dr.cli.sentences import _SENTENCES, plain_line
from dr.cli.text import use
from dr.engine.core.errors import ExitCode
from dr.engine.core.events import Kind
from dr.engine.core.view import RunView
from tests.sample_run import (
    APPROVED,
    ASKS,
    FANS_OUT,
    IN_DOUBT,
    REJECTED,
    RUN,
    SUCCEEDS,
    Row,
    events,
    view_of,
)

FOR_MACHINES = {Kind.HANDLE, Kind.RESULT, Kind.UNDO_HANDLE}


def test_every_kind_of_event_has_a_sentence_or_is_for_machines() -> None:
    assert set(_SENTENCES) | FOR_MACHINES == set(Kind)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (SUCCEEDS, ExitCode.DONE),
        (APPROVED, ExitCode.DONE),
        (ASKS, ExitCode.WAITING),
        (IN_DOUBT, ExitCode.WAITING),
        (REJECTED, ExitCode.REJECTED),
    ],
)
def test_the_exit_code_says_how_the_run_stands(rows: list[Row], code: ExitCode) -> None:
    assert standing(view_of(rows)) is code


def test_a_run_that_failed_by_itself_is_not_called_rejected() -> None:
    rows = [*APPROVED, (400, Kind.RUN_ENDED, None, None, {"state": "failed", "because": "x"})]
    assert standing(view_of(rows)) is ExitCode.FAILED


def _lines(rows: list[Row]) -> list[str]:
    view, lines = RunView(RUN), []
    for event in events(rows):
        view.apply(event)
        lines.append(plain_line(event, view, outline_of(view)))
    return [text for text in lines if text]


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
@pytest.mark.parametrize("rows", [SUCCEEDS, IN_DOUBT, REJECTED])
def test_a_plain_line_begins_with_the_local_time_and_is_one_line(
    rows: list[Row], language: str
) -> None:
    use(language)
    for text in _lines(rows):
        assert re.match(r"2026-11-22T03:0\d:\d\d\+08:00  \S", text), text
        assert "\n" not in text
        assert "\r" not in text
        assert "\x1b" not in text


def test_a_decision_names_the_person_the_choice_and_the_reason() -> None:
    assert any(
        text.endswith("choose#1: chen.wei approves [promote-standby]: storage is gone")
        for text in _lines(APPROVED)
    )


def test_the_plain_view_says_each_minute_that_it_is_still_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    view, now = view_of(ASKS), [100.0]
    monkeypatch.setattr("dr.cli.follow.time.monotonic", lambda: now[0])
    viewer = PlainViewer()
    now[0] += 59
    viewer.show(view, [], last=False)
    assert capsys.readouterr().out == ""
    now[0] += 2
    viewer.show(view, [], last=False)
    assert "still WAITS FOR PEOPLE: choose (@)" in capsys.readouterr().out
    viewer.show(view, [], last=False)
    assert capsys.readouterr().out == ""


def test_the_plain_view_never_repeats_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    viewer, view = PlainViewer(), RunView(RUN)
    for event in events(FANS_OUT):
        view.apply(event)
        viewer.show(view, [event], last=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines == _lines(FANS_OUT)


_REMINDED: list[dict[str, Any]] = [
    {"branches": ["b", "c"], "people": ["ana", "bo"], "nobodys": ["c"]},
    {
        "branches": [],
        "letters": [
            {"fate": "accepted", "because": "", "people": list("hijklmn")},
            {"fate": "refused", "because": "no mail server is declared", "people": ["ana"]},
        ],
    },
    {"branches": ["b"], "to": "leadership"},
]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            [
                "overdue: b, c; mail goes to 2 people; nobody answers for c",
                "reminded by mail: h, i, j, k, l and 2 more; "
                "mail to ana was refused: no mail server is declared",
                "overdue: b",
            ],
        ),
        (
            "zh_Hans",
            [
                "逾期：b, c; 向 2 人发送邮件; c 未登记负责人",
                "已发邮件催办：h, i, j, k, l，另有 2 个; 发往 ana 的邮件被拒收: 没有声明邮件服务器",
                "逾期：b",
            ],
        ),
    ],
)
def test_a_reminder_says_whom_mail_goes_to_and_what_became_of_it(
    language: str, said: list[str]
) -> None:
    use(language)
    begun = {"session": "s", "to": "2026-11-01T00:00:00Z", "branches": ["b", "c"]}
    rows: list[Row] = [
        *SUCCEEDS[:1],
        (1, Kind.RECONCILE_OPENED, "sign", None, begun),
        *((2, Kind.RECONCILE_REMINDED, "sign", None, data) for data in _REMINDED),
    ]
    assert [text.partition("  ")[2] for text in _lines(rows)[-3:]] == said
