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

from dr.lab import inside, kernel, rpc

MARK = "lab.json"
CONTROL = "control"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_SSH_SNIPPETS = Path("/etc/ssh/ssh_config.d")
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

    The file system stays this machine's.  On another host than ``control`` the process also has
    that host's name and boot id: to an engine it is another machine.

    Must be called while the process has one thread.  Calling it again, or in a child of a process
    that did, changes nothing.

    Raises:
        OSError: no lab is up there, or this user may not enter it.
    """
    namespaces, boot_id = _namespaces(directory, host)
    try:
        here, there = os.stat("/proc/self/ns/net"), os.fstat(namespaces["net"])
        if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
            return
        foreign = not _own_user_namespace(namespaces["user"])
        if foreign:
            kernel.setns(namespaces["user"], kernel.CLONE_NEWUSER)
            kernel.keep_capabilities()
        kernel.setns(namespaces["net"], kernel.CLONE_NEWNET)
        if host != CONTROL:
            kernel.setns(namespaces["uts"], kernel.CLONE_NEWUTS)
    finally:
        for fd in namespaces.values():
            os.close(fd)
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.make_mounts_private()
    kernel.bind(directory / "hosts.txt", "/etc/hosts")
    if host != CONTROL:
        kernel.bind(_boot_file(directory, host, boot_id), _BOOT_ID)
    if foreign and _SSH_SNIPPETS.is_dir():
        # root's files seem to be nobody's in there, and ssh refuses to read those
        kernel.mount("tmpfs", _SSH_SNIPPETS, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=4k")


def _boot_file(directory: Path, host: str, boot_id: str) -> Path:
    path = directory / f"{host}.boot_id"
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(f"{boot_id}\n")
    part.rename(path)
    return path


def _own_user_namespace(fd: int) -> bool:
    return os.stat("/proc/self/ns/user").st_ino == os.fstat(fd).st_ino


def host_namespaces(directory: Path, host: str) -> dict[str, int]:
    """Return open file descriptors of the namespaces of ``host``, by kind; the caller closes."""
    return _namespaces(directory, host)[0]


def _namespaces(directory: Path, host: str) -> tuple[dict[str, int], str]:
    answer, fds = rpc.call_for_fds(directory, "namespaces", host=host)
    return dict(zip(answer["kinds"], fds, strict=True)), str(answer["boot_id"])


def host_command(
    directory: Path, host: str, argv: Sequence[str]
) -> tuple[list[str], Mapping[str, str], list[int]]:
    """Return a command that runs ``argv`` inside ``host``: as root, or as who made the lab.

    Returns:
        The words, the environment, and the descriptors to pass on and close afterwards.
    """
    namespaces = host_namespaces(directory, host)
    if _own_user_namespace(namespaces["user"]):
        words = _by_nsenter(namespaces, argv)
    else:
        order = ("user", *(kind for kind in namespaces if kind != "user"))
        words = inside.command([namespaces[kind] for kind in order], list(argv))
    mark = json.loads((directory / MARK).read_text())
    environment = {
        "PATH": mark["path"],
        "HOME": mark.get("home", "/root"),
        "LANG": "C.UTF-8",
        "TERM": os.environ.get("TERM", "dumb"),
    }
    return words, environment, list(namespaces.values())


def _by_nsenter(namespaces: Mapping[str, int], argv: Sequence[str]) -> list[str]:
    flags = {"net": "--net", "mnt": "--mount", "uts": "--uts", "ipc": "--ipc", "pid": "--pid"}
    words = [f"{flag}=/proc/self/fd/{namespaces[kind]}" for kind, flag in flags.items()]
    drop = ["setpriv", f"--bounding-set={_DROPPED}", "--"] if os.geteuid() == 0 else []
    return ["nsenter", *words, "--", *drop, *argv]


def in_host(
    directory: Path,
    host: str,
    argv: Sequence[str],
    *,
    stdin: str = "",
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``argv`` inside ``host``, as :func:`host_command` says.

    Its exit code is in the result and raises nothing.
    """
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


def started_in_host(directory: Path, host: str, argv: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start ``argv`` inside ``host``, as :func:`host_command` says, with pipes of our own."""
    words, environment, fds = host_command(directory, host, argv)
    try:
        return subprocess.Popen(
            words,
            env=dict(environment),
            cwd="/",
            pass_fds=fds,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
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
