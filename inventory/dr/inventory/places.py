"""suppliers.yaml, branches.yaml and backups.yaml: who lends, who registers, what was kept."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from dr.inventory.strictyaml.fields import Day, Number, StrictModel, Words
from dr.inventory.words import Name, Port, SecretReference, Span


class Item(StrictModel):
    """Something that a supplier lends, rents out or sells, and how soon."""

    kind: str
    model: str = ""
    count: int = Field(default=1, ge=1)
    mode: Literal["borrow", "rent", "buy"]
    response: Span
    delivery: Span


class Contact(StrictModel):
    """How to reach somebody at a supplier."""

    name: Words
    phone: str
    email: str = ""


class Supplier(StrictModel):
    """A supplier under contract."""

    title: Words
    items: list[Item] = Field(default_factory=list)
    contacts: list[Contact] = Field(min_length=1)
    contract: str = ""
    contract_until: Day
    verified_on: Day | None = None
    responsible: Name | None = None


class SuppliersFile(StrictModel):
    """suppliers.yaml."""

    format: Literal[1]
    suppliers: dict[Name, Supplier]


class BranchLedger(StrictModel):
    """Where a branch writes down what it did.  ``columns``: dr's word to the file's header."""

    kind: Literal["csv", "sqlite", "xlsx"]
    path: str
    table: str = ""
    columns: dict[str, str] = Field(default_factory=dict)
    acknowledged: list[str] = Field(default_factory=list)
    unknown: list[str] = Field(default_factory=list)
    failed: list[str] = Field(default_factory=list)


class BranchDatabase(StrictModel):
    """A branch's own database, which is only read."""

    host: str
    port: Port | None = None
    name: str
    user: str
    password: SecretReference | None = None


class Branch(StrictModel):
    """A branch office.  ``type`` is one of ledgers.yaml, ``known_as`` other names in its files."""

    title: Words
    type: Name | None = None
    known_as: list[str] = Field(default_factory=list)
    database: BranchDatabase | None = None
    host: Name | None = None
    ledger: BranchLedger | None = None
    phone: str = ""
    responsible: Name | None = None
    group: Name | None = None


class BranchesFile(StrictModel):
    """branches.yaml."""

    format: Literal[1]
    branches: dict[Name, Branch]


class Expectation(StrictModel):
    """What a restore takes before any was measured: ``fixed`` plus size over the rate."""

    fixed: Span = "0s"
    rate_mb_s: Number | None = Field(default=None, gt=0)


class Copy(StrictModel):
    """One copy of a backup set.  A driver may need keys of its own; it checks those itself."""

    model_config = ConfigDict(extra="allow")

    id: Name
    driver: Name
    medium: Literal["disk", "tape", "object", "snapshot"]
    host: Name | None = None
    expect: Expectation | None = None
    unavailable: Words | None = None


class BackupSet(StrictModel):
    """The copies from which one thing can be restored."""

    title: Words
    service: Name
    rpo: Span
    copies: list[Copy] = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)


class BackupsFile(StrictModel):
    """backups.yaml."""

    format: Literal[1]
    sets: dict[Name, BackupSet]
