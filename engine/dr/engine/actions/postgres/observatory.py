"""The observatory: all hosts of a service at once, within three seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any

from dr.engine.actions.hosts import Connections
from dr.engine.actions.postgres.member import Member, look_at
from dr.engine.actions.postgres.roles import picture
from dr.engine.actions.postgres.service import Service, read_service
from dr.engine.core.errors import ActionError, RefusedError, RetryableError
from dr.engine.core.ports import Clock, World

LOOK = timedelta(seconds=3)
"""How long one look may take; who has not answered by then is unreachable."""


def look_at_hosts(
    connections: Connections,
    service: Service,
    inventory: Mapping[str, Any],
    clock: Clock,
    *,
    hosts: Sequence[str] | None = None,
    within: timedelta = LOOK,
) -> list[Member]:
    """Look at ``hosts`` (default: members and spare storage), in parallel, in the given order."""
    wanted = [h for h in (hosts or service.hosts) if h in (inventory.get("hosts") or {})]
    now = clock.now()
    # a thread that hangs on a dead host ends by its own time-out; nobody waits for it here
    pool = ThreadPoolExecutor(max_workers=max(1, len(wanted)), thread_name_prefix="look")
    try:
        futures = {
            host: pool.submit(_one, connections, host, service, inventory, now, within)
            for host in wanted
        }
        wait(futures.values(), timeout=within.total_seconds() + 0.5)
        return [
            f.result() if f.done() else Member(host, now, because=_late(within))
            for host, f in futures.items()
        ]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def the_primary(
    connections: Connections, service: Service, world: World, named: str | None = None
) -> str:
    """Return the one host that writes; ``named`` must be it.

    Raises:
        RetryableError: none was seen.
        RefusedError: two write, or the named one does not.
    """
    members = look_at_hosts(connections, service, world.inventory, world.clock)
    writing = [m.host for m in members if m.role == "primary" and not m.fenced]
    if named is not None:
        if named in writing:
            return named
        raise RefusedError(f"{named} is no primary that writes")
    if len(writing) == 1:
        return writing[0]
    if not writing:
        raise RetryableError(f"no primary of {service.id} was seen", reason="not_yet")
    raise RefusedError(
        f"{' and '.join(writing)} both write", hint="Fence one of them before anything opens."
    )


def _late(within: timedelta) -> str:
    return f"no answer within {within.total_seconds():g} s"


def _one(
    connections: Connections,
    host: str,
    service: Service,
    inventory: Mapping[str, Any],
    now: datetime,
    within: timedelta,
) -> Member:
    try:
        observer = connections.observer(host)
    except ActionError as error:
        return Member(host, now, because=error.message)
    return look_at(observer, service, inventory, now=now, timeout=within)


class Roles:
    """Says who is what in a service (:class:`dr.engine.core.ports.Observatory`).

    Besides ``primary``, ``standby`` and ``members`` the answer has ``old_primary``: whom to fence.
    It is the primary itself until somebody has promoted another host.
    """

    def __init__(
        self, connections: Connections, inventory: Mapping[str, Any], clock: Clock
    ) -> None:
        self._connections = connections
        self._inventory = inventory
        self._clock = clock

    def look(self, service: str) -> Mapping[str, Any]:
        """Return the roles as observed, each with its basis; a dead host raises nothing."""
        found = read_service(self._inventory, service)
        members = look_at_hosts(self._connections, found, self._inventory, self._clock)
        return picture(members, found.expected_primary)
