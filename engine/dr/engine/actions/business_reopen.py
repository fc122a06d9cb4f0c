"""``business.reopen``: business comes back in stages; nothing opens before it is proven shut."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from dr.engine.actions.branch_ledgers import Collection, collect, sequence_names
from dr.engine.actions.central_records import compare_branches
from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections
from dr.engine.actions.inputs import Duration, Inputs
from dr.engine.actions.postgres.observatory import the_primary
from dr.engine.actions.postgres.query import quoted, rows
from dr.engine.actions.postgres.scripts import script
from dr.engine.actions.postgres.service import Service, as_host, service_of
from dr.engine.core.errors import ActionError, FailedError, RefusedError
from dr.engine.core.model import Effect
from dr.engine.core.ports import (
    Attached,
    Attempt,
    Check,
    Forecast,
    Found,
    Outcome,
    Presence,
    Probe,
    World,
)
from dr.engine.core.values import UNKNOWN, Text, parse_utc
from dr.reconcile.comparison import greatest_numbers, touched_since

_LOOK = timedelta(seconds=10)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


class ReopenInput(Inputs):
    """``with`` of business.reopen.

    Attributes:
        stage: read_only, held (open, with the affected parcels held) or full.
        since: the recovery point; parcels that branches touched after it are held.  Empty or
            unknown: every parcel of the ledgers counts as touched.
        host: the recovered database; the one primary that is seen when empty.
        margin: how far before ``since`` ledgers are compared, to find holes.
        reserve: numbers that are skipped for each branch whose ledger could not be read.
        on_unknown: what to do then: ``open`` and say so, or stay ``read_only``.
    """

    service: str | None = None
    stage: Literal["read_only", "held", "full"]
    since: str | None = None
    host: str | dict[str, Any] | None = None
    margin: Duration = timedelta(hours=1)
    reserve: int = 1000
    on_unknown: Literal["open", "read_only"] = "open"


@dataclass(frozen=True)
class _Affected:
    """What is held and where sequences go; ``unknown`` are branches nobody could ask."""

    parcels: tuple[str, ...]
    greatest: Mapping[str, int | None]
    unknown: Mapping[str, str]
    complete: bool


class Reopen(Driver[ReopenInput]):
    """Read-only first, and proven; then held parcels and sequences; then open."""

    inputs = ReopenInput
    spec = specify(
        "business.reopen",
        "Reopen business in stages",
        "分步恢复业务",
        ReopenInput,
        effects=(Effect.IDEMPOTENT,),
        probes=True,
        attaches=True,
        outputs={
            "stage": "string",
            "host": "string",
            "held": "integer",
            "parcels": "list",
            "sequences": "map",
            "unknown_branches": "list",
            "complete": "boolean",
        },
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what would be done."""
        stage = attempt.input.get("stage")
        lines = ["make the service read-only; a write as the application must fail"]
        if stage == "held":
            lines += [
                "hold the parcels that branches touched after the recovery point",
                "move receipt and certificate sequences past what branches have issued",
            ]
        if stage != "read_only":
            lines.append(f"open to stage '{stage}' with the service's declared SQL")
        return lines

    def precheck(self, attempt: Attempt, world: World) -> Check:
        """A primary, and the SQL of the stage declared."""
        service = self._service(attempt, world)
        stage = self.given(attempt).stage
        if not _statements(service, stage):
            return Check(
                holds=False,
                because=f"service '{service.id}' declares no SQL for stage '{stage}'",
                hint="Add it under `business: { stages: … }` in services.yaml.",
            )
        try:
            self._host(attempt, world, service)
        except ActionError as error:
            return Check(holds=False, because=error.message, hint=error.hint)
        return Check(holds=True)

    def probe(self, attempt: Attempt, world: World) -> Probe:
        """Whether the stage is in force, and for ``held`` nothing is left to hold or to move."""
        given = self.given(attempt)
        service = self._service(attempt, world)
        try:
            host = self._host(attempt, world, service)
            stage = self._stage(service, host)
        except ActionError as error:
            return Probe(Presence.UNKNOWN, error.message)
        if stage is None:
            return Probe(Presence.UNKNOWN, "the service declares no query for its stage")
        if stage != given.stage:
            return Probe(Presence.ABSENT, f"stage '{stage}' is in force on {host}")
        affected = self._affected(attempt, world, service, host) if stage == "held" else _NOTHING
        left = self._left(service, host, affected)
        if left:
            return Probe(Presence.PARTIAL, left)
        return Probe(
            Presence.DONE,
            f"stage '{stage}' is in force on {host}",
            self._outputs(service, host, stage, affected),
        )

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Shut, prove, hold, move, open; one job on the primary."""
        given = self.given(attempt)
        service = self._service(attempt, world)
        may = self.precheck(attempt, world)
        if may.holds is not True:
            raise RefusedError(may.because, hint=may.hint)
        host = self._host(attempt, world, service)
        affected = (
            self._affected(attempt, world, service, host) if given.stage == "held" else _NOTHING
        )
        stage: str = given.stage
        if stage == "held" and affected.unknown and given.on_unknown == "read_only":
            stage = "read_only"
        first, rest = stage_sql(
            service,
            stage,
            affected.parcels,
            affected.greatest,
            given.reserve * len(affected.unknown),
            attempt.key,
        )
        done = self._connections.actor(host).job(
            attempt,
            world,
            script=script("reopen"),
            env=stage_env(service),
            stdin=f"{first}\n-- dr: then\n{rest}\n".encode(),
        )
        if not done.ok:
            raise _failed(host, done.exit_code, done.stdout + done.stderr)
        if stage != given.stage:
            names = ", ".join(sorted(affected.unknown))
            raise FailedError(
                f"it stays read-only: the ledgers of {names} could not be read",
                hint="Reach those branches and `dr retry`, or let the step say `on_unknown: open`.",
            )
        facts = {"said": done.stdout.strip().splitlines(), "unknown": dict(affected.unknown)}
        return Outcome(self._outputs(service, host, stage, affected), facts)

    def attach(self, attempt: Attempt, world: World) -> Attached:
        """Find the job; the stage itself says how it ended."""
        service = self._service(attempt, world)
        try:
            host = self._host(attempt, world, service)
        except ActionError as error:
            return Attached(Found.UNKNOWN, error.message)
        found = self._connections.actor(host).attach(attempt, world)
        if found.found is not Found.ENDED:
            return found
        probe = self.probe(attempt, world)
        if probe.presence is Presence.DONE:
            return Attached(Found.ENDED, probe.detail, Outcome(probe.outputs))
        return Attached(
            Found.ENDED, error=FailedError(f"the stage is not in force: {probe.detail}")
        )

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:
        """The stage is in force and every parcel is held."""
        service = self._service(attempt, world)
        host = str(outcome.outputs.get("host") or self._host(attempt, world, service))
        stage = self._stage(service, host)
        if stage is None:
            return Check(holds=UNKNOWN, because="the service declares no query for its stage")
        if stage != self.given(attempt).stage:
            return Check(holds=False, because=f"stage '{stage}' is in force on {host}")
        parcels = tuple(outcome.outputs.get("parcels") or ())
        left = self._left(service, host, _Affected(parcels, {}, {}, complete=True))
        return Check(holds=not left, because=left or f"stage '{stage}' is in force on {host}")

    def forecast(self, attempt: Attempt, world: World) -> Forecast:  # noqa: ARG002
        """Seconds, most of them for reading the ledgers."""
        return Forecast(
            p50=timedelta(seconds=3),
            p90=timedelta(seconds=30),
            basis=Text(en="one look at every ledger", zh="读取各网点台账一次"),
            available=Check(holds=UNKNOWN),
        )

    def _service(self, attempt: Attempt, world: World) -> Service:
        return service_of(attempt, world, self.given(attempt).service)

    def _host(self, attempt: Attempt, world: World, service: Service) -> str:
        named = as_host(self.given(attempt).host)
        return the_primary(self._connections, service, world, named)

    def _stage(self, service: Service, host: str) -> str | None:
        declared = service.business.get("stage")
        if not declared:
            return None
        found = rows(
            self._connections.observer(host), service.database, str(declared), timeout=_LOOK
        )
        return str(next(iter(found[0].values()))) if found else None

    def _affected(self, attempt: Attempt, world: World, service: Service, host: str) -> _Affected:
        """Return the parcels to hold and the numbers that were issued, as far as known."""
        given = self.given(attempt)
        collection = collect(self._connections, service, world.inventory)
        since = _moment(given.since)
        observer = self._connections.observer(host)
        held: set[str] = set()
        if (service.business.get("ledger") or {}).get("query"):
            # exact: a parcel is affected where the ledger knows what the database lacks
            start = since - given.margin if since else None
            branches = world.inventory.get("branches") or {}
            results = compare_branches(observer, service, branches, collection, start)
            for result in results.values():
                held |= result.parcels
        else:
            held |= self._touched(collection, since)
        names = sequence_names(service)
        return _Affected(
            tuple(sorted(held)),
            greatest_numbers(collection.ledgers.values(), names),
            collection.unknown,
            collection.complete,
        )

    def _touched(self, collection: Collection, since: datetime | None) -> set[str]:
        start = since or parse_utc("0001-01-02T00:00:00Z")
        found: set[str] = set()
        for ledger in collection.ledgers.values():
            found |= touched_since(ledger, start)
        return found

    def _left(self, service: Service, host: str, affected: _Affected) -> str:
        """Return what is still to be held or moved, in words."""
        observer = self._connections.observer(host)
        for declared in _drawn(service):
            greatest = affected.greatest.get(str(declared["name"]))
            sequence = _identifier(str(declared["sequence"]))
            found = rows(
                observer,
                service.database,
                f"SELECT last_value FROM {sequence}",  # noqa: S608 - a checked name
                timeout=_LOOK,
            )
            if greatest is not None and int(found[0]["last_value"]) < greatest:
                return f"sequence {sequence} is at {found[0]['last_value']}, issued was {greatest}"
        holds = service.business.get("holds") or {}
        if not affected.parcels or not holds:
            return ""
        table, column = _identifier(str(holds["table"])), _identifier(str(holds["column"]))
        missing = 0
        for start in range(0, len(affected.parcels), 1000):
            some = ", ".join(quoted(p) for p in affected.parcels[start : start + 1000])
            query = f"SELECT count(DISTINCT {column}) AS n FROM {table} WHERE {column} IN ({some})"  # noqa: S608
            found = rows(observer, service.database, query, timeout=_LOOK)
            missing += len(affected.parcels[start : start + 1000]) - int(found[0]["n"])
        return f"{missing} affected parcels are not held" if missing else ""

    def _outputs(
        self, service: Service, host: str, stage: str, affected: _Affected
    ) -> dict[str, Any]:
        observer = self._connections.observer(host)
        sequences = {}
        for declared in service.business.get("sequences") or ():
            name = _identifier(str(declared["sequence"]))
            query = f"SELECT last_value FROM {name}"  # noqa: S608 - a checked name
            found = rows(observer, service.database, query, timeout=_LOOK)
            sequences[str(declared["name"])] = int(found[0]["last_value"])
        return {
            "stage": stage,
            "host": host,
            "held": len(affected.parcels),
            "parcels": list(affected.parcels),
            "sequences": sequences,
            "unknown_branches": sorted(affected.unknown),
            "complete": affected.complete,
        }


_NOTHING = _Affected((), {}, {}, complete=True)


def stage_sql(
    service: Service,
    stage: str,
    parcels: Sequence[str],
    greatest: Mapping[str, int | None],
    reserve: int,
    reason: str,
) -> tuple[str, str]:
    """Return the SQL that shuts the service, and the SQL that opens it to ``stage``: pure.

    Sequences go past everything issued, by branches or centrally, and ``reserve`` further.
    """
    first = [_ended(s) for s in _statements(service, "read_only")]
    if stage == "read_only":
        return "\n".join(first), ""
    rest: list[str] = []
    if stage == "held":
        rest += _hold_sql(service, parcels, reason)
        for declared in _drawn(service):
            rest.append(_sequence_sql(declared, greatest.get(str(declared["name"])), reserve))
    rest += [_ended(s) for s in _statements(service, stage)]
    return "\n".join(first), "\n".join(rest)


def _drawn(service: Service) -> list[Mapping[str, Any]]:
    """Return the sequences from which the database itself draws; blocks of branches go on alone."""
    declared = service.business.get("sequences") or ()
    return [each for each in declared if not each.get("from_blocks")]


def _hold_sql(service: Service, parcels: Sequence[str], reason: str) -> list[str]:
    holds = service.business.get("holds") or {}
    if not parcels:
        return []
    if not holds:
        raise RefusedError(
            f"service '{service.id}' does not declare how a parcel is held",
            hint="Add `business: { holds: { table: …, column: … } }` in services.yaml.",
        )
    table, column = _identifier(str(holds["table"])), _identifier(str(holds["column"]))
    why = holds.get("reason_column")
    columns = f"{column}, {_identifier(str(why))}" if why else column
    tail = f", {quoted(reason)}" if why else ""
    lines = []
    for start in range(0, len(parcels), 500):
        values = ", ".join(f"({quoted(p)}{tail})" for p in parcels[start : start + 500])
        lines.append(
            f"INSERT INTO {table} ({columns}) VALUES {values} ON CONFLICT DO NOTHING;"  # noqa: S608
        )
    return lines


def _sequence_sql(declared: Mapping[str, Any], issued: int | None, reserve: int) -> str:
    sequence = _identifier(str(declared["sequence"]))
    parts = [f"(SELECT last_value FROM {sequence})"]  # noqa: S608 - a checked name
    if declared.get("issued"):
        parts.append(f"coalesce(({str(declared['issued']).strip().rstrip(';')}), 0)")
    if issued is not None:
        parts.append(str(issued))
    return f"SELECT setval('{sequence}', greatest({', '.join(parts)}) + {reserve}, true);"


def _statements(service: Service, stage: str) -> list[str]:
    declared = (service.business.get("stages") or {}).get(stage) or []
    return [str(s) for s in ([declared] if isinstance(declared, str) else declared)]


def _ended(statement: str) -> str:
    return f"{statement.strip().rstrip(';')};"


def _identifier(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise RefusedError(f"'{name}' is no name of a table, column or sequence")
    return name


def _moment(text: str | None) -> datetime | None:
    return parse_utc(text) if text and text != "unknown" else None


def stage_env(service: Service, *, proves: bool = True) -> dict[str, str]:
    """Return the environment of the ``reopen`` script; ``proves``: that nothing can be written."""
    database = service.database
    declared = (service.business.get("stages") or {}).get("prove_read_only") if proves else ""
    proof = declared or ""
    return {
        "DR_OS_USER": database.os_user,
        "DR_BIN_DIR": database.bin_dir,
        "DR_SOCKET_DIR": database.socket_dir,
        "DR_PORT": str(database.port),
        "DR_ADMIN_USER": database.admin_user,
        "DR_DATABASE": database.name,
        "DR_WRITER": database.writer,
        "DR_PROOF": str(proof).strip().rstrip(";") if database.writer else "",
    }


_CODES = {
    10: "it is not a primary",
    11: "it could not be made read-only",
    12: "the application can still write although it should be read-only",
    13: "the proof that nothing can be written could not be carried out",
    14: "it is read-only, and opening it failed",
}


def _failed(host: str, code: int, said: str) -> FailedError:
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return FailedError(
        f"reopening on {host} failed: {_CODES.get(code, f'exit code {code}')}"
        f"{': ' + lines[-1] if lines else ''}",
        hint="Nothing was opened.  Correct the SQL of the stage in services.yaml, then `dr retry`.",
    )
