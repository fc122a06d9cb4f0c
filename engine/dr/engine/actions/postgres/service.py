"""A service of the inventory as the recovery actions read it from the run's snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dr.engine.core.errors import RefusedError
from dr.engine.core.ports import Attempt, World
from dr.engine.core.values import Text


@dataclass(frozen=True, slots=True)
class Database:
    """Where a cluster lies on its hosts and who runs it."""

    name: str
    port: int = 5432
    os_user: str = "postgres"
    admin_user: str = "postgres"
    bin_dir: str = "/usr/lib/postgresql/15/bin"
    data_dir: str = "/var/lib/postgresql/15/main"
    socket_dir: str = "/run/postgresql"
    writer: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """The address that clients use, wherever the primary is."""

    ip: str
    prefix: int
    interface: str
    verify_from: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A service: where to look for it.  Roles are observed, never read from here."""

    id: str
    members: tuple[str, ...]
    database: Database
    title: Text = Text()
    expected_primary: str = ""
    spare: str = ""
    address: Address | None = None
    business: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Members and the spare storage, each once."""
        return tuple(dict.fromkeys([*self.members, *([self.spare] if self.spare else [])]))


def read_service(inventory: Mapping[str, Any], name: str) -> Service:
    """Return the service called ``name``.

    Raises:
        RefusedError: the inventory has none, or it declares no PostgreSQL database.
    """
    services = inventory.get("services") or {}
    if name not in services:
        raise RefusedError(
            f"the inventory has no service '{name}'",
            hint=f"Known services: {', '.join(sorted(services)) or 'none'}.",
        )
    data = services[name]
    database = data.get("database") or {}
    if database.get("engine", "postgresql") != "postgresql" or "name" not in database:
        raise RefusedError(
            f"service '{name}' declares no PostgreSQL database",
            hint="Add `database:` with engine, name and data_dir to it in services.yaml.",
        )
    address = data.get("address")
    return Service(
        id=name,
        members=tuple(data.get("members") or ()),
        database=_database(database),
        title=Text.of(data.get("title")),
        expected_primary=str(data.get("expected_primary") or ""),
        spare=str(data.get("spare_storage") or ""),
        address=None if not address else _address(address),
        business=data.get("business") or {},
    )


def _database(data: Mapping[str, Any]) -> Database:
    known = {"name", "os_user", "admin_user", "bin_dir", "data_dir", "socket_dir"}
    texts = {k: str(v) for k, v in data.items() if k in known and v is not None}
    writer = data.get("writer") or {}
    users = data.get("application_users") or []
    return Database(
        **texts,
        port=int(data.get("port") or 5432),
        writer=str(writer.get("user") or (users[0] if users else "")),
    )


def _address(data: Mapping[str, Any]) -> Address:
    return Address(
        ip=str(data["ip"]),
        prefix=int(data.get("prefix") or 32),
        interface=str(data.get("interface") or "eth0"),
        verify_from=str(data.get("verify_from") or ""),
    )


def service_of(attempt: Attempt, world: World, named: str | None) -> Service:
    """Return the service that a step is about: the one it names, else the run's, else its host's.

    Raises:
        RefusedError: it can not be told.
    """
    inventory = world.inventory
    name = named or world.record().inputs.get("service")
    if name:
        return read_service(inventory, str(name))
    owners = [
        s
        for s, data in (inventory.get("services") or {}).items()
        if attempt.host in (data.get("members") or ()) or attempt.host == data.get("spare_storage")
    ]
    if len(owners) != 1:
        raise RefusedError(
            f"step '{attempt.step}' does not say which service it is about",
            hint="Add `service:` to the step's `with`.",
        )
    return read_service(inventory, owners[0])


def as_host(value: Any) -> str | None:
    """Return the host's name of a rendered value: a name, or a map with ``host``."""
    if isinstance(value, Mapping):
        value = value.get("host")
    return str(value) if value else None


def required_proof(attempt: Attempt) -> Mapping[str, Any]:
    """Return the fence proof that the step requires.

    Raises:
        RefusedError: there is none; nothing is promoted without it.
    """
    proof = attempt.requires.get("proof")
    if not isinstance(proof, Mapping) or not proof.get("host"):
        raise RefusedError(
            f"step '{attempt.step}' has no proof that the old primary is fenced",
            hint="Add `requires: { proof: ${{ steps.fence.outputs.proof }} }`, and fence first.",
        )
    return proof
