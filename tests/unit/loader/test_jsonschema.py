"""The JSON Schema accepts what loads, and marks in the editor what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dr.engine.loader.jsonschema import DIALECT, schema
from dr.inventory.strictyaml.reading import read_yaml
from tests.unit.loader.registry import PROMISES, Promises

DATA = Path(__file__).parents[2] / "data/runbooks"
SCHEMA = schema(PROMISES)
HEAD: dict[str, Any] = {"format": 1, "name": "x"}


def _errors(data: Any) -> list[str]:
    return [error.json_path for error in Draft202012Validator(SCHEMA).iter_errors(data)]


def test_it_is_a_schema_of_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == DIALECT


def test_a_good_runbook_keeps_it() -> None:
    assert _errors(read_yaml(DATA / "storage-failure.yaml").data) == []


def test_a_bad_runbook_is_marked_where_it_is_wrong() -> None:
    marked = _errors(read_yaml(DATA / "bad/many.yaml").data)

    assert {"$.title", "$.steps[0].uses", "$.steps[1]", "$.steps[1].with", "$.finally"} <= set(
        marked
    )


@pytest.mark.parametrize(
    ("step", "right"),
    [
        ({"id": "a", "uses": "tcp.check", "with": {"port": 1}}, True),
        ({"id": "a", "uses": "tcp.check", "with": {"port": "${{ inputs.port }}"}}, True),
        ({"id": "a", "uses": "tcp.check", "with": {"port": "x"}}, False),
        ({"id": "a", "uses": "tcp.check", "with": {"prot": 1}}, False),
        ({"id": "a", "uses": "tcp.chek"}, False),
        ({"id": "a", "uses": "sql.check", "if": True}, True),
        ({"id": "a", "uses": "sql.check", "hosts": ["a", "b"]}, True),
        ({"id": "a", "uses": "sql.check", "outputs": {"v": "value"}}, True),
        ({"id": "a", "uses": "sql.check", "outputs": {"v": {"type": "odd"}}}, False),
        ({"id": "a", "uses": "sql.check", "probe": {"uses": "gate.approve"}}, False),
        ({"id": "A", "uses": "sql.check"}, False),
    ],
)
def test_with_is_checked_by_the_action_that_is_used(step: dict[str, Any], right: bool) -> None:
    assert (_errors({**HEAD, "steps": [step]}) == []) is right


def test_an_empty_set_of_actions_still_gives_a_schema() -> None:
    Draft202012Validator.check_schema(schema(Promises([])))


def test_without_actions_any_name_may_be_used() -> None:
    data = {**HEAD, "steps": [{"id": "a", "uses": "who.knows", "with": {"x": 1}}]}

    assert Draft202012Validator(schema(None)).is_valid(data)
