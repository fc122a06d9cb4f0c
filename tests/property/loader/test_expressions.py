"""Whatever is thrown at the grammar: a value or one kind of error, soon, and nothing else."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dr.engine.core.errors import RunbookError
from dr.engine.core.values import UNKNOWN
from dr.engine.loader.expressions import Grammar
from dr.engine.loader.grammar import ExpressionError, has_expression, pieces
from dr.inventory.strictyaml.reading import read_yaml

SCOPE: dict[str, Any] = {"a": {"b": 1, "c": "x"}, "t": True, "l": [1, 2], "n": None, "u": UNKNOWN}
WORDS = ["a", "b", "c", "t", "l", "n", "u", "len", "defined", "and", "or", "not", "in", "true"]
SIGNS = ["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "**", "(", ")", "[", "]", ".", ",", "'"]
TOKENS = st.sampled_from(
    [*WORDS, *SIGNS, "1", "2.5", "'x'", '"y"', "__class__", "lambda", ":", "="]
)


@given(st.lists(TOKENS, max_size=25).map(" ".join) | st.lists(TOKENS, max_size=25).map("".join))
def test_any_row_of_tokens_gives_a_value_or_an_expression_error(text: str) -> None:
    try:
        value = Grammar().evaluate(text, SCOPE)
    except ExpressionError:
        return
    assert value is UNKNOWN or isinstance(value, bool | int | float | str | list | dict | None)


@given(st.text(max_size=600))
def test_any_text_gives_a_value_or_an_expression_error(text: str) -> None:
    with suppress(ExpressionError):
        Grammar().evaluate(text, SCOPE)


@given(st.text(max_size=200))
def test_the_pieces_of_a_text_put_together_are_the_text(text: str) -> None:
    text = text.replace("$$", "${{ a }}")
    try:
        found = pieces(text)
    except ExpressionError:
        return
    whole = "".join(f"${{{{{p.text}}}}}" if p.is_expression else p.text for p in found)
    assert whole == text


@given(st.text(max_size=200).filter(lambda text: not has_expression(text)))
def test_a_text_without_expressions_is_never_changed(text: str) -> None:
    assert Grammar().render(text, SCOPE) == text


def _numbers() -> st.SearchStrategy[str]:
    atoms = st.integers(0, 999).map(str) | st.just("a.b")
    return st.recursive(
        atoms,
        lambda inner: st.tuples(inner, st.sampled_from(["+", "-"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        max_leaves=12,
    )


@given(_numbers(), _numbers(), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
def test_arithmetic_and_comparison_agree_with_python(left: str, right: str, sign: str) -> None:
    text = f"{left} {sign} {right}"
    if len(text) > 500:
        return
    plain = ast.parse(text.replace("a.b", "1"), mode="eval")
    expected = eval(compile(plain, "", "eval"))  # noqa: S307 - made of digits and signs above

    assert Grammar().evaluate(text, SCOPE) is expected


_TRUTH = st.recursive(
    st.sampled_from(["t", "n", "u", "true", "false"]),
    lambda inner: st.one_of(
        inner.map(lambda e: f"(not {e})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda p: f"({p[0]} {p[1]} {p[2]})"
        ),
    ),
    max_leaves=10,
)


@given(_TRUTH)
def test_a_condition_that_is_decided_holds_whatever_the_unknown_turns_out_to_be(text: str) -> None:
    if len(text) > 500:
        return
    outcome = Grammar().holds(text, SCOPE)
    if outcome is UNKNOWN:
        return
    for value in (True, False):
        assert Grammar().holds(text, {**SCOPE, "u": value}) is outcome


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda b: b.decode("latin-1")))
def test_any_text_is_read_or_refused_with_a_problem(text: str) -> None:
    try:
        read_yaml(text, "any.yaml")
    except RunbookError as error:
        problems = error.problems
    else:
        return
    assert problems
    assert all(p.message and p.where.startswith("any.yaml") for p in problems)
