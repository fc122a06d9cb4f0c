"""The inventory of the run, as Ansible reads it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dr.engine.actions.transport.settings import HostSettings, host_settings


def ansible_inventory(inventory: Mapping[str, Any], workspace: Path) -> dict[str, Any]:
    """Return a YAML inventory as data: every host with its variables and groups.

    Host keys are checked against the same file as by dr itself.
    """
    hosts = {
        name: {**(host.get("vars") or {}), **_connection(host_settings(inventory, workspace, name))}
        for name, host in (inventory.get("hosts") or {}).items()
    }
    groups = {
        name: {"hosts": dict.fromkeys(members, None)}
        for name, members in (inventory.get("groups") or {}).items()
        if name not in {"all", "ungrouped"}
    }
    return {"all": {"hosts": hosts, "children": groups}}


def _as_one_word(path: str) -> str:
    """Return a path as ssh_config wants one: ``%`` begins a token, a blank the next file."""
    return '"' + path.replace("%", "%%") + '"'


def _connection(host: HostSettings) -> dict[str, Any]:
    options = [
        f"UserKnownHostsFile={_as_one_word(str(host.known_hosts))}",
        "StrictHostKeyChecking=yes",
        f"ConnectTimeout={max(1, int(host.connect_timeout_s))}",
    ]
    if host.jump is not None:
        options.append(f"ProxyJump={host.jump.user}@{host.jump.address}:{host.jump.port}")
    found: dict[str, Any] = {
        "ansible_host": host.address,
        "ansible_port": host.port,
        "ansible_user": host.user,
        # Ansible cuts it into words as a shell does, and each option is one word
        "ansible_ssh_common_args": shlex.join(f"-o{option}" for option in options),
    }
    if host.identity is not None:
        found["ansible_ssh_private_key_file"] = str(host.identity)
    return found
