"""Ansible inventories as they are: any that ``ansible-inventory`` reads.

``ansible-inventory`` costs about half a second, so a plain YAML file is read here, and what a
static file said is kept beside the journal.  tests/unit/inventory proves both equal.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dr.engine.core.errors import RunbookError
from dr.inventory.plain_hosts import NotPlainError, read_plain

NAMES = ("hosts.yaml", "hosts.yml", "hosts.ini", "hosts", "hosts.py", "hosts.sh")
_LIMIT_S = 60
_SUFFIXES_OF_VARS = {"", ".yml", ".yaml", ".json"}


@dataclass(frozen=True)
class AnsibleHosts:
    """Hosts with their merged variables, and groups with all hosts below them, sorted."""

    variables: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def find_hosts(folder: Path) -> Path | None:
    """Return the Ansible inventory in an environment's folder; None when there is none."""
    names = (folder / name for name in NAMES)
    return next((path for path in names if path.is_file() or path.is_dir()), None)


def read_hosts(source: Path, cache: Path | None = None) -> AnsibleHosts:
    """Read an inventory: a file, a folder, or a program that prints one.

    Args:
        cache: folder in which answers about static files are kept; None keeps nothing.

    Raises:
        RunbookError: Ansible can not read it; the message is Ansible's own.
    """
    if not _is_program(source) and not _has_variable_folders(source):
        try:
            return _arranged(*read_plain(source))
        except NotPlainError:
            pass
    kept = _kept_at(source, cache)
    if kept is not None and kept.is_file():
        return _of_listing(json.loads(kept.read_text(encoding="utf-8")))
    listing = ask_ansible(source)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(listing), encoding="utf-8")
        draft.replace(kept)
    return _of_listing(listing)


def ask_ansible(source: Path) -> dict[str, Any]:
    """Return what ``ansible-inventory --list`` says.

    Raises:
        RunbookError: it is not installed, took too long, or refused the inventory.
    """
    program = _program()
    argv = [program, "-i", str(source), "--list"]
    environment = {
        **os.environ,
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=_LIMIT_S, check=False, env=environment,
            cwd=source.parent, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RunbookError(
            f"{source}: ansible-inventory did not end within {_LIMIT_S}s",
            hint="Run it by hand; a dynamic inventory may wait for a server that is down.",
        ) from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise RunbookError(
            f"{source}: ansible can not read it: {_last_line(said)}",
            hint=f"Type 'ansible-inventory -i {source} --list' to see everything it says.",
        )
    listing: dict[str, Any] = json.loads(done.stdout)
    return listing


def _program() -> str:
    beside = Path(sys.executable).with_name("ansible-inventory")
    found = str(beside) if beside.is_file() else shutil.which("ansible-inventory")
    if found is None:
        raise RunbookError(
            "ansible-inventory is not installed",
            hint="Type 'pip install ansible-core' in dr's virtual environment.",
        )
    return found


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line.upper()]
    return (errors or lines or ["it said nothing"])[-1].strip()


def _is_program(source: Path) -> bool:
    """Whether running it prints the inventory: then nothing about it may be remembered."""
    return source.is_file() and os.access(source, os.X_OK)


def _has_variable_folders(source: Path) -> bool:
    return any((source.parent / name).exists() for name in ("group_vars", "host_vars"))


def _kept_at(source: Path, cache: Path | None) -> Path | None:
    """Return where the answer about a static file is kept; None when it may change by itself."""
    if cache is None or source.is_dir() or _is_program(source):
        return None
    raw = source.read_bytes()
    if re.search(rb"^\s*plugin\s*:", raw, re.MULTILINE) or b"lookup(" in raw:
        return None
    mark = hashlib.sha256()
    files = [source]
    for name in ("group_vars", "host_vars"):
        files += sorted(p for p in (source.parent / name).rglob("*") if p.is_file())
    for file in files:
        mark.update(f"{file}\0{file.stat().st_mtime_ns}\0".encode())
        mark.update(hashlib.sha256(file.read_bytes()).digest())
    return cache / f"hosts-{mark.hexdigest()[:32]}.json"


def _of_listing(listing: Mapping[str, Any]) -> AnsibleHosts:
    children = {
        name: (list(group.get("hosts", ())), list(group.get("children", ())))
        for name, group in listing.items()
        if name != "_meta"
    }
    variables = {h: dict(v) for h, v in listing.get("_meta", {}).get("hostvars", {}).items()}
    for hosts, _ in children.values():
        for host in hosts:
            variables.setdefault(host, {})
    return _arranged(variables, children)


def _arranged(
    variables: Mapping[str, Mapping[str, Any]],
    children: Mapping[str, tuple[list[str], list[str]]],
) -> AnsibleHosts:
    groups = {name: _below(name, children, ()) for name in children}
    groups["all"] = set(variables)
    grouped = {
        h for name, hosts in groups.items() if name not in {"all", "ungrouped"} for h in hosts
    }
    groups["ungrouped"] = set(variables) - grouped
    return AnsibleHosts(
        {name: dict(sorted(variables[name].items())) for name in sorted(variables, key=natural)},
        {
            name: tuple(sorted(groups[name], key=natural))
            for name in sorted(groups)
            if groups[name]  # Ansible, too, says nothing of a group without hosts
        },
    )


def _below(
    name: str, children: Mapping[str, tuple[list[str], list[str]]], seen: tuple[str, ...]
) -> set[str]:
    hosts, groups = children.get(name, ([], []))
    found = set(hosts)
    for group in groups:
        if group not in seen:
            found |= _below(group, children, (*seen, name))
    return found


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key by which ``branch-2`` comes before ``branch-10``."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts if p]
