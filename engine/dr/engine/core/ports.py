"""What the runtime needs of the world, as Protocols; ``engine.service`` wires the real parts.

The contract is prose: every implementation passes the conformance suite of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from dr.engine.core.errors import ActionError, Problem
from dr.engine.core.events import Draft, Event
from dr.engine.core.model import Effect
from dr.engine.core.questions import Answer, Question
from dr.engine.core.values import UNKNOWN, Secret, Text, Unknown


class Clock(Protocol):
    """The engine's only source of time."""

    def now(self) -> datetime:
        """Return the moment, aware, UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back, for measuring."""


class ActionKind(StrEnum):
    """Who carries it out: a driver, or the runtime itself by asking people."""

    ACTION = "action"
    GATE = "gate"
    TASK = "task"
    SESSION = "session"


@dataclass(frozen=True)
class ActionSpec:
    """What an action promises, as data.

    Attributes:
        effects: the effects that a step using it may declare, weakest first.
        reads_only: the driver is unable to write, so it may run in a dry run.
        probes / attaches / undoes: whether ``probe``, ``attach``, ``undo`` can answer.
        verifies: ``verify`` proves the effect, and not only that the action ended.
        needs_host: it acts on a target host and is refused without ``hosts``.
        outputs: name to type (string, integer, number, boolean, duration, moment, list, map, any).
        closes: it belongs to closing the incident (branches' reconciliation), not to the
            technical recovery, whose moment is measured without it.
        proofs: outputs that may stand in a ``requires``.
        input_schema: JSON Schema of ``with``.
    """

    name: str
    title: Text
    effects: tuple[Effect, ...]
    reads_only: bool = False
    probes: bool = False
    attaches: bool = False
    undoes: bool = False
    verifies: bool = True
    needs_host: bool = False
    closes: bool = False
    outputs: Mapping[str, str] = field(default_factory=dict)
    proofs: frozenset[str] = frozenset()
    input_schema: Mapping[str, Any] = field(default_factory=dict)
    kind: ActionKind = ActionKind.ACTION


@dataclass(frozen=True)
class Attempt:
    """One try of one step on one host.

    ``key`` (``RUN/STEP/HOST``) is the same for every attempt and names the effect; ``number``
    counts from 1.  ``input`` is rendered; secrets in it are :class:`Secret`.  ``handle`` is what
    an earlier process wrote down to find this attempt again.  ``host`` is an inventory name,
    None for the engine itself.  ``requires`` holds the rendered proofs.
    """

    run: str
    step: str
    host: str | None
    number: int
    epoch: int
    input: Mapping[str, Any]
    timeout: timedelta
    effect: Effect = Effect.ONCE
    requires: Mapping[str, Any] = field(default_factory=dict)
    handle: Mapping[str, Any] | None = None
    drill: bool = False

    @property
    def key(self) -> str:
        """The idempotency key: run, step and host."""
        return f"{self.run}/{self.step}/{self.host or 'engine'}"


class Presence(StrEnum):
    """Whether an effect is there.  A host that can not be reached is UNKNOWN."""

    DONE = "done"
    ABSENT = "absent"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Probe:
    """What a probe saw; ``outputs`` are the step's outputs when it is DONE."""

    presence: Presence
    detail: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """Whether a condition holds: True, False or UNKNOWN, and why, in words for people."""

    holds: bool | Unknown
    because: str = ""
    hint: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What an action brought about.  ``facts`` go to the report, ``outputs`` to later steps.

    ``unseen`` says what kept a look from seeing anything: an answer to who asked how it stands,
    and none to a ``probe`` that asks whether something is there.
    """

    outputs: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    unseen: str = ""


class Found(StrEnum):
    """What ``attach`` found of an attempt that an earlier process had begun."""

    ENDED = "ended"  # it ended; ``outcome`` or ``error`` says how
    NEVER_STARTED = "never_started"  # proven: no effect
    GONE = "gone"  # proven not running any more, but nobody saw its end
    UNKNOWN = "unknown"  # it can not be reached, or it may still be running


@dataclass(frozen=True)
class Attached:
    """Answer of ``attach``; it waits for an attempt that is still running, up to the timeout."""

    found: Found
    detail: str = ""
    outcome: Outcome | None = None
    error: ActionError | None = None


class Ending(StrEnum):
    """What became of a job that an abort was to end."""

    ENDED = "ended"  # it has ended, by itself or because it was told to
    NEVER_STARTED = "never_started"  # and never will
    GONE = "gone"  # it does not run any more, but nobody saw its end
    RUNNING = "running"  # it was told to end and did not
    UNKNOWN = "unknown"  # nobody could look: it may still be running
    LEFT = "left"  # not told to end: breaking it off may do harm

    @property
    def is_over(self) -> bool:
        """Whether it is certain that nothing of it runs any more."""
        return self in {Ending.ENDED, Ending.NEVER_STARTED, Ending.GONE}


@dataclass(frozen=True)
class Stopped:
    """Answer of ``Jobs.stop``."""

    ending: Ending
    detail: str = ""


@dataclass(frozen=True)
class Forecast:
    """Time and loss that a step would take; None and UNKNOWN are what nobody knows.

    ``loss`` is None when the step has no say in it; UNKNOWN when it has but can not tell.
    """

    p50: timedelta | None = None
    p90: timedelta | None = None
    loss: timedelta | Unknown | None = None
    basis: Text = Text()
    available: Check = field(default_factory=lambda: Check(holds=UNKNOWN))


class Observatory(Protocol):
    """Looks at a service's members and says who is what; reads only; a dead host is no error."""

    def look(self, service: str) -> Mapping[str, Any]:
        """Return observed roles with their basis.

        ``primary`` and ``standby`` are maps with at least ``host`` (inventory name or None) and
        ``basis`` (observed | address | declared | unknown); ``members`` maps each host to what was
        seen: reachable, role, system_id, timeline, replayed_to, lag_bytes, at.
        """


