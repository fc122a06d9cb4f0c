"""A compiled runbook: what the loader makes of a YAML file and the runtime carries out.

Raw values may still hold ``${{ }}`` expressions; they are rendered when a step starts.
The words are those of docs/reference/runbook-language.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from dr.engine.core.values import Text


class Effect(StrEnum):
    """What a step does to the world, and so what may happen to it in doubt."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    ONCE = "once"
    IRREVERSIBLE = "irreversible"


class Phase(StrEnum):
    """Column of the live view."""

    ASSESS = "assess"
    DECIDE = "decide"
    ISOLATE = "isolate"
    RECOVER = "recover"
    PROVE = "prove"
    RETURN = "return"


class OnFailure(StrEnum):
    """What a failed step does to the run."""

    FAIL = "fail"
    ASK = "ask"
    CONTINUE = "continue"
    UNDO = "undo"


class InDoubt(StrEnum):
    """How a step in doubt is settled; AUTO follows the effect's table."""

    AUTO = "auto"
    ATTACH = "attach"
    PROBE = "probe"
    RERUN = "rerun"
    ASK = "ask"
    FAIL = "fail"


class Drill(StrEnum):
    """What a step does in a drill."""

    RUN = "run"
    SIMULATE = "simulate"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Retry:
    """Attempts, made by the journal one by one; ``delay`` grows by ``backoff``."""

    attempts: int = 1
    delay: timedelta = timedelta(seconds=5)
    backoff: float = 2.0
    max_delay: timedelta = timedelta(minutes=1)
    when: frozenset[str] = frozenset({"unreachable", "timeout", "busy", "not_yet"})


@dataclass(frozen=True, slots=True)
class Strategy:
    """Fan-out: ``batches`` are counts or percentages of the hosts, in order; the last repeats."""

    batches: tuple[int | str, ...] = ("100%",)
    max_failures: int | str = 0
    pause_between: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Call:
    """An action named by ``probe``, ``verify``, ``precheck`` or ``undo`` of a step.

    ``done_when`` (probe) and ``ok_when`` (verify, precheck) are expressions over ``result``,
    the outputs of the call; without them the call must merely succeed.  ``gate`` is set when
    an undo asks people first: the ``with`` of a ``gate.approve``.
    """

    uses: str
    with_: Mapping[str, Any] = field(default_factory=dict)
    hosts: Any = None
    effect: Effect = Effect.READ
    timeout: timedelta | None = None
    when: str | None = None
    gate: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A declared output: ``source`` names the action's output it is taken from."""

    source: str
    type: str = "any"
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Rung:
    """One alternative of a ladder; ``unavailable`` rungs are shown with the reason, never tried."""

    name: str
    title: Text
    steps: tuple[Step, ...] = ()
    condition: str | None = None
    unavailable: Text | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One step.  ``needs`` is resolved: the default "step above" is already filled in."""

    id: str
    title: Text = Text()
    phase: Phase | None = None
    needs: tuple[str, ...] = ()
    condition: str | None = None
    uses: str = ""
    with_: Mapping[str, Any] = field(default_factory=dict)
    hosts: Any = None
    strategy: Strategy | None = None
    effect: Effect = Effect.ONCE
    precheck: Call | None = None
    probe: Call | None = None
    verify: Call | None = None
    undo: Call | None = None
    requires: Mapping[str, Any] = field(default_factory=dict)
    retry: Retry = Retry()
    timeout: timedelta = timedelta(minutes=10)
    deadline: timedelta | None = None
    in_doubt: InDoubt = InDoubt.AUTO
    on_failure: OnFailure = OnFailure.ASK
    rungs: tuple[Rung, ...] = ()
    on_exhausted: OnFailure = OnFailure.ASK
    outputs: Mapping[str, Output] = field(default_factory=dict)
    drill: Drill = Drill.RUN
    expect: timedelta | None = None
    fresh: timedelta = timedelta(seconds=60)
    ladder: str | None = None
    rung: str | None = None
    in_finally: bool = False
    where: str = ""

    @property
    def has_secret_outputs(self) -> bool:
        """Whether something that the step puts out must be seen by nobody."""
        return any(output.secret for output in self.outputs.values())

    @property
    def is_ladder(self) -> bool:
        """Whether this step is an ordered choice of rungs."""
        return bool(self.rungs)


@dataclass(frozen=True, slots=True)
class Input:
    """A value asked for when the run starts; ``type`` is string, integer, boolean, duration,
    host, group, service, person, supplier or branch."""

    id: str
    type: str = "string"
    default: Any = None
    required: bool = True
    choices: tuple[Any, ...] = ()
    title: Text = Text()


@dataclass(frozen=True)
class Runbook:
    """A whole runbook with its source, so that a run keeps what it started with."""

    name: str
    title: Text = Text()
    plan: str = ""
    owner: str = ""
    rto: timedelta | None = None
    rpo: timedelta | None = None
    inputs: tuple[Input, ...] = ()
    locks: tuple[str, ...] = ()
    on_failure: OnFailure = OnFailure.ASK
    steps: tuple[Step, ...] = ()
    finally_: tuple[Step, ...] = ()
    file: str = ""
    source: str = ""
    sha256: str = ""

    def walk(self) -> Iterator[Step]:
        """Yield every step in page order, a ladder before the steps of its rungs."""
        for step in (*self.steps, *self.finally_):
            yield step
            for rung in step.rungs:
                yield from rung.steps

    def before(self, step_id: str) -> frozenset[str]:
        """Return every step that must have ended before ``step_id`` may start.

        A step of a rung also stands behind what its ladder needs.
        """
        found: set[str] = set()
        new = {step_id}
        while new:
            steps = [self.by_id[one] for one in new if one in self.by_id]
            above = {s.ladder for s in steps if s.ladder}
            needs = {need for s in steps for need in s.needs} | above
            new = needs - found
            found |= new
        return frozenset(found)

    @cached_property
    def by_id(self) -> Mapping[str, Step]:
        """Every step by its id."""
        return {step.id: step for step in self.walk()}
