"""What a process has around it: the clock, and the places of its workspace.  Light to import."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from dr.inventory.workspace import Workspace


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the moment in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return monotonic()


def logs_folder(workspace: Workspace) -> Path:
    """Return where the output of attempts is kept."""
    return workspace.state / "logs"


def with_paths(workspace: Workspace, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return the snapshot with the places on this machine that actions may use."""
    paths = {
        "workspace": str(workspace.directory),
        "state": str(workspace.state),
        "reports": str(workspace.state / "reports"),
        "playbooks": str(workspace.directory / "playbooks"),
    }
    return {**snapshot, "paths": paths}
