"""The lab, as others use it: up, down, status, break and heal, enter, run inside a host."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dr.lab import kernel, rpc
from dr.lab.enter import MARK, enter, host_command, in_host, is_up, shell
from dr.lab.errors import LabDownError, LabError, LabUsageError
from dr.lab.faults import REQUESTS
from dr.lab.golden import golden
from dr.lab.hostfiles import host_keys, known_hosts, login_path, names_file, write_host_files
from dr.lab.keys import make_keys, public_key
from dr.lab.plan import LabOptions, LabPlan, default_directory, plan_volumes
from dr.lab.postgres import find_installation
from dr.lab.readiness import wait_until_ready
from dr.lab.topology import plan_topology
from dr.lab.volume import Volume, loops_of, thaw_leftovers
from dr.lab.workspace import key_files, workspace_folder, write_workspace
from dr.lab.world import run_world

_VERSION = 1
_PART = f".{MARK}"
_END_S = 15.0
_SAFE_PATH = re.compile(r"[A-Za-z0-9/._+@-]+")

__all__ = [
    "LabOptions",
    "LabStatus",
    "break_",
    "default_directory",
    "down",
    "enter",
    "heal",
    "host_command",
    "in_host",
    "is_up",
    "shell",
    "status",
    "up",
]


@dataclass(frozen=True, slots=True)
class LabStatus:
    """What a lab is doing."""

    directory: Path
    up: bool
    workspace: Path
    hosts: list[dict[str, Any]] = field(default_factory=list)
    """name, site, address, role, environment, power (on, off, frozen), plugged, boot_id, volumes"""
    sites: list[dict[str, Any]] = field(default_factory=list)
    wires: dict[str, dict[str, float]] = field(default_factory=dict)
    branches: list[dict[str, Any]] = field(default_factory=list)
    """branch, acknowledged, unknown, failed, last_success, failing_since, last_error"""
    timings: dict[str, float] = field(default_factory=dict)
    """Only from :func:`up`: seconds until each stage was reached."""


def up(options: LabOptions | None = None) -> LabStatus:
    """Bring a lab up and wait until everything in it answers.

    Raises:
        LabError: one is up there already, or the machine lacks something.
    """
    options = _resolved(options or LabOptions())
    directory = options.directory
    clock = _Clock()
    with _locked(directory):
        if is_up(directory):
            raise LabUsageError(
                f"a lab is up in {directory} already",
                hint="Type 'dr lab down' first, or choose another directory with --dir.",
            )
        _remove(directory)
        directory.mkdir(parents=True)
        try:
            _bring_up(options, clock)
        except BaseException:
            _keep_log(directory)
            _remove(directory)
            raise
    return replace(status(directory), timings=clock.seen)


def _bring_up(options: LabOptions, clock: _Clock) -> None:
    directory = options.directory
    # the mark is first: without it nothing is ever removed
    _write_json(directory, {"version": _VERSION})
    directory.chmod(0o711)
    plan = _plan(options)
    clock.saw("golden")
    _write_files(plan)
    clock.saw("files")
    pid = _start_world(plan)
    clock.saw("hosts")
    wait_until_ready(plan, pid)
    rpc.call(directory, "adopt")
    clock.saw("ready")


def _resolved(options: LabOptions) -> LabOptions:
    directory = options.directory.expanduser().absolute()
    for path in (directory, options.cache):
        if not _SAFE_PATH.fullmatch(str(path)):
            raise LabUsageError(
                f"the path {path} has a character that a mount option cannot hold",
                hint="Choose a path of letters, digits and / . _ + @ - only.",
            )
    if options.volume not in {"auto", "loop", "dir"}:
        raise LabUsageError(
            f"no kind of volume is called '{options.volume}'", hint="Choose auto, loop or dir."
        )
    if options.rate <= 0:
        raise LabUsageError("a branch's rate must be above 0 cases a second")
    if os.geteuid() != 0:
        raise LabError(
            "the lab needs root here: a lab without it is not built yet",
            hint="Type 'sudo dr lab up', or 'dr lab doctor' to see what else is missing.",
        )
    return replace(options, directory=directory, cache=options.cache.expanduser().absolute())


def _plan(options: LabOptions) -> LabPlan:
    topology = plan_topology(
        branches=options.branches,
        extra=options.extra,
        staging=options.staging,
        only_ssh=options.only_ssh,
        wan_ms=options.wan_ms,
    )
    installation = base = None
    if not options.only_ssh:
        installation = find_installation()
        base = golden(
            options.cache,
            installation,
            rows=options.rows,
            archive_timeout_s=options.archive_timeout_s,
            backup=True,
        )
    return LabPlan(
        directory=options.directory,
        options=options,
        topology=topology,
        installation=installation,
        golden=base,
        privileged=os.geteuid() == 0,
        volumes=plan_volumes(topology, base, loop=options.volume != "dir"),
        passwords=base.passwords if base else {},
    )


def _write_files(plan: LabPlan) -> None:
    copies = []
    for spec in plan.volumes:
        command = Volume(spec, plan.host_folder(spec.host)).prepare(plan.golden)
        if command:
            copies.append(subprocess.Popen(command))
    make_keys({**host_keys(plan), **key_files(plan.directory)})
    engine = public_key(workspace_folder(plan.directory) / "keys/engine_ed25519")
    names, known = names_file(plan), known_hosts(plan)
    for host in plan.topology.hosts:
        write_host_files(plan, host, engine, names, known)
    (plan.directory / "hosts.txt").write_text(names)
    (plan.directory / "mail").mkdir()
    write_workspace(plan, known)
    for copy in copies:
        if copy.wait() != 0:
            raise LabError("a volume could not be copied", hint="Look for free space with 'df'.")


def _start_world(plan: LabPlan) -> int:
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
        _write_mark(plan, int(pid))
    with os.fdopen(ready_read) as file:
        if file.readline() != "ok\n":
            raise LabError(
                f"the lab did not start: {_tail(plan.directory / 'world.log')}",
                hint="Type 'dr lab doctor' to see what this machine lacks.",
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


def _write_mark(plan: LabPlan, pid: int) -> None:
    """Write down which process is the world, so that ``down`` finds it and nothing else."""
    mark = {
        "version": _VERSION,
        "pid": pid,
        "started": _start_time(pid),
        "boot_id": _boot_id(),
        "path": login_path(plan),
    }
    _write_json(plan.directory, mark)


def _write_json(directory: Path, mark: dict[str, Any]) -> None:
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


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
    return "it said nothing"


def _keep_log(directory: Path) -> None:
    if os.environ.get("DR_LAB_KEEP_LOG"):
        with contextlib.suppress(OSError):
            sys.stderr.write((directory / "world.log").read_text(errors="replace"))


def down(directory: Path | None = None) -> bool:
    """Take a lab down: every process, interface, mount and file.

    Works on whatever is left of one, after a kill -9 or a reboot, too.

    Returns:
        Whether there was anything.
    """
    directory = (directory or default_directory()).expanduser().absolute()
    with _locked(directory):
        return _remove(directory)


def _remove(directory: Path) -> bool:
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
            shutil.rmtree(path)
        else:
            path.unlink()
    (directory / MARK).unlink()
    directory.rmdir()


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
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


def status(directory: Path | None = None) -> LabStatus:
    """Return what the lab is doing; ``up`` is False when there is none."""
    directory = (directory or default_directory()).expanduser().absolute()
    workspace = workspace_folder(directory)
    if not is_up(directory):
        return LabStatus(directory, up=False, workspace=workspace)
    answer = _call(directory, "status")
    return LabStatus(
        directory,
        up=True,
        workspace=workspace,
        hosts=answer["hosts"],
        sites=answer["sites"],
        wires=answer["wires"],
        branches=answer["branches"],
    )


def break_(directory: Path, fault: str, *targets: str) -> Sequence[str]:
    """Break something; return the targets that were hit.  See :data:`dr.lab.faults.FAULTS`."""
    hit: list[str] = _call(directory, "break", fault=fault, targets=targets)["targets"]
    return hit


def heal(directory: Path, fault: str, *targets: str) -> Sequence[str]:
    """Mend what :func:`break_` broke; return the targets."""
    healed: list[str] = _call(directory, "heal", fault=fault, targets=targets)["targets"]
    return healed


def _call(directory: Path, request: str, **arguments: Any) -> dict[str, Any]:
    try:
        return rpc.call(directory, request, **arguments)
    except rpc.WorldRefusedError as error:
        kind = LabUsageError if error.usage else LabError
        raise kind(error.message, hint=error.hint) from None
    except OSError as error:
        raise LabDownError(directory) from error


class _Clock:
    """Seconds from the start to each stage."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.seen: dict[str, float] = {}

    def saw(self, stage: str) -> None:
        self.seen[stage] = round(time.monotonic() - self._start, 3)
