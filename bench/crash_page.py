"""The kill matrix of a day: as JSON, and in its page between the two marks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crash_verdict import holds, verdict
from samples import ROOT

RESULTS = ROOT / "bench/results"
PAGE = ROOT / "docs/kill-matrix.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
_HEAD = ("killed", "who", "ledger", "what it said of the interrupted step", "ended", "verdict")
_MARK = {True: "once", False: "**no**", None: "-"}


def write(trials: Sequence[Mapping[str, Any]], around: Mapping[str, Any]) -> Path:
    """Write the trials of a day; a product that was not tried again keeps its last ones."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"crash-{around['date']}.json"
    tried = {trial["product"] for trial in trials}
    before = json.loads(path.read_text(encoding="utf-8"))["trials"] if path.is_file() else []
    kept = [trial for trial in before if trial["product"] not in tried]
    order = list(dict.fromkeys(trial["product"] for trial in [*before, *trials]))
    ordered = sorted([*kept, *trials], key=lambda trial: order.index(trial["product"]))
    data = {"v": 1, **around, "trials": ordered}
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def newest() -> Path:
    """Return the newest results."""
    return max(RESULTS.glob("crash-*.json"))


def page() -> Path:
    """Put the newest results into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _old, _, after = rest.partition(END)
    body = rendered(json.loads(newest().read_text(encoding="utf-8")))
    PAGE.write_text(f"{before}{BEGIN}\n{body}{END}{after}", encoding="utf-8")
    return PAGE


def rendered(data: Mapping[str, Any]) -> str:
    """Return results as the Markdown that stands in the page."""
    names = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    head = f"{data['date']}, Linux {data['kernel']}, Python {data['python']}; {names}."
    return "\n".join(["", head, "", *_matrix(data["trials"]), "", *_trials(data["trials"]), "", ""])


def _matrix(trials: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each product and a column for each moment."""
    moments = list(dict.fromkeys(trial["moment"] for trial in trials))
    found = {(trial["product"], trial["moment"]): trial for trial in trials}
    lines = [_row(["killed …", *moments]), _row(["---"] * (len(moments) + 1))]
    for product in dict.fromkeys(trial["product"] for trial in trials):
        cells = [_cell(found.get((product, moment))) for moment in moments]
        lines.append(_row([product, *cells]))
    return lines


def _cell(trial: Mapping[str, Any] | None) -> str:
    if trial is None:
        return "-"
    mark = _MARK[holds(trial)]
    return f"{mark}, a person was asked" if mark == "once" and trial["asked"] else mark


def _trials(trials: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [_row([t["moment"], t["product"], *_told(t), verdict(t)]) for t in trials]
    return [_row(_HEAD), _row(["---"] * len(_HEAD)), *rows]


def _told(trial: Mapping[str, Any]) -> list[str]:
    if "skipped" in trial:
        return ["-", "-", "-"]
    counts = ", ".join(f"{name} {count}" for name, count in trial["counts"].items() if count)
    return [counts, trial["said"].replace("|", "·") or "nothing", trial["state"] or "never"]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
