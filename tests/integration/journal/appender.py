"""A process that appends until it is killed, and says on stdout what was acknowledged.

    python appender.py URL RUN

Each line is the number and the hash of an event that ``append`` returned.
"""

from __future__ import annotations

import os
import sys
from itertools import count

from dr.engine.core.events import Draft, Kind
from dr.engine.journal.sql import SqlJournal


def main(url: str, run: str) -> None:
    """Append claims and their ends for ever."""
    journal = SqlJournal(url, lease_s=0.5)
    lease = journal.acquire(run, f"pid {os.getpid()}")
    for number in count(1):
        for kind in (Kind.INTENT, Kind.FINISHED):
            data = {"state": "succeeded", "output": "x" * (number * 997 % 9000)}
            (event,) = journal.append(run, [Draft(kind, "s", "db-a", number, data)], lease=lease)
            os.write(1, f"{event.seq} {event.hash}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
