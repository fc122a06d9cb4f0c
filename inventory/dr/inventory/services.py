"""services.yaml: what the bureau serves, where to look for it, and what its business needs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dr.inventory.strictyaml.fields import StrictModel, Words
from dr.inventory.words import Address, Name, Port, SecretReference, Span


class ServiceAddress(StrictModel):
    """The address that clients use; it moves with the primary."""

    ip: Address
    prefix: int = Field(ge=0, le=128)
    interface: str
    name: str = ""
    verify_from: Name | None = None


class Login(StrictModel):
    """A database role and where its password is."""

    user: str
    password: SecretReference | None = None


class Database(StrictModel):
    """How to reach the service's database on any of its members."""

    engine: Literal["postgresql"]
    name: str
    port: Port = 5432
    os_user: str = "postgres"
    admin_user: str = "postgres"
    bin_dir: str
    data_dir: str
    socket_dir: str = "/run/postgresql"
    reader: Login | None = None
    writer: Login | None = None
    application_users: list[str] = Field(default_factory=list)
    replication: dict[str, Any] = Field(default_factory=dict)


class Stages(StrictModel):
    """SQL of ``business.reopen``, run by the superuser on the current primary."""

    read_only: list[str] = Field(default_factory=list)
    held: list[str] = Field(default_factory=list)
    full: list[str] = Field(default_factory=list)
    prove_read_only: str = ""


class Sequence(StrictModel):
    """Numbers that branches may have issued beyond what the recovered database knows.

    ``from_blocks``: branches take them from blocks of their own, and no sequence is moved.
    """

    name: str
    sequence: str
    issued: str
    column: str = ""
    from_blocks: bool = False


class Holds(StrictModel):
    """The table of parcels that nobody may touch yet.

    ``held`` lists them, parcel first.  ``release`` lets one go: SQL with ``%(parcel)s`` and
    ``%(by)s``.
    """

    table: str
    column: str
    reason_column: str = ""
    held: str = ""
    release: str = ""


class LedgerQuery(StrictModel):
    """How to list, on the central database, what a branch did."""

    query: str
    columns: dict[str, str] = Field(default_factory=dict)


class Business(StrictModel):
    """What reopening needs to know of the business."""

    write_check: list[str] = Field(default_factory=list)
    stage: str = ""
    stages: Stages = Stages()
    sequences: list[Sequence] = Field(default_factory=list)
    holds: Holds | None = None
    ledger: LedgerQuery | None = None


class Service(StrictModel):
    """One service.  ``members`` is where to look; roles are observed, never declared."""

    title: Words
    rto: Span
    rpo: Span
    members: list[Name] = Field(min_length=1)
    address: ServiceAddress | None = None
    expected_primary: Name | None = None
    spare_storage: Name | None = None
    dr_centre: Name | None = None
    database: Database | None = None
    business: Business = Business()


class ServicesFile(StrictModel):
    """services.yaml."""

    format: Literal[1]
    services: dict[Name, Service]
