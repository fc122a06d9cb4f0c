"""What keeps a runbook from loading: each mistake at its place, all of them at once."""

from __future__ import annotations

import pytest

from dr.engine.core.errors import Problem, RunbookError
from dr.engine.loader.loading import load
from tests.unit.loader.registry import PROMISES

HEAD = "format: 1\nname: example\ninputs: [{ id: n, type: integer, default: 1 }]\nsteps:\n"
LADDER = (
    "  - id: way\n    try:\n      - name: one\n        steps:\n"
    "          - { id: one_a, uses: sql.check }\n"
    "          - { id: one_b, uses: backup.restore, hosts: h, with: { set: x } }\n"
)


def _problems(steps: str, head: str = HEAD) -> list[Problem]:
    with pytest.raises(RunbookError) as caught:
        load(head + steps, actions=PROMISES, file="x.yaml")
    return list(caught.value.problems)


def _only(steps: str) -> Problem:
    problems = _problems(steps)
    assert [p.message for p in problems] == [problems[0].message]
    return problems[0]


def _step(body: str, id_: str = "a") -> str:
    return f"  - {{ id: {id_}, {body} }}\n"


@pytest.mark.parametrize(
    ("steps", "message", "hint"),
    [
        # ids and needs
        (_step("uses: sql.check") * 2, "two steps have the id 'a'", "on line 5"),
        (_step("uses: sql.check", "A-b"), "'A-b' is no id", "Write 'a_b'."),
        (_step("uses: sql.check", "import"), "'import' is a reserved word", ""),
        (_step("uses: sql.check, needs: [a]"), "step 'a' needs itself", ""),
        (
            _step("uses: sql.check", "fence") + _step("uses: sql.check, needs: [fenc]"),
            "no step 'fenc'",
            "Did you mean 'fence'?",
        ),
        (
            LADDER + _step("uses: sql.check, needs: [one_a]"),
            "'one_a' can not be needed here",
            "Need the ladder 'way'",
        ),
        (
            _step("uses: sql.check, needs: [c]")
            + _step("uses: sql.check, needs: [a]", "b")
            + _step("uses: sql.check", "c"),
            "a needs c, c needs b, b needs a",
            "Take one of these needs out.",
        ),
        # what a step is
        (_step("title: x"), "neither 'uses' nor 'try'", ""),
        ("  - { id: a, uses: sql.check, try: [{ name: x, unavailable: y }] }\n", "both 'uses'", ""),
        (_step("try: [{ name: x }]"), "the rung 'x' has no steps", "unavailable"),
        (_step("uses: sql.check, on_exhausted: ask"), "no 'try'", ""),
        (
            _step("effect: once, try: [{ name: x, unavailable: y }]"),
            "a ladder has no 'effect' of its own",
            "",
        ),
        (
            _step("try: [{ name: x, unavailable: y }, { name: x, unavailable: z }]"),
            "two rungs are called 'x'",
            "",
        ),
        (
            "  - { id: a, try: [{ name: x, steps: "
            "[{ id: b, try: [{ name: y, unavailable: z }] }] }] }\n",
            "a ladder can not stand inside a rung",
            "",
        ),
        # times
        (_step("uses: sql.check, timeout: 0s"), "a timeout of nothing", ""),
        (_step("uses: sql.check, timeout: 2m, deadline: 1m"), "deadline of the whole step", ""),
        (_step("uses: sql.check, retry: { delay: 2m, max_delay: 1m }"), "shorter than delay", ""),
        (_step("uses: sql.check, timeout: 99999999999999999d"), "longer than can be", ""),
        (_step("uses: sql.check, strategy: {}"), "for steps with 'hosts'", ""),
        (
            _step("uses: ssh.run, hosts: h, in_doubt: rerun"),
            "can not be run again in doubt",
            "idempotent",
        ),
        # actions
        (_step("uses: sql.chek"), "no action is called 'sql.chek'", "Did you mean 'sql.check'?"),
        (
            _step("uses: sql.check, probe: { uses: sql.chek }"),
            "no action is called 'sql.chek'",
            "Did you mean 'sql.check'?",
        ),
        (_step("uses: ssh.run"), "acts on a host, and step 'a' names none", "Add 'hosts:"),
        (_step("uses: gate.approve, hosts: h"), "asks people and has no hosts", ""),
        (_step("uses: sql.check, effect: once"), "can only be: read", "Write 'effect: read'."),
        (_step("uses: sql.check, in_doubt: attach"), "has no attach", ""),
        (_step("uses: sql.check, in_doubt: probe"), "has no probe", ""),
        (_step("uses: sql.check, with: { quary: x }"), "unknown input 'quary'", ""),
        (_step("uses: backup.restore, hosts: h"), "the input 'set' is missing", ""),
        (_step("uses: sql.check, with: { query: [x] }"), "'query' should be of type string", ""),
        (_step("uses: sql.check, outputs: { x: vale }"), "gives no output 'vale'", "'value'?"),
        (
            _step("uses: sql.check, probe: { uses: notify.send, effect: once, with: { text: x } }"),
            "a probe only reads",
            "",
        ),
        (
            _step("uses: sql.check, verify: { uses: gate.approve }"),
            "asks people and can not be a verify",
            "",
        ),
        (
            _step("uses: sql.check, verify: { uses: path.check, with: { path: x } }"),
            "neither this verify nor its step names one",
            "",
        ),
        (_step("uses: gate.approve, with: { chooses: way }"), "'way' is no ladder", ""),
        # proofs
        (
            _step("uses: sql.check")
            + _step("uses: sql.check, requires: { p: '${{ steps.a.outputs.value }}' }", "b"),
            "proves nothing",
            "none",
        ),
        (_step("uses: sql.check, requires: { p: proven }"), "a proof is the output", ""),
        # expressions
        (_step("uses: sql.check, if: 'inputs.m == 1'"), "no input 'm'", "Inputs are: n."),
        (_step("uses: sql.check, if: 'input.n == 1'"), "there is no 'input'", "'inputs'?"),
        (_step("uses: sql.check, if: 'service.up'"), "no input is of type service", ""),
        (_step("uses: sql.check, if: 'run.day == 1'"), "a run has no 'day'", ""),
        (_step("uses: sql.check, if: 'host == \"x\"'"), "there is no 'host'", ""),
        (_step("uses: sql.check, if: 'inputs.n = 1'"), "'=' is not part", "=="),
        (_step("uses: sql.check, if: 'inputs.n + 1'"), "neither true nor false", ""),
        (_step("uses: sql.check, if: 'x ${{ true }}'"), "one expression and nothing else", ""),
        (_step("uses: sql.check, if: '${{ true }}${{ true }}'"), "one expression", ""),
        (_step("uses: sql.check, with: { query: '${{ inputs.n' }"), "never closed", ""),
        (_step("uses: sql.check, if: 'defined(steps.b.outputs.x)'"), "no step 'b'", ""),
        (_step("uses: sql.check, if: 'steps.a.state == 1'"), "refers to itself", ""),
        (
            _step("uses: sql.check") + _step("uses: sql.check, if: 'steps.a.output.x'", "b"),
            "a step has no 'output'",
            "",
        ),
        (
            _step("uses: sql.check") + _step("uses: sql.check, if: 'steps.a.outputs.vale'", "b"),
            "step 'a' has no output 'vale'",
            "Did you mean 'value'?",
        ),
        (
            _step("uses: sql.check")
            + _step("uses: sql.check, needs: [], if: 'steps.a.outputs.value == 1'", "b"),
            "step 'a' may not have ended when 'b' starts",
            "Add 'a' to the needs of 'b'.",
        ),
        (
            _step("uses: sql.check, needs: [], if: 'steps.one_b.outputs.host == \"x\"'") + LADDER,
            "step 'one_b' may not have ended",
            "Add 'way' to the needs of 'a'.",
        ),
        (
            LADDER + _step("uses: sql.check, if: 'steps.way.outputs.hots == \"x\"'"),
            "step 'way' has no output 'hots'",
            "Did you mean 'host'?",
        ),
        (
            _step(
                "uses: sql.check, verify: { uses: tcp.check, with: { port: 1 }, when: result.x }"
            ),
            "the result has no 'x'",
            "",
        ),
        (
            _step("uses: ssh.run, hosts: h, with: { shell: 'rm ${{ inputs.n }}' }"),
            "'shell' text is never templated",
            "DR_NAME",
        ),
        (
            _step("uses: ssh.run, hosts: h, with: { env: { '${{ inputs.n }}': x } }"),
            "a key can not hold an expression",
            "",
        ),
    ],
)
def test_a_mistake_is_refused_with_what_to_write(steps: str, message: str, hint: str) -> None:
    problem = _only(steps)

    assert message in problem.message
    assert hint in problem.hint
    assert problem.where.startswith("x.yaml:")
    assert problem.excerpt


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("{ id: m, type: integer, default: '5' }", "should be a whole number"),
        ("{ id: m, type: boolean, default: 1 }", "should be true or false"),
        ("{ id: m, type: duration, default: 5x }", "should be a duration"),
        ("{ id: m, type: host, default: 5 }", "should be text"),
        ("{ id: m, default: '${{ inputs.x }}' }", "an input can not hold an expression"),
        ("{ id: m, default: c, choices: [a, b] }", "is not among the choices"),
        ("{ id: m, type: integer, choices: [a] }", "should be a whole number"),
        ("{ id: m }, { id: m }", "two inputs have the id 'm'"),
        ("{ id: m, type: servise }", "is not one of string,"),
    ],
)
def test_inputs_are_what_their_type_says(inputs: str, message: str) -> None:
    head = f"format: 1\nname: example\ninputs: [{inputs}]\nsteps:\n"

    assert message in _problems(_step("uses: sql.check"), head)[0].message


