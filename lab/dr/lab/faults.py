"""What can be broken in a lab, and how it is mended."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dr.lab.errors import LabError, LabUsageError
from dr.lab.postgres import DATABASE, SOCKET_DIR, VOLUME, as_postgres
from dr.lab.serve import Request
from dr.lab.topology import unknown
from dr.lab.world import World

_PAGE = 8192
_FIRST_PAGE, _PAGES = 3, 4
DAMAGED_TABLE = "registration"
_LONGEST_DELAY_MS = 10_000


class Target(StrEnum):
    """What a fault hits."""

    HOST = "host"
    DATABASE = "database"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to break the lab."""

    name: str
    target: Target
    default: str
    """The target when none is named."""
    title: str
    break_: Callable[[World, str], None]
    heal: Callable[[World, str], None] | None
    no_heal: str = ""
    """Why it cannot be mended from outside, as a hint; only without ``heal``."""


def _kill_storage(world: World, host: str) -> None:
    world.data_volume(host).kill()


def _replace_storage(world: World, host: str) -> None:
    """Put a fresh empty device in; nothing that used the old one survives."""
    volume = world.data_volume(host)
    if host in world.init:
        world.kill_postgres(host)
    fd = volume.replace()
    try:
        if host in world.init:
            world.attach_in(host, fd, VOLUME)
    finally:
        os.close(fd)
    assert world.plan.installation is not None  # noqa: S101  a database host exists
    below = world.plan.installation.data_dir[len(VOLUME) + 1 :]
    data = volume.mount_point / below
    data.mkdir(parents=True, mode=0o700)
    world.give_to_postgres(volume.mount_point, data.parent, data)


def _hang_storage(world: World, host: str) -> None:
    world.data_volume(host).hang()


def _unhang_storage(world: World, host: str) -> None:
    world.data_volume(host).unhang()


def _corrupt_storage(world: World, host: str) -> None:
    """Overwrite pages of a table below PostgreSQL's feet: its checksums no longer fit."""
    volume = world.data_volume(host)
    sql = f"SELECT pg_relation_filepath('{DAMAGED_TABLE}')"
    assert world.plan.installation is not None  # noqa: S101  a database host exists
    psql = [*as_postgres(), world.plan.installation.program("psql"), "-qtAX", "-h", SOCKET_DIR]
    done = world.run_in(host, [*psql, "-U", "postgres", "-d", DATABASE, "-c", sql])
    if done.returncode != 0:
        raise LabError(
            f"the table to damage was not found, as PostgreSQL on '{host}' does not answer: "
            f"{done.stderr.strip()}",
            hint=f"Start it first: 'dr lab heal postgres-killed {host}'.",
        )
    below = world.plan.installation.data_dir[len(VOLUME) + 1 :]
    path = volume.mount_point / below / done.stdout.strip()
    with path.open("r+b") as file:
        file.seek(_FIRST_PAGE * _PAGE)
        file.write(os.urandom(_PAGES * _PAGE))
        os.fsync(file.fileno())
    volume.state = "corrupted"


def _fill_disk(world: World, host: str) -> None:
    world.data_volume(host).fill()


def _empty_disk(world: World, host: str) -> None:
    world.data_volume(host).empty_out()


def _power_off(world: World, host: str) -> None:
    world.power_off(host)


def _power_on(world: World, host: str) -> None:
    world.power_on([host])


def _freeze(world: World, host: str) -> None:
    world.freeze(host)


def _thaw(world: World, host: str) -> None:
    world.thaw(host)


def _unplug(world: World, host: str) -> None:
    world.running(host)
    world.fabric.unplug(host)


def _plug(world: World, host: str) -> None:
    world.running(host)
    world.fabric.plug(host)


def _cut(world: World, site: str) -> None:
    world.fabric.cut(site)


def _mend(world: World, site: str) -> None:
    world.fabric.mend(site)


def _site_off(world: World, site: str) -> None:
    """Lose a whole site: first its line, so that nobody hears it die, then every host."""
    world.fabric.cut(site)
    for host in world.topology.at_site(site):
        if host.name in world.init:
            world.power_off(host.name)


def _site_on(world: World, site: str) -> None:
    world.fabric.mend(site)
    world.power_on(
        host.name for host in world.topology.at_site(site) if host.name not in world.init
    )


def _kill_postgres(world: World, host: str) -> None:
    world.kill_postgres(host)


