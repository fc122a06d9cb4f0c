"""The page of benchmarks shows what was measured, and nothing else."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return bench's module ``results``; bench is no package."""
    monkeypatch.syspath_prepend(str(BENCH))
    for name in ("samples", "peers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    spec = importlib.util.spec_from_file_location("bench_results", BENCH / "results.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def newest(results: ModuleType) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(results.newest().read_text(encoding="utf-8"))
    return data


def test_the_table_of_the_page_is_that_of_the_newest_results(
    results: ModuleType, newest: dict[str, Any]
) -> None:
    text = results.PAGE.read_text(encoding="utf-8")
    table = text.partition(results.BEGIN)[2].partition(results.END)[0]
    assert table.strip() == results.rendered(newest).strip()


def test_results_say_when_and_with_what_they_were_measured(newest: dict[str, Any]) -> None:
    assert {"date", "rounds", "processors", "kernel", "python", "sqlite"} <= set(newest)
    assert {"dr", "dbos", "ansible-core", "asyncssh", "pyinfra"} <= set(newest["versions"])


def test_a_number_without_a_reason_is_never_missing(newest: dict[str, Any]) -> None:
    silent = [r["subject"] for r in newest["rows"] if r["value"] is None and not r["note"]]
    assert silent == []


def test_a_missed_aim_is_called_a_miss(results: ModuleType) -> None:
    row = results.Row("m", "dr", 2.0, ratio=2.0, against="floor", aim=1.5)
    assert row.holds is False
    assert " NO " in results.table([row])


def test_every_pinned_peer_is_pinned_to_one_version() -> None:
    lines = [
        line
        for path in sorted(BENCH.glob("*.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted
    assert all("==" in line for line in wanted)
