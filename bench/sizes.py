"""Whole runs of 10,000 steps and over 5,000 hosts beside those of 1,000: time, memory, journal.

    .venv/bin/python bench/sizes.py

The actions do nothing, the journal is on disk.  Seconds depend on the disk and on what else the
machine does; the processor's time does not, and is what must not grow.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from samples import Worker

HERE = Path(__file__).resolve().parent
SIZES = (("chain", 1000, 10_000), ("parallel", 1000, 10_000), ("hosts", 1000, 5000))
_HEAD = f"{'shape':10}{'each':>8}{'s':>9}{'ms each':>9}{'CPU ms':>8}{'MiB':>7}{'MB':>7}"


def measured(shape: str, count: int) -> str:
    """Carry one run out in a process of its own and return its line."""
    with Worker([sys.executable, HERE / "noop_engine.py"]) as engine:
        for _ in range(2):  # the second time nothing is imported any more
            before = engine.ask(steps=20, effect="once", shape=shape)["peak_kb"]
        found = engine.ask(steps=count, effect="once", shape=shape)
    journal = sum(f.stat().st_size for f in Path(found["journal"]).parent.glob("journal.*"))
    each_ms, cpu_ms = (1e3 * found[name] / count for name in ("seconds", "cpu_s"))
    grown = (found["peak_kb"] - before) / 1024
    return (
        f"{shape:10}{count:8,}{found['seconds']:9.1f}{each_ms:9.2f}{cpu_ms:8.2f}"
        f"{grown:7.0f}{journal / 1e6:7.1f}\n"
    )


if __name__ == "__main__":
    sys.stdout.write(_HEAD + "\n")
    for form, few, many in SIZES:
        for size in (few, many):
            sys.stdout.write(measured(form, size))
            sys.stdout.flush()
