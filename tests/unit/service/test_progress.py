"""What is left of the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dr.engine.core.events import Event, Kind
from dr.engine.core.ports import RunRecord
from dr.engine.core.questions import Option, Question, QuestionKind
from dr.engine.core.values import Text, utc_text
from dr.engine.core.view import RunView, fold
from dr.engine.service.progress import progress_of

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
OUTLINE = [
    {"id": "choose", "uses": "gate.approve", "ladder": None, "rung": None},
    {"id": "database", "uses": "", "ladder": None, "rung": None},
    {"id": "promote", "uses": "do.it", "ladder": "database", "rung": "standby"},
    {"id": "restore", "uses": "do.it", "ladder": "database", "rung": "backup"},
    {"id": "prove", "uses": "do.it", "ladder": None, "rung": None, "expect_s": 10},
]
RECORD = RunRecord(
    "R-1", "made-up", "", "", "", "lab", "real", "cai", {},
    {"people_groups": {"leadership": {"members": ["ana", "cai"]}}}, START,
)  # fmt: skip


class Measured:
    def __init__(self, **seconds: tuple[float, float]) -> None:
        self._known = seconds

    def duration(self, runbook: str, step: str) -> tuple[timedelta, timedelta] | None:
        if step not in self._known:
            return None
        p50, p90 = self._known[step]
        return timedelta(seconds=p50), timedelta(seconds=p90)


def gate() -> Question:
    options = (
        Option("standby", Text("Promote", "提升"), available=True, proposed=True),
        Option("tape", Text("Tape", "磁带"), available=False),
        Option("backup", Text("Restore", "恢复"), available=True),
    )
    return Question(
        "choose#1", QuestionKind.GATE, "choose", Text("Go?", "走吗"), "n", utc_text(START),
        approvers="leadership", distinct_from=("cai",), chooses="database", options=options,
    )  # fmt: skip


def view_of(*more: tuple[Kind, str, dict[str, Any]], rto_s: float | None = 100) -> RunView:
    created = {"outline": OUTLINE, "objectives": {"rto_s": rto_s}}
    asked = (Kind.QUESTION_OPENED, "choose", {"question": gate().to_data()})
    rows: list[tuple[Kind, str, dict[str, Any]]] = [(Kind.RUN_CREATED, "", created), asked, *more]
    return fold(
        "R-1",
        [
            Event("R-1", n, START, kind, step or None, None, 1, 1, data, "")
            for n, (kind, step, data) in enumerate(rows, 1)
        ],
    )


RUNNING = (Kind.RUNG_STARTED, "database", {"rung": "standby"})
KNOWN = Measured(promote=(5, 20), restore=(60, 90))


def test_only_the_running_rung_counts_towards_the_time_left() -> None:
    progress = progress_of(RECORD, view_of(RUNNING), KNOWN, START)
    assert (progress.eta_p50_s, progress.eta_p90_s) == (15, 30)


def test_a_step_that_nobody_measured_makes_the_time_left_unknown() -> None:
    progress = progress_of(RECORD, view_of(RUNNING), Measured(), START)
    assert progress.eta_p90_s is None


def test_the_rto_left_goes_below_zero_and_is_unknown_without_an_objective() -> None:
    late = START + timedelta(seconds=130)
    assert progress_of(RECORD, view_of(), KNOWN, late).rto_left_s == -30
    assert progress_of(RECORD, view_of(rto_s=None), KNOWN, late).rto_left_s is None


def test_a_rung_that_no_longer_fits_the_rto_is_said_with_the_next_available_one() -> None:
    late = START + timedelta(seconds=90)
    warning = progress_of(RECORD, view_of(RUNNING), KNOWN, late).warning
    assert "backup (Restore)" in warning.en
    assert "恢复（backup）" in warning.zh


def test_nothing_is_warned_of_while_the_forecast_fits() -> None:
    assert not progress_of(RECORD, view_of(RUNNING), KNOWN, START).warning


def test_the_requester_is_not_awaited_at_a_gate_that_excludes_him() -> None:
    progress = progress_of(RECORD, view_of(), KNOWN, START)
    assert [w.awaited for w in progress.waiting] == [("ana",)]
    assert progress.next_command.startswith("dr approve R-1 choose")
