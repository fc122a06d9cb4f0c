"""The world: PID 1 of a lab.  It owns the fabric, the volumes and the hosts; when it dies, the
kernel takes every process, interface, mount, address and loop device of the lab with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dr.lab import kernel
from dr.lab.birth import fork_host
from dr.lab.enter import KINDS
from dr.lab.errors import LabError, LabUsageError
from dr.lab.fabric import Fabric
from dr.lab.office import STATE
from dr.lab.plan import LabPlan
from dr.lab.postgres import LOG, VOLUME, as_postgres, slot_name, standby_settings
from dr.lab.topology import Host, Role
from dr.lab.volume import Volume

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
        """List the hosts that have storage for a database."""
        return [name for name, all_ in self.volumes.items() if all_[0].spec.target == VOLUME]

    def power_on(self, names: Iterable[str]) -> None:
        """Switch hosts on, at the same time."""
        hosts = [self.topology.host(name) for name in names]
        for host in hosts:
            if host.name in self.init:
                raise LabUsageError(f"host '{host.name}' is on already")
        self.fabric.add_cables(hosts)
        started = {host.name: fork_host(self.plan, host, self._mounts(host.name)) for host in hosts}
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
        command = [*as_postgres(), self.plan.installation.program("pg_ctl"), "-D"]
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
