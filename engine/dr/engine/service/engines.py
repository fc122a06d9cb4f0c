"""Which engine has a run, and whether it lives; stdlib only, since a quick look asks too."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def holder() -> str:
    """Return who this engine is: host, pid, start time of the process and boot id."""
    pid = os.getpid()
    return f"{socket.gethostname()} pid {pid} start {process_start(pid)} boot {boot_id()}"


def holder_lives(text: str) -> bool | None:
    """Whether the engine that called itself ``text`` lives; None when it is on another machine."""
    words = text.split()
    try:
        fields = dict(zip(words[1::2], words[2::2], strict=True))
        host, pid, boot = words[0], int(fields["pid"]), fields["boot"]
    except (ValueError, KeyError, IndexError):
        return None
    if host != socket.gethostname() and boot != boot_id():
        return None
    return boot == boot_id() and process_start(pid) == fields["start"]


def process_start(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot; empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = stat.rsplit(")", 1)[1].split()
    return "" if fields[0] == "Z" else fields[19]


def boot_id() -> str:
    """Return the kernel's boot id."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
