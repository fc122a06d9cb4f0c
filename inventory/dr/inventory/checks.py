"""What is wrong with an inventory beyond its grammar.  Rules are in docs/reference/inventory.md."""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from dr.engine.core.errors import Problem
from dr.engine.core.values import parse_utc
from dr.inventory.keys import parse_public_key
from dr.inventory.people import Person
from dr.inventory.reading import Inventory
from dr.inventory.strictyaml.document import Path as Keys
from dr.inventory.strictyaml.validation import did_you_mean

QUARTER = timedelta(days=92)
NOTICE = timedelta(days=30)

RULES: Mapping[str, str] = {
    "INV001": "a file is missing or is not strict YAML",
    "INV002": "a key or value is wrong",
    "INV003": "hosts can not be read, or a connection variable can not be used",
    "INV010": "a host is named that the Ansible inventory does not have",
    "INV011": "a group of people is named that people.yaml does not have",
    "INV012": "a person is named that people.yaml does not have",
    "INV013": "a service is named that services.yaml does not have",
    "INV014": "a type of branch is named that ledgers.yaml does not have",
    "INV015": "the register of numbered forms can not be read, or a line of it is wrong",
    "INV020": "a group has no members",
    "INV021": "a post has no deputy",
    "INV022": "nobody can stand in for the only member of a group",
    "INV023": "a key can not be read",
    "INV024": "two people or groups have the same name, alias or login name",
    "INV025": "a member of a group has no key and can not sign",
    "INV026": "two people have the same key",
    "INV027": "a branch names nobody who signs for it",
    "INV030": "two hosts or services have the same address",
    "INV031": "a host's key file is missing or can be read by others",
    "INV032": "a variable of a host holds a password in clear text",
    "INV040": "a supplier's contract has expired",
    "INV041": "a supplier's contract ends within 30 days",
    "INV042": "nobody has verified an entry for a quarter",
    "INV043": "an entry was verified on a day that has not come yet",
    "INV050": "the file of a secret is missing or can be read by others",
    "INV060": "a standing authorisation can not be read",
    "INV061": "a standing authorisation has expired",
    "INV070": "a service has no backup set",
}
_WARNINGS = frozenset(
    {"INV022", "INV025", "INV027", "INV031", "INV041", "INV042", "INV061", "INV070"}
)


def check(inventory: Inventory, today: date) -> list[Problem]:
    """List everything wrong with the inventory, files in order and line by line.

    Those of severity ``warning`` do not stop anything today.
    """
    found = list(inventory.problems)
    for rule in (
        _references, _groups, _posts, _branches, _names, _keys, _addresses, _key_files,
        _contracts, _verified, _secrets, _standing, _backups,
    ):  # fmt: skip
        found += rule(inventory, today)
    return sorted(found, key=_place)


def _place(problem: Problem) -> tuple[str, int, int, str]:
    parts = problem.where.rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():  # noqa: PLR2004
        return parts[0], int(parts[1]), int(parts[2]), problem.message
    return problem.where, 0, 0, problem.message


def _problem(
    inventory: Inventory, rule: str, file: str, keys: Keys, message: str, hint: str = ""
) -> Problem:
    severity = "warning" if rule in _WARNINGS else "error"
    document = inventory.documents.get(file)
    if document is None:
        where = inventory.hosts_file if file == "hosts" else f"{file}.yaml"
        return Problem(message, path=keys, where=where, hint=hint, rule=rule, severity=severity)
    return document.problem(message, keys, hint=hint, rule=rule, severity=severity)


def _references(inventory: Inventory, _today: date) -> Iterator[Problem]:
    """Every name that points somewhere must arrive."""
    known: dict[str, tuple[str, str, Iterable[str]]] = {
        "host": ("INV010", "no host", inventory.hosts),
        "group": ("INV011", "no group of people", inventory.people_groups),
        "person": ("INV012", "no person", inventory.people),
        "service": ("INV013", "no service", inventory.services),
        "type": ("INV014", "no type of branch", inventory.branch_types),
    }
    unread = {p.where.partition(":")[0] for p in inventory.problems}
    for file, keys, kind, name in _named(inventory):
        rule, what, names = known[kind]
        if name in names or (not names and unread):
            continue
        yield _problem(
            inventory, rule, file, keys, f"{what} is called '{name}'", did_you_mean(name, names)
        )


_Named = Iterator[tuple[str, Keys, str, str]]


def _named(inventory: Inventory) -> _Named:
    """Yield file, keys, kind and name of everything that points somewhere."""
    yield from _named_by_services(inventory)
    yield from _named_by_people(inventory)
    for name, supplier in inventory.suppliers.items():
        if supplier.responsible:
            yield "suppliers", ("suppliers", name, "responsible"), "person", supplier.responsible
    for name, branch in inventory.branches.items():
        for key, kind in (
            ("host", "host"), ("responsible", "person"), ("group", "group"), ("type", "type"),
        ):  # fmt: skip
            if getattr(branch, key):
                yield "branches", ("branches", name, key), kind, getattr(branch, key)
    for name, backup in inventory.backups.items():
        yield "backups", ("sets", name, "service"), "service", backup.service
        for i, copy in enumerate(backup.copies):
            if copy.host:
                yield "backups", ("sets", name, "copies", i, "host"), "host", copy.host


