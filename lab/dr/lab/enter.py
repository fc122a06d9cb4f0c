"""Stepping into a lab: the control host's network, from an ordinary process.

Nothing is ever sent to a lab address from the machine's own network: a process first becomes a
part of the lab's.  Standard library only: this runs at the start of every ``dr`` command.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from dr.lab import kernel, rpc

MARK = "lab.json"
CONTROL = "control"
_KINDS = ("net", "mnt", "uts", "ipc", "pid", "user")
# nsenter starts with all capabilities; these reach past a host
_DROPPED = "-sys_module,-sys_rawio,-sys_boot,-sys_time,-mknod,-syslog"


def is_up(directory: Path) -> bool:
    """Tell whether a lab answers in ``directory``."""
    try:
        rpc.call(directory, "ping", timeout_s=5.0)
    except (OSError, rpc.WorldRefusedError):
        return False
    return True


def enter(directory: Path, host: str = CONTROL) -> None:
    """Move this process into the network of ``host``, with the lab's /etc/hosts.

    The file system stays this machine's.  Must be called while the process has one thread.
    Calling it again, or in a child of a process that did, changes nothing.

    Raises:
        OSError: no lab is up there, or this user may not enter it.
    """
    namespaces = host_namespaces(directory, host)
    try:
        here, there = os.stat("/proc/self/ns/net"), os.fstat(namespaces["net"])
        if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
            return
        own_user, their_user = os.stat("/proc/self/ns/user"), os.fstat(namespaces["user"])
        if own_user.st_ino != their_user.st_ino:
            kernel.setns(namespaces["user"], kernel.CLONE_NEWUSER)
        kernel.setns(namespaces["net"], kernel.CLONE_NEWNET)
    finally:
        for fd in namespaces.values():
            os.close(fd)
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.make_mounts_private()
    kernel.bind(directory / "hosts.txt", "/etc/hosts")


def host_namespaces(directory: Path, host: str) -> dict[str, int]:
    """Return open file descriptors of the namespaces of ``host``, by kind; the caller closes."""
    answer, fds = rpc.call_for_fds(directory, "namespaces", host=host)
    return dict(zip(answer["kinds"], fds, strict=True))


def host_command(
    directory: Path, host: str, argv: Sequence[str]
) -> tuple[list[str], Mapping[str, str], list[int]]:
    """Return a command that runs ``argv`` as root inside ``host``.

    Returns:
        The words, the environment, and the descriptors to pass on and close afterwards.
    """
    namespaces = host_namespaces(directory, host)
    own_user = os.stat("/proc/self/ns/user").st_ino
    same_user = os.fstat(namespaces["user"]).st_ino == own_user
    flags = {"net": "--net", "mnt": "--mount", "uts": "--uts", "ipc": "--ipc", "pid": "--pid"}
    if not same_user:
        flags["user"] = "--user"
    words = ["nsenter", *(f"{flag}=/proc/self/fd/{namespaces[k]}" for k, flag in flags.items())]
    if not same_user:
        words.append("--preserve-credentials")
    elif os.geteuid() == 0:
        argv = ["setpriv", f"--bounding-set={_DROPPED}", "--", *argv]
    mark = json.loads((directory / MARK).read_text())
    environment = {
        "PATH": mark["path"],
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TERM": os.environ.get("TERM", "dumb"),
    }
    return [*words, "--", *argv], environment, list(namespaces.values())


def in_host(
    directory: Path,
    host: str,
    argv: Sequence[str],
    *,
    stdin: str = "",
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``argv`` as root inside ``host``; its exit code is in the result, not an exception."""
    words, environment, fds = host_command(directory, host, argv)
    try:
        return subprocess.run(
            words,
            env=environment,
            cwd="/",
            pass_fds=fds,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    finally:
        for fd in fds:
            os.close(fd)


def shell(directory: Path, host: str, argv: Sequence[str] = ()) -> int:
    """Give this terminal to a shell (or ``argv``) inside ``host``; return its exit code."""
    words, environment, fds = host_command(directory, host, argv or ["bash", "-i"])
    try:
        return subprocess.run(words, env=environment, cwd="/", pass_fds=fds, check=False).returncode
    finally:
        for fd in fds:
            os.close(fd)


KINDS = _KINDS
