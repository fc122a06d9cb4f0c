"""Hosts, groups and services that are not there are told before a run begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dr.inventory.scaffold import init_workspace
from tests.unit.cli.conftest import Dr

HEAD = "format: 1\nname: lost\ntitle: {en: X, zh: X}\nsteps:\n"
STEPS = {
    "uses: tcp.check, hosts: db-z, with: {port: 1}": "no host or group of hosts 'db-z'",
    "uses: tcp.check, hosts: [db-a, db-z], with: {port: 1}": "no host or group of hosts 'db-z'",
    "uses: gate.approve, with: {ask: {en: x, zh: x}, approvers: {group: leaders}}": (
        "no group of people 'leaders'"
    ),
    "uses: gate.approve, with: {ask: {en: x, zh: x}, approvers: {group: leadership}, "
    "on_timeout: {escalate: [{group: deputies, after: 1m}]}}": "no group of people 'deputies'",
    "uses: human.task, with: {group: suport, instructions: {en: x, zh: x}}": (
        "no group of people 'suport'"
    ),
    "uses: sql.check, effect: read, with: {service: registri, write: true}": (
        "no service 'registri'"
    ),
    "uses: backup.check, with: {set: tapes}": "no backup set 'tapes'",
}


@pytest.fixture
def bureau(workspace: Path) -> Path:
    (workspace / "dr.yaml").unlink()
    init_workspace(workspace)
    settings = (workspace / "dr.yaml").read_text(encoding="utf-8")
    practice = settings.replace("{ kind: production,", "{ kind: lab,")
    (workspace / "dr.yaml").write_text(practice, encoding="utf-8")
    return workspace


@pytest.mark.parametrize("verb", ["plan", "run"])
@pytest.mark.parametrize("step", STEPS)
def test_a_written_out_name_that_is_not_there_is_told_before_anything_starts(
    dr: Dr, bureau: Path, step: str, verb: str
) -> None:
    path = bureau / "lost.yaml"
    path.write_text(f"{HEAD}  - {{id: a, {step}}}\n")
    said = dr(verb, str(path), "--json")
    error = json.loads(said.out)["error"]
    assert (said.code, error["code"]) == (2, "runbook")
    (problem,) = error["problems"]
    assert problem["message"] == f"step 'a': the inventory has {STEPS[step]}"
    assert problem["where"].startswith(f"{path}:5:")
    assert not (bureau / ".dr/logs").exists()
    assert dr("status").code == 0


def test_every_lost_name_is_told_at_once_and_nearby_ones_are_offered(dr: Dr, bureau: Path) -> None:
    path = bureau / "lost.yaml"
    path.write_text(HEAD + "".join(f"  - {{id: s{n}, {s}}}\n" for n, s in enumerate(STEPS)))
    said = dr("plan", str(path))
    assert said.code == 2
    named = [line for line in said.err.splitlines() if line.startswith(f"{path}:")]
    assert len(named) == len(STEPS)
    assert "Did you mean 'leadership'?" in said.err
    assert "Did you mean 'registry'?" in said.err


def test_a_step_with_a_condition_may_be_for_another_inventory(dr: Dr, bureau: Path) -> None:
    path = bureau / "lost.yaml"
    path.write_text(
        f"{HEAD}  - {{id: a, if: 'false', uses: tcp.check, hosts: db-z, with: {{port: 1}}}}\n"
    )
    assert dr("plan", str(path)).code == 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("count=many", "'many' is not a whole number"),
        ("wait=soon", "'soon' is not a duration"),
        ("sure=maybe", "neither true nor false"),
        ("host=db-z", "no host is called 'db-z'"),
        ("colour=red", "none of green, blue"),
        ("nix=1", "no input is called 'nix'"),
    ],
)
def test_a_wrong_input_is_told_and_nothing_starts(
    dr: Dr, bureau: Path, given: str, says: str
) -> None:
    path = bureau / "asks.yaml"
    path.write_text(
        "format: 1\nname: asks\ntitle: {en: X, zh: X}\ninputs:\n"
        "  - {id: count, type: integer, default: 1}\n  - {id: wait, type: duration, default: 1s}\n"
        "  - {id: sure, type: boolean, default: true}\n  - {id: host, type: host, default: db-a}\n"
        "  - {id: colour, choices: [green, blue], default: green}\nsteps:\n"
        "  - {id: a, uses: tcp.check, hosts: db-a, with: {port: 1}}\n"
    )
    said = dr("run", str(path), "--input", given)
    assert said.code == 2
    assert says in said.err
    assert said.err.splitlines()[-1].startswith("hint: ")
    assert not (bureau / ".dr/logs").exists()