def _named_by_services(inventory: Inventory) -> _Named:
    for name, service in inventory.services.items():
        at: Keys = ("services", name)
        for i, host in enumerate(service.members):
            yield "services", (*at, "members", i), "host", host
        for key in ("expected_primary", "spare_storage", "dr_centre"):
            if getattr(service, key):
                yield "services", (*at, key), "host", getattr(service, key)
        if service.address and service.address.verify_from:
            yield "services", (*at, "address", "verify_from"), "host", service.address.verify_from


def _named_by_people(inventory: Inventory) -> _Named:
    for name, group in inventory.people_groups.items():
        for i, member in enumerate(group.members):
            yield "people", ("groups", name, "members", i), "person", member
    for name, person in inventory.people.items():
        if person.deputy:
            yield "people", ("people", name, "deputy"), "person", person.deputy


def _groups(inventory: Inventory, _today: date) -> Iterator[Problem]:
    for name, group in inventory.people_groups.items():
        keys: Keys = ("groups", name, "members")
        if not group.members:
            yield _problem(
                inventory, "INV020", "people", keys, f"group '{name}' has no members",
                "Add at least two people; a gate of this group could never open.",
            )  # fmt: skip
        only = inventory.people.get(group.members[0]) if len(group.members) == 1 else None
        if only is not None and not only.deputy and not group.post:
            yield _problem(
                inventory, "INV022", "people", keys,
                f"nobody can stand in for '{group.members[0]}', the only member of '{name}'",
                "Add a member, or name a deputy of that person.",
            )  # fmt: skip


def _posts(inventory: Inventory, _today: date) -> Iterator[Problem]:
    for name, group in inventory.people_groups.items():
        for i, member in enumerate(group.members if group.post else ()):
            person = inventory.people.get(member)
            if person is not None and (not person.deputy or person.deputy == member):
                yield _problem(
                    inventory, "INV021", "people", ("groups", name, "members", i),
                    f"'{member}' holds a post in '{name}' and has no deputy",
                    f"Add 'deputy: …' to {member}: every key post has two people.",
                )  # fmt: skip


def _branches(inventory: Inventory, _today: date) -> Iterator[Problem]:
    """What a branch reconciles is signed by its head: where it names none, it can not be signed."""
    for name, branch in inventory.branches.items():
        if not branch.responsible:
            yield _problem(
                inventory, "INV027", "branches", ("branches", name),
                f"branch '{name}' names nobody who signs for it",
                "Add 'responsible:' with its head; else it can only be waived.",
            )  # fmt: skip


def _names(inventory: Inventory, _today: date) -> Iterator[Problem]:
    """Two people, or two groups, may not answer to one name."""
    for part, entries in (("people", inventory.people), ("groups", inventory.people_groups)):
        taken: dict[str, str] = {name: name for name in entries}
        for name, entry in entries.items():
            others: list[tuple[Keys, str]] = [
                ((part, name, "aliases", i), alias) for i, alias in enumerate(entry.aliases)
            ]
            if isinstance(entry, Person) and entry.os_user and entry.os_user != name:
                others.append(((part, name, "os_user"), entry.os_user))
            for keys, other in others:
                owner = taken.setdefault(other, name)
                if owner != name:
                    yield _problem(
                        inventory, "INV024", "people", keys,
                        f"'{other}' already means '{owner}'", "Choose another name.",
                    )  # fmt: skip


def _keys(inventory: Inventory, _today: date) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, person in inventory.people.items():
        for i, entry in enumerate(person.keys):
            line = entry if isinstance(entry, str) else entry.key
            owner = owners.setdefault(parse_public_key(line).line, name)
            if owner != name:
                yield _problem(
                    inventory, "INV026", "people", ("people", name, "keys", i),
                    f"'{name}' has the same key as '{owner}'",
                    "Give each person an own key: two approvals must come from two people.",
                )  # fmt: skip
    for group_name, group in inventory.people_groups.items():
        for i, member in enumerate(group.members):
            known = inventory.people.get(member)
            if known is not None and not known.keys:
                yield _problem(
                    inventory, "INV025", "people", ("groups", group_name, "members", i),
                    f"'{member}' has no key and can not sign for '{group_name}'",
                    f"Let {member} type 'ssh-keygen -t ed25519'; paste the .pub line under keys.",
                )  # fmt: skip


