"""A recovered database, and others that know more of what the branch in the north did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from dr.engine.core.reconciliation import Branch
from dr.engine.core.values import Secret, utc_text
from dr.engine.service.comparing import Comparing
from tests.integration.approvals.bureau import RUN, START
from tests.integration.postgres_server import PostgresServer
from tests.integration.reconciling.office import Office

Wire = psycopg.Connection[tuple[object, ...]]
BACK = START + timedelta(milliseconds=800)
"""When service was back: within a second, as it is."""
TABLE = b"CREATE TABLE work (branch text, slip text, parcel text, at timestamptz)"
RECORD = {
    "columns": {"slip": {"kind": "code"}, "parcel": {"kind": "code"}, "at": {"kind": "moment"}},
    "key": "slip",
    "moment": "at",
    "agree": ["parcel"],
    "agreeing": 1,
    "query": "SELECT branch, slip, parcel, at FROM work",
}
THEIRS = (
    "SELECT slip, parcel,"
    " to_char(at AT TIME ZONE INTERVAL '+08:00', 'YYYY-MM-DD HH24:MI:SS') AS at FROM work"
    " WHERE at >= (%(since)s || '+08')::timestamptz AND at < (%(until)s || '+08')::timestamptz"
)


class NoSecrets:
    """The test's database asks nobody for a password."""

    def resolve(self, reference: str) -> Secret:
        return Secret(reference, "")


class Sides:
    """The recovered database, the other one, and the session about them."""

    def __init__(self, office: Office, central: Wire, other: Wire, store: Path) -> None:
        self.office, self.central, self.other = office, central, other
        self.comparing = Comparing(office.reconciling, None, NoSecrets(), store)  # type: ignore[arg-type]

    def register(self, wire: Wire, *slips: str, branch: str = "north") -> None:
        for slip in slips:
            row = (branch, slip, f"P-{slip}", START - timedelta(minutes=10))
            wire.execute(b"INSERT INTO work VALUES (%s, %s, %s, %s)", row)

    @property
    def north(self) -> Branch:
        return self.office.reconciling.open(RUN).session.branches["north"]

    @property
    def cases(self) -> set[tuple[str, str]]:
        cases = self.north.cases.values()
        return {(case.found.what, case.found.key) for case in cases if case.is_open}


@contextmanager
def two_sides(
    keyed: tuple[Path, dict[str, Any]],
    central: PostgresServer,
    other: PostgresServer,
    store: Path,
) -> Iterator[Sides]:
    """Open a session on a database of ``central``; ``other`` has one of the same name.

    It is a copy, on host ``old``, and the branch's own.
    """
    workspace, inventory = keyed
    name = central.database().partition("@/")[2].partition("?")[0]
    with other.connect() as wire:
        wire.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        wire.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0".encode())
    with ExitStack() as stack:
        wires = [stack.enter_context(server.connect(name)) for server in (central, other)]
        for wire in wires:
            wire.execute(TABLE)
        login = {"host": str(other.folder), "name": name, "user": "postgres"}
        columns = {name: name for name in ("slip", "parcel", "at")}
        made = Office(workspace, {
            **inventory,
            "services": {"registry": {
                "database": {"name": name, "data_dir": "/", "reader": {"user": "postgres"}},
            }},
            "hosts": {
                "db": {"address": str(central.folder)}, "old": {"address": str(other.folder)},
            },
            "records": {"work": RECORD},
            "branch_types": {"own": {
                "record": "work", "source": "postgresql", "query": THEIRS, "columns": columns,
            }},
            "branches": {
                "north": {"id": "north", "responsible": "cai", "group": "execution-group",
                          "type": "own", "database": login},
                "south": {"id": "south", "responsible": "dan", "group": "execution-group",
                          "type": "own"},
            },
        })  # fmt: skip
        point, back = utc_text(START), utc_text(BACK)
        made.begin({"service": "registry", "host": "db", "recovery_point": point, "to": back})
        yield Sides(made, wires[0], wires[1], store)
