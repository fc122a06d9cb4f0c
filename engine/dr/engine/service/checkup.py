"""Whether everything that dr needs is there and works: programs, journal, disk, inventory, hosts.

Reads only.  What can not be told is UNKNOWN, never "fine".
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.errors import DrError
from dr.engine.core.values import UNKNOWN, Unknown
from dr.engine.service.desk import DATABASE_VARIABLE, Desk
from dr.inventory.checks import check
from dr.inventory.reading import read_inventory

_PROGRAMS: Mapping[str, str] = {
    "ssh-keygen": "Install openssh-client: approvals are signed with it.",
    "ansible-playbook": "Install ansible-core beside dr: playbooks are run with it.",
}
_LEAST_FREE_BYTES = 1_000_000_000
_LEAST_FREE = "1 GB"
_AT_ONCE = 16
_MAIL_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.  ``hint`` says what to do when it is not well."""

    name: str
    ok: bool | Unknown
    detail: str
    hint: str = ""


def examine(desk: Desk) -> list[Finding]:
    """Look at everything; a thing that is broken never hides the next."""
    return [*_programs(), *_journal(desk), _disk(desk.workspace.state), *_inventory(desk)]


def _programs() -> Iterator[Finding]:
    beside = str(Path(sys.executable).parent)
    path = os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])
    for program, hint in _PROGRAMS.items():
        found = shutil.which(program, path=path)
        yield Finding(program, found is not None, found or "not found", hint)


def _journal(desk: Desk) -> Iterator[Finding]:
    where = (
        f"the database in {DATABASE_VARIABLE}"
        if os.environ.get(DATABASE_VARIABLE)
        else str(desk.workspace.state)
    )
    try:
        count = len(desk.runs())
    except DrError as error:
        yield Finding("journal", False, error.message, error.hint)
        return
    yield Finding("journal", True, f"{where}, {count} runs")


def _disk(state: Path) -> Finding:
    folder = next(f for f in (state, *state.parents) if f.exists())
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free for the journal in {folder}"
    hint = f"Make room: at least {_LEAST_FREE} should be free before a run."
    return Finding("disk", free >= _LEAST_FREE_BYTES, detail, hint)


def _inventory(desk: Desk) -> Iterator[Finding]:
    try:
        problems = check(read_inventory(desk.workspace, desk.environment.name), date.today())  # noqa: DTZ011 - a local day
        snapshot = desk.inventory
    except DrError as error:
        yield Finding("inventory", False, error.message, error.hint)
        return
    warnings = sum(p.severity == "warning" for p in problems)
    hint = "Type 'dr inventory check' to see them."
    yield Finding("inventory", warnings == 0 or UNKNOWN, f"{warnings} warnings", hint)
    yield from _hosts(desk, snapshot)
    yield _mail(snapshot.get("mail") or {})


def _hosts(desk: Desk, snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    """Ask every host for its boot id, over connections that can not write."""
    names = sorted(snapshot.get("hosts") or {})
    connections = SshConnections(snapshot, desk.workspace.directory, read_only=True)

    def look(host: str) -> Finding:
        try:
            boot = connections.observer(host).boot_id()
        except DrError as error:
            return Finding(f"host {host}", False, error.message, error.hint)
        return Finding(f"host {host}", True, f"answers, boot {boot[:8]}")

    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(look, names)
    finally:
        connections.close()


def _mail(mail: Mapping[str, Any]) -> Finding:
    if not mail.get("host"):
        return Finding("mail", UNKNOWN, "no mail server in dr.yaml", "Add mail: to dr.yaml.")
    place = (str(mail["host"]), int(mail.get("port", 25)))
    try:
        with socket.create_connection(place, timeout=_MAIL_WITHIN_S):
            return Finding("mail", True, f"{place[0]}:{place[1]} answers")
    except OSError as error:
        reason = str(error.strerror or error).lower()
        hint = "Look at mail: in dr.yaml and at the server."
        return Finding("mail", False, f"{place[0]}:{place[1]}: {reason}", hint)
