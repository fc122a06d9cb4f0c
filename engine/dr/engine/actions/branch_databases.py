"""Branches whose business lies in a database of their own: what they did, asked for by SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dr.engine.actions.branch_comparison import Bureau
from dr.engine.core.errors import DrError

_AT_ONCE = 32
_SOURCES = frozenset({"postgresql", "mysql"})


@dataclass(frozen=True)
class Asked:
    """What databases answered, as bytes to keep; and why others did not."""

    answers: Mapping[str, bytes]
    unknown: Mapping[str, str]


def have_databases(inventory: Mapping[str, Any]) -> list[str]:
    """Return the branches whose database is declared, and what to ask it."""
    types = inventory.get("branch_types") or {}
    return [
        str(name)
        for name, branch in (inventory.get("branches") or {}).items()
        if branch.get("database")
        and (types.get(branch.get("type")) or {}).get("source") in _SOURCES
    ]


def ask(
    bureau: Bureau,
    branches: Iterable[str],
    *,
    recovery_point: datetime | None,
    service_back: datetime | None,
) -> Asked:
    """Ask the databases of branches for what they did in the window, all at once; read only."""
    answers: dict[str, bytes] = {}
    unknown: dict[str, str] = {}

    def one(name: str) -> bytes | str:
        try:
            return _answer(bureau, name, recovery_point, service_back)
        except DrError as error:
            return error.message

    names = list(branches)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="branch") as pool:
        for name, answer in zip(names, pool.map(one, names), strict=True):
            if isinstance(answer, bytes):
                answers[name] = answer
            else:
                unknown[name] = answer
    return Asked(answers, unknown)


def _answer(
    bureau: Bureau, branch: str, recovery_point: datetime | None, service_back: datetime | None
) -> bytes:
    from dr.reconcile.branch_type import Source
    from dr.reconcile.read_database import export

    kind = bureau.type_of(branch, "database")
    declared = bureau.inventory["branches"][branch]["database"]
    database = "dbname" if kind.source is Source.POSTGRESQL else "database"
    login = {
        "host": declared["host"],
        "port": declared.get("port"),
        database: declared["name"],
        "user": declared["user"],
        "password": bureau.password(declared.get("password")),
    }
    window = bureau.window(recovery_point, service_back)
    given = {key: value for key, value in login.items() if value not in {None, ""}}
    return export(branch, kind, given, window.parameters(kind.zone))