def _start_postgres(world: World, host: str) -> None:
    world.start_postgres(host)


_REBUILD = (
    "Damaged pages have no heal: restore from a backup or rebuild from a standby, "
    "or 'dr lab heal storage-killed HOST' for a new empty device."
)

FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "storage-killed",
            Target.DATABASE,
            "db-a",
            "the database's storage is gone: I/O errors (loop volume) or no files (directory)",
            _kill_storage,
            _replace_storage,
        ),
        Fault(
            "storage-hung",
            Target.DATABASE,
            "db-a",
            "every write to the database's storage waits for ever",
            _hang_storage,
            _unhang_storage,
        ),
        Fault(
            "storage-corrupted",
            Target.DATABASE,
            "db-a",
            f"pages of the table {DAMAGED_TABLE} are overwritten with noise",
            _corrupt_storage,
            None,
            _REBUILD,
        ),
        Fault(
            "disk-full",
            Target.DATABASE,
            "db-a",
            "no space is left on the database's storage",
            _fill_disk,
            _empty_disk,
        ),
        Fault(
            "postgres-killed",
            Target.DATABASE,
            "db-a",
            "every PostgreSQL process of the host is killed; nothing restarts it",
            _kill_postgres,
            _start_postgres,
        ),
        Fault(
            "host-frozen",
            Target.HOST,
            "db-a",
            "the host's programs stand still; it still takes connections",
            _freeze,
            _thaw,
        ),
        Fault("host-off", Target.HOST, "db-a", "the host loses its power", _power_off, _power_on),
        Fault("link-down", Target.HOST, "db-a", "the host's cable is unplugged", _unplug, _plug),
        Fault("wan-cut", Target.SITE, "dr", "a site is parted from all others", _cut, _mend),
        Fault("site-off", Target.SITE, "main", "a site loses line and power", _site_off, _site_on),
    )
}
ALIASES: Mapping[str, str] = {
    "storage": "storage-killed",
    "postgres": "postgres-killed",
    "host": "host-off",
    "link": "link-down",
    "wan": "wan-cut",
    "site": "site-off",
}


def find_fault(name: str) -> Fault:
    """Return the fault called ``name`` (or by its short name), or raise with the nearest name."""
    fault = FAULTS.get(ALIASES.get(name, name))
    if fault is None:
        raise unknown("fault", name, [*FAULTS, *ALIASES])
    return fault


def _apply(world: World, message: dict[str, Any], *, heal: bool) -> dict[str, Any]:
    fault = find_fault(message["fault"])
    targets = [target for target in message.get("targets", []) if target] or [fault.default]
    action = fault.heal if heal else fault.break_
    if action is None:
        raise LabUsageError(f"'{fault.name}' cannot be healed", hint=fault.no_heal)
    for target in targets:
        if fault.target is Target.SITE:
            world.topology.site(target)
        else:
            world.topology.host(target)
            if fault.target is Target.DATABASE:
                world.data_volume(target)
    for target in targets:
        action(world, target)
    return {"fault": fault.name, "targets": targets}


def _break_request(world: World, message: dict[str, Any]) -> dict[str, Any]:
    return _apply(world, message, heal=False)


def _heal_request(world: World, message: dict[str, Any]) -> dict[str, Any]:
    return _apply(world, message, heal=True)


def _wire_request(world: World, message: dict[str, Any]) -> dict[str, Any]:
    site = world.topology.site(message["site"])
    if site.delay_ms is None:
        raise LabUsageError(
            f"site '{site.name}' hangs on a plain cable, which has no delay",
            hint="Choose one of: "
            + ", ".join(one.name for one in world.topology.sites if one.delay_ms is not None),
        )
    delay_ms, loss = message.get("delay_ms"), message.get("loss")
    if delay_ms is not None and not 0 <= delay_ms <= _LONGEST_DELAY_MS:
        raise LabUsageError(f"a line's delay is 0 to {_LONGEST_DELAY_MS} ms, not {delay_ms:g}")
    if loss is not None and not 0 <= loss <= 1:
        raise LabUsageError(f"a line loses 0 to 1 of its frames, not {loss:g}")
    return {"wires": world.fabric.wires.set(site.name, delay_ms=delay_ms, loss=loss)}


REQUESTS: Mapping[str, Request] = {
    "break": _break_request,
    "heal": _heal_request,
    "wire": _wire_request,
}
