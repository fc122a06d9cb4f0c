"""A small set of action specs for tests of the loader: promises only, nothing acts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dr.engine.core.errors import Problem, UserError
from dr.engine.core.model import Effect
from dr.engine.core.ports import (
    Action,
    ActionKind,
    ActionSpec,
    Attached,
    Attempt,
    Check,
    Forecast,
    Outcome,
    Probe,
    World,
)
from dr.engine.core.values import Text


class PromiseOnly:
    """An action that can be read and checked, and fails a test that carries it out."""

    def __init__(self, spec: ActionSpec) -> None:
        self.spec = spec

    def validate(self, inputs: Mapping[str, Any]) -> Sequence[Problem]:
        """Check names, presence and types of the top level against the input schema."""
        schema = self.spec.input_schema
        if "properties" not in schema:
            return []
        members: Mapping[str, Any] = schema["properties"]
        problems = [
            Problem(f"unknown input '{key}'", (key,), hint=f"Known: {', '.join(members)}.")
            for key in inputs
            if key not in members
        ]
        problems += [
            Problem(f"the input '{key}' is missing")
            for key in schema.get("required", ())
            if key not in inputs
        ]
        kinds: dict[str, type | tuple[type, ...]] = {
            "string": str,
            "integer": int,
            "number": (int, float),
            "boolean": bool,
            "array": list,
            "object": dict,
        }
        for key, value in inputs.items():
            kind = members.get(key, {}).get("type")
            if kind and not isinstance(value, kinds[kind]):
                problems.append(Problem(f"'{key}' should be of type {kind}", (key,)))
        return problems

    def describe(self, attempt: Attempt) -> Sequence[str]:
        raise AssertionError("the loader describes nothing")

    def precheck(self, attempt: Attempt, world: World) -> Check:
        raise AssertionError("the loader acts on nothing")

    def probe(self, attempt: Attempt, world: World) -> Probe:
        raise AssertionError("the loader acts on nothing")

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        raise AssertionError("the loader acts on nothing")

    def attach(self, attempt: Attempt, world: World) -> Attached:
        raise AssertionError("the loader acts on nothing")

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:
        raise AssertionError("the loader acts on nothing")

    def undo(self, attempt: Attempt, world: World) -> Outcome:
        raise AssertionError("the loader acts on nothing")

    def forecast(self, attempt: Attempt, world: World) -> Forecast:
        raise AssertionError("the loader acts on nothing")


class Promises:
    """The actions by name."""

    def __init__(self, specs: Iterable[ActionSpec]) -> None:
        self._actions = {spec.name: PromiseOnly(spec) for spec in specs}

    def get(self, name: str) -> Action:
        try:
            return self._actions[name]
        except KeyError:
            raise UserError(f"no action is called '{name}'") from None

    def names(self) -> Iterable[str]:
        return sorted(self._actions)


def _schema(*required: str, **members: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in members.items()},
        "required": list(required),
        "additionalProperties": False,
    }


_E = Effect
_ANY: dict[str, Any] = {"type": "object"}
_FREE = {"argv": "array", "shell": "string", "env": "object", "password": "string"}


def _spec(name: str, *effects: Effect, **more: Any) -> ActionSpec:
    return ActionSpec(name, Text(en=name), effects, **more)


PROMISES = Promises(
    [
        _spec(
            "path.check",
            _E.READ,
            reads_only=True,
            probes=True,
            needs_host=True,
            outputs={"state": "string"},
            input_schema=_schema("path", path="string", within="string"),
        ),
        _spec(
            "tcp.check",
            _E.READ,
            reads_only=True,
            outputs={"open": "boolean", "within_s": "number"},
            input_schema=_schema("port", port="integer", factor="number"),
        ),
        _spec(
            "sql.check",
            _E.READ,
            reads_only=True,
            outputs={"value": "any"},
            input_schema=_schema(query="string", write="boolean", service="string"),
        ),
        _spec(
            "ssh.run",
            _E.READ,
            _E.IDEMPOTENT,
            _E.ONCE,
            _E.IRREVERSIBLE,
            attaches=True,
            verifies=False,
            needs_host=True,
            outputs={"exit_code": "integer", "stdout": "string"},
            input_schema=_schema(**_FREE),
        ),
        _spec(
            "postgres.fence",
            _E.IDEMPOTENT,
            probes=True,
            attaches=True,
            needs_host=True,
            outputs={"proof": "map", "host": "string"},
            proofs=frozenset({"proof"}),
            input_schema=_schema(service="string"),
        ),
        _spec(
            "postgres.promote",
            _E.IRREVERSIBLE,
            probes=True,
            attaches=True,
            needs_host=True,
            outputs={"host": "string", "recovered_to": "moment"},
            input_schema=_schema(service="string"),
        ),
        _spec(
            "backup.restore",
            _E.ONCE,
            probes=True,
            attaches=True,
            needs_host=True,
            outputs={"host": "string", "recovered_to": "moment", "set": "string"},
            input_schema=_schema("set", set="string", prefer="string", medium="string"),
        ),
        _spec(
            "address.move",
            _E.IDEMPOTENT,
            _E.ONCE,
            probes=True,
            undoes=True,
            outputs={"address": "string"},
            input_schema=_schema("to", service="string", to="string"),
        ),
        _spec("report.write", _E.IDEMPOTENT, outputs={"path": "string"}, input_schema=_schema()),
        _spec(
            "notify.send",
            _E.ONCE,
            input_schema=_schema("text", text="string", to="string"),
        ),
        _spec(
            "gate.approve",
            _E.READ,
            kind=ActionKind.GATE,
            outputs={"choice": "string", "approvers": "list"},
            input_schema=_ANY,
        ),
        _spec(
            "human.task", _E.READ, _E.ONCE, _E.IRREVERSIBLE, kind=ActionKind.TASK, input_schema=_ANY
        ),
    ]
)
