"""The inventory as a run keeps it: JSON data, in a stable order, secrets only as references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from dr.engine.core.errors import RunbookError
from dr.inventory.reading import Inventory, read_inventory
from dr.inventory.workspace import Workspace


def snapshot(workspace: Workspace, environment: str | None = None) -> dict[str, Any]:
    """Return what a run in ``environment`` keeps of the inventory.

    Raises:
        RunbookError: a file can not be read or is wrong; carries every problem.
        UserError: there is no such environment.
    """
    return snapshot_of(read_inventory(workspace, environment))


def snapshot_of(inventory: Inventory) -> dict[str, Any]:
    """Return the snapshot of an inventory that was read.

    Raises:
        RunbookError: reading found mistakes.  What checks alone find (an old phone number, an
            expired contract) does not hold up a run.
    """
    wrong = [p for p in inventory.problems if p.severity == "error"]
    if wrong:
        count = "1 problem" if len(wrong) == 1 else f"{len(wrong)} problems"
        raise RunbookError(
            f"the inventory of '{inventory.environment.name}' has {count}",
            wrong,
            hint="Type 'dr inventory check' to see every problem at once.",
        )
    workspace = inventory.workspace
    return {
        "environment": {
            "name": inventory.environment.name,
            "kind": inventory.environment.kind.value,
        },
        "bureau": {**workspace.bureau.plain(), "namespace": workspace.namespace},
        "hosts": {name: host.to_data() for name, host in inventory.hosts.items()},
        "groups": {name: list(hosts) for name, hosts in sorted(inventory.groups.items())},
        "services": _with_ids(inventory.services),
        "people": _with_ids(inventory.people),
        "people_groups": _with_ids(inventory.people_groups),
        "suppliers": _with_ids(inventory.suppliers),
        "branches": _with_ids(inventory.branches),
        "records": _with_ids(inventory.records),
        "branch_types": _with_ids(inventory.branch_types),
        "serial_blocks": [dict(block) for block in inventory.serial_blocks],
        "backups": _with_ids(inventory.backups),
        "standing": {name: dict(s) for name, s in sorted(inventory.standing.items())},
        "revoked": dict(sorted(inventory.revoked.items())),
        "ssh": dict(workspace.ssh),
        "mail": dict(workspace.mail),
        "sha256": dict(sorted(inventory.sha256.items())),
    }


def _with_ids(models: Mapping[str, BaseModel]) -> dict[str, dict[str, Any]]:
    return {
        name: {"id": name, **models[name].model_dump(mode="json", by_alias=True, exclude_none=True)}
        for name in sorted(models)
    }
