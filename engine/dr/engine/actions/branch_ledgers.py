"""Collecting the branches' own ledgers over SFTP, all at once.

A branch that can not be read is an unknown with its reason, and never counts as one that did
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dr.engine.actions.hosts import Connections, StorageError
from dr.engine.actions.postgres.service import Service
from dr.engine.core.errors import ActionError
from dr.reconcile.comparison import last_acknowledged
from dr.reconcile.ledger import Ledger, LedgerError, Shape, read_ledger

_MAX_BYTES = 64 << 20
_AT_ONCE = 32


@dataclass(frozen=True)
class Collection:
    """What the branches handed in; ``unknown`` maps the others to the reason."""

    ledgers: Mapping[str, Ledger]
    unknown: Mapping[str, str]
    contents: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every line of every branch was read."""
        return not self.unknown and all(ledger.complete for ledger in self.ledgers.values())

    @property
    def last_acknowledged(self) -> datetime | None:
        """When a branch last held an answer."""
        return last_acknowledged(self.ledgers.values())


def collect(
    connections: Connections,
    service: Service,
    inventory: Mapping[str, Any],
    *,
    within: timedelta = timedelta(seconds=20),
) -> Collection:
    """Read the ledger of every branch of the inventory that is not of another service."""
    branches = {
        str(name): data
        for name, data in (inventory.get("branches") or {}).items()
        if service.id in (data.get("services") or [service.id])
    }
    numbers = sequence_names(service)
    ledgers: dict[str, Ledger] = {}
    unknown: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="ledger")
    try:
        futures = {
            name: pool.submit(_read, connections, name, data, within)
            for name, data in branches.items()
        }
        wait(futures.values(), timeout=within.total_seconds() + 1)
        for name, future in futures.items():
            content = future.result() if future.done() else f"no answer within {within}"
            if isinstance(content, bytes):
                contents[name] = content
            else:
                unknown[name] = content
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    for name, content in contents.items():
        read = understood(name, content, branches[name], numbers)
        if isinstance(read, str):
            unknown[name] = read
        else:
            ledgers[name] = read
    return Collection(ledgers, unknown, contents)


def sequence_names(service: Service) -> list[str]:
    """Return the names of the sequences whose numbers branches issue."""
    return [str(s["name"]) for s in service.business.get("sequences") or ()]


def understood(
    name: str, content: bytes, branch: Mapping[str, Any], numbers: Sequence[str]
) -> Ledger | str:
    """Return the ledger that ``content`` is, or why it can not be understood."""
    try:
        return read_ledger(name, content, Shape.of(branch.get("ledger") or {}), numbers)
    except LedgerError as error:
        return error.message


def _read(
    connections: Connections, name: str, data: Mapping[str, Any], timeout: timedelta
) -> bytes | str:
    """Return the file of a branch's ledger, or why there is none."""
    ledger = data.get("ledger") or {}
    if data.get("database") and not ledger:
        return "its business lies in a database of its own, which is compared later"
    if ledger.get("kind", "csv") != "csv" or not ledger.get("path"):
        return "its ledger is not a CSV file; only those can be read yet"
    try:
        observer = connections.observer(str(data.get("host") or name))
        content = observer.read(str(ledger["path"]), max_bytes=_MAX_BYTES, timeout=timeout)
    except (ActionError, StorageError) as error:
        return str(error)
    if content is None:
        return f"it has no file {ledger['path']}"
    if len(content) >= _MAX_BYTES:
        return f"its ledger is larger than {_MAX_BYTES >> 20} MiB"
    return content
