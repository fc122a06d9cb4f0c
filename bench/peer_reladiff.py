"""reladiff on two tables: a worker for ``reconcile_cost``, run in the peers' environment."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import reladiff
from samples import SkippedError, serve

_COLUMNS = ("branch", "slip", "receipt", "parcel", "holder", "amount", "status", "serial", "at")


def measure(host: str, names: list[str]) -> dict[str, Any]:
    """Compare two tables by their integer key; return the time and how many signs came out."""
    logging.disable(logging.CRITICAL)
    began = time.perf_counter()
    try:
        tables = [
            reladiff.connect_to_table(
                {"driver": "postgresql", "host": host, "user": "postgres", "dbname": name},
                "registration",
                "id",
                extra_columns=_COLUMNS,
            )
            for name in names
        ]
        found = list(reladiff.diff_tables(*tables))
    except Exception as error:
        raise SkippedError(f"reladiff: {type(error).__name__}: {error}"[:200]) from error
    return {"seconds": time.perf_counter() - began, "found": len(found)}


if __name__ == "__main__":
    serve(measure)
