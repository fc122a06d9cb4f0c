"""What a machine lacks to hold a lab."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from dr.lab.errors import LabError
from dr.lab.namespaces import Obstacle, refusal
from dr.lab.postgres import find_installation

_PACKAGES = {
    "/usr/sbin/sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}
_DATABASE_PACKAGES = {"pgbackrest": "pgbackrest", "mkfs.ext4": "e2fsprogs"}
# tools of root live here, and an ordinary PATH may lack them
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def find_tools_of_root() -> None:
    """Let this process find mkfs, tc and their like, which an ordinary PATH may lack."""
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:{_SBIN}"


def obstacles(
    folder: Path | None = None, *, database: bool = True, loop: bool = True
) -> list[Obstacle]:
    """List what keeps this machine and user from a lab; empty when nothing does.

    Args:
        folder: where the lab is to lie; the user's usual place when None.
        database: whether it is to have more than SSH hosts.
        loop: whether root's storage faults are wanted.
    """
    found = list(_programs(database=database))
    if refused := refusal(folder):
        found.append(refused)
    if database and loop and os.geteuid() == 0:  # no device is attached for anybody else
        found.extend(_loop_volumes())
    return found


def _programs(*, database: bool) -> Iterator[Obstacle]:
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    for program, package in (_PACKAGES | (_DATABASE_PACKAGES if database else {})).items():
        if shutil.which(program, path=path) is None:
            yield Obstacle(
                f"there is no {program}",
                f"Type 'apt-get install --no-install-recommends {package}' as root.",
            )
    if not database:
        return
    try:
        find_installation()
    except LabError as error:
        yield Obstacle(error.message, error.hint)


def _loop_volumes() -> Iterator[Obstacle]:
    known = Path("/proc/filesystems").read_text().split()
    if "ext4" not in known and not Path("/proc/modules").exists():
        yield Obstacle("the kernel has no ext4 file system", "Type 'modprobe ext4' as root.")
    if not Path("/dev/loop-control").exists():
        yield Obstacle(
            "there is no /dev/loop-control, so storage cannot be killed for real",
            "Type 'modprobe loop' as root, or bring the lab up with --volume dir.",
        )


__all__ = ["Obstacle", "obstacles"]
