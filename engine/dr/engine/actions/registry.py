"""Which actions there are: one explicit list, plus what plug-ins bring by entry point."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points

from dr.engine.actions.hosts import Connections
from dr.engine.core.errors import UserError
from dr.engine.core.ports import Action

PLUGIN_GROUP = "dr.actions"
"""Entry-point group; each names a function that takes Connections and returns actions."""

Plugin = Callable[[Connections], Iterable[Action]]


class ActionRegistry:
    """A set of actions by name.  An instance, never a module global."""

    def __init__(self, actions: Iterable[Action] = ()) -> None:
        self._actions: dict[str, Action] = {}
        for action in actions:
            self.add(action)

    def add(self, action: Action) -> None:
        """Make ``action`` available under its own name.

        Raises:
            ValueError: the name is taken.
        """
        name = action.spec.name
        if name in self._actions:
            raise ValueError(f"two actions are called '{name}'")
        self._actions[name] = action

    def get(self, name: str) -> Action:
        """Return the action called ``name``.

        Raises:
            UserError: there is none; the hint names the nearest.
        """
        if name in self._actions:
            return self._actions[name]
        close = difflib.get_close_matches(name, self._actions, n=1)
        hint = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(self.names())}."
        raise UserError(f"no action is called '{name}'", hint=hint, code="unknown_action")

    def names(self) -> list[str]:
        """List the names, sorted."""
        return sorted(self._actions)


def add_plugins(registry: ActionRegistry, connections: Connections) -> None:
    """Add the actions of every installed plug-in.

    Raises:
        ValueError: a plug-in uses a name that is taken.
    """
    for point in entry_points(group=PLUGIN_GROUP):
        plugin: Plugin = point.load()
        for action in plugin(connections):
            registry.add(action)
