"""Processes of this machine that stepped into a lab: engines, views, shells.

They are no children of the lab's world and would outlive it, an engine at its gate for half an
hour.  Each is known by its /etc/hosts, which is the lab's own file, even when the world is dead.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

_POLITE_S = 3.0
"""How long a visitor may take to end by itself, an engine to write down that it stops."""


def end_visitors(directory: Path) -> None:
    """End every process that stepped into the lab of ``directory``, except this one."""
    for number, wait_s in ((signal.SIGTERM, _POLITE_S), (signal.SIGKILL, _POLITE_S)):
        with contextlib.ExitStack() as stack:
            told = []
            for pid in list(visitors(directory)):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    process = os.pidfd_open(pid)
                    stack.callback(os.close, process)
                    # only now the pid is held fast: it may have become another's before
                    if is_visitor(pid, directory):
                        signal.pidfd_send_signal(process, number)
                        told.append(process)
            for process in told:
                select.select([process], [], [], wait_s)


def visitors(directory: Path) -> Iterator[int]:
    """Yield the processes that stepped into the lab, without this one."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            pid = int(entry.name)
            if is_visitor(pid, directory):
                yield pid


def is_visitor(pid: int, directory: Path) -> bool:
    """Return whether the process sees the lab's names of hosts as its own."""
    try:
        return os.path.samefile(f"/proc/{pid}/root/etc/hosts", directory / "hosts.txt")
    except OSError:  # gone, a kernel thread, or another user's
        return False
