"""A world in memory to carry runs out in: effects are counted, so doing a thing twice shows.

The actions keep their promises as real ones do; the journal is the shipped one in memory.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dr.engine.core.amendment import as_amended
from dr.engine.core.errors import (
    ActionError,
    FailedError,
    LostContactError,
    Problem,
    RetryableError,
    UserError,
)
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import PowerCut, passage
from dr.engine.core.model import Effect, Runbook
from dr.engine.core.ports import (
    Action,
    ActionKind,
    ActionSpec,
    Attached,
    Attempt,
    Check,
    Ending,
    Forecast,
    Found,
    Outcome,
    Presence,
    Probe,
    RunRecord,
    Stopped,
    World,
)
from dr.engine.core.questions import Answer, Question
from dr.engine.core.states import RunState
from dr.engine.core.values import Secret, Text, utc_text
from dr.engine.core.view import RunView, fold
from dr.engine.journal.memory import MemoryJournal
from dr.engine.loader.expressions import Grammar
from dr.engine.loader.loading import load
from dr.engine.runtime.context import Ports, RunContext
from dr.engine.runtime.executor import Executor
from dr.engine.runtime.recorder import Recorder

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
ALL = tuple(Effect)


class FastClock:
    """A clock whose hours pass as the test says; it also ticks, so that timers come due."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = START
        self._behind = timedelta()

    def now(self) -> datetime:
        with self._lock:
            self._now += timedelta(milliseconds=1)
            return self._now - self._behind

    def monotonic(self) -> float:
        with self._lock:
            return self._now.timestamp()

    def set_back(self, length: timedelta) -> None:
        """Somebody sets the wall clock back; the time that passes is not touched."""
        self._behind += length

    def forward(self, length: timedelta) -> None:
        with self._lock:
            self._now += length


