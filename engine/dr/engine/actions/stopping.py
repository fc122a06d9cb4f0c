"""End what attempts started: jobs on hosts and playbooks on the engine's machine."""

from __future__ import annotations

from pathlib import Path

from dr.engine.actions.ansible.process import end_playbook
from dr.engine.actions.hosts import Connections
from dr.engine.core.ports import Attempt, Stopped, World


class Stopping:
    """The jobs of a run, found by the handles that their attempts wrote down."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def stop(self, attempt: Attempt, world: World) -> Stopped | None:
        """End the process group that ``attempt.handle`` leads to; None when it leads to none."""
        handle = attempt.handle or {}
        match handle.get("kind"):
            case "job" | "session":
                actor = self._connections.actor(str(handle["host"]))
                return actor.end(attempt, world, name=str(handle.get("name", "")))
            case "playbook":
                return end_playbook(Path(str(handle["folder"])), str(handle.get("boot", "")))
            case _:
                return None