@pytest.mark.parametrize(
    "steps",
    [
        _step("uses: gate.approve, with: { chooses: way }") + LADDER,
        LADDER + _step("uses: sql.check, if: 'steps.way.outputs.host == \"x\"'"),
        _step("uses: postgres.fence, hosts: h", "f")
        + _step("uses: sql.check, requires: { p: '${{ steps.f.outputs.proof }}' }"),
        _step("uses: sql.check, with: { query: '${{ inputs.n }}', write: '${{ inputs.n == 1 }}' }"),
        _step("uses: path.check, hosts: g, with: { path: '/x/${{ host }}' }"),
        _step("uses: human.task, with: { evidence: [{ id: code, type: string }] }")
        + _step("uses: sql.check, if: 'steps.a.outputs.code == \"x\"'", "b"),
        _step(
            "uses: address.move, with: { to: x }, undo: { uses: address.move, with: "
            "{ to: '${{ steps.a.outputs.address }}' } }"
        ),
        _step("uses: sql.check", "b")
        + "finally:\n"
        + _step("uses: sql.check, if: 'defined(steps.b.outputs.value)'"),
    ],
)
def test_what_is_right_is_not_refused(steps: str) -> None:
    assert load(HEAD + steps, actions=PROMISES)


def test_locks_know_inputs_and_no_steps() -> None:
    head = "format: 1\nname: x\nlocks: ['a:${{ steps.a.state }}']\nsteps:\n"

    assert (
        "no step has run when the locks are taken"
        in _problems(_step("uses: sql.check"), head)[0].message
    )