@dataclass
class Outside:
    """What is true outside of the engine, whatever its process remembers."""

    effects: Counter[str] = field(default_factory=Counter)
    undone: Counter[str] = field(default_factory=Counter)
    present: set[str] = field(default_factory=set)
    ended: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    order: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Do:
    """``do.NAME``: brings an effect about, once for each call; can be found by its key."""

    def __init__(
        self,
        outside: Outside,
        name: str = "do.it",
        *,
        attaches: bool = True,
        probes: bool = True,
        lies: bool = False,
        raises: Sequence[ActionError | None] = (),
        verifies: Sequence[Check] = (),
        outputs: Mapping[str, Any] | None = None,
        forecast: Forecast | None = None,
        while_acting: Callable[[], None] | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        self._outside = outside
        self._lies = lies
        self._raises = list(raises)
        self._verifies = list(verifies)
        self._outputs = dict(outputs or {"value": 1})
        self._forecast = forecast or Forecast()
        self._while_acting = while_acting
        self._before = before
        self.seen_inputs: list[Mapping[str, Any]] = []
        self.spec = ActionSpec(
            name,
            Text(name),
            ALL,
            attaches=attaches,
            probes=probes,
            undoes=True,
            outputs={k: "any" for k in self._outputs},
            proofs=frozenset({"proof"}),
        )

    def validate(self, inputs: Mapping[str, Any]) -> Sequence[Problem]:
        return ()

    def describe(self, attempt: Attempt) -> Sequence[str]:
        return (f"do {attempt.key}",)

    def precheck(self, attempt: Attempt, world: World) -> Check:
        return Check(holds=True)

    def probe(self, attempt: Attempt, world: World) -> Probe:
        if self._lies:
            return Probe(Presence.ABSENT, "it is assumed to be absent")
        if not self.spec.probes:
            return Probe(Presence.UNKNOWN, "nothing to look at")
        done = attempt.key in self._outside.present
        return Probe(Presence.DONE if done else Presence.ABSENT, "looked", self._outputs)

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        self.seen_inputs.append(attempt.input)
        error = self._raises.pop(0) if self._raises else None
        if self._before:
            self._before()
        if attempt.effect is not Effect.READ:
            world.record_handle({"job": attempt.key})
        if error is not None and error.facts.get("before"):
            raise error
        with self._outside.lock:
            self._outside.effects[attempt.key] += 1
            self._outside.present.add(attempt.key)
            self._outside.order.append(attempt.step)
            self._outside.ended[f"{attempt.key}#{attempt.number}"] = self._outputs
        if self._while_acting:
            self._while_acting()
        passage("outside-after-effect")
        if error is not None:
            raise error
        return Outcome(self._outputs)

    def attach(self, attempt: Attempt, world: World) -> Attached:
        if self._lies:
            return Attached(Found.GONE, "it is assumed to be gone")
        name = f"{attempt.key}#{attempt.number}"
        if name in self._outside.ended:
            return Attached(Found.ENDED, "found", Outcome(self._outside.ended[name]))
        return Attached(Found.NEVER_STARTED, "no such job")

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:
        return self._verifies.pop(0) if self._verifies else Check(holds=True)

    def undo(self, attempt: Attempt, world: World) -> Outcome:
        key = attempt.key.replace(".undo/", "/")
        with self._outside.lock:
            self._outside.undone[key] += 1
            self._outside.present.discard(key)
        passage("outside-after-undo")
        return Outcome()

    def forecast(self, attempt: Attempt, world: World) -> Forecast:
        return self._forecast


class Hangs(Do):
    """``do.hang``: begins a job that goes on until somebody ends it; the engine waits for it."""

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        world.record_handle({"kind": "job", "job": attempt.key})
        with self._outside.lock:
            self._outside.effects[attempt.key] += 1
            self._outside.running.add(attempt.key)
        assert wait_until(world.cancelled)
        raise LostContactError("the engine waits no more")

    def attach(self, attempt: Attempt, world: World) -> Attached:
        if attempt.key in self._outside.running:
            return Attached(Found.UNKNOWN, "it is still running")
        return Attached(Found.ENDED, "it was ended", error=FailedError("ended by a signal"))

    def probe(self, attempt: Attempt, world: World) -> Probe:
        return Probe(Presence.UNKNOWN, "nothing to look at")


class MadeUpJobs:
    """Ends the jobs of ``Outside.running``; ``out_of_reach`` are hosts that do not answer."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self.out_of_reach: set[str | None] = set()
        self.told: Counter[str] = Counter()

    def stop(self, attempt: Attempt, world: World) -> Stopped | None:
        if attempt.host in self.out_of_reach:
            raise RetryableError(f"{attempt.host} does not answer", reason="unreachable")
        self.told[attempt.key] += 1
        self._outside.running.discard(attempt.key)
        return Stopped(Ending.ENDED, "it was told to end")


def wait_until(condition: Callable[[], object], deadline_s: float = 20) -> bool:
    """Wait as an action does, looking a hundred times a second; return whether it came true."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(0.01)
    return True


class Asks(Do):
    """``gate.approve`` and ``human.task``: the runtime asks; they only have a spec."""

    def __init__(self, outside: Outside, name: str, kind: ActionKind) -> None:
        super().__init__(outside, name)
        outputs = {"choice": "string", "max_loss_s": "number", "approved_by": "list"}
        self.spec = ActionSpec(name, Text(name), ALL, kind=kind, outputs=outputs)


class Given:
    """Actions by name."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self._actions = {action.spec.name: action for action in actions}

    def get(self, name: str) -> Action:
        if name not in self._actions:
            raise UserError(f"no action is called '{name}'")
        return self._actions[name]

    def names(self) -> list[str]:
        return sorted(self._actions)


class NoSecrets:
    def __init__(self) -> None:
        self._hidden = ["resolved-env:PASSWORD"]

    def resolve(self, reference: str) -> Secret:
        return Secret(f"resolved-{reference}", reference)

    def hide(self, value: str) -> None:
        if value:
            self._hidden.append(value)

    def redact(self, text: str) -> str:
        for value in self._hidden:
            text = text.replace(value, "***")
        return text


class NoLogs:
    def writer(self, attempt: Attempt) -> Callable[[str], None]:
        return lambda text: None

    def tail(self, run: str, step: str, host: str | None, lines: int) -> str:
        return "the last line"


class NoRoles:
    def look(self, service: str) -> Mapping[str, Any]:
        return {"primary": {"host": "db-a"}, "standby": {"host": "db-b"}, "members": {}}


class Standing:
    """Standing authorisations that answer whatever the test says."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def standing(
        self, question: Question, record: RunRecord, inventory: Mapping[str, Any], now: datetime
    ) -> Sequence[Answer]:
        return self.answers


class NothingMeasured:
    def duration(self, runbook: str, step: str) -> tuple[timedelta, timedelta] | None:
        return None


INVENTORY: Mapping[str, Any] = {
    "hosts": {name: {} for name in ("db-a", "db-b", "web-1", "web-2", "web-3", "web-4")},
    "groups": {"web": ["web-1", "web-2", "web-3", "web-4"]},
    "services": {"registry": {"title": {"en": "registry", "zh": ""}}},
    "people_groups": {"leadership": {"members": ["ana", "bo"]}},
    "people": {"ana": {}, "bo": {}, "cai": {}},
}


