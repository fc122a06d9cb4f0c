"""A world for one attempt whose history the test writes down itself."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from dr.engine.core.events import Event, Kind
from dr.engine.core.ports import Attempt, Clock, RunRecord
from dr.engine.core.values import Secret
from tests.unit.incidents.story import RUN, START, Teller, record


class StoryClock:
    """The clock of the story; seconds pass as they do."""

    def now(self) -> datetime:
        return START

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class SmallWorld:
    """What an action that needs no host may use; handles become events of the story."""

    inventory: Mapping[str, Any]
    teller: Teller = field(default_factory=Teller)
    row: RunRecord = field(default_factory=record)
    step: str = "tell"
    said: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        return StoryClock()

    def history(self) -> Sequence[Event]:
        return list(self.teller.events)

    def record(self) -> RunRecord:
        return self.row

    def record_handle(self, handle: Mapping[str, Any]) -> None:
        self.teller.tell(Kind.HANDLE, self.step, None, 1, handle=handle)

    def output(self, text: str) -> None:
        self.said.append(text)

    def secret(self, reference: Mapping[str, Any] | str) -> Secret:
        name = reference if isinstance(reference, str) else str(reference["secret"])
        return Secret(self.secrets[name], name)

    def redact(self, text: str) -> str:
        return text

    def cancelled(self) -> bool:
        return False


def attempt(step: str = "tell", *, timeout_s: float = 10.0, **inputs: Any) -> Attempt:
    """Return the first attempt of ``step`` on the engine itself."""
    return Attempt(RUN, step, None, 1, 1, inputs, timedelta(seconds=timeout_s))


def again(first: Attempt) -> Attempt:
    """Return the attempt after ``first``."""
    return replace(first, number=first.number + 1)
