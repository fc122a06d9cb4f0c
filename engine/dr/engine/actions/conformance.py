"""The promises of every action, as checks that a plug-in author can run.

Each of ``CHECKS`` raises AssertionError with a sentence; nothing here needs pytest.
"""

# ruff: noqa: S101, ARG001, ARG002 - a suite asserts, and a silent host ignores what it is asked

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dr.engine.actions.hosts import Actor, Completed, Connections, Observer, Stat
from dr.engine.actions.observations import Observation
from dr.engine.core.errors import ActionError, RefusedError, RetryableError
from dr.engine.core.events import Event
from dr.engine.core.model import Effect
from dr.engine.core.ports import (
    Action,
    ActionSpec,
    Attached,
    Attempt,
    Clock,
    Found,
    Presence,
    RunRecord,
    Stopped,
    World,
)
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

    def redact(self, text: str) -> str:
        """Return ``text`` with the secrets that it was made with masked."""
        for value in self._secrets.values():
            text = text.replace(value, "***")
        return text

    def cancelled(self) -> bool:
        """Whether somebody set ``is_cancelled``."""
        return self.is_cancelled


class SilentHost:
    """A host that does not answer, whatever it is asked."""

    def __init__(self, host: str) -> None:
        self.host = host

    def _silence(self) -> RetryableError:
        return RetryableError(f"{self.host} does not answer", reason="unreachable")

    def boot_id(self) -> str:
        """Raise."""
        raise self._silence()

    def stat(self, path: str, *, timeout: timedelta) -> Stat | None:
        """Raise."""
        raise self._silence()

    def read(self, path: str, *, max_bytes: int, timeout: timedelta) -> bytes | None:
        """Raise."""
        raise self._silence()

    def listing(self, path: str, *, timeout: timedelta) -> Sequence[str] | None:
        """Raise."""
        raise self._silence()

    def observe(self, what: Observation, *, timeout: timedelta, **arguments: str) -> Completed:
        """Raise; wrong arguments are found first, as by a real host."""
        what.command(arguments)
        raise self._silence()

    def job(
        self,
        attempt: Attempt,
        world: World,
        argv: Sequence[str] | None = None,
        **options: Any,
    ) -> Completed:
        """Raise."""
        raise self._silence()

    def attach(self, attempt: Attempt, world: World, *, name: str = "") -> Attached:
        """Say that nobody knows."""
        return Attached(Found.UNKNOWN, f"{self.host} does not answer")

    def end(self, attempt: Attempt, world: World, *, name: str = "") -> Stopped:
        """Raise."""
        raise self._silence()


class SilentConnections:
    """Connections to hosts of which none answers.

    ``acted`` lists the hosts for which an actor was asked: must stay empty while looking.
    """

    def __init__(self) -> None:
        self.acted: list[str] = []

    def observer(self, host: str) -> Observer:
        """Return a silent host."""
        return SilentHost(host)

    def actor(self, host: str) -> Actor:
        """Return a silent host, and remember it."""
        self.acted.append(host)
        return SilentHost(host)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Example:
    """Inputs that are right, in a world that has what they name."""

    inputs: Mapping[str, Any]
    inventory: Mapping[str, Any] = field(default_factory=dict)
    host: str | None = "db-a"

    def attempt(self, spec: ActionSpec, *, strongest: bool = True) -> Attempt:
        """Return an attempt with the strongest effect of ``spec``, or the weakest."""
        return Attempt(
            run="run-1",
            step="step",
            host=self.host if spec.needs_host else None,
            number=1,
            epoch=1,
            input=self.inputs,
            timeout=timedelta(seconds=5),
            effect=spec.effects[-1 if strongest else 0],
        )


Build = Callable[[Connections], Action]
"""Makes the action, bound to the connections it is given."""


def spec_is_complete(build: Build, example: Example) -> None:
    """Name, titles in both languages, effects, a schema; outputs of known types."""
    spec = build(SilentConnections()).spec
    assert re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", spec.name), f"odd name {spec.name}"
    assert spec.title.en, f"{spec.name} has no English title"
    assert spec.title.zh, f"{spec.name} has no Chinese title"
    assert spec.effects, f"{spec.name} declares no effects"
    assert list(spec.effects) == sorted(spec.effects, key=list(Effect).index), (
        f"{spec.name} lists its effects not weakest first"
    )
    assert spec.input_schema.get("additionalProperties") is False, f"{spec.name} takes unknown keys"
    assert set(spec.outputs.values()) <= _TYPES, f"{spec.name} has outputs of unknown types"
    assert spec.proofs <= set(spec.outputs), f"{spec.name} promises proofs that are no outputs"
    assert not spec.reads_only or spec.effects == (Effect.READ,), (
        f"{spec.name} says that it can only read and declares {spec.effects}"
    )