def inventory_of(web: int) -> dict[str, Any]:
    """Return the inventory with so many hosts in the group ``web``."""
    names = [f"web-{number}" for number in range(1, web + 1)]
    hosts: dict[str, Any] = {name: {} for name in ("db-a", "db-b", *names)}
    return {**INVENTORY, "hosts": hosts, "groups": {"web": names}}


class MadeUpWorld:
    """A runbook, its actions, and engines that come and go."""

    def __init__(
        self,
        source: str,
        *actions: Action,
        inputs: Mapping[str, Any] | None = None,
        mode: str = "real",
        web: int = 4,
        locks: tuple[str, ...] = (),
    ) -> None:
        self.outside = Outside()
        self.clock = FastClock()
        self.standing = Standing()
        self.jobs: MadeUpJobs | None = None
        gates = [
            Asks(self.outside, "gate.approve", ActionKind.GATE),
            Asks(self.outside, "human.task", ActionKind.TASK),
            Asks(self.outside, "reconcile.close", ActionKind.SESSION),
        ]
        named = {a.spec.name for a in actions}
        own = [] if "do.it" in named else [Do(self.outside)]
        self.actions = Given([*gates, *own, *actions])
        self.runbook: Runbook = load(source, actions=self.actions, file="made-up.yaml")
        self.journal = MemoryJournal(self.clock)
        self.record = RunRecord(
            id="R-20261101-abcde",
            runbook=self.runbook.name,
            runbook_sha256=self.runbook.sha256,
            source=source,
            file="made-up.yaml",
            environment="lab",
            mode=mode,
            requester="cai",
            inputs=dict(inputs or {}),
            inventory=inventory_of(web),
            created=START,
            locks=locks,
        )
        self.journal.create(self.record, [Draft(Kind.RUN_CREATED, data={"runbook": "made-up"})])
        self.engines = 0

    def engine(self) -> Executor:
        """Return a new engine on the run; the one before must have died or ended."""
        self.engines += 1
        lease = self.journal.acquire(self.record.id, f"engine {self.engines}")
        ports = Ports(
            journal=self.journal,
            actions=self.actions,
            expressions=Grammar(),
            clock=self.clock,
            secrets=NoSecrets(),
            logs=NoLogs(),
            observatory=NoRoles(),
            authority=self.standing,
            estimates=NothingMeasured(),
            jobs=self.jobs,
        )
        recorder = Recorder(self.journal, lease, self.view(), ports.secrets)
        return self.executor(ports, recorder)

    def executor(self, ports: Ports, recorder: Recorder) -> Executor:
        """Return an executor of the plan that is in force."""
        record, runbook = as_amended(self.record, recorder.view), self.runbook
        if record.source != self.record.source:
            runbook = load(record.source, actions=self.actions, file="made-up.yaml")
        return Executor(RunContext(ports, record, runbook, recorder), workers=8, poll_s=0.005)

    def die(self) -> None:
        """The engine's process is gone; what is committed stays."""
        self.journal.close()

    def view(self) -> RunView:
        """Return the state from the journal alone."""
        return fold(self.record.id, self.journal.events(self.record.id))

    def run(self) -> RunState:
        """Carry the run out with a new engine, to its end."""
        executor = self.engine()
        try:
            state = executor.run()
            while executor.is_amended:
                executor = self.executor(executor.context.ports, executor.context.recorder)
                state = executor.run()
            return state
        finally:
            executor.context.recorder.release()

    def run_answering(
        self, answer: Callable[[Question], Answer | None], *, limit: int = 400
    ) -> RunState:
        """Carry the run out while somebody answers every question; ``limit`` turns at most."""
        stop = threading.Event()
        person = threading.Thread(target=self._answer_all, args=(answer, stop), daemon=True)
        person.start()
        try:
            return self.run()
        finally:
            stop.set()
            person.join(5)

    def _answer_all(
        self, answer: Callable[[Question], Answer | None], stop: threading.Event
    ) -> None:
        while not stop.wait(0.003):
            for asked in self.view().open_questions():
                given = answer(asked.question)
                if given is None or any(a.by == given.by for a in asked.answers):
                    continue
                data = {"question": asked.question.id, "answer": given.to_data()}
                draft = Draft(Kind.QUESTION_ANSWERED, asked.question.step, data=data)
                try:
                    self.journal.append(self.record.id, [draft], open_question=asked.question.id)
                except (UserError, PowerCut):
                    continue  # somebody was faster, or the power went: the person asks again

    def says(self, by: str, verdict: str, **more: Any) -> Answer:
        """Return an answer of now."""
        return Answer(by=by, verdict=verdict, at=utc_text(self.clock.now()), **more)