class World(Protocol):
    """What one attempt may use of the outside.  Made by the runtime for each attempt."""

    @property
    def clock(self) -> Clock:
        """The engine's clock."""

    @property
    def inventory(self) -> Mapping[str, Any]:
        """The inventory as the run keeps it: hosts, services, people, branches, backups..."""

    def history(self) -> Sequence[Event]:
        """Return the run's events so far, for reports and notices."""

    def record(self) -> RunRecord:
        """Return the row of the run that the attempt belongs to."""

    def record_handle(self, handle: Mapping[str, Any]) -> None:
        """Write down what finds the attempt again; returns when it is on disk.

        Must be called before the effect starts, or the effect must be found by its key.
        """

    def output(self, text: str) -> None:
        """Append to the attempt's log file, redacted.  Not journalled line by line."""

    def secret(self, reference: Mapping[str, Any] | str) -> Secret:
        """Resolve a secret reference at the moment of use.

        Raises:
            RefusedError: it cannot be resolved.
        """

    def redact(self, text: str) -> str:
        """Return ``text`` as it may leave for people's eyes: every secret known so far masked."""

    def cancelled(self) -> bool:
        """Whether the run wants this attempt to stop waiting (abort, lost lease)."""


class Action(Protocol):
    """A thing that changes or reads the world, and can say whether it already did.

    ``perform`` is called at most once for an attempt; only the journal decides on another.
    ``precheck``, ``probe`` and ``verify`` must not change anything.  ``perform`` and ``undo``
    raise the :class:`ActionError` that says what is known: a timeout after the request was
    sent is LostContactError.  All methods may block; none may outlive ``attempt.timeout`` by
    more than a few seconds.  Inputs have passed ``validate``.
    """

    @property
    def spec(self) -> ActionSpec:
        """What it promises."""

    def validate(self, inputs: Mapping[str, Any]) -> Sequence[Problem]:
        """List what is wrong with ``inputs``; ``path`` leads to the value.

        Values that are still ``${{ }}`` text may be reported; the loader drops those.
        """

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what it would do, one command or sentence a line, secrets masked."""

    def precheck(self, attempt: Attempt, world: World) -> Check:
        """Say whether it may act now."""

    def probe(self, attempt: Attempt, world: World) -> Probe:
        """Say whether the effect is present."""

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Bring the effect about."""

    def attach(self, attempt: Attempt, world: World) -> Attached:
        """Find the attempt that an earlier process began, by key and ``attempt.handle``."""

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:
        """Prove the effect."""

    def undo(self, attempt: Attempt, world: World) -> Outcome:
        """Take the effect back."""

    def forecast(self, attempt: Attempt, world: World) -> Forecast:
        """Say what it would take and lose; reads only."""


class Actions(Protocol):
    """A set of actions by name."""

    def get(self, name: str) -> Action:
        """Return the action called ``name``.

        Raises:
            UserError: there is none; the hint names the nearest.
        """

    def names(self) -> Iterable[str]:
        """List the names, sorted."""


class Jobs(Protocol):
    """Ends what attempts started outside of the engine's process."""

    def stop(self, attempt: Attempt, world: World) -> Stopped | None:
        """End the process group that ``attempt.handle`` leads to; None when it leads to none.

        It may be called again for a job that has ended.  What left the job's session by itself,
        as a daemon does, is not ended.

        Raises:
            FencedError: the host has seen a higher epoch.
            ActionError: nobody could look; it may still be running.
        """


