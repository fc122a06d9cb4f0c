"""What a machine lacks to hold a lab."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dr.lab.errors import LabError
from dr.lab.postgres import find_installation

_PACKAGES = {
    "/usr/sbin/sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "pgbackrest": "pgbackrest",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mkfs.ext4": "e2fsprogs",
}
# tools of root live here, and an ordinary PATH may lack them
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that is missing, and what to type."""

    message: str
    hint: str


def obstacles() -> list[Obstacle]:
    """List what keeps this machine and user from a whole lab; empty when nothing does."""
    return [*_programs(), *_kernel(), *_user()]


def _programs() -> Iterator[Obstacle]:
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    for program, package in _PACKAGES.items():
        if shutil.which(program, path=path) is None:
            yield Obstacle(
                f"there is no {program}",
                f"Type 'apt-get install --no-install-recommends {package}' as root.",
            )
    try:
        find_installation()
    except LabError as error:
        yield Obstacle(error.message, error.hint)


def _kernel() -> Iterator[Obstacle]:
    known = Path("/proc/filesystems").read_text().split()
    for kind in ("overlay", "ext4"):
        if kind not in known and not _loadable():
            yield Obstacle(
                f"the kernel has no {kind} file system", f"Type 'modprobe {kind}' as root."
            )
    if not Path("/proc/self/ns/pid").exists() or not Path("/proc/self/ns/net").exists():
        yield Obstacle("the kernel has no namespaces", "Use a kernel with namespaces built in.")
    if not Path("/dev/loop-control").exists():
        yield Obstacle(
            "there is no /dev/loop-control, so storage cannot be killed for real",
            "Type 'modprobe loop' as root, or bring the lab up with --volume dir.",
        )


def _loadable() -> bool:
    # mount(2) loads a missing file system by itself where modules exist
    return Path("/proc/modules").exists()


def _user() -> Iterator[Obstacle]:
    if os.geteuid() != 0:
        yield Obstacle("you are not root", "Type 'sudo dr lab up'.")
