"""The kill matrix shows what was measured, and its verdicts follow from the ledger."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
WELL: dict[str, Any] = {
    "product": "x",
    "moment": "before the effect",
    "counts": {"settle": 1, "move": 1, "unmove": 0, "reopen": 1},
    "overlap": False,
    "ahead": False,
    "cut_off": False,
    "asked": False,
    "unapproved": False,
    "state": "succeeded",
    "said": "",
}


def bench_module(monkeypatch: pytest.MonkeyPatch, name: str) -> ModuleType:
    """Import a module of bench, which is no package."""
    monkeypatch.syspath_prepend(str(BENCH))
    for known in ("samples", "peers", "results", "crash_page", "crash_verdict", "crash_trial"):
        monkeypatch.delitem(sys.modules, known, raising=False)
    return importlib.import_module(name)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return bench_module(monkeypatch, "crash_page")


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return bench_module(monkeypatch, "crash_verdict")


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return bench_module(monkeypatch, "crash_trial")


@pytest.fixture
def newest(page: ModuleType) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(page.newest().read_text(encoding="utf-8"))
    return data


def test_the_tables_of_the_page_are_those_of_the_newest_results(
    page: ModuleType, newest: dict[str, Any]
) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    table = text.partition(page.BEGIN)[2].partition(page.END)[0]
    assert table.strip() == page.rendered(newest).strip()


def test_every_product_died_at_every_moment_or_says_why_not(
    trials: ModuleType, newest: dict[str, Any]
) -> None:
    moments = [moment.value for moment in trials.Moment]
    products = dict.fromkeys(trial["product"] for trial in newest["trials"])
    assert {"dr", "dr, with a probe", "DBOS", "Restate", "Prefect", "doit"} <= set(products)
    assert [(t["product"], t["moment"]) for t in newest["trials"]] == [
        (product, moment) for product in products for moment in moments
    ]
    assert [t for t in newest["trials"] if not t.get("skipped", "-")] == []


def test_results_say_when_and_with_what_they_were_measured(newest: dict[str, Any]) -> None:
    assert {"date", "kernel", "python"} <= set(newest)
    wanted = {"dr", "dbos", "doit", "ansible-core", "restate-server", "prefect", "OpenSSH"}
    assert wanted <= set(newest["versions"])


def test_results_of_the_matrix_are_not_taken_for_those_of_the_benchmarks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    results = bench_module(monkeypatch, "results")
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    for name in ("2026-11-22.json", "crash-2026-11-25.json"):
        (tmp_path / name).touch()
    assert results.newest().name == "2026-11-22.json"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"counts": {**WELL["counts"], "move": 2}}, "TWICE"),
        ({"counts": {**WELL["counts"], "move": 3}}, "3 TIMES"),
        ({"counts": {**WELL["counts"], "move": 0}}, "never"),
        ({"counts": {**WELL["counts"], "reopen": 0}, "state": ""}, "still waiting"),
        ({"overlap": True}, "two of it at the same time"),
        ({"unapproved": True}, "went on before anybody said yes"),
        ({"ahead": True}, "went on while it still ran"),
        ({"cut_off": True}, "half-way"),
        ({"state": "exit 1"}, "ended wrongly: exit 1"),
    ],
)
def test_what_went_wrong_is_said_and_never_counts_as_once(
    verdicts: ModuleType, change: dict[str, Any], said: str
) -> None:
    assert verdicts.holds({**WELL, **change}) is False
    assert said in verdicts.verdict({**WELL, **change})


def test_once_is_once_for_everybody_and_repeating_settle_costs_nothing(
    verdicts: ModuleType,
) -> None:
    again = {**WELL, "counts": {**WELL["counts"], "settle": 2}}
    assert (verdicts.holds(WELL), verdicts.verdict(WELL)) == (True, "once")
    assert verdicts.holds(again) is True


def test_an_undo_is_well_when_step_and_undo_happened_once_each(verdicts: ModuleType) -> None:
    counts = {"settle": 1, "move": 1, "unmove": 1, "reopen": 0}
    undo = {**WELL, "moment": verdicts.UNDO, "counts": counts, "state": "undone"}
    assert verdicts.holds(undo) is True
    assert verdicts.holds({**undo, "counts": {**counts, "unmove": 2}}) is False
    assert verdicts.holds({**undo, "counts": {**counts, "move": 2, "unmove": 2}}) is False


def test_what_was_not_measured_is_no_verdict(verdicts: ModuleType) -> None:
    skipped = {"product": "x", "moment": "y", "asked": False, "skipped": "no npm"}
    assert verdicts.holds(skipped) is None
    assert verdicts.verdict(skipped) == "not measured: no npm"


@pytest.mark.parametrize(
    ("ledger", "overlap", "ahead", "unapproved"),
    [
        ("begun move 1, ended move 1, yes person 0, begun reopen 2", False, False, False),
        ("begun move 1, begun move 2, ended move 1, ended move 2", True, False, False),
        ("begun move 1, begun move 2, ended move 2", False, False, False),  # the first was killed
        ("begun move 1, yes person 0, begun reopen 2, ended move 1", False, True, False),
        ("begun move 1, ended move 1, begun reopen 2, yes person 0", False, False, True),
    ],
)
def test_the_ledger_tells_two_at_once_running_ahead_and_going_on_unasked(
    trials: ModuleType, ledger: str, overlap: bool, ahead: bool, unapproved: bool
) -> None:
    words = [line.split() for line in ledger.split(", ")]
    lines = [trials.Line(word, effect, int(pid)) for word, effect, pid in words]
    assert trials.overlaps(lines) is overlap
    assert trials.runs_ahead(lines) is ahead
    assert trials.unapproved(lines) is unapproved
