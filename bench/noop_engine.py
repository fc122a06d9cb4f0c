"""The real engine on steps that do nothing: a worker for ``engine_cost``.

Everything is what ``dr run`` uses (executor, recorder, journal on disk, expressions, secrets),
except the action, which returns at once.
"""

# ruff: noqa: ARG002 - contracts say which arguments there are

from __future__ import annotations

import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from samples import SCRATCH, serve

from dr.engine.core.errors import Problem, UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Effect, Runbook
from dr.engine.core.ports import (
    Action,
    ActionSpec,
    Attached,
    Attempt,
    Check,
    Forecast,
    Found,
    Outcome,
    Presence,
    Probe,
    RunRecord,
    World,
)
from dr.engine.core.values import Text
from dr.engine.core.view import fold
from dr.engine.journal.sql import SqlJournal
from dr.engine.loader.expressions import Grammar
from dr.engine.loader.loading import load
from dr.engine.runtime.context import Ports, RunContext
from dr.engine.runtime.executor import Executor
from dr.engine.runtime.recorder import Recorder
from dr.engine.service.logs import FileLogs
from dr.engine.service.surroundings import SystemClock
from dr.inventory.secrets import SecretsInUse


class Noop:
    """Does nothing, at once."""

    spec = ActionSpec("bench.noop", Text("Nothing"), tuple(Effect), outputs={"value": "integer"})

    def validate(self, inputs: Mapping[str, Any]) -> Sequence[Problem]:
        return ()

    def describe(self, attempt: Attempt) -> Sequence[str]:
        return ("do nothing",)

    def precheck(self, attempt: Attempt, world: World) -> Check:
        return Check(holds=True)

    def probe(self, attempt: Attempt, world: World) -> Probe:
        return Probe(Presence.UNKNOWN)

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        return Outcome({"value": 1})

    def attach(self, attempt: Attempt, world: World) -> Attached:
        return Attached(Found.UNKNOWN)

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:
        return Check(holds=True)

    def undo(self, attempt: Attempt, world: World) -> Outcome:
        return Outcome()

    def forecast(self, attempt: Attempt, world: World) -> Forecast:
        return Forecast()


class Actions:
    """The one action."""

    def get(self, name: str) -> Action:
        if name != Noop.spec.name:
            raise UserError(f"no action is called '{name}'")
        return Noop()

    def names(self) -> list[str]:
        return [Noop.spec.name]


class Nothing:
    """Observes nothing, authorises nothing, and has measured nothing."""

    def look(self, service: str) -> Mapping[str, Any]:
        return {}

    def standing(self, *_args: Any) -> Sequence[Any]:
        return ()

    def duration(self, runbook: str, step: str) -> None:
        return None


def runbook(steps: int, effect: str, *, chain: bool) -> str:
    """Return a runbook of ``steps`` steps one after another, or all at once."""
    return "\n".join(_lines(steps, effect, chain=chain)) + "\n"


def fan_out(effect: str) -> str:
    """Return a runbook of one step on every host of the group ``all_of_them``, in batches."""
    return (
        "format: 1\nname: bench\ntitle: { en: Bench, zh: 测量 }\nsteps:\n"
        f"  - {{ id: fan, uses: bench.noop, hosts: all_of_them, effect: {effect}, "
        'with: { number: 1 }, strategy: { batches: [1, "25%", "100%"] } }\n'
    )


def inventory_of(hosts: int) -> dict[str, Any]:
    """Return an inventory with so many hosts in the group ``all_of_them``."""
    names = [f"host-{number:05}" for number in range(hosts)]
    return {"hosts": {name: {} for name in names}, "groups": {"all_of_them": names}}


def _lines(steps: int, effect: str, *, chain: bool) -> Iterator[str]:
    yield from ("format: 1", "name: bench", "title: { en: Bench, zh: 测量 }", "steps:")
    needs = "" if chain else ", needs: []"
    for number in range(steps):
        yield (
            f"  - {{ id: s{number}, uses: bench.noop, with: {{ number: {number} }}, "
            f"effect: {effect}{needs} }}"
        )


def measure(steps: int, effect: str, shape: str, name: str = "engine") -> dict[str, Any]:
    """Carry a run out and return how long that took, and where its journal is.

    ``shape`` is ``chain``, ``parallel``, or ``hosts``: one step on so many hosts.
    The seconds are those from the engine's first turn to the run's written end; loading the
    runbook is counted apart, as ``load_s``.
    """
    folder = SCRATCH / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.perf_counter()
    on_hosts = shape == "hosts"
    source = fan_out(effect) if on_hosts else runbook(steps, effect, chain=shape == "chain")
    book = load(source, actions=Actions(), file="bench")
    load_s = time.perf_counter() - began
    with SqlJournal(f"sqlite:///{folder}/journal.sqlite3") as journal:
        inventory = inventory_of(steps) if on_hosts else None
        executor = executor_of(folder, journal, book, Actions(), inventory=inventory)
        memory_kb = _memory_kb()
        cpu, began = time.process_time(), time.perf_counter()
        state = executor.run()
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        assert state == "succeeded", state
        events = executor.context.view.seq
    grown_kb = _memory_kb() - memory_kb
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "load_s": load_s,
        "events": events,
        "grown_kb": grown_kb,
        "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "journal": str(folder / "journal.sqlite3"),
    }


def executor_of(
    folder: Path,
    journal: SqlJournal,
    book: Runbook,
    actions: Any,
    *,
    run: str = "R-20261101-bench",
    inventory: Mapping[str, Any] | None = None,
) -> Executor:
    """Return an engine on a new run of ``book``, with the lease taken."""
    secrets = SecretsInUse(folder)
    nothing = Nothing()
    ports = Ports(
        journal=journal,
        actions=actions,
        expressions=Grammar(),
        clock=SystemClock(),
        secrets=secrets,
        logs=FileLogs(folder / "logs", secrets),
        observatory=nothing,
        authority=nothing,
        estimates=nothing,
    )
    record = RunRecord(
        id=run,
        runbook=book.name,
        runbook_sha256=book.sha256,
        source=book.source,
        file="bench",
        environment="lab",
        mode="real",
        requester="bench",
        inputs={},
        inventory=inventory or {"hosts": {}},
        created=datetime.now(UTC),
    )
    journal.create(record, [Draft(Kind.RUN_CREATED, data={"runbook": book.name})])
    lease = journal.acquire(record.id, "bench")
    view = fold(record.id, journal.events(record.id))
    return Executor(RunContext(ports, record, book, Recorder(journal, lease, view, secrets)))


def _memory_kb() -> int:
    import gc

    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    serve(measure)