@dataclass(frozen=True)
class Lease:
    """The right to write for a run; every write carries its epoch.

    ``lasts_s``: how long it lasts without ``renew``, in seconds; None: as long as the process.
    """

    run: str
    holder: str
    epoch: int
    lasts_s: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """The row of a run.  ``source`` is the runbook's text, ``inventory`` the snapshot it keeps."""

    id: str
    runbook: str
    runbook_sha256: str
    source: str
    file: str
    environment: str
    mode: str  # real | drill
    requester: str
    inputs: Mapping[str, Any]
    inventory: Mapping[str, Any]
    created: datetime
    locks: tuple[str, ...] = ()
    state: str = "running"
    epoch: int = 0
    title: Mapping[str, str] = field(default_factory=dict)


class Journal(Protocol):
    """The only memory.  One implementation over SQL (SQLite, PostgreSQL), one in memory.

    Every call is one transaction, on disk when it returns.  Times are given by the journal:
    the later of the clock and the run's last event.
    """

    def create(self, record: RunRecord, drafts: Sequence[Draft]) -> list[Event]:
        """Write a new run, take its locks and append its first events.

        Raises:
            HeldError: a lock is held; the message names the lock and the run that holds it.
        """

    def acquire(
        self, run: str, holder: str, drafts: Sequence[Draft] = (), *, above: int = 0
    ) -> Lease:
        """Take the run with an epoch higher than any before, and append ``drafts``, RUN_LEASE.

        Args:
            drafts: why it is taken, such as OP_TAKEOVER; kept only together with the lease.
            above: an epoch that was seen elsewhere, such as by a host; the new one is higher.

        Raises:
            HeldError: a living engine holds it.
        """

    def release(self, lease: Lease) -> None:
        """Give the run back; harmless when the lease is already lost."""

    def renew(self, lease: Lease) -> None:
        """Keep the lease.

        Raises:
            HeldError: it was lost to another engine.
        """

    def append(
        self,
        run: str,
        drafts: Sequence[Draft],
        *,
        lease: Lease | None = None,
        open_question: str | None = None,
        after: int | None = None,
    ) -> list[Event]:
        """Append events in order, and bring the index tables into line, in one transaction.

        Args:
            lease: the engine's; None for an operator's process (op.*, question.answered).
            after: refuse with MovedError unless the newest event has this number: what the events
                rest on was read before.
            open_question: refuse with UserError unless this question is open, and refuse a
                second answer of one person to it (unique constraint).

        Raises:
            HeldError: the lease is no longer the newest epoch.
            LapsedError: a draft's ``until`` has come; nothing was written.
            JournalError: it could not be made durable (disk full, read-only); nothing was written.
        """

    def events(self, run: str, after: int = 0) -> list[Event]:
        """Return the events with ``seq`` greater than ``after``, in order."""

    def run(self, run: str) -> RunRecord:
        """Return a run by its id or unique suffix; ``last`` is the newest.

        Raises:
            UserError: there is no such run, or several.
        """

    def runs(self, *, unfinished: bool = False) -> list[RunRecord]:
        """List runs, newest first."""


class Expressions(Protocol):
    """The closed grammar of ``${{ }}``."""

    def evaluate(self, text: str, scope: Mapping[str, Any]) -> Any:
        """Return the value of an expression (with or without the ``${{ }}``).

        Raises:
            UserError: a name is unknown or the text is outside the grammar.
        """

    def render(self, value: Any, scope: Mapping[str, Any]) -> Any:
        """Return ``value`` with each ``${{ }}`` replaced; a whole item keeps its type."""

    def steps_in(self, value: Any) -> frozenset[str]:
        """Return the ids of the steps whose outputs ``value`` refers to."""

    def names_in(self, value: Any) -> tuple[tuple[str | int, ...], ...]:
        """Return the names that ``value`` uses, each once: ("steps", "look", …)."""


class Secrets(Protocol):
    """Resolves references and hides what it resolved."""

    def resolve(self, reference: str) -> Secret:
        """Return the secret behind ``reference``.

        Raises:
            RefusedError: it cannot be resolved; the hint says how to mend it.
        """

    def hide(self, value: str) -> None:
        """Mask ``value`` from now on as if it had been resolved: an output is secret."""

    def redact(self, text: str) -> str:
        """Return ``text`` with every secret resolved so far, and its usual encodings, masked."""


class Logs(Protocol):
    """Where the output of attempts goes: files beside the journal."""

    def writer(self, attempt: Attempt) -> Callable[[str], None]:
        """Return what appends text to the log file of ``attempt``."""

    def tail(self, run: str, step: str, host: str | None, lines: int) -> str:
        """Return the last lines that the newest attempt put out."""


class Authority(Protocol):
    """What people signed beforehand."""

    def standing(
        self, question: Question, record: RunRecord, inventory: Mapping[str, Any], now: datetime
    ) -> Sequence[Answer]:
        """Return what standing authorisations answer to ``question`` within their bounds."""


class Estimates(Protocol):
    """Durations that drills, restore tests and earlier runs measured."""

    def duration(self, runbook: str, step: str) -> tuple[timedelta, timedelta] | None:
        """Return P50 and P90 of the step's duration, None when it was never measured."""


Say = Callable[[str], None]
