"""Reads the inventory of one environment: every file, every mistake at its place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dr.engine.core.errors import Problem, RunbookError
from dr.inventory import serial_blocks
from dr.inventory.ansible import find_hosts, read_hosts
from dr.inventory.hosts import Host, host_of
from dr.inventory.ledgers import BranchType, LedgersFile, RecordKind
from dr.inventory.people import Group, PeopleFile, Person
from dr.inventory.places import (
    BackupSet,
    BackupsFile,
    Branch,
    BranchesFile,
    Supplier,
    SuppliersFile,
)
from dr.inventory.services import Service, ServicesFile
from dr.inventory.strictyaml.document import Document, problem_at
from dr.inventory.strictyaml.reading import MAX_BYTES, read_yaml
from dr.inventory.strictyaml.validation import validate
from dr.inventory.workspace import Environment, Workspace, WorkspaceFile

FILES: Mapping[str, type[BaseModel]] = {
    "services": ServicesFile,
    "people": PeopleFile,
    "suppliers": SuppliersFile,
    "branches": BranchesFile,
    "ledgers": LedgersFile,
    "backups": BackupsFile,
}
REQUIRED = frozenset({"services", "people"})
_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
REVOKED = "revoked.yaml"


@dataclass(frozen=True)
class Inventory:
    """What the files of one environment say.  ``problems`` are those of reading them.

    ``standing`` has the standing authorisations by the name of their file, unverified;
    ``revoked`` the names that revoked.yaml lists, with the reason.  ``sha256`` has the digest of
    each file by its path relative to dr.yaml.
    """

    workspace: Workspace
    environment: Environment
    hosts: Mapping[str, Host] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    people_groups: Mapping[str, Group] = field(default_factory=dict)
    suppliers: Mapping[str, Supplier] = field(default_factory=dict)
    branches: Mapping[str, Branch] = field(default_factory=dict)
    records: Mapping[str, RecordKind] = field(default_factory=dict)
    branch_types: Mapping[str, BranchType] = field(default_factory=dict)
    serial_blocks: Sequence[Mapping[str, Any]] = ()
    backups: Mapping[str, BackupSet] = field(default_factory=dict)
    standing: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    revoked: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)
    hosts_file: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def inventory_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of dr.yaml (``workspace``) and of each inventory file by its name."""
    models: dict[str, type[BaseModel]] = {"workspace": WorkspaceFile, **FILES}
    return {
        name: {"$schema": _SCHEMA_DIALECT, **model.model_json_schema(by_alias=True)}
        for name, model in models.items()
    }


def read_inventory(workspace: Workspace, environment: str | None = None) -> Inventory:
    """Read the inventory of an environment; mistakes in files end in ``problems``.

    Raises:
        UserError: there is no such environment.
    """
    chosen = workspace.environment(environment)
    documents: dict[str, Document] = {}
    problems: list[Problem] = []
    models: dict[str, Any] = {}
    sha256: dict[str, str] = {}
    for name, model in FILES.items():
        path = chosen.inventory / f"{name}.yaml"
        shown = _shown(path, workspace.directory)
        if not path.is_file():
            if name in REQUIRED:
                problems.append(_missing(shown))
            continue
        sha256[shown] = _sha256(path)
        try:
            documents[name] = read_yaml(path, shown)
        except RunbookError as error:
            problems += [replace(p, rule="INV001") for p in _of_error(error)]
            continue
        models[name], wrong = validate(model, documents[name])
        problems += [replace(p, rule=_rule(name, p)) for p in wrong]
    inventory = _assembled(workspace, chosen, models, documents)
    path = chosen.inventory / serial_blocks.FILE
    shown = _shown(path, workspace.directory)
    blocks, wrong = serial_blocks.read_serial_blocks(path, shown)
    if path.is_file():
        sha256[shown] = _sha256(path)
    problems += wrong
    inventory = replace(inventory, serial_blocks=blocks, sha256=sha256, problems=tuple(problems))
    return _with_standing(_with_hosts(inventory))


def _assembled(
    workspace: Workspace,
    chosen: Environment,
    models: Mapping[str, Any],
    documents: Mapping[str, Document],
) -> Inventory:
    def part(file: str, attribute: str) -> Any:
        model = models.get(file)
        return getattr(model, attribute) if model is not None else {}

    return Inventory(
        workspace=workspace,
        environment=chosen,
        services=part("services", "services"),
        people=part("people", "people"),
        people_groups=part("people", "groups"),
        suppliers=part("suppliers", "suppliers"),
        branches=part("branches", "branches"),
        records=part("ledgers", "records"),
        branch_types=part("ledgers", "types"),
        backups=part("backups", "sets"),
        documents=documents,
    )