def _addresses(inventory: Inventory, _today: date) -> Iterator[Problem]:
    ports: dict[tuple[str, int, str | None], str] = {}
    for name, host in inventory.hosts.items():
        other = ports.setdefault((host.address, host.port, host.jump), name)
        if other != name:
            yield _problem(
                inventory, "INV030", "hosts", ("hosts", name),
                f"hosts '{other}' and '{name}' have the same address {host.address}",
                "Correct ansible_host of one of them: a command would reach the wrong machine.",
            )  # fmt: skip
    owners = {host.address: f"host '{name}'" for name, host in inventory.hosts.items()}
    for name, service in inventory.services.items():
        if service.address is None:
            continue
        owner = owners.setdefault(service.address.ip, f"service '{name}'")
        if owner != f"service '{name}'":
            yield _problem(
                inventory, "INV030", "services", ("services", name, "address", "ip"),
                f"{service.address.ip} is already the address of {owner}",
                "Give the service an address of its own: it moves from host to host.",
            )  # fmt: skip


def _key_files(inventory: Inventory, _today: date) -> Iterator[Problem]:
    files: dict[str, list[str]] = defaultdict(list)
    for name, host in inventory.hosts.items():
        if host.identity:
            files[host.identity].append(name)
        for variable in host.withheld:
            yield _problem(
                inventory, "INV032", "hosts", ("hosts", name, "vars", variable),
                f"{variable} of host '{name}' holds a password in clear text; dr leaves it out",
                "Use a key file instead, and change the password: others may have seen it.",
            )  # fmt: skip
    for file, hosts in sorted(files.items()):
        wrong = _not_private(Path(file))
        if wrong:
            yield _problem(
                inventory, "INV031", "hosts", ("hosts", hosts[0]),
                f"key file {file} of {len(hosts)} host(s) {wrong[0]}", wrong[1],
            )  # fmt: skip


def _not_private(path: Path) -> tuple[str, str] | None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return "is missing", f"Put it at {path} with mode 0600, or correct the path."
    if stat.S_IMODE(mode) & 0o077:
        return "can be read by others", f"Type 'chmod 600 {path}'."
    return None


def _contracts(inventory: Inventory, today: date) -> Iterator[Problem]:
    for name, supplier in inventory.suppliers.items():
        keys: Keys = ("suppliers", name, "contract_until")
        until = supplier.contract_until
        if until < today:
            yield _problem(
                inventory, "INV040", "suppliers", keys,
                f"the contract with '{name}' expired on {until}",
                "Renew it, or take the supplier out: nobody will come when called.",
            )  # fmt: skip
        elif until - today <= NOTICE:
            yield _problem(
                inventory, "INV041", "suppliers", keys,
                f"the contract with '{name}' ends in {(until - today).days} days",
                "Renew it now.",
            )  # fmt: skip


def _verified(inventory: Inventory, today: date) -> Iterator[Problem]:
    entries: Sequence[tuple[str, str, Mapping[str, Any]]] = (
        ("people", "people", inventory.people),
        ("suppliers", "suppliers", inventory.suppliers),
    )
    for file, part, members in entries:
        for name, entry in members.items():
            keys: Keys = (part, name, "verified_on")
            day = entry.verified_on
            hint = f"Call {name}, then set verified_on to today."
            if day is not None and day > today:
                message = f"'{name}' was verified on {day}, which has not come yet"
                yield _problem(inventory, "INV043", file, keys, message, hint)
            elif day is None or today - day > QUARTER:
                since = f"since {day}" if day else "ever"
                message = f"nobody has verified '{name}' {since}"
                yield _problem(inventory, "INV042", file, keys, message, hint)


def _secrets(inventory: Inventory, _today: date) -> Iterator[Problem]:
    for name, service in inventory.services.items():
        for role in ("reader", "writer"):
            login = getattr(service.database, role, None)
            reference = login.password.secret if login and login.password else ""
            scheme, _, path = reference.partition(":")
            if scheme != "file":
                continue
            wrong = _not_private(inventory.workspace.directory / Path(path).expanduser())
            if wrong:
                yield _problem(
                    inventory, "INV050", "services",
                    ("services", name, "database", role, "password", "secret"),
                    f"the file of the secret {reference} {wrong[0]}", wrong[1],
                )  # fmt: skip


def _standing(inventory: Inventory, today: date) -> Iterator[Problem]:
    for name, document in inventory.standing.items():
        statement = document.get("statement")
        where = next((f for f in inventory.sha256 if Path(f).stem == name), name)
        try:
            expires = parse_utc(str(statement["expires"]))  # type: ignore[index]
        except (TypeError, KeyError, ValueError):
            yield Problem(
                f"standing authorisation '{name}' has no statement with an expiry", where=where,
                hint="Type 'dr standing sign' to write one.", rule="INV060",
            )  # fmt: skip
            continue
        if expires < datetime(today.year, today.month, today.day, tzinfo=UTC):
            yield Problem(
                f"standing authorisation '{name}' expired on {expires.date()}", where=where,
                hint="Sign a new one, or delete the file.", rule="INV061", severity="warning",
            )  # fmt: skip


def _backups(inventory: Inventory, _today: date) -> Iterator[Problem]:
    kept = {backup.service for backup in inventory.backups.values()}
    for name, service in inventory.services.items():
        if service.database is not None and name not in kept:
            yield _problem(
                inventory, "INV070", "services", ("services", name),
                f"service '{name}' has no backup set in backups.yaml",
                "Declare where its backups are: without one only a standby can save it.",
            )  # fmt: skip
