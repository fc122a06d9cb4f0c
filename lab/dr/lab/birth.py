"""Making the namespaces of a host, from the world."""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from pathlib import Path

from dr.lab import kernel
from dr.lab.errors import LabError
from dr.lab.host import boot
from dr.lab.plan import LabPlan
from dr.lab.topology import Host


def fork_host(plan: LabPlan, host: Host, mounts: dict[str, Path]) -> tuple[int, int, int]:
    """Make the namespaces of ``host``; it waits for its network before it boots.

    Returns:
        The pid of its init, a pipe that lets it go on, a pipe that tells when it is ready.
    """
    go_read, go_write = os.pipe()
    ready_read, ready_write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _close_others({go_read, ready_write})
            kernel.unshare(kernel.ALL_NAMESPACES)
            init = os.fork()
            if init:
                os.write(ready_write, f"{init}\n".encode())
                os._exit(0)
            os.setsid()
            os.read(go_read, 2)
            os.close(go_read)
            boot(plan, host, mounts, ready_write)
        except BaseException:  # noqa: BLE001  a forked child must end here, whatever happens
            os.write(2, f"{host.name}: {traceback.format_exc()}".encode())
        finally:
            os._exit(1)
    os.close(go_read)
    os.close(ready_write)
    digits = b""
    while not digits.endswith(b"\n"):
        byte = os.read(ready_read, 1)
        if not byte:
            raise LabError(f"host '{host.name}' could not be made")
        digits += byte
    os.waitpid(child, 0)
    return int(digits), go_write, ready_read


def _close_others(kept: set[int]) -> None:
    for entry in os.listdir("/proc/self/fd"):
        fd = int(entry)
        if fd > 2 and fd not in kept:  # noqa: PLR2004  0, 1 and 2 go to the log
            with suppress(OSError):
                os.close(fd)
