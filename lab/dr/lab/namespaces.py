"""Whether this machine lets this user make what hosts are made of: namespaces and mounts."""

from __future__ import annotations

import os
import pwd
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dr.lab import kernel
from dr.lab.plan import default_directory
from dr.lab.remains import remove_tree

_AS_ROOT = "Type 'sudo dr lab up'."
# (setting, value that forbids, value that allows)
_SETTINGS = (
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),  # Ubuntu from 23.10 on
    ("kernel.unprivileged_userns_clone", "0", "1"),  # Debian until 10
    ("user.max_user_namespaces", "0", "10000"),  # what hardening guides say
)
_REFUSED = {
    "namespaces": "this machine refuses new namespaces",
    "mounts": "mounts are refused in new namespaces",
    "proc": "a fresh /proc is refused, as in a container that covers parts of it",
    "overlay": "an overlay is refused on {folder}",
}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that is missing, and what to type."""

    message: str
    hint: str


def refusal(folder: Path | None = None) -> Obstacle | None:
    """Try what a lab in ``folder`` needs, in a process that ends at once; None when all works."""
    if os.geteuid() != 0 and not _has_name():
        return Obstacle(
            f"user {os.geteuid()} has no name on this machine, and PostgreSQL wants one",
            "Log in as a user that /etc/passwd lists.",
        )
    folder = folder or default_directory().parent
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".dr-lab-probe-", dir=folder))
    try:
        said = _try_in_child(scratch)
    finally:
        remove_tree(scratch)
    if not said:
        return None
    stage, _, reason = said.partition(":")
    message = _REFUSED[stage].format(folder=folder)
    return Obstacle(f"{message} ({reason})", _hint(stage))


def _has_name() -> bool:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def _try_in_child(scratch: Path) -> str:
    """Return ``STAGE:REASON`` of the first thing that is refused, or nothing."""
    read, write = os.pipe()
    child = kernel.fork()
    if child == 0:
        os.close(read)
        stage = ["namespaces"]
        try:
            if os.geteuid() != 0:
                kernel.unshare_user()
            kernel.unshare(kernel.ALL_NAMESPACES)
            inner = kernel.fork()  # the first in the new pid namespace: only it may mount /proc
            if inner == 0:
                _try_mounts(scratch, stage)
            else:
                os.waitpid(inner, 0)
        except OSError as error:
            os.write(write, f"{stage[0]}:{error.strerror}".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


def _try_mounts(scratch: Path, stage: list[str]) -> None:
    stage[0] = "mounts"
    kernel.make_mounts_private()
    layers = [scratch / name for name in ("lower", "upper", "work", "mount")]
    for layer in layers:
        layer.mkdir()
    kernel.mount("tmpfs", layers[3], "tmpfs")
    stage[0] = "proc"
    kernel.mount("proc", "/proc", "proc")
    stage[0] = "overlay"
    options = f"lowerdir={layers[0]},upperdir={layers[1]},workdir={layers[2]}"
    kernel.mount("probe", layers[3], "overlay", 0, options + kernel.overlay_options())


def _hint(stage: str) -> str:
    if stage == "overlay":
        return "Set DR_LAB to a directory on an ordinary file system such as ext4, xfs or btrfs."
    if os.geteuid() == 0:
        return "Use a machine of its own: a container has to be allowed CAP_SYS_ADMIN for this."
    for setting, forbids, allows in _SETTINGS:
        path = Path("/proc/sys", *setting.split("."))
        if path.exists() and path.read_text().strip() == forbids:
            return f"Type 'sysctl -w {setting}={allows}' as root, or 'sudo dr lab up'."
    return _AS_ROOT
