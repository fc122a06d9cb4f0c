"""``reconcile.branches``, first form: per branch, what it did that the recovered database lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dr.engine.actions.branch_cases import evidence_folder, result_data
from dr.engine.actions.branch_comparison import Bureau
from dr.engine.actions.branch_databases import Asked, ask, have_databases
from dr.engine.actions.branch_ledgers import Collection, collect, sequence_names
from dr.engine.actions.central_records import compare_branches
from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections
from dr.engine.actions.inputs import Duration, Inputs
from dr.engine.actions.postgres.observatory import the_primary
from dr.engine.actions.postgres.service import Service, as_host, service_of
from dr.engine.core.events import Kind
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt, Check, Outcome, Presence, Probe, World
from dr.engine.core.values import Text, parse_utc, utc_text
from dr.reconcile.comparison import BranchResult, doubled, serial_gaps
from dr.reconcile.evidence import EvidenceStore
from dr.reconcile.worklist import worklist


class ReconcileInput(Inputs):
    """``with`` of reconcile.branches.

    Attributes:
        since: the recovery point; what branches did from ``margin`` before it on is compared.
            Empty or unknown: everything that the ledgers hold.
        host: the recovered database; the primary that is seen when empty.
        directory: where the lists go; the run's reports when empty.
    """

    service: str | None = None
    since: str | None = None
    margin: Duration = timedelta(hours=1)
    host: str | dict[str, Any] | None = None
    directory: str | None = None


class Reconcile(Driver[ReconcileInput]):
    """Compares every branch's ledger with the database and writes each branch its list."""

    inputs = ReconcileInput
    spec = specify(
        "reconcile.branches",
        "List what each branch did that the database lacks",
        "列出各网点已办而库中缺失的业务",
        ReconcileInput,
        effects=(Effect.READ, Effect.IDEMPOTENT),
        probes=True,
        closes=True,
        outputs={
            "branches": "map",
            "loss_branches": "map",
            "loss_records": "integer",
            "open_records": "integer",
            "loss_s": "number",
            "loss_basis": "map",
            "unknown_branches": "list",
            "complete": "boolean",
            "files": "list",
            "compared": "map",
            "service": "string",
            "host": "string",
            "since": "moment",
            "recovery_point": "moment",
        },
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:  # noqa: ARG002
        """Say what is compared."""
        return [
            "read the ledger of every branch over SFTP, or ask its database",
            "compare it with the recovered database by the branches' own slip numbers",
            "write each branch the list of what is missing",
        ]

    def probe(self, attempt: Attempt, world: World) -> Probe:  # noqa: ARG002
        """It is compared anew each time: branches go on writing their ledgers."""
        return Probe(Presence.ABSENT, "ledgers are compared anew")

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Collect, compare, write the lists."""
        given = self.given(attempt)
        service = service_of(attempt, world, given.service)
        host = as_host(given.host) or the_primary(self._connections, service, world)
        point, back = _moment(given.since), _service_back(world)
        bureau = Bureau(world.inventory, service, world.secret, given.margin)
        theirs = have_databases(world.inventory)
        asked = ask(bureau, theirs, recovery_point=point, service_back=back)
        collection = collect(self._connections, service, world.inventory)
        collection = replace(collection, unknown={**collection.unknown, **asked.unknown})
        results = compare_branches(
            self._connections.observer(host),
            service,
            world.inventory.get("branches") or {},
            collection,
            point - given.margin if point else None,
        )
        files = self._write(attempt, world, results)
        outputs = _outputs(service, results, collection, point, files)
        compared = self._compared(attempt, world, bureau, host, results, collection, asked)
        start = utc_text(point - given.margin) if point else None
        where = {"service": service.id, "host": host, "since": start}
        if point:
            where["recovery_point"] = utc_text(point)
        return Outcome({**outputs, "compared": compared, **where})

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:  # noqa: ARG002
        """Every list that was named lies there."""
        lost = [f for f in outcome.outputs.get("files", ()) if not Path(f).is_file()]
        return Check(holds=not lost, because=f"{lost[0]} is not there" if lost else "written")

    def _compared(
        self,
        attempt: Attempt,
        world: World,
        bureau: Bureau,
        host: str,
        results: Mapping[str, BranchResult],
        collection: Collection,
        asked: Asked,
    ) -> dict[str, Any]:
        """Return by branch what a session begins with: the evidence, kept, and what it showed.

        Where it is declared how branches write (ledgers.yaml) every class of break is looked for;
        else only what the lists of each branch show.
        """
        folder = evidence_folder(world.inventory)
        store = EvidenceStore(folder) if folder else None
        contents = {**collection.contents, **asked.answers}
        kept = {n: store.keep(c) if store else "" for n, c in contents.items()}
        named = {*collection.unknown, *kept}
        how = {n: "database" if n in asked.answers else "sftp" for n in kept}
        known = {n: [(store.path(h), how[n])] for n, h in kept.items() if store and bureau.knows(n)}
        found: Mapping[str, Mapping[str, Any]] = {}
        if known:
            found = bureau.compare(
                attempt.run,
                known,
                host=host,
                recovery_point=_moment(self.given(attempt).since),
                service_back=_service_back(world),
                expected=sorted(named),
                everybody=True,
            )
        compared: dict[str, Any] = {}
        for name in sorted({*named, *found}):
            if name in found:
                result = dict(found[name])
            elif name in results:
                result = result_data(attempt.run, results[name], kept[name])
            else:
                result = {"problem": collection.unknown[name]} if name in kept else {}
            problem = str(result.get("problem", ""))
            said: dict[str, Any] = {}
            if name in kept:
                said["evidence"] = [_evidence(kept[name], how[name], problem)]
            compared[name] = {**said, "result": result} if result else said
        return compared

    def _write(
        self, attempt: Attempt, world: World, results: Mapping[str, BranchResult]
    ) -> list[str]:
        given = self.given(attempt).directory
        reports = (world.inventory.get("paths") or {}).get("reports")
        if not (given or reports):
            return []
        directory = Path(given) if given else Path(str(reports)) / attempt.run / "branches"
        directory.mkdir(parents=True, exist_ok=True)
        files = []
        for name, result in sorted(results.items()):
            path = directory / f"{name}.csv"
            path.write_text(worklist(result), encoding="utf-8", newline="")
            files.append(str(path))
        return files


def _service_back(world: World) -> datetime:
    """Return when service was back: what is done after that is not at stake."""
    recovered = (e.at for e in world.history() if e.kind is Kind.RUN_RECOVERED)
    return next(recovered, world.clock.now())


def _evidence(sha256: str, via: str, problem: str) -> dict[str, str]:
    told = {"sha256": sha256, "name": "ledger", "by": "dr", "via": via}
    return {**told, "problem": problem} if problem else told


def _moment(text: str | None) -> datetime | None:
    return parse_utc(text) if text and text != "unknown" else None


def _outputs(
    service: Service,
    results: Mapping[str, BranchResult],
    collection: Collection,
    since: datetime | None,
    files: Sequence[str],
) -> dict[str, Any]:
    branches = {name: _branch(service, result) for name, result in results.items()}
    for name, because in collection.unknown.items():
        branches[name] = {"missing": None, "unknown": None, "known": False, "basis": because}
    total = sum(len(r.lost) for r in results.values())
    seconds, basis = _seconds(results, collection, since)
    return {
        "branches": branches,
        "loss_branches": branches,
        "loss_records": None if collection.unknown else total,
        "open_records": sum(len(r.open) for r in results.values()),
        "loss_s": seconds,
        "loss_basis": basis.plain(),
        "unknown_branches": sorted(collection.unknown),
        "complete": collection.complete,
        "files": list(files),
    }


def _branch(service: Service, result: BranchResult) -> dict[str, Any]:
    lost = [*result.lost, *result.open]
    numbers = {
        name: sorted(e.numbers[name] for e in lost if name in e.numbers)
        for name in sequence_names(service)
    }
    used = [(e.key, e.numbers[n]) for n in numbers for e in lost if n in e.numbers]
    return {
        "missing": len(result.lost),
        "unknown": len(result.open),
        "known": True,
        "arrived": len(result.arrived),
        "differing": len(result.differing),
        "unlisted": len(result.unlisted),
        "entries": result.entries,
        "complete": result.complete,
        "parcels": sorted(result.parcels),
        "numbers": [number for name in numbers for number in numbers[name]],
        "numbers_by_sequence": numbers,
        "gaps": {name: _gaps(found) for name, found in numbers.items() if found},
        "doubled": {str(n): list(keys) for n, keys in doubled(used).items() if len(keys) > 1},
        "basis": {
            "en": "ledger compared with the recovered database",
            "zh": "网点台账与恢复后数据库比对",
        },
    }


def _gaps(numbers: Sequence[int]) -> list[list[int]]:
    """Return the ranges between a branch's lost numbers that belong to others or to nobody."""
    return [[g.first, g.last] for g in serial_gaps(numbers, numbers[0], numbers[-1])]


def _seconds(
    results: Mapping[str, BranchResult], collection: Collection, since: datetime | None
) -> tuple[float | None, Text]:
    """Return the span of acknowledged business that is missing, in seconds, and how it is known."""
    if collection.unknown:
        names = ", ".join(sorted(collection.unknown))
        return None, Text(
            en=f"the ledgers of {names} could not be read", zh=f"未能读取以下网点台账：{names}"
        )
    lost = [e.at for r in results.values() for e in r.lost if e.at is not None]
    if not any(r.lost for r in results.values()):
        return 0.0, Text(
            en="every ledger was read; nothing acknowledged is missing",
            zh="已核对全部网点台账，已确认业务无缺失",
        )
    start = min([*lost, since] if since else lost, default=None)
    if start is None or not lost:
        return None, Text(en="the missing records carry no moment", zh="缺失记录无时间信息")
    return (max(lost) - start).total_seconds(), Text(
        en=f"measured from all ledgers: acknowledged work up to {utc_text(max(lost))} is missing",
        zh=f"据全部网点台账实测：截至 {utc_text(max(lost))} 的已确认业务缺失",
    )
