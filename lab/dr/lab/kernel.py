"""The few system calls that Python does not offer: namespaces, mounts, whole-volume faults."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
ALL_NAMESPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2

# <linux/fs.h>, <linux/ext4.h>, <linux/loop.h>
_EXT4_IOC_SHUTDOWN, _FIFREEZE, _FITHAW = 0x8004587D, 0xC0045877, 0xC0045878
_LOOP_GET_STATUS64, _LOOP_INFO64_SIZE = 0x4C05, 232
_SHUTDOWN_NOLOGFLUSH = 2  # drop the journal too: what power loss of a disk does

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_CAPBSET_DROP = 1, 15, 24
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAPABILITY_VERSION_3 = 0x20080522
# sys_module, sys_rawio, sys_boot, sys_time, mknod, syslog, wake_alarm: they reach the machine
_MACHINE_CAPABILITIES = (16, 17, 22, 25, 27, 34, 35)

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
# these two have one number on every architecture
_OPEN_TREE, _MOVE_MOUNT = 428, 429
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH, _AT_FDCWD = 1, 4, -100

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Leave the namespaces in ``flags`` for fresh ones; a new pid namespace is the children's."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def unshare_user() -> None:
    """Enter a user namespace of one's own, as the same user, with every capability inside it.

    What is reached by them is only what belongs to the namespace: networks, mounts and host names
    made in it.  The capabilities stay with the programs that this process starts.
    """
    user, group = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    # a group map needs this first: else a member could shed a group that a file is closed to
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    keep_capabilities()


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


def keep_capabilities() -> None:
    """Let the programs that this process starts have its capabilities, though nobody is root."""
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)()
    _checked(_libc.capget(ctypes.byref(header), data), "capget")
    for half in data:
        half.inheritable = half.permitted
    _checked(_libc.capset(ctypes.byref(header), data), "capset")
    for number in range(64):
        if data[number // 32].permitted >> number % 32 & 1:
            _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0)


def fork() -> int:
    """Fork, also in a process that has other threads, as test runners do.

    Python warns of that from 3.12 on.  What is forked here needs no lock of another thread: it
    makes system calls, starts programs and ends by ``os._exit``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def setns(fd: int, kind: int = 0) -> None:
    """Join the namespace behind ``fd``; a mount namespace needs a process with one thread."""
    _checked(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)), "setns")


def mount(
    source: str | None, target: str | Path, kind: str | None, flags: int = 0, data: str = ""
) -> None:
    """Call mount(2)."""
    result = _libc.mount(
        source.encode() if source else None,
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )
    _checked(result, f"mount {kind or source or ''} on {target}")


def bind(source: str | Path, target: str | Path, *, read_only: bool = False) -> None:
    """Show ``source`` (one mount, nothing below it) at ``target`` as well."""
    mount(str(source), target, None, MS_BIND)
    if read_only:
        _make_read_only(target)


def bind_tree(source: str | Path, target: str | Path) -> None:
    """Show ``source`` and all that is mounted below it at ``target``, itself read-only."""
    mount(str(source), target, None, MS_BIND | MS_REC)
    _make_read_only(target)


def _make_read_only(target: str | Path) -> None:
    # whoever is not the machine's root must repeat the limits that a mount has already
    kept = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount(None, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | kept)


def overlay_options() -> str:
    """Return what an overlay of this user needs beside its layers."""
    return "" if os.geteuid() == 0 else ",userxattr"


def make_mounts_private() -> None:
    """Keep this namespace's mounts from spreading to any other, and theirs from coming here."""
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def unmount(target: str | Path, *, detach: bool = False) -> None:
    """Call umount2(2); ``detach`` hides a busy mount at once and frees it with its last user."""
    flags = MNT_DETACH if detach else 0
    _checked(_libc.umount2(os.fsencode(target), ctypes.c_int(flags)), f"umount {target}")


def pivot_into(new_root: str | Path) -> None:
    """Make ``new_root`` (a mount point) this mount namespace's ``/`` and drop the old one."""
    os.chdir(new_root)
    number = _PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(f"pivot_root is not known on {os.uname().machine}")
    _checked(_libc.syscall(number, b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", MNT_DETACH), "umount old root")
    os.chdir("/")


def clone_mount(path: str | Path) -> int:
    """Return a file descriptor of a detached copy of the mount at ``path``."""
    result = _libc.syscall(
        _OPEN_TREE, _AT_FDCWD, os.fsencode(path), _OPEN_TREE_CLONE | os.O_CLOEXEC
    )
    return _checked(result, f"open_tree {path}")


def attach_mount(fd: int, target: str | Path) -> None:
    """Attach a mount from :func:`clone_mount` at ``target`` of the caller's mount namespace."""
    result = _libc.syscall(
        _MOVE_MOUNT, fd, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH
    )
    _checked(result, f"move_mount {target}")


def drop_machine_capabilities() -> None:
    """Take from this process and its children what reaches past a host: devices, clock, modules."""
    for capability in _MACHINE_CAPABILITIES:
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def name_process(name: str) -> None:
    """Set the name that ``ps`` shows in its short form (at most 15 bytes)."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def die_with_parent() -> None:
    """Let this process be killed when the one that forked it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def shut_filesystem_down(mount_point: str | Path) -> None:
    """Make every access to the ext4 file system an I/O error, unwritten data lost."""
    with _opened(mount_point) as fd:
        fcntl.ioctl(fd, _EXT4_IOC_SHUTDOWN, struct.pack("I", _SHUTDOWN_NOLOGFLUSH))


def freeze_filesystem(mount_point: str | Path) -> None:
    """Make every write to the file system wait until :func:`thaw_filesystem`."""
    with _opened(mount_point) as fd:
        fcntl.ioctl(fd, _FIFREEZE, 0)


def thaw_filesystem(mount_point: str | Path) -> None:
    """Let writes go on; OSError (EINVAL) when the file system was not frozen."""
    with _opened(mount_point) as fd:
        fcntl.ioctl(fd, _FITHAW, 0)


def file_behind_loop(device: str | Path) -> tuple[int, int]:
    """Return device and inode of the file that a loop device shows; OSError when it shows none."""
    info = bytearray(_LOOP_INFO64_SIZE)
    with _opened(device) as fd:
        fcntl.ioctl(fd, _LOOP_GET_STATUS64, info)
    number, inode = struct.unpack_from("QQ", info)
    return number, inode
