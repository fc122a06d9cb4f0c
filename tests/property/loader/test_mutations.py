"""Shipped runbooks and their expressions with anything spliced in: a value or clear errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.engine.actions.standard import standard_actions
from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.errors import RunbookError
from dr.engine.core.model import Runbook
from dr.engine.core.ports import Actions
from dr.engine.core.values import UNKNOWN
from dr.engine.loader.expressions import Grammar
from dr.engine.loader.grammar import ExpressionError
from dr.engine.loader.loading import load
from dr.inventory.strictyaml.document import MAX_PROBLEMS
from tests.property.budget import examples

SHIPPED = sorted((Path(__file__).parents[3] / "runbooks").glob("*.yaml"))
TEXTS = [path.read_bytes() for path in SHIPPED]
EXPRESSIONS = sorted({e for t in TEXTS for e in re.findall(r"\$\{\{(.*?)\}\}", t.decode())})
PIECES = st.binary(max_size=6) | st.sampled_from(
    [b"[" * 40, b"{a: " * 40, b"&a [*a]", b"*a", b"!!x ", b"<<: ", b"---\n", b"\xff", b"\x00",
     b"\x85", "\u2028\u202e".encode(), b"${{", b"}}", b"${{ steps.x }}", b"\t", b"\r", b"? ", b"- ",
     b": ", b'"\\ud800"', b"1e999", b".nan", b"0x10", b"|\n", b">-\n", b"%YAML 1.1\n", b"\n", b"'"]
)  # fmt: skip


@pytest.fixture(scope="module")
def actions(tmp_path_factory: pytest.TempPathFactory) -> Actions:
    """The actions that are shipped."""
    folder = tmp_path_factory.mktemp("actions")
    return standard_actions(SshConnections({}, folder), workspace=folder, plugins=False)


@examples(60)
@given(
    st.sampled_from(TEXTS),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 40), PIECES), min_size=1, max_size=3),
)
def test_a_shipped_runbook_with_anything_in_it_loads_or_says_where_it_is_wrong(
    actions: Actions, tmp_path_factory: pytest.TempPathFactory, text: bytes,
    splices: list[tuple[int, int, bytes]],
) -> None:  # fmt: skip
    for place, length, piece in splices:
        at = place % len(text)
        text = text[:at] + piece + text[at + length :]
    file = tmp_path_factory.getbasetemp() / "mutated.yaml"
    file.write_bytes(text)
    try:
        assert isinstance(load(file, actions=actions, file="x.yaml"), Runbook)
    except RunbookError as error:
        problems = error.problems
    else:
        return
    assert 1 <= len(problems) <= MAX_PROBLEMS
    assert all(p.message and p.where.startswith("x.yaml") for p in problems)


@examples(150)
@given(
    st.sampled_from(EXPRESSIONS),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 5), st.text(max_size=4)), max_size=3),
    st.integers(1, 400),
)
def test_a_mutated_expression_gives_a_value_or_an_expression_error(
    text: str, splices: list[tuple[int, int, str]], times: int
) -> None:
    for place, length, piece in splices:
        at = place % max(1, len(text))
        text = text[:at] + piece + text[at + length :]
    nested = "(" * times + text + ")" * times
    for found in (text, nested, "not " * times + text, f"{text} + " * times + "1"):
        try:
            value = Grammar().evaluate(found, {"steps": {}, "inputs": {"x": 1}, "service": UNKNOWN})
        except ExpressionError:
            continue
        assert value is UNKNOWN or isinstance(value, bool | int | float | str | list | dict | None)
