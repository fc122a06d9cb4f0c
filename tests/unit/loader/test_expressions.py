"""The closed grammar: what it means, and what never gets in."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dr.engine.core.values import UNKNOWN, Secret
from dr.engine.loader.expressions import Grammar
from dr.engine.loader.grammar import LONGEST, ExpressionError, parse, pieces

SCOPE: dict[str, Any] = {
    "inputs": {"service": "registry", "size": 5, "empty": "", "none": None},
    "service": {"standby": {"healthy": True, "lag": UNKNOWN}, "hosts": ["db-a", "db-b"]},
    "steps": {
        "look": {"outputs": {"state": "absent", "n": 1.5, "from": 7}, "state": "succeeded"},
        "told": {"outputs": {"role": "unknown"}},
    },
    "hosts": {"db-a": {"site": "main"}},
    "yes": True,
    "no": False,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inputs.service", "registry"),
        ("${{ inputs.service }}", "registry"),
        ("inputs.service == 'registry'", True),
        ('inputs.service != "registry"', False),
        ("inputs.size >= 5 and inputs.size < 6", True),
        ("1 < inputs.size < 10", True),
        ("inputs.size + 1 - 2", 4),
        ("-inputs.size", -5),
        ("steps.look.outputs.n <= 1.5", True),
        ("steps.look.outputs.state in ['absent', 'hangs']", True),
        ("'x' not in ['absent']", True),
        ("'gist' in inputs.service", True),
        ("'standby' in service", True),
        ("len(service.hosts) == 2", True),
        ("len(inputs.empty)", 0),
        ("service.hosts[1]", "db-b"),
        ('hosts["db-a"].site', "main"),
        ('steps.look.outputs["from"]', 7),
        ("not no and (yes or no)", True),
        ("defined(steps.look.outputs.state)", True),
        ("defined(steps.gone.outputs.state)", False),
        ("defined(inputs.none)", False),
        ("defined(service.standby.lag)", True),
        ("defined(a.b) and a.b == 1", False),
        ("inputs.none == null", True),
        ("inputs.none or yes", True),
        ("true", True),
        ("yes == 1", False),
        ("'}}' == '}}'", True),
    ],
)
def test_an_expression_has_the_value_a_reader_expects(text: str, value: object) -> None:
    found = Grammar().evaluate(text, SCOPE)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("service.standby.lag < 5", UNKNOWN),
        ("service.standby.lag + 1", UNKNOWN),
        ("service.standby.lag == 5", UNKNOWN),
        ("service.standby.lag == 'unknown'", True),
        ("service.standby.lag.deeper", UNKNOWN),
        ("yes and service.standby.lag < 5", UNKNOWN),
        ("no and service.standby.lag < 5", False),
        ("yes or service.standby.lag < 5", True),
        ("not (service.standby.lag < 5)", UNKNOWN),
        ("not steps.told.outputs.role", UNKNOWN),
    ],
)
def test_what_is_unknown_stays_unknown_unless_the_rest_decides(text: str, value: object) -> None:
    assert Grammar().evaluate(text, SCOPE) is value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs.servise", "there is no 'servise' in 'inputs'"),
        ("input.service", "there is no 'input'"),
        ("steps.gone.outputs.x", "there is no 'gone' in 'steps'"),
        ("inputs.none.x", "'inputs.none' is null, so there is no 'x' in it"),
        ("service.hosts[7]", "has 2 items, no [7]"),
        ("inputs.size.real", "'inputs.size' is a number"),
        ("inputs.service.upper", "'inputs.service' is text"),
        ("steps.look.outputs.state and yes", "is text, neither true nor false"),
        ("not inputs.size", "is a number, neither true nor false"),
        ("inputs.service + inputs.service", "+ and - take numbers"),
        ("yes + 1", "+ and - take numbers"),
        ("inputs.service < 1", "text and a number can not be compared"),
        ("yes < no", "can not be compared"),
        ("1 in inputs.service", "can not be looked for"),
        ("len(1)", "has no length"),
    ],
)
def test_an_error_is_never_false_or_empty(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Grammar().evaluate(text, SCOPE)

    assert message in caught.value.message


ATTACKS = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "inputs.__class__",
    "inputs['__class__'].x()",
    "'a' * 1000000000",
    "9 ** 9 ** 9",
    "1 << 100000",
    "'%s' % inputs",
    "'{0.__class__}'.format(1)",
    "f'{inputs}'",
    "r'x'",
    "b'x' == 'x'",
    "[x for x in inputs]",
    "{1: 2}",
    "{x for x in inputs}",
    "lambda: 1",
    "(lambda: 1)()",
    "(x := 1)",
    "x = 1",
    "1 if yes else 2",
    "inputs.service.upper()",
    "len(inputs, 1)",
    "len(x=1)",
    "len",
    "defined(1)",
    "defined(len(inputs))",
    "eval('1')",
    "inputs[inputs.size]",
    "service.hosts[0:1]",
    "service.hosts[-1]",
    "*inputs",
    "...",
    "1; 2",
    "1\nimport os",
    "yes is True",
    "True",
    "(1, 2)",
    "a\\b",
    "'a\\x41'",
    "~1",
    "1j",
    "0x10",
    "1e999",
    "1_000",
    "@x",
    "await x",
    "yield",
    "'unclosed",
    "inputs.",
    ".inputs",
    "and",
    "1 2",
    "",
    "   ",
    "#",
    "${{ inputs",
    "\x00",
    "名",
    "not " * 60 + "yes",
    "-" * 300 + "1",
    "(" * 240 + "1",
    "[" * 240 + "]" * 240,
    "inputs" + ".a" * 200 + " ** 2",
    "x" * (LONGEST + 1),
]


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_outside_the_grammar_is_evaluated(text: str) -> None:
    started = time.process_time()

    with pytest.raises(ExpressionError) as caught:
        Grammar().evaluate(text, SCOPE)

    assert caught.value.message
    assert 0 <= caught.value.offset <= max(1, len(text))
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("text", "offset"),
    [("a.b = 1", 4), ("a and __x", 6), ("a.b + open(c)", 6), ("a & b", 2), ("  a ** b", 4)],
)
def test_a_mistake_is_shown_at_its_column(text: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    assert caught.value.offset == offset


def test_a_whole_expression_keeps_its_type_and_an_embedded_one_becomes_text() -> None:
    value = {
        "whole": " ${{ service.hosts }} ",
        "in_text": "n=${{ inputs.size }}, ${{ yes }}",
        "list": ["${{ inputs.size }}", 7, None],
    }

    rendered = Grammar().render(value, SCOPE)

    assert rendered == {
        "whole": ["db-a", "db-b"],
        "in_text": "n=5, true",
        "list": [5, 7, None],
    }


@pytest.mark.parametrize("name", ["service.hosts", "inputs.none", "service.standby", "key"])
def test_what_is_no_word_can_not_stand_inside_a_text(name: str) -> None:
    scope = {**SCOPE, "key": Secret("geheim", "env:KEY")}

    with pytest.raises(ExpressionError, match="can not stand inside a text"):
        Grammar().render(f"x ${{{{ {name} }}}}", scope)


def test_a_secret_is_handed_on_whole_and_unseen() -> None:
    secret = Secret("geheim", "env:KEY")

    assert Grammar().render({"password": "${{ key }}"}, {"key": secret})["password"] is secret


def test_rendering_leaves_the_template_as_it_was() -> None:
    value = {"a": ["${{ inputs.size }}"]}

    Grammar().render(value, SCOPE)

    assert value == {"a": ["${{ inputs.size }}"]}


def test_steps_are_found_in_nested_values() -> None:
    value = {"a": ["${{ steps.one.outputs.x }} and ${{ defined(steps.two.state) }}"], "b": 5}

    assert Grammar().steps_in(value) == {"one", "two"}
    assert Grammar().steps_in("steps.one") == frozenset()


def test_a_text_is_cut_where_its_expressions_are() -> None:
    found = [(p.text, p.offset, p.is_expression) for p in pieces("a ${{ x }}${{ '}}' }} b")]

    assert found == [
        ("a ", 0, False),
        (" x ", 5, True),
        (" '}}' ", 13, True),
        (" b", 21, False),
    ]


@pytest.mark.parametrize("text", ["${{ a", "${{ 'a }}", "x ${{ a }", "${{" + "a" * 600])
def test_an_expression_that_is_never_closed_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="closed"):
        pieces(text)


@pytest.mark.parametrize(
    ("text", "holds"), [("yes", True), ("inputs.none", False), ("service.standby.lag", UNKNOWN)]
)
def test_a_condition_is_true_false_or_unknown(text: str, holds: object) -> None:
    assert Grammar().holds(text, SCOPE) is holds
