"""The network between the hosts: a bridge per site, a core that joins them, no way outside."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dr.lab.topology import Host, Site, Topology
from dr.lab.wire import Wires, WireSpec

CORE = "br-core"


def ip_batch(lines: Iterable[str]) -> None:
    """Carry out ``ip`` commands in one process; stops at the first that fails."""
    text = "".join(f"{line}\n" for line in lines)
    if text:
        subprocess.run(["ip", "-batch", "-"], input=text, text=True, check=True)


def host_link(host: str) -> str:
    """Return the fabric's end of the cable of ``host``."""
    return f"h-{host}"


def _host_end(host: str) -> str:
    return f"p-{host}"


def mac_of(address: str) -> str:
    """Return the hardware address of the host with ``address``: the same card after each boot."""
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def disable_ipv6() -> None:
    """Keep this network namespace from sending neighbour discovery that nobody asked for."""
    for scope in ("all", "default"):
        path = Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
        if path.exists():
            path.write_text("1")


class Fabric:
    """Bridges and cables in the world's own network namespace."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        disable_ipv6()
        filtering = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
        with suppress(OSError):  # not everybody may, and the lab's own network has no filter
            filtering.write_text("0")
        lines = ["link set lo up", *_bridge(CORE)]
        for site in topology.sites:
            lines += _bridge(f"br-{site.name}")
            lines += _cable(f"c-{site.name}", CORE)
            if site.delay_ms is None:
                # one cable: its far end is a port of the site's bridge
                lines[-3:] = [
                    f"link add c-{site.name} type veth peer name s-{site.name}",
                    f"link set c-{site.name} master {CORE} up",
                    f"link set s-{site.name} master br-{site.name} up",
                ]
            else:
                lines += _cable(f"s-{site.name}", f"br-{site.name}")
        ip_batch(lines)
        self.wires = Wires(
            [
                WireSpec(site.name, f"c-{site.name}", f"s-{site.name}", site.delay_ms)
                for site in topology.sites
                if site.delay_ms is not None
            ]
        )
        self._cut: set[str] = set()
        self._down: set[str] = set()

    def add_cables(self, hosts: Iterable[Host]) -> None:
        """Make the cables of ``hosts``, both ends still here."""
        lines = []
        for host in hosts:
            near, far = host_link(host.name), _host_end(host.name)
            lines.append(
                f"link add {near} type veth peer name {far} address {mac_of(host.address)}"
            )
            lines.append(f"link set {host_link(host.name)} master br-{host.site} up")
            self._down.discard(host.name)
        ip_batch(lines)

    def hand_over(self, pids: dict[str, int]) -> None:
        """Give each host's end to the network namespace of its init, as eth0."""
        ip_batch(f"link set {_host_end(host)} netns {pid} name eth0" for host, pid in pids.items())

    def unplug(self, host: str) -> None:
        ip_batch([f"link set {host_link(host)} down"])
        self._down.add(host)

    def plug(self, host: str) -> None:
        ip_batch([f"link set {host_link(host)} up"])
        self._down.discard(host)

    def remove_cable(self, host: str) -> None:
        # it is gone already when the host's namespace died first
        subprocess.run(
            ["ip", "link", "del", host_link(host)], stderr=subprocess.DEVNULL, check=False
        )

    def is_plugged(self, host: str) -> bool:
        return host not in self._down

    def cut(self, site: str) -> None:
        """Part a site from all others; its hosts still reach one another."""
        self._join(self.topology.site(site), up=False)

    def mend(self, site: str) -> None:
        self._join(self.topology.site(site), up=True)

    def _join(self, site: Site, *, up: bool) -> None:
        if site.delay_ms is None:
            ip_batch([f"link set c-{site.name} {'up' if up else 'down'}"])
        else:
            self.wires.set(site.name, up=up)
        if up:
            self._cut.discard(site.name)
        else:
            self._cut.add(site.name)

    def is_joined(self, site: str) -> bool:
        return site not in self._cut


def _bridge(name: str) -> list[str]:
    return [
        f"link add {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        f"link set {name} up",
    ]


def _cable(end: str, bridge: str) -> list[str]:
    """Return a veth pair: ``end`` free for a wire, the other a port of ``bridge``."""
    return [
        f"link add {end} type veth peer name {end}-p",
        f"link set {end}-p master {bridge} up",
        f"link set {end} up",
    ]
