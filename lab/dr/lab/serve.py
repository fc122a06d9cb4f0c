"""The world's process: it makes the lab, answers requests, and ends with its owners."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from dr.lab import kernel, rpc
from dr.lab.enter import KINDS, MARK
from dr.lab.errors import LabError, LabUsageError
from dr.lab.fabric import disable_ipv6
from dr.lab.plan import LabPlan
from dr.lab.world import World

_LOOK_ROUND_S = 0.2

Request = Callable[[World, dict[str, Any]], dict[str, Any]]


def run_world(
    plan: LabPlan, ready: int, owners: list[int], requests: Mapping[str, Request]
) -> None:
    """Bring the lab up and serve it for ever.  Runs as PID 1 of fresh namespaces.

    Args:
        ready: a pipe that gets ``ok``, or nothing when it failed.
        owners: pidfds; the first is of the process that brings the lab up and counts until that
            says ``adopt``, the others count always.  The lab ends with any that counts.
    """
    kernel.make_mounts_private()
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    with suppress(OSError):
        quiet = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
        kernel.mount("sysfs", "/sys", "sysfs", quiet)  # the own network's view
    socket.sethostname("lab-world")
    kernel.name_process("lab-world")
    disable_ipv6()
    world = World(plan)
    world.power_on(host.name for host in plan.topology.hosts)
    server = rpc.listen(plan.directory)
    os.write(ready, b"ok\n")
    os.close(ready)
    _serve(world, server, owners, requests)


def _serve(
    world: World, server: socket.socket, owners: list[int], requests: Mapping[str, Request]
) -> None:
    mark = world.plan.directory / MARK
    poll = select.poll()
    poll.register(server, select.POLLIN)
    for owner in owners:
        poll.register(owner, select.POLLIN)
    while True:
        for fd, _ in poll.poll(_LOOK_ROUND_S * 1000):
            if fd in owners:
                os._exit(0)
            client, _ = server.accept()
            with client, suppress(OSError):
                client.settimeout(5.0)
                message = rpc.receive(client)
                if message.get("request") == "adopt":
                    poll.unregister(owners.pop(0))
                    rpc.answer(client, {})
                    continue
                _answer(world, client, message, requests)
        world.reap()
        if not mark.exists():
            os._exit(0)  # somebody removed the directory: nobody could ever find this lab again


def _answer(
    world: World, client: socket.socket, message: dict[str, Any], requests: Mapping[str, Request]
) -> None:
    fds: list[int] = []
    try:
        match message.pop("request", ""):
            case "ping":
                body: dict[str, Any] = {}
            case "namespaces":
                fds = world.namespaces(message["host"])
                body = {"kinds": KINDS, "boot_id": world.boot_ids[message["host"]]}
            case "status":
                body = world.status()
            case name if name in requests:
                body = requests[name](world, message)
            case name:
                body = {"error": f"the lab knows no request '{name}'"}
    except (LabError, LabUsageError) as error:
        usage = isinstance(error, LabUsageError)
        body = {"error": error.message, "hint": error.hint, "usage": usage}
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        traceback.print_exc()
        body = {"error": f"the lab could not do it: {error}", "hint": "Look into world.log."}
    rpc.answer(client, body, fds)
    for fd in fds:
        os.close(fd)
