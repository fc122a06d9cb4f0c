"""The table of a run of the benchmarks: on the screen, as JSON, and in the documents."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import peers
from samples import ROOT, Row

RESULTS = ROOT / "bench/results"
PAGE = ROOT / "docs/benchmarks.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
_HEAD = ("what", "who", "median", "ratio", "aim", "met", "samples", "note")


def surroundings(began: datetime, rounds: int) -> dict[str, Any]:
    """Return when, where and with what was measured."""
    return {
        "date": f"{began:%Y-%m-%d}",
        "rounds": rounds,
        "processors": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "versions": {
            "dr": version("dr-runbooks"),
            "ansible-core": version("ansible-core"),
            "paramiko": version("paramiko"),
            "click": version("click"),
            **peers.versions(),
        },
    }


def table(rows: Iterable[Row]) -> str:
    """Return the rows for a terminal."""
    lines = []
    for measure, group in groupby(rows, key=lambda row: row.measure):
        lines.append(f"\n{measure}")
        for row in group:
            number, ratio, aim, met = _cells(row)
            lines.append(f"  {row.subject:27} {number:>11}  {ratio:40} {aim:>6} {met:4} {row.note}")
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, str, str, str]:
    number = "-" if row.value is None else f"{row.value:.3g} {row.unit}"
    if row.value is not None and row.value >= 100:
        number = f"{row.value:,.0f} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} × {row.against}"
    aim = "" if row.aim is None else f"≤ {row.aim:g}"
    met = {True: "yes", False: "NO", None: ""}[row.holds]
    return number, ratio, aim, met


def _count(row: Row) -> str:
    return str(len(row.samples)) if row.samples else ""


def write(rows: Sequence[Row], around: Mapping[str, Any]) -> Path:
    """Write the results of a day; measures that were not taken again keep their last rows."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{around['date']}.json"
    taken = {row.measure for row in rows}
    kept: list[dict[str, Any]] = []
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        kept = [row for row in before["rows"] if row["measure"] not in taken]
    data = {"v": 1, **around, "rows": [*kept, *(_data(row) for row in rows)]}
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _data(row: Row) -> dict[str, Any]:
    numbers = {"value": _short(row.value), "ratio": _short(row.ratio)}
    return {**row.__dict__, **numbers, "samples": [_short(sample) for sample in row.samples]}


def _short(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")


def newest() -> Path:
    """Return the newest results."""
    return max(RESULTS.glob("[0-9]*.json"))


def page() -> Path:
    """Put the newest results into the table of the page, between its two marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _old, _, after = rest.partition(END)
    body = rendered(json.loads(newest().read_text(encoding="utf-8")))
    PAGE.write_text(f"{before}{BEGIN}\n{body}{END}{after}", encoding="utf-8")
    return PAGE


def rendered(data: Mapping[str, Any]) -> str:
    """Return results as the Markdown that stands in the page."""
    names = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    lines = [
        "",
        f"{data['date']}, on {data['processors']} processors, load "
        f"{data['load_at_start']} to {data['load_at_end']}, Linux {data['kernel']}, "
        f"Python {data['python']}, SQLite {data['sqlite']}; {names}.",
        "",
        f"| {' | '.join(_HEAD)} |",
        f"|{' --- |' * len(_HEAD)}",
    ]
    for entry in data["rows"]:
        row = Row(**entry)
        lines.append(
            f"| {' | '.join((row.measure, row.subject, *_cells(row), _count(row), row.note))} |"
        )
    return "\n".join(lines) + "\n\n"
