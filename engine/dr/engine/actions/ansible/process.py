"""The playbook's process: started once, in a session of its own, found again by its directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dr.engine.core.ports import Ending, Stopped

# Like the remote wrapper: who makes `claim` first decides whether it starts; pid, start time and
# boot id are on disk before it does.
_LAUNCH = """
cd "$1" && mkdir claim || exit 125
read -r line < /proc/$$/stat; rest=${line##*) }
playbook=$2; python=$3
set -- $rest
read -r boot < /proc/sys/kernel/random/boot_id
printf '%s %s %s\\n' $$ "${20}" "$boot" > process
sync process .
exec "$python" -m ansible_runner run . -p "$playbook" -i run --quiet
"""


_GRACE_S = 5.0
_START = 19  # of the fields after the command's name in /proc/PID/stat
_MARK = "DR_PLAYBOOK_JOB"
"""In the environment of the playbook and everything it starts, whatever session that is in."""


def launch(folder: Path, playbook: Path, environment: dict[str, str]) -> None:
    """Start the playbook as nobody's child: it goes on when this process ends."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    words = [_LAUNCH, str(folder), str(playbook), sys.executable]
    with (folder / "runner.log").open("ab") as log:
        subprocess.run(
            ["/bin/sh", "-c", '/bin/sh -c "$1" dr "$2" "$3" "$4" &', "dr", *words],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PATH": path, **environment, _MARK: str(folder)},
        )


def withdraw(folder: Path) -> bool:
    """Make sure that it can not start any more; False when it did start."""
    try:
        (folder / "claim").mkdir(parents=True)
    except FileExistsError:
        return (folder / "void").exists()
    (folder / "void").touch()
    return True


def is_alive(folder: Path) -> bool:
    """Whether the playbook, or anything that it started, still runs."""
    try:
        pid, start, boot = (folder / "process").read_text().split()
    except (OSError, ValueError):
        return False
    if boot != boot_id():
        return False
    fields = _stat(pid)
    if len(fields) > _START and fields[_START] == start and fields[0] != "Z":
        return True
    # one look can miss what is born, or changes its program, while it goes through the processes
    return any(_leftovers(folder)) or any(_leftovers(folder))


def was_started(folder: Path) -> bool:
    """Whether its process has written itself down."""
    return (folder / "process").exists()


def _stat(pid: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _leftovers(folder: Path) -> Iterator[str]:
    """Yield living processes with our mark: ansible-playbook outlives a killed runner."""
    mark = f"{_MARK}={folder}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            marked = mark in (process / "environ").read_bytes().split(b"\0")
            # ssh keeps a shared connection open for a minute after the last task
            if marked and (process / "comm").read_text().strip() != "ssh":
                yield process.name
        except OSError:
            continue


def end_playbook(folder: Path, boot: str) -> Stopped:
    """End a playbook and all that it started: TERM, and after five seconds KILL."""
    if not folder.is_dir():
        return Stopped(Ending.UNKNOWN, "it was started on another machine")
    if boot and boot != boot_id():
        return Stopped(Ending.GONE, "the machine was restarted")
    if withdraw(folder):
        return Stopped(Ending.NEVER_STARTED, "it was withdrawn before it began")
    for number, wait_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
        until = time.monotonic() + wait_s
        for pid in _leftovers(folder):
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)
        while is_alive(folder) and time.monotonic() < until:
            time.sleep(0.1)
        if not is_alive(folder):
            return Stopped(Ending.ENDED, "its processes were ended")
    return Stopped(Ending.RUNNING, "it did not end when told")


def exit_code(folder: Path) -> int | None:
    """Return how the playbook ended; None while nobody saw it end."""
    try:
        return int((folder / "artifacts" / "run" / "rc").read_text())
    except (OSError, ValueError):
        return None


def boot_id() -> str:
    """Return the boot id of the engine's machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
