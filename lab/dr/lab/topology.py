"""Which hosts a lab has, where they stand and what each is for.  Pure: nothing is touched here.

Addresses are from 198.18.0.0/15 (RFC 2544, never routed on the Internet).  All sites share one
/16, as a stretched layer 2 does, so that the service address can move between hosts and sites.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dr.lab.errors import LabUsageError

PREFIX = 16
MOST_BRANCHES = 50
MOST_EXTRA = 150
# the interface names h-NAME and p-NAME must fit into 15 bytes
_LONGEST_NAME = 13


class Role(StrEnum):
    """What a host is for; decides what its init starts and which volume it gets."""

    CONTROL = "control"
    PRIMARY = "primary"
    STANDBY = "standby"
    SPARE = "spare"
    BACKUP = "backup"
    BRANCH = "branch"
    PLAIN = "plain"


DATABASE_ROLES = frozenset({Role.PRIMARY, Role.STANDBY, Role.SPARE})


@dataclass(frozen=True, slots=True)
class Host:
    """One machine of the lab."""

    name: str
    site: str
    address: str
    role: Role
    environment: str
    """``lab``, ``staging`` or ``both``: whose inventory lists it."""
    title_en: str = ""
    title_zh: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """A place with its own network, joined to the core by a link with a delay."""

    name: str
    delay_ms: float | None
    """One way, in milliseconds; None: a plain cable."""
    title_en: str = ""
    title_zh: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A registration database with its standbys, spare and service address."""

    environment: str
    address: str
    address_name: str
    members: tuple[str, ...]
    primary: str
    spare: str
    backup: str

    @property
    def standbys(self) -> tuple[str, ...]:
        return tuple(name for name in self.members if name != self.primary)


@dataclass(frozen=True, slots=True)
class Topology:
    """All hosts and sites of one lab."""

    hosts: tuple[Host, ...]
    sites: tuple[Site, ...]
    clusters: tuple[Cluster, ...]

    def host(self, name: str) -> Host:
        """Return the host called ``name``, or raise with the nearest name."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise unknown("host", name, [host.name for host in self.hosts])

    def site(self, name: str) -> Site:
        """Return the site called ``name``, or raise with the nearest name."""
        for site in self.sites:
            if site.name == name:
                return site
        raise unknown("site", name, [site.name for site in self.sites])

    def cluster_of(self, name: str) -> Cluster | None:
        """Return the cluster that ``name`` is a member or the spare of."""
        for cluster in self.clusters:
            if name in cluster.members or name == cluster.spare:
                return cluster
        return None

    def at_site(self, site: str) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.site == site)

    def in_environment(self, environment: str) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.environment in {environment, "both"})

    @property
    def branches(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.role is Role.BRANCH)


def unknown(kind: str, name: str, known: list[str]) -> LabUsageError:
    """Say that there is no such thing, and which one was perhaps meant."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Choose one of: {', '.join(known)}."
    return LabUsageError(f"no {kind} is called '{name}'", hint=hint)


LAB_CLUSTER = Cluster(
    environment="lab",
    address="198.18.1.100",
    address_name="registry-db",
    members=("db-a", "db-b", "dr-a"),
    primary="db-a",
    spare="spare",
    backup="backup",
)
STAGING_CLUSTER = Cluster(
    environment="staging",
    address="198.18.4.100",
    address_name="registry-db-staging",
    members=("stg-a", "stg-b"),
    primary="stg-a",
    spare="stg-spare",
    backup="stg-spare",
)


def _control() -> list[Host]:
    return [
        Host(
            "control",
            "ops",
            "198.18.1.5",
            Role.CONTROL,
            "both",
            "Control host of the operations room",
            "运维室控制主机",
        )
    ]


