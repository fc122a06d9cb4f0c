"""What dr makes of an Ansible host: where it is, who logs in, and the rest as variables."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from dr.engine.core.values import Text
from dr.inventory.connecting import (
    why_not_address,
    why_not_jump,
    why_not_name,
    why_not_user,
)

_CONNECTION = frozenset(
    {
        "ansible_host",
        "ansible_ssh_host",
        "ansible_user",
        "ansible_ssh_user",
        "ansible_port",
        "ansible_ssh_port",
        "ansible_ssh_private_key_file",
        "ansible_private_key_file",
        "ansible_ssh_common_args",
        "ansible_ssh_extra_args",
        "ansible_ssh_args",
        "dr_site",
        "dr_title",
        "dr_jump",
        "dr_known_hosts",
    }
)
_SECRET_VARIABLES = re.compile(r"(^|_)(pass|password|passphrase|become_pass|secret|token)$")
_TEMPLATE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_DEFAULT_PORT = 22


@dataclass(frozen=True)
class Host:
    """A host.  ``identity`` and ``known_hosts`` are absolute paths or None; ``jump`` a host's name
    or ``[user@]address[:port]``.  ``withheld`` names variables that hold a secret in clear text.
    """

    name: str
    address: str
    port: int
    user: str | None
    identity: str | None
    known_hosts: str | None
    jump: str | None
    site: str
    title: Text
    variables: Mapping[str, Any]
    withheld: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return the JSON data of the snapshot."""
        return {
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "identity": self.identity,
            "known_hosts": self.known_hosts,
            "jump": self.jump,
            "site": self.site,
            "title": self.title.plain(),
            "vars": dict(self.variables),
        }


def host_of(
    name: str,
    variables: Mapping[str, Any],
    ssh: Mapping[str, Any],
    workspace: Path,
    inventory_dir: Path | None = None,
) -> Host:
    """Return the host that Ansible's merged ``variables`` describe.

    Args:
        ssh: the defaults of dr.yaml; paths in it are absolute.
        workspace: what relative paths in the variables are relative to.
        inventory_dir: what ``{{ inventory_dir }}`` stands for; the workspace when not given.

    Raises:
        ValueError: a connection variable can not be used; the message names it.
    """
    words = {"inventory_dir": str(inventory_dir or workspace), "inventory_hostname": name}
    used = {key: _plain(key, variables[key], words) for key in _CONNECTION & variables.keys()}

    def first(*keys: str) -> Any:
        return next((used[key] for key in keys if used.get(key) not in (None, "")), None)

    arguments = _ssh_arguments(used)
    identity = first("ansible_ssh_private_key_file", "ansible_private_key_file")
    known_hosts = first("dr_known_hosts") or arguments.get("userknownhostsfile")
    address = str(first("ansible_host", "ansible_ssh_host") or name)
    jump = first("dr_jump") or arguments.get("proxyjump")
    withheld = tuple(sorted(k for k in variables if _SECRET_VARIABLES.search(k)))
    user = first("ansible_user", "ansible_ssh_user") or ssh.get("user")
    _refuse(
        why_not_name(name),
        why_not_address(address),
        why_not_user(str(user)) if user is not None else "",
        why_not_jump(str(jump)) if jump else "",
    )
    return Host(
        name=name,
        address=address,
        port=_port(first("ansible_port", "ansible_ssh_port") or ssh.get("port") or _DEFAULT_PORT),
        user=str(user) if user is not None else None,
        identity=_absolute(identity, workspace) or ssh.get("identity"),
        known_hosts=_absolute(known_hosts, workspace) or ssh.get("known_hosts"),
        jump=jump,
        site=str(first("dr_site") or ""),
        title=Text.of(used.get("dr_title") or name),
        variables={
            k: v for k, v in sorted(variables.items()) if k not in _CONNECTION | set(withheld)
        },
        withheld=withheld,
    )


def _refuse(*reasons: str) -> None:
    for reason in filter(None, reasons):
        raise ValueError(reason)


def _plain(key: str, value: object, words: Mapping[str, str]) -> object:
    """Return the value with Ansible's own names filled in; other templates are Ansible's alone."""
    if not isinstance(value, str):
        return value
    filled = _TEMPLATE.sub(lambda found: words.get(found.group(1), found.group()), value)
    if "{{" in filled or "{%" in filled:
        raise ValueError(f"{key} is a template; dr connects by itself and needs the value")
    return filled


def _port(value: object) -> int:
    if not str(value).isdigit() or not 0 < int(str(value)) < 65536:  # noqa: PLR2004 - TCP
        raise ValueError(f"ansible_port '{value}' is not a port")
    return int(str(value))


def _absolute(path: object, workspace: Path) -> str | None:
    return os.path.normpath(workspace / Path(str(path)).expanduser()) if path else None


def _ssh_arguments(used: Mapping[str, Any]) -> dict[str, str]:
    """Return the options that dr understands of Ansible's ssh arguments, keys in lower case."""
    found: dict[str, str] = {}
    for key in ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"):
        words = shlex.split(str(used.get(key) or ""))
        for word, following in zip_longest(words, words[1:], fillvalue=""):
            if word == "-J":
                found.setdefault("proxyjump", following)
            elif word.startswith("-J") and len(word) > 2:  # noqa: PLR2004 - more than the flag
                found.setdefault("proxyjump", word[2:])
            option = following if word == "-o" else word[2:] if word.startswith("-o") else ""
            name, separator, value = option.partition("=")
            if separator:
                found.setdefault(name.strip().lower(), value.strip())
    return found
