"""How to reach a host, read from the inventory's snapshot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dr.engine.actions.hosts import STATE_ROOT
from dr.engine.core.errors import RefusedError
from dr.engine.core.values import parse_duration
from dr.inventory.connecting import why_not_address, why_not_user

_JUMP = re.compile(r"(?:(?P<user>[^@]+)@)?(?P<address>[^@:]+|\[[^]]+\])(?::(?P<port>\d+))?")
_TRUE = frozenset({"true", "yes", "on", "1"})


@dataclass(frozen=True)
class HostSettings:
    """One host.  ``jump`` is another host's settings; paths are absolute."""

    name: str
    address: str
    port: int = 22
    user: str = "root"
    identity: Path | None = None
    known_hosts: Path = Path("~/.ssh/known_hosts")
    jump: HostSettings | None = None
    connect_timeout_s: float = 10.0
    become: bool = False
    state_root: str = STATE_ROOT


def host_settings(inventory: Mapping[str, Any], workspace: Path, name: str) -> HostSettings:
    """Return how to reach host ``name``.

    Raises:
        RefusedError: the inventory has no such host, or its jump hosts go in a circle.
    """
    return _settings(inventory, workspace, name, ())


def _settings(
    inventory: Mapping[str, Any], workspace: Path, name: str, behind: tuple[str, ...]
) -> HostSettings:
    hosts = inventory.get("hosts") or {}
    if name not in hosts:
        raise RefusedError(
            f"the inventory has no host '{name}'", hint="List the hosts: `dr inventory show hosts`."
        )
    if name in behind:
        raise RefusedError(f"the jump hosts go in a circle: {' -> '.join((*behind, name))}")
    host: Mapping[str, Any] = hosts[name] or {}
    ssh: Mapping[str, Any] = inventory.get("ssh") or {}
    variables: Mapping[str, Any] = host.get("vars") or {}
    known = host.get("known_hosts") or ssh.get("known_hosts")
    identity = host.get("identity") or ssh.get("identity")
    settings = HostSettings(
        name=name,
        address=str(host.get("address") or name),
        port=int(host.get("port") or 22),
        user=str(host.get("user") or ssh.get("user") or "root"),
        identity=_path(workspace, identity) if identity else None,
        known_hosts=_path(workspace, known or "~/.ssh/known_hosts"),
        connect_timeout_s=_seconds(ssh.get("connect_timeout"), 10.0),
        become=str(variables.get("ansible_become", "")).lower() in _TRUE,
        state_root=str(variables.get("dr_state_dir") or STATE_ROOT),
    )
    _refuse(settings)
    jump = host.get("jump")
    if not jump:
        return settings
    if jump in hosts:
        through = _settings(inventory, workspace, jump, (*behind, name))
    else:
        through = _written_out(str(jump), settings)
    return HostSettings(**{**settings.__dict__, "jump": through})


def _written_out(jump: str, behind: HostSettings) -> HostSettings:
    match = _JUMP.fullmatch(jump)
    if match is None:
        raise RefusedError(
            f"host '{behind.name}': '{jump}' is no jump host",
            hint="Write a host of the inventory, or user@address:port.",
        )
    through = HostSettings(
        name=jump,
        address=match["address"].strip("[]"),
        port=int(match["port"] or 22),
        user=match["user"] or behind.user,
        identity=behind.identity,
        known_hosts=behind.known_hosts,
        connect_timeout_s=behind.connect_timeout_s,
    )
    _refuse(through)
    return through


def _refuse(host: HostSettings) -> None:
    """Refuse what ssh could take for an option or hand to a shell, whoever wrote the snapshot."""
    why = why_not_address(host.address) or why_not_user(host.user)
    if why:
        raise RefusedError(
            f"host '{host.name}': {why}", hint="Correct the inventory: `dr inventory check`."
        )


def _path(workspace: Path, value: object) -> Path:
    path = Path(str(value)).expanduser()
    return path if path.is_absolute() else workspace / path


def _seconds(value: object, default: float) -> float:
    if value is None:
        return default
    return float(value) if isinstance(value, int | float) else _parsed(str(value))


def _parsed(text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise RefusedError(f"ssh.connect_timeout: {error}") from error
