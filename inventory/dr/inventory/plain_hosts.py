"""Reads an Ansible YAML inventory that is plain: no ranges, tags, anchors or plugins.

Templates in variables stay as they are, as ``ansible-inventory --list`` leaves them.

Whatever is not plain is left to Ansible: this module refuses rather than guesses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_MAX_BYTES = 1_000_000
_KEYS = frozenset({"hosts", "vars", "children"})
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SUFFIXES = {".yaml", ".yml"}
# a quoted "8080" and a bare 8080, a date or an octal number: Ansible's YAML is 1.1, so is this one
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Children = dict[str, tuple[list[str], list[str]]]
Variables = dict[str, dict[str, Any]]


class NotPlainError(Exception):
    """Ansible has to read it."""


def read_plain(source: Path) -> tuple[Variables, Children]:
    """Return each host's merged variables, and each group's own hosts and child groups.

    Raises:
        NotPlainError: the file is anything that this module does not fully understand.
    """
    if source.suffix not in _SUFFIXES or not source.is_file():
        raise NotPlainError
    raw = source.read_bytes()
    if len(raw) > _MAX_BYTES or re.search(rb"(^|\s)[!&*]\S|<<", raw):
        raise NotPlainError
    try:
        data = yaml.load(raw, Loader=_LOADER)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError):
        raise NotPlainError from None
    if not isinstance(data, dict) or not data:
        raise NotPlainError
    if len(re.findall(rb"^\s*ansible_group_priority", raw, re.MULTILINE)):
        raise NotPlainError
    reading = _Reading()
    for name, body in data.items():
        reading.group(name, body, None)
    return reading.merged(), reading.children


class _Reading:
    """What has been seen of the file so far."""

    def __init__(self) -> None:
        self.children: Children = {"all": ([], [])}
        self.own: dict[str, dict[str, Any]] = {"all": {}}
        self.host_vars: Variables = {}
        self.parents: dict[str, set[str]] = {}

    def group(self, name: object, body: object, parent: str | None) -> None:
        if not isinstance(name, str) or not _GROUP.fullmatch(name) or name == "ungrouped":
            raise NotPlainError
        if body is not None and (not isinstance(body, dict) or set(body) - _KEYS):
            raise NotPlainError
        hosts, _ = self.children.setdefault(name, ([], []))
        self.own.setdefault(name, {})
        if parent is not None:
            if name in {"all", parent}:
                raise NotPlainError
            self.children[parent][1].append(name)
            self.parents.setdefault(name, set()).add(parent)
        if not body:
            return
        _add(self.own[name], _variables(body.get("vars")))
        for host, host_vars in _mapping(body.get("hosts")).items():
            if not isinstance(host, str) or not _NAME.fullmatch(host):
                raise NotPlainError
            _add(self.host_vars.setdefault(host, {}), _variables(host_vars))
            hosts.append(host)
        for child, child_body in _mapping(body.get("children")).items():
            self.group(child, child_body, name)

    def merged(self) -> Variables:
        """Merge as Ansible does: all, then groups by depth and name, then the host's own."""
        order = sorted(self.children, key=lambda name: (self._depth(name, ()), name))
        members = {name: self._members(name, ()) for name in order}
        found: Variables = {}
        if set(self.host_vars) & set(self.children):
            raise NotPlainError  # a host called as a group: Ansible warns and has its own view
        for host, own in self.host_vars.items():
            values: dict[str, Any] = {}
            for name in order:
                if name == "all" or host in members[name]:
                    values.update(self.own[name])
            values.update(own)
            found[host] = values
        return found

    def _depth(self, name: str, seen: tuple[str, ...]) -> int:
        if name in seen:
            raise NotPlainError
        if name == "all":
            return 0
        parents = self.parents.get(name) or {"all"}
        return 1 + max(self._depth(parent, (*seen, name)) for parent in parents)

    def _members(self, name: str, seen: tuple[str, ...]) -> set[str]:
        if name in seen:
            raise NotPlainError
        hosts, groups = self.children[name]
        found = set(hosts)
        for group in groups:
            found |= self._members(group, (*seen, name))
        return found


def _add(known: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add variables; which of two places wins is Ansible's to say."""
    if known.keys() & more.keys():
        raise NotPlainError
    known.update(more)


def _mapping(value: object) -> Mapping[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise NotPlainError
    return value


def _variables(value: object) -> dict[str, Any]:
    found = _mapping(value)
    for key, inner in found.items():
        if not isinstance(key, str) or not _is_json(inner):
            raise NotPlainError
    return dict(found)


def _is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_json(v) for k, v in value.items())
    return value is None or isinstance(value, str | int | float | bool)
