"""The world: PID 1 of a lab.  It owns the fabric, the volumes and the hosts; when it dies, the
kernel takes every process, interface, mount, address and loop device of the lab with it."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dr.lab import kernel, rpc
from dr.lab.enter import KINDS, MARK
from dr.lab.errors import LabError, LabUsageError
from dr.lab.fabric import Fabric, disable_ipv6
from dr.lab.host import boot
from dr.lab.office import STATE
from dr.lab.plan import LabPlan
from dr.lab.postgres import AS_POSTGRES, LOG, VOLUME, slot_name, standby_settings
from dr.lab.topology import Host, Role
from dr.lab.volume import Volume

_LOOK_ROUND_S = 0.2
_DIE_S = 10.0


class World:
    """A lab that is up."""

    def __init__(self, plan: LabPlan) -> None:
        self.plan = plan
        self.topology = plan.topology
        self.init: dict[str, int] = {}
        self.boot_ids: dict[str, str] = {}
        self.frozen: set[str] = set()
        self.fabric = Fabric(plan.topology)
        self.volumes: dict[str, list[Volume]] = {}
        for spec in plan.volumes:
            volume = Volume(spec, plan.host_folder(spec.host))
            volume.attach()
            self.volumes.setdefault(spec.host, []).append(volume)
        for host in plan.topology.hosts:
            self._provision(host)

    # -- hosts

    def _provision(self, host: Host) -> None:
        """Make a member's copy of the golden cluster its own, once, while nothing runs on it."""
        installation, cluster = self.plan.installation, self.topology.cluster_of(host.name)
        if installation is None or cluster is None:
            return
        data = Path(
            str(self.data_volume(host.name).mount_point) + installation.data_dir[len(VOLUME) :]
        )
        if host.role is Role.SPARE:
            data.mkdir(parents=True, mode=0o700)
            self.give_to_postgres(data.parent.parent, data.parent, data)
            return
        slots = {slot_name(name) for name in cluster.standbys if cluster.primary == host.name}
        for slot in (data / "pg_replslot").iterdir():
            if slot.name not in slots:
                (slot / "state").unlink()
                slot.rmdir()
        if host.role is Role.STANDBY:
            signal_file, settings = data / "standby.signal", data / "postgresql.auto.conf"
            signal_file.touch()
            text = standby_settings(cluster.address, host.name, self.plan.passwords["repl"])
            settings.write_text(text)
            self.give_to_postgres(signal_file, settings)

    def give_to_postgres(self, *paths: Path) -> None:
        """Let the database's user own ``paths``."""
        if self.plan.privileged:
            for path in paths:
                shutil.chown(path, "postgres", "postgres")

    def data_volume(self, host: str) -> Volume:
        """Return the volume that the database of ``host`` lies on."""
        for volume in self.volumes.get(host, []):
            if volume.spec.target == VOLUME:
                return volume
        raise LabUsageError(
            f"host '{host}' has no database storage",
            hint=f"Choose one of: {', '.join(self.database_hosts())}.",
        )

    def database_hosts(self) -> list[str]:
        return [name for name, all_ in self.volumes.items() if all_[0].spec.target == VOLUME]

    def power_on(self, names: Iterable[str]) -> None:
        """Switch hosts on, at the same time."""
        hosts = [self.topology.host(name) for name in names]
        for host in hosts:
            if host.name in self.init:
                raise LabUsageError(f"host '{host.name}' is on already")
        self.fabric.add_cables(hosts)
        started = {
            host.name: _fork_host(self.plan, host, self._mounts(host.name)) for host in hosts
        }
        self.fabric.hand_over({name: pid for name, (pid, _, _) in started.items()})
        for _, go, _ in started.values():
            os.write(go, b"go")
            os.close(go)
        for name, (pid, _, ready) in started.items():
            with os.fdopen(ready) as file:
                boot_id = file.readline().strip()
            if not boot_id:
                raise LabError(
                    f"host '{name}' did not start",
                    hint=f"Look into {self.plan.directory}/world.log.",
                )
            self.init[name], self.boot_ids[name] = pid, boot_id

    def _mounts(self, host: str) -> dict[str, Path]:
        return {one.spec.target: one.mount_point for one in self.volumes.get(host, [])}

    def power_off(self, name: str) -> None:
        """Cut the power of a host, so that its peers hear nothing of it."""
        pid = self.running(name)
        # first the cable: a kernel that ends processes says FIN, and a power cut never does
        self.fabric.unplug(name)
        for volume in self.volumes.get(name, []):
            volume.unhang()
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + _DIE_S
        while os.path.exists(f"/proc/{pid}"):
            self.reap()
            if time.monotonic() > end:
                raise LabError(f"host '{name}' does not end: a process of it waits for its storage")
            time.sleep(0.002)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self.init.pop(name, None)
        self.frozen.discard(name)
        self.fabric.remove_cable(name)

    def running(self, name: str) -> int:
        """Return the init of a host that is on; raises when it is off or unknown."""
        self.topology.host(name)
        if name not in self.init:
            raise LabUsageError(
                f"host '{name}' is off", hint=f"Type 'dr lab heal host-off {name}' to switch it on."
            )
        return self.init[name]

    def freeze(self, name: str) -> None:
        """Stop every process of a host; its kernel keeps answering packets."""
        self.running(name)
        stopped: set[int] = set()
        # a process may be born while we go round
        while new := self._processes(name) - stopped:
            for pid in new:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped |= new
        self.frozen.add(name)

    def thaw(self, name: str) -> None:
        for pid in self._processes(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.frozen.discard(name)

    def _processes(self, name: str) -> set[int]:
        namespace = os.stat(f"/proc/{self.running(name)}/ns/pid").st_ino
        found = set()
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with suppress(OSError):
                    if os.stat(f"/proc/{entry}/ns/pid").st_ino == namespace:
                        found.add(int(entry))
        return found

    # -- inside a host

    def run_in(
        self, name: str, argv: list[str], *, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a short command as root inside a host."""
        pid = self.running(name)
        command = ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "--", *argv]
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=20,
            cwd="/",
            check=False,
        )

    def kill_postgres(self, name: str) -> None:
        """Kill every process of the database at once, as the kernel does when memory is short."""
        self.data_volume(name)
        for pid in self._processes(name):
            with suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == "postgres":
                    os.kill(pid, signal.SIGKILL)

    def start_postgres(self, name: str) -> None:
        assert self.plan.installation is not None  # noqa: S101  a database host exists
        command = [*AS_POSTGRES, self.plan.installation.program("pg_ctl"), "-D"]
        command += [self.plan.installation.data_dir, "-l", LOG, "-s", "-w", "-t", "15", "start"]
        done = self.run_in(name, command)
        if done.returncode != 0:
            raise LabError(f"PostgreSQL on '{name}' does not start: {done.stderr.strip()}")

    def attach_in(self, name: str, fd: int, target: str) -> None:
        """Put a detached mount in the place of what a host has at ``target``."""
        pid = self.running(name)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
                kernel.setns(namespace, kernel.CLONE_NEWNS)
                with suppress(OSError):
                    kernel.unmount(target, detach=True)
                kernel.attach_mount(fd, target)
                status = 0
            except OSError:
                traceback.print_exc()
            finally:
                os._exit(status)
        if os.waitpid(child, 0)[1] != 0:
            raise LabError(f"the new volume could not be shown to '{name}'")

    # -- what is seen from outside

    def namespaces(self, name: str) -> list[int]:
        pid = self.running(name)
        return [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in KINDS]

    def status(self) -> dict[str, Any]:
        """Return everything that ``dr lab status`` shows."""
        return {
            "hosts": [self._host_status(host) for host in self.topology.hosts],
            "sites": [
                {"name": site.name, "joined": self.fabric.is_joined(site.name)}
                for site in self.topology.sites
            ],
            "wires": self.fabric.wires.state(),
            "branches": [self._branch_status(host.name) for host in self.topology.branches],
        }

    def _host_status(self, host: Host) -> dict[str, Any]:
        power = "off"
        if host.name in self.init:
            power = "frozen" if host.name in self.frozen else "on"
        return {
            "name": host.name,
            "site": host.site,
            "address": host.address,
            "role": host.role,
            "environment": host.environment,
            "power": power,
            "plugged": self.fabric.is_plugged(host.name),
            "boot_id": self.boot_ids.get(host.name) if host.name in self.init else None,
            "volumes": [
                {"kind": one.spec.kind, "at": one.spec.target, "state": one.state}
                for one in self.volumes.get(host.name, [])
            ],
        }

    def _branch_status(self, name: str) -> dict[str, Any]:
        # the office's file, read below the host's root: works whatever state the host is in
        with suppress(OSError, ValueError):
            loaded: dict[str, Any] = json.loads(
                (self.plan.upper(name) / STATE.lstrip("/")).read_text()
            )
            return loaded
        return {"branch": name}

    def reap(self) -> None:
        """Collect ended children, and notice hosts that ended by themselves."""
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        for name, pid in list(self.init.items()):
            if not os.path.exists(f"/proc/{pid}"):
                self._forget(name)


def _fork_host(plan: LabPlan, host: Host, mounts: dict[str, Path]) -> tuple[int, int, int]:
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
                body = {"kinds": KINDS}
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
