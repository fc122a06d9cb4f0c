"""The JSON Schema (2020-12) of a runbook file, with each action's own inputs."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from dr.engine.core.ports import ActionKind, Actions
from dr.engine.loader.fileformat import RunbookFile

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_EXPRESSION: Final = {"type": "string", "pattern": r"\$\{\{.*\}\}"}
_CALLS: Final = ("StepFile", "CallFile", "UndoFile")


def schema(actions: Actions | None) -> dict[str, Any]:
    """Return the schema for editors: every key, and ``with`` by the action that is used.

    It is a little wider than the loader, which also knows what refers to what.
    """
    whole = RunbookFile.model_json_schema(by_alias=True)
    whole["$schema"] = DIALECT
    whole["title"] = "A dr runbook"
    definitions: dict[str, Any] = whole["$defs"]
    for definition in definitions.values():
        _without_titles(definition)
    if actions is not None:
        _with_actions(definitions, actions)
    return whole


def _with_actions(definitions: dict[str, Any], actions: Actions) -> None:
    names = sorted(actions.names())
    specs = [actions.get(name).spec for name in names]
    for spec in specs:
        definitions[f"with.{spec.name}"] = _with_expressions(spec.input_schema)
    for call in _CALLS:
        definition = definitions[call]
        allowed = (
            names
            if call == "StepFile"
            else [spec.name for spec in specs if spec.kind is ActionKind.ACTION]
        )
        if allowed:
            definition["properties"]["uses"] = {"enum": allowed}
            definition["allOf"] = [_if_used(name) for name in allowed]


def _if_used(name: str) -> dict[str, Any]:
    return {
        "if": {"properties": {"uses": {"const": name}}, "required": ["uses"]},
        "then": {"properties": {"with": {"$ref": f"#/$defs/with.{name}"}}},
    }


def _with_expressions(node: Any) -> dict[str, Any]:
    """Return an input schema in which every value may also be an expression."""
    inputs: dict[str, Any] = deepcopy(dict(node))
    local = inputs.pop("$defs", {})
    inlined: dict[str, Any] = _inline(inputs, local)
    for name, member in dict(inlined.get("properties", {})).items():
        inlined["properties"][name] = _or_expression(member)
    inlined.pop("title", None)
    return inlined or {"type": "object"}


def _inline(node: Any, local: Mapping[str, Any]) -> Any:
    """Put an action's own definitions where they are used: two actions may use one name."""
    if isinstance(node, list):
        return [_inline(inner, local) for inner in node]
    if not isinstance(node, Mapping):
        return node
    reference = str(node.get("$ref", ""))
    name = reference.removeprefix("#/$defs/")
    if reference and name in local:
        others = {key: value for key, value in node.items() if key != "$ref"}
        rest = {key: value for key, value in local.items() if key != name}
        return {**_inline(local[name], rest), **others}
    return {key: _inline(inner, local) for key, inner in node.items()}


def _or_expression(member: Any) -> dict[str, Any]:
    if not isinstance(member, Mapping):
        return {}
    if member.get("type") == "string" and not {"pattern", "enum", "format"} & set(member):
        return dict(member)
    inner = dict(member)
    if isinstance(inner.get("properties"), Mapping):
        inner["properties"] = {k: _or_expression(v) for k, v in inner["properties"].items()}
    if isinstance(inner.get("items"), Mapping):
        inner["items"] = _or_expression(inner["items"])
    return {"anyOf": [inner, _EXPRESSION]}


def _without_titles(definition: dict[str, Any]) -> None:
    """Drop the generated titles, which only repeat the names."""
    definition.pop("title", None)
    for member in definition.get("properties", {}).values():
        if isinstance(member, dict):
            member.pop("title", None)
