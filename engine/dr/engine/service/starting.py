"""Make a run: inputs checked, inventory and runbook kept, locks taken, the engine started."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dr.engine.core.errors import Problem, RunbookError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Input, Runbook, Step
from dr.engine.core.ports import Expressions, RunRecord
from dr.engine.core.values import parse_duration
from dr.engine.service.known_names import unknown_names
from dr.inventory.workspace import Workspace

ENGINE_VERSION = "0.1.0"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_SECTIONS = {
    "service": "services",
    "host": "hosts",
    "group": "groups",
    "person": "people",
    "supplier": "suppliers",
    "branch": "branches",
}


def new_run_id(now: datetime) -> str:
    """Return an id that is never given twice, not even by a new journal: day and random letters.

    A target host knows jobs by it, so an id used again would find yesterday's job.
    """
    tail = "".join(secrets.choice(_LETTERS) for _ in range(5))
    return f"R-{now:%Y%m%d}-{tail}"


def check_inputs(
    runbook: Runbook, given: Mapping[str, Any], inventory: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the inputs with defaults filled in and types read.

    Raises:
        RunbookError: with every problem: unknown, missing, of the wrong type, not in the inventory.
    """
    problems: list[Problem] = []
    known = {wanted.id for wanted in runbook.inputs}
    for name in given:
        if name not in known:
            wanted_names = ", ".join(sorted(known)) or "none"
            problems.append(Problem(f"no input is called '{name}'", hint=f"Known: {wanted_names}."))
    values: dict[str, Any] = {}
    for wanted in runbook.inputs:
        value = given.get(wanted.id, wanted.default)
        if value is None:
            if wanted.required:
                hint = f"Add --input {wanted.id}=…"
                problems.append(Problem(f"input '{wanted.id}' is missing", hint=hint))
            continue
        try:
            values[wanted.id] = _typed(wanted, value, inventory)
        except ValueError as error:
            hint = f"Add --input {wanted.id}=… with another value."
            problems.append(Problem(f"input '{wanted.id}': {error}", hint=hint))
    if problems:
        first = problems[0]
        raise RunbookError(
            f"the inputs of '{runbook.name}' are wrong: {first.message}", problems, hint=first.hint
        )
    return values


def check_names(runbook: Runbook, inventory: Mapping[str, Any]) -> None:
    """Refuse a runbook that names what this inventory does not have.

    Raises:
        RunbookError: with every such name.
    """
    problems = unknown_names(runbook, inventory)
    if problems:
        raise RunbookError(
            f"'{runbook.name}' does not fit this inventory: {problems[0].message}",
            problems,
            hint="Correct the runbook, or the inventory: dr inventory show",
        )


def _typed(wanted: Input, value: Any, inventory: Mapping[str, Any]) -> Any:
    if wanted.choices and value not in wanted.choices:
        raise ValueError(f"'{value}' is none of {', '.join(map(str, wanted.choices))}")
    section = _SECTIONS.get(wanted.type)
    if section is not None:
        known = inventory.get(section, {})
        if value not in known:
            raise ValueError(f"no {wanted.type} is called '{value}'; known: {', '.join(known)}")
        return str(value)
    match wanted.type:
        case "integer":
            return _whole_number(str(value))
        case "boolean":
            if str(value).lower() not in {"true", "false"}:
                raise ValueError(f"'{value}' is neither true nor false")
            return str(value).lower() == "true"
        case "duration":
            parse_duration(str(value))
            return str(value)
        case _:
            return value if isinstance(value, int | float | bool) else str(value)


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a whole number") from None


def outline(runbook: Runbook) -> list[dict[str, Any]]:
    """Return what a face needs to show a run without loading its runbook."""
    return [_outlined(step) for step in runbook.walk()]


def _outlined(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "title": step.title.plain(),
        "phase": step.phase,
        "uses": step.uses,
        "effect": step.effect,
        "ladder": step.ladder,
        "rung": step.rung,
        "rungs": [
            {
                "name": rung.name,
                "title": rung.title.plain(),
                "unavailable": rung.unavailable.plain() if rung.unavailable else None,
            }
            for rung in step.rungs
        ],
        "fan_out": step.strategy is not None,
        "in_finally": step.in_finally,
        "expect_s": step.expect.total_seconds() if step.expect else None,
    }


def record_of(
    runbook: Runbook,
    inputs: Mapping[str, Any],
    inventory: Mapping[str, Any],
    expressions: Expressions,
    *,
    environment: str,
    mode: str,
    requester: str,
) -> RunRecord:
    """Return the row of a new run."""
    now = datetime.now(UTC)
    locks = [str(expressions.render(lock, {"inputs": dict(inputs)})) for lock in runbook.locks]
    return RunRecord(
        id=new_run_id(now),
        runbook=runbook.name,
        runbook_sha256=runbook.sha256,
        source=runbook.source,
        file=runbook.file,
        environment=environment,
        mode=mode,
        requester=requester,
        inputs=dict(inputs),
        inventory=dict(inventory),
        created=now,
        locks=tuple(f"{environment}/{lock}" for lock in locks),
        title=runbook.title.plain(),
    )


def created_draft(runbook: Runbook, record: RunRecord, kind: str, plan_hash: str) -> Draft:
    """Return the first event of a run."""
    return Draft(
        Kind.RUN_CREATED,
        data={
            "runbook": {"name": runbook.name, "sha256": runbook.sha256, "file": runbook.file},
            "title": runbook.title.plain(),
            "plan": runbook.plan,
            "owner": runbook.owner,
            "environment": {"name": record.environment, "kind": kind},
            "inputs": dict(record.inputs),
            "requester": record.requester,
            "mode": record.mode,
            "detected_at": record.inputs.get("detected_at"),
            "objectives": {
                "rto_s": runbook.rto.total_seconds() if runbook.rto else None,
                "rpo_s": runbook.rpo.total_seconds() if runbook.rpo else None,
            },
            "outline": outline(runbook),
            "plan_hash": plan_hash,
            "engine": ENGINE_VERSION,
        },
    )


def spawn_engine(workspace: Workspace, run: str, words: Sequence[str] = ()) -> int:
    """Start the engine of a run as a process of its own session; return its pid.

    ``words`` are further words of ``dr engine``.

    It outlives the terminal: its output goes to STATE/logs/RUN/engine.log.
    """
    log = workspace.state / "logs" / run / "engine.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "dr.cli",
                "--workspace",
                str(workspace.directory),
                "engine",
                run,
                *words,
            ],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            cwd="/",
        )
    return process.pid
