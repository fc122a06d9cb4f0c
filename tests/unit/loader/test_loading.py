"""A right file becomes the runbook that its reader expects."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from pathlib import Path

import pytest

from dr.engine.core.errors import RunbookError
from dr.engine.core.model import Effect, InDoubt, OnFailure, Phase
from dr.engine.core.values import Text
from dr.engine.loader.loading import load
from tests.unit.loader.registry import PROMISES

FILE = Path(__file__).parents[2] / "data/runbooks/storage-failure.yaml"
RUNBOOK = load(FILE, actions=PROMISES, file="storage-failure.yaml")
HEAD = "format: 1\nname: example\n"


def test_a_step_waits_for_the_step_above_unless_it_says_otherwise() -> None:
    needs = {step.id: step.needs for step in RUNBOOK.walk()}

    assert needs["storage_dead"] == ()
    assert needs["choose"] == ("storage_dead",)
    assert needs["address"] == ("database",)
    # the first step of a rung starts with the rung, that of finally with the end
    assert needs["restore_cold"] == ()
    assert needs["restore_tape"] == ("recall",)
    assert needs["report"] == ()


def test_the_first_step_of_all_waits_for_nothing() -> None:
    assert load(f"{HEAD}steps: [{{id: a, uses: x}}]\n", actions=None).steps[0].needs == ()


def test_the_source_is_kept_and_hashed() -> None:
    text = FILE.read_text(encoding="utf-8")

    assert RUNBOOK.source == text
    assert RUNBOOK.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert RUNBOOK.file == "storage-failure.yaml"
    assert RUNBOOK.rto == timedelta(hours=8)


def test_a_step_has_what_its_file_says() -> None:
    step = RUNBOOK.by_id["storage_dead"]

    assert step.title == Text("Is the storage really gone?", "确认存储故障")
    assert step.phase is Phase.ASSESS
    assert step.effect is Effect.READ
    assert step.retry.attempts == 3
    assert step.retry.delay == timedelta(seconds=5)
    assert step.retry.when == {"unreachable", "timeout"}
    assert step.with_["within"] == "10s"
    assert step.where == "storage-failure.yaml:15:5"
    assert step.outputs["state"].type == "string", "the action's type, as the file names none"


def test_the_steps_of_a_rung_know_their_ladder() -> None:
    promote = RUNBOOK.by_id["promote"]

    assert (promote.ladder, promote.rung) == ("database", "promote-standby")
    assert promote.phase is Phase.RECOVER
    assert RUNBOOK.by_id["database"].is_ladder
    assert RUNBOOK.by_id["report"].in_finally


def test_a_rung_gives_its_outputs_or_those_of_its_last_step() -> None:
    rungs = {rung.name: rung for rung in RUNBOOK.by_id["database"].rungs}

    assert rungs["promote-standby"].outputs == {
        "host": "${{ steps.promote.outputs.host }}",
        "recovered_to": "${{ steps.promote.outputs.recovered_to }}",
    }
    assert rungs["restore-tape"].outputs["host"] == "${{ steps.restore_tape.outputs.host }}"
    assert rungs["dr-centre"].unavailable
    assert rungs["dr-centre"].steps == ()


def test_calls_are_compiled_with_their_condition() -> None:
    verify = RUNBOOK.by_id["address"].verify

    assert verify is not None
    assert (verify.uses, verify.effect) == ("sql.check", Effect.READ)
    assert verify.when == "${{ result.value == 1 }}"


def _step(body: str, more: str = "") -> str:
    return f"{HEAD}{more}steps:\n  - {{ id: a, {body} }}\n"


@pytest.mark.parametrize(
    ("body", "effect"),
    [
        ("uses: ssh.run, hosts: h", Effect.ONCE),
        ("uses: sql.check", Effect.READ),
        ("uses: postgres.promote, hosts: h", Effect.IRREVERSIBLE),
        ("uses: address.move, with: {to: x}", Effect.ONCE),
        ("uses: gate.approve", Effect.READ),
    ],
)
def test_without_a_word_the_effect_is_once_or_the_only_possible_one(
    body: str, effect: Effect
) -> None:
    assert load(_step(body), actions=PROMISES).steps[0].effect is effect


def test_on_failure_is_the_runbooks_unless_the_step_says_otherwise() -> None:
    text = (
        f"{HEAD}on_failure: undo\nsteps:\n  - {{ id: a, uses: x }}\n"
        "  - { id: b, uses: x, on_failure: continue }\n"
    )
    first, second = load(text, actions=None).steps

    assert (first.on_failure, first.on_exhausted) == (OnFailure.UNDO, OnFailure.UNDO)
    assert second.on_failure is OnFailure.CONTINUE


def test_outputs_have_a_short_and_a_long_form() -> None:
    body = "uses: x, outputs: { a: b, c: { from: d, type: integer, secret: true }, e: {} }"
    outputs = load(_step(body), actions=None).steps[0].outputs

    assert [(n, o.source, o.type, o.secret) for n, o in outputs.items()] == [
        ("a", "b", "any", False),
        ("c", "d", "integer", True),
        ("e", "e", "any", False),
    ]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("true", "${{ true }}"),
        ("'inputs.n == 1'", "${{ inputs.n == 1 }}"),
        ("'${{ inputs.n == 1 }}'", "${{ inputs.n == 1 }}"),
    ],
)
def test_a_condition_is_kept_as_one_expression(written: str, kept: str) -> None:
    text = _step(f"uses: x, if: {written}", "inputs: [{ id: n, type: integer }]\n")

    assert load(text, actions=None).steps[0].condition == kept


def test_strategy_undo_and_times_are_compiled() -> None:
    body = (
        "uses: x, hosts: [h, i], strategy: { batches: [1, '50%'], max_failures: '10%', "
        "pause_between: 5s }, undo: { uses: y, gate: { quorum: 2 } }, in_doubt: attach, "
        "timeout: 3m, deadline: 1h, fresh: 0s, expect: 30s, drill: simulate"
    )
    step = load(_step(body), actions=None).steps[0]

    assert step.strategy is not None
    assert step.strategy.batches == (1, "50%")
    assert step.strategy.max_failures == "10%"
    assert step.undo is not None
    assert step.undo.gate == {"quorum": 2}
    assert step.in_doubt is InDoubt.ATTACH
    assert step.fresh == timedelta()
    assert step.deadline == timedelta(hours=1)


def test_a_number_that_stays_text_elsewhere_is_one_where_the_action_wants_one() -> None:
    text = _step("uses: tcp.check, with: { port: 5432, factor: 1.10 }")

    assert load(text, actions=PROMISES).steps[0].with_ == {"port": 5432, "factor": 1.1}


def test_an_input_without_default_is_required() -> None:
    inputs = load(
        _step("uses: x", "inputs: [{ id: n }, { id: m, default: v }]\n"), actions=None
    ).inputs

    assert [(i.id, i.required) for i in inputs] == [("n", True), ("m", False)]


def test_without_actions_unknown_ones_are_let_through() -> None:
    assert load(_step("uses: who.knows, with: { x: 1 }"), actions=None).steps[0].uses == "who.knows"


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(RunbookError) as caught:
        load("", actions=None, file="empty.yaml")

    assert caught.value.problems[0].message == "the file is empty"


def test_a_runbook_of_two_hundred_steps_loads_in_a_blink() -> None:
    body = "".join(
        f"  - {{ id: s{n}, uses: ssh.run, hosts: h, effect: idempotent, timeout: 3m, "
        f"if: 'defined(run.id)', with: {{ argv: [echo, '${{{{ run.id }}}}'] }} }}\n"
        for n in range(200)
    )
    load(f"{HEAD}steps:\n{body}", actions=PROMISES)
    best = 1e9
    for _ in range(3):
        started = time.process_time()
        load(f"{HEAD}steps:\n{body}", actions=PROMISES)
        best = min(best, time.process_time() - started)

    assert best < 0.15
