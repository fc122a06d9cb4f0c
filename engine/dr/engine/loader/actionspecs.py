"""What the loader asks of the actions: specs by name, output names, fitting of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dr.engine.core.errors import UserError
from dr.engine.core.ports import Action, ActionKind, Actions, ActionSpec
from dr.engine.loader.fileformat import StepFile
from dr.inventory.strictyaml.scalars import number_in


class Specs:
    """The specs of the actions that a file uses; none at all when ``actions`` is None."""

    def __init__(self, actions: Actions | None) -> None:
        self.actions = actions
        self.names = sorted(actions.names()) if actions is not None else []
        self._known: dict[str, Action | None] = {}

    def action(self, name: str | None) -> Action | None:
        """Return the action, None when there is none of that name."""
        if not name or self.actions is None:
            return None
        if name not in self._known:
            try:
                self._known[name] = self.actions.get(name)
            except UserError:
                self._known[name] = None
        return self._known[name]

    def find(self, name: str | None) -> ActionSpec | None:
        """Return the spec of an action, None when there is none of that name."""
        action = self.action(name)
        return action.spec if action else None

    def outputs(self, step: StepFile) -> Mapping[str, str]:
        """Return what a step's action gives out, name to type.

        A task gives out the evidence that it asks for.
        """
        spec = self.find(step.uses)
        if spec is None:
            return {}
        evidence = step.with_.get("evidence") if spec.kind is ActionKind.TASK else None
        fields = (
            [e for e in evidence if isinstance(e, Mapping)] if isinstance(evidence, list) else []
        )
        asked = {str(e.get("id")): str(e.get("type", "any")) for e in fields if e.get("id")}
        return {**spec.outputs, **asked}


def fit(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return ``value`` with texts such as ``1.10`` made numbers where the schema wants a number."""
    if isinstance(value, str) and schema.get("type") == "number":
        number = number_in(value)
        return value if number is None else number
    if isinstance(value, Mapping):
        members = schema.get("properties", {})
        return {key: fit(inner, members.get(key, {})) for key, inner in value.items()}
    if isinstance(value, list):
        return [fit(inner, schema.get("items") or {}) for inner in value]
    return value
