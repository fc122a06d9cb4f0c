"""Everything that is decided before a lab is made."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dr.lab.golden import Golden, default_cache
from dr.lab.postgres import REPOSITORY, VOLUME, Installation
from dr.lab.topology import DATABASE_ROLES, Host, Role, Topology
from dr.lab.volume import VolumeKind, VolumeSpec


def default_directory() -> Path:
    """Return this user's lab directory: $DR_LAB, or /var/tmp/dr-lab-UID."""
    named = os.environ.get("DR_LAB")
    return Path(named) if named else Path(f"/var/tmp/dr-lab-{os.geteuid()}")  # noqa: S108


def _cache() -> Path:
    named = os.environ.get("DR_LAB_CACHE")
    return Path(named) if named else default_cache()


@dataclass(frozen=True, slots=True)
class Accounts:
    """Whose names are used on the hosts."""

    login: str
    """Whom the engine logs in as."""
    database: str
    """Whom PostgreSQL and pgBackRest run as."""
    home: str
    """The home of ``login`` on a host."""


def accounts() -> Accounts:
    """Return the accounts of this user's labs.

    A lab of root has root and postgres.  Anybody else is one and the same user everywhere: a user
    namespace that nobody prepared holds no second one.
    """
    if os.geteuid() == 0:
        return Accounts("root", "postgres", "/root")
    name = pwd.getpwuid(os.geteuid()).pw_name
    return Accounts(name, name, f"/home/{name}")


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What ``dr lab up`` may be told."""

    directory: Path = field(default_factory=default_directory)
    branches: int = 3
    """Branch offices, 0 to 50."""
    wan_ms: float = 5.0
    """One-way delay between machine room and DR centre, in milliseconds."""
    extra: int = 0
    """Plain SSH hosts, 0 to 150."""
    staging: bool = True
    only_ssh: bool = False
    volume: str = "auto"
    """Storage of the machine room's databases: ``loop``, ``dir``, or ``auto``: loop as root."""
    rows: int = 100_000
    rate: float = 2.0
    """Cases per second that a branch registers."""
    archive_timeout_s: int = 10
    tie_pid: int | None = None
    """The lab ends with this process."""
    cache: Path = field(default_factory=_cache)


@dataclass(frozen=True, slots=True)
class LabPlan:
    """The options, resolved: handed to the world by inheritance."""

    directory: Path
    options: LabOptions
    topology: Topology
    installation: Installation | None
    golden: Golden | None
    privileged: bool
    volumes: tuple[VolumeSpec, ...]
    passwords: Mapping[str, str] = field(default_factory=dict)
    """Of the database's roles; read early, as hosts cannot see the cache."""
    accounts: Accounts = field(default_factory=accounts)

    def host_folder(self, name: str) -> Path:
        return self.directory / "hosts" / name

    def upper(self, name: str) -> Path:
        """Return the host's own layer of its root file system."""
        return self.host_folder(name) / "upper"


def plan_volumes(
    topology: Topology, golden: Golden | None, *, loop: bool
) -> tuple[VolumeSpec, ...]:
    """Choose each host's volume.

    The machine room's two databases get own file systems where possible, because theirs is the
    storage that drills break; the others cost nothing as overlays.
    """
    if golden is None:
        return ()
    specs: list[VolumeSpec] = []
    for host in topology.hosts:
        kind = _kind(host, loop=loop)
        if kind is not None:
            lower = golden.volume if kind is VolumeKind.OVERLAY else None
            specs.append(VolumeSpec(host.name, kind, VOLUME, lower))
        if any(cluster.backup == host.name for cluster in topology.clusters):
            specs.append(VolumeSpec(host.name, VolumeKind.OVERLAY, REPOSITORY, golden.repository))
    return tuple(specs)


def _kind(host: Host, *, loop: bool) -> VolumeKind | None:
    if host.role not in DATABASE_ROLES:
        return None
    if host.role is Role.SPARE:
        return VolumeKind.PLAIN
    return VolumeKind.LOOP if loop and host.site == "main" else VolumeKind.OVERLAY
