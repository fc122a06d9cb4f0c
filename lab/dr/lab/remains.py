"""What a lab leaves in its directory and in the kernel: how it is found again and removed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dr.lab.enter import MARK
from dr.lab.errors import LabError, LabUsageError
from dr.lab.hostfiles import login_path
from dr.lab.plan import LabPlan
from dr.lab.visitors import end_visitors
from dr.lab.volume import loops_of, thaw_leftovers

VERSION = 1
_PART = f".{MARK}"
_END_S = 15.0


def write_mark(plan: LabPlan, pid: int) -> None:
    """Write down which process is the world, so that ``down`` finds it and nothing else."""
    mark = {
        "version": VERSION,
        "pid": pid,
        "started": _start_time(pid),
        "boot_id": _boot_id(),
        "path": login_path(plan),
        "home": plan.accounts.home,
    }
    write_json(plan.directory, mark)


def write_json(directory: Path, mark: dict[str, Any]) -> None:
    """Write the mark of a lab's directory, whole or not at all."""
    part = directory / _PART
    part.write_text(json.dumps(mark))
    part.rename(directory / MARK)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_time(pid: int) -> int:
    """Return when a process began, in clock ticks: tells it from a later one of the same pid."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[19])


def _world_pid(directory: Path) -> int | None:
    """Return the pid of the world that belongs to ``directory``; None when it is gone."""
    try:
        mark = json.loads((directory / MARK).read_text())
        pid = int(mark["pid"])
        if mark["boot_id"] == _boot_id() and mark["started"] == _start_time(pid):
            return pid
    except (OSError, ValueError, KeyError):
        return None
    return None


def remove(directory: Path) -> bool:
    """End the lab of ``directory``, whatever is left of it; return whether there was anything.

    Raises:
        LabUsageError: something lies there that is no lab; nothing was removed.
    """
    if not directory.exists():
        return False
    if not (directory / MARK).exists():
        if any(path.name != _PART for path in directory.iterdir()):
            raise LabUsageError(
                f"{directory} is not empty and is no lab",
                hint="Choose another directory with --dir; nothing was removed.",
            )
        (directory / _PART).unlink(missing_ok=True)
        directory.rmdir()
        return True
    if os.geteuid() == 0:
        thaw_leftovers(directory)
    pid = _world_pid(directory)
    if pid is not None:
        _end(pid)
    end_visitors(directory)
    _wait_for_loops(directory)
    _delete(directory)
    return True


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        world = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(world, signal.SIGKILL)
            poll = select.poll()
            poll.register(world, select.POLLIN)
            # the init of a pid namespace ends after everything in it
            if not poll.poll(_END_S * 1000):
                raise LabError(f"the lab's process {pid} does not end: something waits for storage")
        finally:
            os.close(world)


def _wait_for_loops(directory: Path) -> None:
    end = time.monotonic() + _END_S
    while left := loops_of(directory):
        if time.monotonic() > end:
            raise LabError(f"still in use by somebody: {', '.join(left)}")
        time.sleep(0.01)


def _delete(directory: Path) -> None:
    # the mark goes last, so that an interrupted removal can be taken up again
    for path in directory.iterdir():
        if path.name == MARK:
            continue
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink()
    (directory / MARK).unlink()
    directory.rmdir()


def remove_tree(path: Path) -> None:
    """Remove ``path`` and all below it, also what its owner may not look into."""
    if os.geteuid() != 0:
        # an overlay's work directory has no permission at all; parents come before children
        for folder, names, _ in os.walk(path):
            for name in names:
                inner = os.path.join(folder, name)
                mode = os.lstat(inner).st_mode
                if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
                    os.chmod(inner, stat.S_IRWXU)
    shutil.rmtree(path)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep a second ``up`` or ``down`` of the same directory waiting; leaves no file behind."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    path = directory.with_name(f".{directory.name}.lock")
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        # whoever held it before removed it: then this is the lock of a file that is gone
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(fd).st_ino == path.stat().st_ino:
                break
        os.close(fd)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(fd)
