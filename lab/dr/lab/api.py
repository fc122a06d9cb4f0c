"""The lab, as others use it: up, down, status, break and heal, enter, run inside a host."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dr.lab import rpc
from dr.lab.doctor import find_tools_of_root, obstacles
from dr.lab.enter import enter, host_command, in_host, is_up, shell
from dr.lab.errors import LabDownError, LabError, LabUsageError
from dr.lab.golden import golden
from dr.lab.hostfiles import host_keys, known_hosts, names_file, write_host_files
from dr.lab.keys import make_keys, public_key
from dr.lab.launch import start_world
from dr.lab.plan import LabOptions, LabPlan, default_directory, plan_volumes
from dr.lab.postgres import find_installation
from dr.lab.readiness import wait_until_ready
from dr.lab.remains import VERSION, locked, remove, write_json
from dr.lab.topology import plan_topology
from dr.lab.volume import Volume
from dr.lab.workspace import key_files, workspace_folder, write_workspace

_SAFE_PATH = re.compile(r"[A-Za-z0-9/._+@-]+")

__all__ = [
    "LabOptions",
    "LabStatus",
    "break_",
    "default_directory",
    "down",
    "enter",
    "enter_host",
    "heal",
    "host_command",
    "in_host",
    "is_up",
    "set_wire",
    "shell",
    "status",
    "up",
    "workspace_folder",
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
    find_tools_of_root()
    options = _resolved(options or LabOptions())
    directory = options.directory
    clock = _Clock()
    with locked(directory), _ordinary_umask():
        if is_up(directory):
            raise LabUsageError(
                f"a lab is up in {directory} already",
                hint="Type 'dr lab down' first, or choose another directory with --dir.",
            )
        remove(directory)
        directory.mkdir(parents=True)
        try:
            _bring_up(options, clock)
        except BaseException:
            _keep_log(directory)
            remove(directory)
            raise
    return replace(status(directory), timings=clock.seen)


@contextlib.contextmanager
def _ordinary_umask() -> Iterator[None]:
    """Let others read and nobody else write: sshd on a host refuses looser, postgres tighter."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def _bring_up(options: LabOptions, clock: _Clock) -> None:
    directory = options.directory
    # the mark is first: without it nothing is ever removed
    write_json(directory, {"version": VERSION})
    directory.chmod(0o711)
    plan = _plan(options)
    clock.saw("golden")
    _write_files(plan)
    clock.saw("files")
    pid = start_world(plan)
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
    if options.volume == "loop" and os.geteuid() != 0:
        raise LabUsageError(
            "a lab of an ordinary user has no loop volumes: attaching a device is root's",
            hint="Leave --volume out, or type 'sudo dr lab up'.",
        )
    database, loop = not options.only_ssh, options.volume != "dir"
    for obstacle in obstacles(directory.parent, database=database, loop=loop):
        raise LabError(obstacle.message, hint=obstacle.hint)
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
        volumes=plan_volumes(topology, base, loop=os.geteuid() == 0 and options.volume != "dir"),
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
    with locked(directory):
        return remove(directory)


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


def enter_host(directory: Path, host: str) -> None:
    """Move this process into the network of ``host``; see :func:`dr.lab.enter.enter`.

    Raises:
        LabUsageError: the lab has no such host, or it is switched off.
    """
    try:
        enter(directory, host)
    except rpc.WorldRefusedError as error:
        raise LabUsageError(error.message, hint=error.hint) from None


def set_wire(
    directory: Path, site: str, *, delay_ms: float | None = None, loss: float | None = None
) -> dict[str, float]:
    """Change the line of ``site``.

    Args:
        delay_ms: one way, 0 to 10000 milliseconds; as it was when None.
        loss: the share of frames that is lost, 0 to 1; as it was when None.

    Returns:
        What the line carries now: up, delay_ms, loss, frames, bytes.
    """
    wires = _call(directory, "wire", site=site, delay_ms=delay_ms, loss=loss)["wires"]
    changed: dict[str, float] = wires[site]
    return changed


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