def example_is_valid(build: Build, example: Example) -> None:
    """Right inputs have no problems."""
    found = build(SilentConnections()).validate(example.inputs)
    assert not found, [problem.message for problem in found]


def unknown_key_is_a_problem(build: Build, example: Example) -> None:
    """A key that nobody knows is named, with the path to it."""
    found = build(SilentConnections()).validate({**example.inputs, "no_such_key": 1})
    assert any("no_such_key" in p.path for p in found), "an unknown key went through"


def looking_never_acts(build: Build, example: Example) -> None:
    """describe, precheck, probe and forecast ask for no actor and raise nothing."""
    connections = SilentConnections()
    action = build(connections)
    world = RecordingWorld(example.inventory)
    attempt = example.attempt(action.spec)
    lines = action.describe(attempt)
    assert lines, f"{action.spec.name} describes nothing"
    assert all(isinstance(line, str) for line in lines), f"{action.spec.name} describes no text"
    action.precheck(attempt, world)
    action.forecast(attempt, world)
    action.probe(attempt, world)
    assert not connections.acted, f"{action.spec.name} asked to act on {connections.acted}"
    assert not world.handles, f"{action.spec.name} recorded a handle while looking"


def silent_host_is_unknown(build: Build, example: Example) -> None:
    """A probe of a host that does not answer is UNKNOWN."""
    action = build(SilentConnections())
    if not action.spec.needs_host or action.spec.effects == (Effect.READ,):
        return
    attempt = example.attempt(action.spec)
    seen = action.probe(attempt, RecordingWorld(example.inventory))
    assert seen.presence is Presence.UNKNOWN, f"{action.spec.name} says {seen.presence}"


def performing_without_reach_has_no_effect(build: Build, example: Example) -> None:
    """With no host in reach ``perform`` says that nothing happened, or what it saw."""
    action = build(SilentConnections())
    attempt = example.attempt(action.spec)
    try:
        action.perform(attempt, RecordingWorld(example.inventory))
    except (RetryableError, RefusedError):
        return
    except ActionError as error:
        raise AssertionError(f"{action.spec.name} does not know that nothing happened") from error
    assert not action.spec.needs_host or action.spec.effects == (Effect.READ,), (
        f"{action.spec.name} acted on a host that does not answer"
    )


def attaching_without_reach_is_no_error(build: Build, example: Example) -> None:
    """``attach`` answers; about a host that does not, it knows nothing."""
    action = build(SilentConnections())
    if not action.spec.attaches:
        return
    found = action.attach(example.attempt(action.spec), RecordingWorld(example.inventory))
    assert found.found is not Found.ENDED, "it saw an end that nobody can have seen"
    if action.spec.needs_host:
        assert found.found is Found.UNKNOWN, "nobody can know that without asking the host"


def secrets_are_masked(build: Build, example: Example) -> None:
    """``describe`` shows no secret that is among the inputs."""
    action = build(SilentConnections())
    lines = action.describe(example.attempt(action.spec))
    hidden = [secret.reveal() for secret in _secrets(example.inputs)]
    assert not [s for s in hidden if any(s in line for line in lines)], "a secret is shown"


CHECKS: tuple[Callable[[Build, Example], None], ...] = (
    spec_is_complete,
    example_is_valid,
    unknown_key_is_a_problem,
    looking_never_acts,
    silent_host_is_unknown,
    performing_without_reach_has_no_effect,
    attaching_without_reach_is_no_error,
    secrets_are_masked,
)
"""Every check; a plug-in runs each with its own actions and examples."""

_TYPES = frozenset(
    {"string", "integer", "number", "boolean", "duration", "moment", "list", "map", "any"}
)


def _secrets(value: object) -> list[Secret]:
    if isinstance(value, Secret):
        return [value]
    if isinstance(value, Mapping):
        return [found for each in value.values() for found in _secrets(each)]
    if isinstance(value, list | tuple):
        return [found for each in value for found in _secrets(each)]
    return []
