"""Starting a world: a process that outlives the one that brought the lab up."""

from __future__ import annotations

import contextlib
import os
import traceback
from pathlib import Path

from dr.lab import kernel
from dr.lab.errors import LabError
from dr.lab.faults import REQUESTS
from dr.lab.plan import LabPlan
from dr.lab.remains import write_mark
from dr.lab.serve import run_world


def start_world(plan: LabPlan) -> int:
    """Fork the world; return its pid once all hosts have booted."""
    ready_read, ready_write = os.pipe()
    owners = [os.pidfd_open(os.getpid())]
    if plan.options.tie_pid is not None:
        owners.append(os.pidfd_open(plan.options.tie_pid))
    pid_read, pid_write = os.pipe()
    child = kernel.fork()
    if child == 0:
        status_code = 1
        try:
            os.close(ready_read)
            _detach(plan.directory / "world.log")
            if not plan.privileged:
                kernel.unshare_user()
            kernel.unshare(kernel.ALL_NAMESPACES)
            world = kernel.fork()
            if world:
                os.write(pid_write, f"{world}\n".encode())
                status_code = 0
            else:
                os.close(pid_write)
                run_world(plan, ready_write, owners, REQUESTS)
        except BaseException:  # noqa: BLE001  a forked child must end here, whatever happens
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(status_code)
    for fd in (ready_write, pid_write, *owners):
        os.close(fd)
    with os.fdopen(pid_read) as file:
        pid = file.readline().strip()
    os.waitpid(child, 0)
    if pid:
        # written here, as the child's /proc becomes the world's own at any moment
        write_mark(plan, int(pid))
    with os.fdopen(ready_read) as file:
        if file.readline() != "ok\n":
            raise LabError(
                f"the lab did not start: {_tail(plan.directory / 'world.log')}",
                hint="Set DR_LAB_KEEP_LOG=1 and try again to see all that it said.",
            )
    return int(pid)


def _detach(log: Path) -> None:
    os.setsid()
    os.chdir("/")
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(target, 1)
    os.dup2(target, 2)


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
    return "it said nothing"