def _with_hosts(inventory: Inventory) -> Inventory:
    workspace, folder = inventory.workspace, inventory.environment.inventory
    source = find_hosts(folder)
    if source is None:
        missing = _missing(_shown(folder / "hosts.yaml", workspace.directory))
        return replace(inventory, problems=(*inventory.problems, missing))
    shown = _shown(source, workspace.directory)
    try:
        found = read_hosts(source, workspace.state / "cache")
    except RunbookError as error:
        problems = [replace(p, rule="INV003") for p in _of_error(error, shown)]
        return replace(inventory, hosts_file=shown, problems=(*inventory.problems, *problems))
    hosts, problems = {}, []
    for name, variables in found.variables.items():
        try:
            hosts[name] = host_of(
                name, variables, workspace.ssh, workspace.directory, source.absolute().parent
            )
        except ValueError as error:
            problems.append(_host_problem(name, error, source, shown))
    sha256 = dict(inventory.sha256)
    if source.is_file():
        sha256[shown] = _sha256(source)
    return replace(
        inventory,
        hosts=hosts,
        groups=found.groups,
        hosts_file=shown,
        sha256=sha256,
        problems=(*inventory.problems, *problems),
    )


def _host_problem(name: str, error: ValueError, source: Path, shown: str) -> Problem:
    """Return a problem at the line on which the host stands, when a file says it."""
    message = f"host '{name}': {error}"
    hint = "Correct it there; 'ansible-inventory --list' shows what each host has."
    try:
        text = source.read_bytes()[:MAX_BYTES].decode() if source.is_file() else ""
    except (OSError, UnicodeDecodeError):
        text = ""
    for number, line in enumerate(text.split("\n"), 1):
        at = line.find(name)
        if at >= 0:
            return problem_at(shown, text, number, at + 1, message, hint=hint, rule="INV003")
    return Problem(message, where=shown, hint=hint, rule="INV003")


def _with_standing(inventory: Inventory) -> Inventory:
    document = inventory.documents.get("people")
    data = document.data if document is not None and isinstance(document.data, dict) else {}
    folder = inventory.environment.inventory / str(data.get("standing") or "standing")
    standing: dict[str, Mapping[str, Any]] = {}
    revoked: dict[str, str] = {}
    problems, sha256 = list(inventory.problems), dict(inventory.sha256)
    for path in _files_in(folder):
        shown = _shown(path, inventory.workspace.directory)
        try:
            read = read_yaml(path, shown).data
        except RunbookError as error:
            problems += [replace(p, rule="INV060") for p in _of_error(error, shown)]
            continue
        if not isinstance(read, dict):
            problems.append(Problem("this is not a mapping", where=shown, rule="INV060"))
            continue
        sha256[shown] = _sha256(path)
        if path.name == REVOKED:
            named = read.get("revoked") or {}
            if not isinstance(named, dict):
                said = "'revoked' is not a mapping of authorisations to reasons"
                problems.append(Problem(said, where=shown, rule="INV060"))
                continue
            revoked = {str(k): str(v) for k, v in named.items()}
        else:
            standing[path.stem] = read
    return replace(
        inventory, standing=standing, revoked=revoked, sha256=sha256, problems=tuple(problems)
    )


def _files_in(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(p for p in folder.iterdir() if p.suffix in {".yaml", ".yml", ".json"})


def _rule(file: str, problem: Problem) -> str:
    return "INV023" if file == "people" and "keys" in problem.path else "INV002"


def _missing(shown: str) -> Problem:
    return Problem(
        f"{shown} is missing",
        where=shown,
        hint="Type 'dr init DIR' in an empty folder to see one with comments.",
        rule="INV001",
    )


def _of_error(error: RunbookError, where: str = "") -> list[Problem]:
    return list(error.problems) or [Problem(error.message, where=where, hint=error.hint)]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _shown(path: Path, directory: Path) -> str:
    """Return the path as people know it: relative to dr.yaml when it is below."""
    return str(path.relative_to(directory)) if path.is_relative_to(directory) else str(path)