def _main_site() -> list[Host]:
    def host(name: str, last: int, role: Role, en: str, zh: str) -> Host:
        return Host(name, "main", f"198.18.1.{last}", role, "lab", en, zh)

    return [
        host("db-a", 11, Role.PRIMARY, "Database host A, machine room", "机房数据库主机A"),
        host("db-b", 12, Role.STANDBY, "Database host B, machine room", "机房数据库主机B"),
        host("spare", 13, Role.SPARE, "Spare storage, machine room", "机房备用存储主机"),
        host("backup", 21, Role.BACKUP, "Backup host, machine room", "机房备份主机"),
    ]


def _dr_site() -> list[Host]:
    return [
        Host(
            "dr-a",
            "dr",
            "198.18.2.11",
            Role.STANDBY,
            "lab",
            "Database host, DR centre",
            "灾备中心数据库主机",
        ),
        Host(
            "control-dr",
            "dr",
            "198.18.2.5",
            Role.PLAIN,
            "lab",
            "Control host, DR centre",
            "灾备中心控制主机",
        ),
    ]


def _staging() -> list[Host]:
    def host(name: str, last: int, role: Role, en: str, zh: str) -> Host:
        return Host(name, "stage", f"198.18.4.{last}", role, "staging", en, zh)

    return [
        host("stg-a", 11, Role.PRIMARY, "Staging database host A", "演练环境数据库主机A"),
        host("stg-b", 12, Role.STANDBY, "Staging database host B", "演练环境数据库主机B"),
        host("stg-spare", 13, Role.SPARE, "Staging spare storage", "演练环境备用存储主机"),
    ]


def _branch(number: int) -> Host:
    return Host(
        f"branch-{number:02d}",
        f"br{number:02d}",
        f"198.18.3.{10 + number}",
        Role.BRANCH,
        "lab",
        f"Branch office {number:02d}",
        f"第{number:02d}登记分局",
    )


def _extra(number: int) -> Host:
    return Host(
        f"x{number:03d}",
        "main",
        f"198.18.10.{number}",
        Role.PLAIN,
        "lab",
        f"Plain host {number}",
        f"普通主机{number}",
    )


def plan_topology(
    *,
    branches: int = 3,
    extra: int = 0,
    staging: bool = True,
    only_ssh: bool = False,
    wan_ms: float = 5.0,
) -> Topology:
    """Lay out a lab.

    Args:
        branches: branch offices, 0 to 50; each at its own site behind its own wire.
        extra: plain hosts with an SSH server only, 0 to 150, for fan-out measurements.
        staging: whether the staging environment is part of it.
        only_ssh: control and ``extra`` hosts only, no database.
        wan_ms: one-way delay between the machine room and the DR centre, in milliseconds;
            a branch's line takes half of it.
    """
    if not 0 <= branches <= MOST_BRANCHES:
        raise LabUsageError(
            f"a lab has 0 to {MOST_BRANCHES} branches, not {branches}",
            hint=f"Give --branches a number up to {MOST_BRANCHES}.",
        )
    if not 0 <= extra <= MOST_EXTRA:
        raise LabUsageError(
            f"a lab has 0 to {MOST_EXTRA} extra hosts, not {extra}",
            hint=f"Give --extra a number up to {MOST_EXTRA}.",
        )
    sites = [
        Site("ops", None, "Operations room", "运维室"),
        Site("main", None, "Machine room", "机房"),
    ]
    hosts = _control()
    clusters: list[Cluster] = []
    if not only_ssh:
        hosts += _main_site() + _dr_site()
        sites.append(Site("dr", wan_ms, "DR centre", "灾备中心"))
        clusters.append(LAB_CLUSTER)
        for number in range(1, branches + 1):
            branch = _branch(number)
            hosts.append(branch)
            sites.append(Site(branch.site, wan_ms / 2, branch.title_en, branch.title_zh))
        if staging:
            hosts += _staging()
            sites.append(Site("stage", None, "Staging room", "演练环境机房"))
            clusters.append(STAGING_CLUSTER)
    hosts += [_extra(number) for number in range(1, extra + 1)]
    assert all(len(host.name) <= _LONGEST_NAME for host in hosts)  # noqa: S101
    return Topology(tuple(hosts), tuple(sites), tuple(clusters))
