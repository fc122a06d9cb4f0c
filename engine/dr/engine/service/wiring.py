"""The one place that puts the real parts together for a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dr.engine.actions.hosts import Connections
from dr.engine.actions.postgres.observatory import Roles
from dr.engine.actions.registry import ActionRegistry
from dr.engine.actions.standard import standard_actions
from dr.engine.actions.stopping import Stopping
from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.errors import RefusedError
from dr.engine.core.ports import Journal
from dr.engine.loader.expressions import Grammar
from dr.engine.runtime.context import Ports
from dr.engine.service.logs import FileLogs, NoLogs
from dr.engine.service.measured import MeasuredDurations
from dr.engine.service.standing import StandingAuthority
from dr.engine.service.surroundings import SystemClock, logs_folder
from dr.inventory.secrets import SecretsInUse
from dr.inventory.snapshot import snapshot
from dr.inventory.workspace import Workspace


class Reach(Enum):
    """How far connections go."""

    NOTHING = "nothing"
    LOOK = "look"
    ACT = "act"


class Unreachable:
    """Connections for commands that ask no host: what would need one is unknown."""

    def observer(self, host: str) -> Any:
        """Refuse."""
        raise RefusedError(f"{host} was not asked", hint="Add --probe to ask the hosts.")

    def actor(self, host: str) -> Any:
        """Refuse."""
        raise RefusedError(f"{host} was not asked", hint="Add --probe to ask the hosts.")

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Wiring:
    """The parts for one run or one look, to be closed after use."""

    ports: Ports
    connections: Connections
    actions: ActionRegistry

    def close(self) -> None:
        """Close the connections."""
        self.connections.close()


def wire(
    workspace: Workspace,
    journal: Journal,
    inventory: Mapping[str, Any],
    environment: str,
    *,
    reach: Reach = Reach.ACT,
    secrets: SecretsInUse | None = None,
) -> Wiring:
    """Put the real parts together.

    Args:
        inventory: the snapshot that the run keeps, with ``paths`` filled in.
        reach: what the connections are able to do, whatever an action asks of them.
        secrets: those that were resolved before in this process, so that they stay masked.
    """
    secrets = secrets or SecretsInUse(workspace.directory)
    connections: Connections = Unreachable()
    if reach is not Reach.NOTHING:
        read_only = reach is Reach.LOOK
        connections = SshConnections(inventory, workspace.directory, read_only=read_only)
    actions = standard_actions(connections, workspace=workspace.directory, state=workspace.state)
    return Wiring(
        ports=Ports(
            journal=journal,
            actions=actions,
            expressions=Grammar(),
            clock=SystemClock(),
            secrets=secrets,
            logs=FileLogs(logs_folder(workspace), secrets) if reach is Reach.ACT else NoLogs(),
            observatory=Roles(connections, inventory, SystemClock()),
            authority=StandingAuthority(lambda: snapshot(workspace, environment)),
            estimates=MeasuredDurations(journal, environment),
            jobs=Stopping(connections) if reach is Reach.ACT else None,
        ),
        connections=connections,
        actions=actions,
    )


def offline_actions() -> ActionRegistry:
    """Return every action for checking runbooks; none of them can reach anything."""
    return standard_actions(Unreachable())
