"""What one attempt may use of the outside, bound to the run's journal and log files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dr.engine.core.errors import RefusedError
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.ports import Attempt, Clock, RunRecord
from dr.engine.core.values import Secret
from dr.engine.runtime.context import RunContext

NOT_KEPT = "[not kept: an output of this step is secret]\n"
"""Stands in the log file for all that such a step says."""


@dataclass(frozen=True)
class AttemptWorld:
    """The :class:`~dr.engine.core.ports.World` of one attempt.

    ``handle_kind`` is None for attempts that must not act (probes, forecasts): they have no
    handle to write down.
    """

    context: RunContext
    attempt: Attempt
    handle_kind: Kind | None = Kind.HANDLE

    @property
    def clock(self) -> Clock:
        """The engine's clock."""
        return self.context.ports.clock

    @property
    def inventory(self) -> Mapping[str, Any]:
        """The inventory as the run keeps it."""
        return self.context.record.inventory

    def history(self) -> Sequence[Event]:
        """Return the run's events so far."""
        return self.context.ports.journal.events(self.context.record.id)

    def record(self) -> RunRecord:
        """Return the row of the run."""
        return self.context.record

    def record_handle(self, handle: Mapping[str, Any]) -> None:
        """Write down what finds the attempt again."""
        if self.handle_kind is None:
            raise RefusedError(f"step '{self.attempt.step}' only looks and may not act")
        # the journal knows steps, not the calls within them: "fence.verify" is part of "fence"
        step, _, call = self.attempt.step.partition(".")
        data: dict[str, Any] = {"handle": dict(handle)}
        if call:
            data["call"] = call
        host, number = self.attempt.host, self.attempt.number
        self.context.recorder.write(Draft(self.handle_kind, step, host, number, data))

    def output(self, text: str) -> None:
        """Append to the attempt's log file, redacted.

        What a step with a secret output says is not kept: it is printed before anybody can know
        which part of it is the secret.
        """
        if self._is_secret():
            text = self._not_kept()
        self._writer()(self.redact(text))

    def _not_kept(self) -> str:
        told = (self.attempt.key, self.attempt.number)
        if told in self.context.quiet:
            return ""
        self.context.quiet.add(told)
        return NOT_KEPT

    def _is_secret(self) -> bool:
        step = self.context.runbook.by_id.get(self.attempt.step.partition(".")[0])
        return step is not None and step.has_secret_outputs

    def _writer(self) -> Callable[[str], None]:
        return self.context.ports.logs.writer(self.attempt)

    def secret(self, reference: Mapping[str, Any] | str) -> Secret:
        """Resolve a secret reference at the moment of use."""
        name = reference if isinstance(reference, str) else str(reference.get("secret", ""))
        return self.context.ports.secrets.resolve(name)

    def redact(self, text: str) -> str:
        """Return ``text`` with every secret known so far masked."""
        return self.context.recorder.redact(text)

    def cancelled(self) -> bool:
        """Whether the run wants this attempt to stop waiting."""
        if self.context.recorder.broken is not None:
            return True
        step = self.context.runbook.by_id.get(self.attempt.step.partition(".")[0])
        return self.context.stopping.is_set() and not (step is not None and step.in_finally)
