"""A lab to break for good, and the recovery actions on real connections to its hosts."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import pytest

from dr.engine.actions.recovery import recovery_actions
from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.events import Event
from dr.engine.core.model import Effect
from dr.engine.core.ports import Action, Attempt, Check, Outcome, RunRecord
from dr.engine.core.values import Secret, parse_duration
from dr.inventory.snapshot import snapshot
from dr.inventory.workspace import read_workspace
from dr.lab import kernel
from dr.lab.enter import host_namespaces
from dr.lab.testing import fresh_lab, lab_factory

T = TypeVar("T")

__all__ = ["fresh_lab", "lab_factory"]


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()


@dataclass
class Surroundings:
    """A World without a journal: handles and output are kept in lists."""

    inventory: Mapping[str, Any]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    handles: list[Mapping[str, Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    past: list[Event] = field(default_factory=list)
    clock: RealClock = field(default_factory=RealClock)

    def history(self) -> Sequence[Event]:
        return self.past

    def record(self) -> RunRecord:
        return RunRecord(
            id="run-1",
            runbook="storage-failure",
            runbook_sha256="",
            source="",
            file="",
            environment="lab",
            mode="real",
            requester="liu.yang",
            inputs={"service": "registry"},
            inventory=self.inventory,
            created=self.started,
        )

    def record_handle(self, handle: Mapping[str, Any]) -> None:
        self.handles.append(handle)

    def output(self, text: str) -> None:
        self.said.append(text)

    def secret(self, reference: Mapping[str, Any] | str) -> Secret:
        raise AssertionError(f"no secret is needed here: {reference}")

    def redact(self, text: str) -> str:
        return text

    def cancelled(self) -> bool:
        return False


@dataclass
class Site:
    """The lab as the engine sees it: actions by name, a thread in the control host's network."""

    lab: Path
    inventory: dict[str, Any]
    connections: SshConnections
    actions: Mapping[str, Action]
    world: Surroundings
    number: int = 0

    def attempt(
        self,
        name: str,
        host: str | None = None,
        *,
        requires: Mapping[str, Any] | None = None,
        timeout: str = "3m",
        **inputs: Any,
    ) -> Attempt:
        self.number += 1
        return Attempt(
            run="run-1",
            step=f"{name.replace('.', '-')}-{self.number}",
            host=host,
            number=1,
            epoch=1,
            input=inputs,
            timeout=parse_duration(timeout),
            effect=Effect.READ if self.actions[name].spec.reads_only else Effect.ONCE,
            requires=requires or {},
        )

    def inside(self, work: Callable[[], T]) -> T:
        """Do ``work`` in the control host's network: threads that it starts are there too."""
        answer: Future[T] = Future()

        def enter() -> None:
            namespaces = host_namespaces(self.lab, "control")
            try:
                kernel.setns(namespaces["net"], kernel.CLONE_NEWNET)
                answer.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed to the test
                answer.set_exception(error)
            finally:
                for descriptor in namespaces.values():
                    os.close(descriptor)

        thread = threading.Thread(target=enter, daemon=True)
        thread.start()
        return answer.result(timeout=240)

    def perform(self, name: str, host: str | None = None, **given: Any) -> Outcome:
        """Perform and verify an action; an effect that can not be verified fails the test."""
        attempt = self.attempt(name, host, **given)
        action = self.actions[name]

        def work() -> tuple[Outcome, Check]:
            outcome = action.perform(attempt, self.world)
            return outcome, action.verify(attempt, self.world, outcome)

        outcome, check = self.inside(work)
        assert check.holds is True, check.because
        return outcome


@pytest.fixture(scope="module")
def site(fresh_lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the module's own lab with everything that the recovery needs."""
    workspace = read_workspace(fresh_lab / "workspace")
    inventory = snapshot(workspace, "lab")
    inventory["paths"] = {"reports": str(tmp_path_factory.mktemp("reports"))}
    connections = SshConnections(inventory, workspace.directory)
    actions = {action.spec.name: action for action in recovery_actions(connections)}
    yield Site(fresh_lab, inventory, connections, actions, Surroundings(inventory))
    connections.close()


def soon(length_s: float = 20.0) -> timedelta:
    """Return a patience for conditions of the lab."""
    return timedelta(seconds=length_s)
