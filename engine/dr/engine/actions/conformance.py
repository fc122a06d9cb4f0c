"""The promises of every action, as checks that a plug-in author can run.

``check_action(action, example)`` raises AssertionError with a sentence; nothing here needs pytest.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dr.engine.core.errors import RefusedError
from dr.engine.core.events import Event
from dr.engine.core.ports import Clock, RunRecord
from dr.engine.core.values import Secret


class SystemTime:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the moment, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


class RecordingWorld:
    """A world without a runtime: keeps handles and output, knows the secrets it was given."""

    def __init__(
        self,
        inventory: Mapping[str, Any] | None = None,
        *,
        secrets: Mapping[str, str] | None = None,
        history: Sequence[Event] = (),
        record: RunRecord | None = None,
    ) -> None:
        self._inventory = inventory or {}
        self._secrets = secrets or {}
        self._history = history
        self._record = record
        self._clock = SystemTime()
        self.handles: list[Mapping[str, Any]] = []
        self.outputs: list[str] = []
        self.is_cancelled = False

    @property
    def clock(self) -> Clock:
        """The machine's clock."""
        return self._clock

    @property
    def inventory(self) -> Mapping[str, Any]:
        """What it was made with."""
        return self._inventory

    @property
    def log(self) -> str:
        """Everything that was put out."""
        return "".join(self.outputs)

    def history(self) -> Sequence[Event]:
        """Return the events it was made with."""
        return self._history

    def record(self) -> RunRecord:
        """Return the record it was made with, or an empty one."""
        return self._record or RunRecord(
            id="run-1",
            runbook="conformance",
            runbook_sha256="",
            source="",
            file="",
            environment="lab",
            mode="real",
            requester="nobody",
            inputs={},
            inventory=self._inventory,
            created=self._clock.now(),
        )

    def record_handle(self, handle: Mapping[str, Any]) -> None:
        """Keep the handle."""
        self.handles.append(dict(handle))

    def output(self, text: str) -> None:
        """Keep the text."""
        self.outputs.append(text)

    def secret(self, reference: Mapping[str, Any] | str) -> Secret:
        """Return a secret it was made with."""
        name = reference if isinstance(reference, str) else str(reference.get("secret"))
        if name not in self._secrets:
            raise RefusedError(f"there is no secret {name}")
        return Secret(self._secrets[name], name)

    def cancelled(self) -> bool:
        """Whether somebody set ``is_cancelled``."""
        return self.is_cancelled