def test_a_wrong_key_does_not_hide_the_other_mistakes() -> None:
    steps = (
        _step("uses: sql.check, hots: x, retry: often")
        + _step("uses: 5", "e")
        + _step("uses: sql.chek, timeout: 5", "c")
        + _step("uses: sql.check, if: 'steps.gone.state == 1'", "d")
    )

    messages = " | ".join(p.message for p in _problems(steps))

    for part in ("'hots'", "'often'", "not 5", "'sql.chek'", "5 has no unit", "step 'gone'"):
        assert part in messages


def test_a_step_with_a_wrong_id_is_not_missed_where_it_is_needed() -> None:
    steps = _step("uses: sql.check", "Fence-1") + _step("uses: sql.check, needs: [Fence-1]")

    assert [p.message for p in _problems(steps)] == [
        "'Fence-1' is no id: small letters, digits and _ only"
    ]


def test_an_unknown_step_is_not_told_where_the_id_of_one_could_not_be_read() -> None:
    steps = "  - { uses: sql.check }\n" + _step("uses: sql.check, needs: [lost]")

    assert [p.message for p in _problems(steps)] == ["the key 'id' is missing"]


def test_problems_come_in_the_order_of_the_file_and_each_once() -> None:
    steps = _step("uses: x.y, if: 'steps.q.state == 1'") + _step("uses: z, needs: [q]", "b")

    places = [tuple(map(int, p.where.split(":")[1:])) for p in _problems(steps)]

    assert places == sorted(set(places))


def test_a_long_chain_is_no_matter_of_recursion() -> None:
    steps = "".join(_step("uses: sql.check", f"s{n}") for n in range(3000))
    last = _step("uses: sql.check, if: 'steps.s0.outputs.value == 1'", "last")

    assert len(load(HEAD + steps + last, actions=PROMISES).steps) == 3001
