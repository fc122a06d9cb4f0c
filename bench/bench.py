"""All measurements in one run, one after another; within each, everybody takes turns."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import command_cost
import engine_cost
import fan_out
import storage_failure
from results import page, surroundings, table, write
from samples import Row, SkippedError

Measure = Callable[[str, int], list[Row]]

MEASURES: dict[str, Measure] = {
    "overhead": engine_cost.overhead,
    "growth": engine_cost.growth,
    "commands": command_cost.cost,
    "resume": lambda _python, rounds: command_cost.resume(rounds),
    "fan-out": fan_out.rows,
    "storage-failure": lambda _python, rounds: storage_failure.rows(rounds),
}


def main(argv: Sequence[str]) -> int:
    """Measure what is asked for, print the table, write it down."""
    parser = argparse.ArgumentParser(prog="bench/run", description="Measure dr beside others.")
    parser.add_argument("--rounds", type=int, default=5, help="samples of each (default 5)")
    parser.add_argument("--only", help=f"of {', '.join(MEASURES)}", default=",".join(MEASURES))
    parser.add_argument("--no-page", action="store_true", help="leave the files as they are")
    asked = parser.parse_args(argv)
    wanted = asked.only.split(",")
    unknown = [name for name in wanted if name not in MEASURES]
    if unknown:
        parser.error(f"nothing is called '{unknown[0]}'; known: {', '.join(MEASURES)}")
    began = datetime.now(UTC)
    around = surroundings(began, asked.rounds)
    rows: list[Row] = []
    for name in wanted:
        sys.stderr.write(f"bench: {name} (load {os.getloadavg()[0]:.1f})\n")
        rows += _measured(name, asked.rounds)
        around["load_at_end"] = round(os.getloadavg()[0], 1)
        if not asked.no_page:  # at once: what comes after takes minutes, and may be stopped
            write(rows, around)
            page()
    engine_cost.clean_up()
    sys.stdout.write(table(rows))
    return 0


def _measured(name: str, rounds: int) -> list[Row]:
    try:
        return MEASURES[name](sys.executable, rounds)
    except SkippedError as error:
        return [Row(name, "everything", None, note=f"skipped: {error}")]
    except Exception as error:  # noqa: BLE001 - the other measures are worth having
        traceback.print_exc()
        return [Row(name, "everything", None, note=f"broke: {type(error).__name__}: {error}")]
