"""The state of a run as a fold over its events.  Nothing else remembers anything.

``RunView.apply`` costs the same for the ten-thousandth event as for the first.  Other threads read
while one folds: the state is what an event sets last, so whoever sees it sees all that led to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dr.engine.core import reconciling
from dr.engine.core.errors import JournalError
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.questions import Answer, Question, QuestionKind
from dr.engine.core.reconciliation import Session
from dr.engine.core.states import (
    ENDED,
    TAKEN_BACK,
    IllegalTransitionError,
    RunState,
    StepEvent,
    StepState,
    advance,
)
from dr.engine.core.values import parse_utc

_E, _S = StepEvent, StepState

_RESTLESS = frozenset({_S.RUNNING, _S.WAITING, _S.IN_DOUBT, _S.UNDOING})


_AWAITED = frozenset({_S.IN_DOUBT, _S.WAITING})
"""States of a unit that the engine must see to: settle the doubt, try again later."""

_LEFT_OUT = frozenset({_S.SKIPPED, _S.CANCELLED})
"""States of a step in which no attempt may begin, whoever was looking at it meanwhile."""

_STOPPED_FOR_SURE = frozenset({"ended", "gone", "never_started"})
"""Outcomes of ending a job after which nothing of it runs (``ports.Ending.is_over``)."""

_NOT_FROM_THE_JOB = frozenset({"probe", "policy", "rerun", "stopped", "unknown"})
"""How a doubt may end although its job may still be running."""

_OF_ALL_UNITS = frozenset({Kind.STEP_PLANNED, Kind.STEP_REOPENED})
"""Events that move more units than the one they name."""

_NEVER_WRITTEN = (LookupError, ValueError, TypeError, AttributeError, IllegalTransitionError)
"""What an event brings about in the fold that no engine wrote."""


def moved(state: StepState, event: StepEvent) -> StepState:
    """Return the state after ``event``; what happens to a pending unit releases it first.

    Raises:
        IllegalTransitionError: the table has no such move.
    """
    if state is _S.PENDING and event is not _E.RELEASED and event is not _E.CANCELLED:
        state = advance(state, _E.RELEASED)
    return advance(state, event)


@dataclass(slots=True)
class UnitView:
    """A step on one host (None is the engine itself)."""

    host: str | None
    state: StepState = StepState.PENDING
    attempt: int = 0
    epoch: int = 0
    handle: Mapping[str, Any] | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    intent: Mapping[str, Any] | None = None
    presence: Mapping[str, Any] | None = None
    has_result: bool = False
    begun: int = 0  # the last attempt whose intent was written
    undo_number: int = 0  # tells the jobs of several tries to take it back apart
    undo_wish: int | None = None  # the event that wished the last of them; None: the runbook
    effect_ended: int = 0  # the number of the event that ended it, whatever was undone since
    stop: Mapping[str, Any] | None = None  # what an abort made of its job: outcome, detail
    left: bool = False  # an attempt before this one may have left an effect
    retry_at: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    via: str = ""

    def move(self, event: StepEvent) -> None:
        """Change state by the table."""
        self.state = moved(self.state, event)


@dataclass(slots=True)
class StepView:
    """A step as people see it; for a fan-out the sum of its hosts."""

    id: str
    state: StepState = StepState.PENDING
    units: dict[str | None, UnitView] = field(default_factory=dict)
    fan_out: bool = False
    batches: list[list[str]] = field(default_factory=list)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    because: str = ""
    waiting_for: str = ""
    question: str | None = None
    visit: int = 0
    rung: str | None = None
    rungs: dict[str, str] = field(default_factory=dict)  # name -> started|failed|closed|succeeded
    rung_notes: dict[str, str] = field(default_factory=dict)
    guards: tuple[str, ...] = ()  # gates asked again, without which it does not start
    forced: bool = False  # a person let the run go on without it
    started: datetime | None = None
    ended: datetime | None = None
    end_seq: int = 0  # the number of the event that ended it as a whole
    standing: dict[StepState, dict[str | None, None]] = field(default_factory=dict)
    """The hosts of the units in each state: nobody counts five thousand units for each event."""
    _stood: dict[str | None, StepState] = field(default_factory=dict)

    def unit(self, host: str | None) -> UnitView:
        """Return the unit on ``host``, made when it is new."""
        if host not in self.units:
            self.units[host] = UnitView(host)
        return self.units[host]

    @property
    def is_restless(self) -> bool:
        """Whether something is under way, waits or is in doubt."""
        return self.state in _RESTLESS or any(self.standing.get(state) for state in _RESTLESS)

    def hosts_in(self, *states: StepState) -> list[str | None]:
        """List the hosts whose units stand in one of ``states``."""
        return [host for state in states for host in list(self.standing.get(state, ()))]

    def count(self, *states: StepState) -> int:
        """Return how many units stand in one of ``states``."""
        return sum(len(self.standing.get(state, ())) for state in states)

    def sort_in(self, host: str | None) -> StepState | None:
        """Take note of the state that the unit on ``host`` has come to; None: it is as it was."""
        unit = self.units.get(host)
        if unit is None or self._stood.get(host) is unit.state:
            return None
        if host in self._stood:
            del self.standing[self._stood[host]][host]
        self._stood[host] = unit.state
        self.standing.setdefault(unit.state, {})[host] = None
        return unit.state

    @property
    def latest(self) -> UnitView | None:
        """The unit of a step that runs on one host, else the one that moved last."""
        return next(reversed(list(self.units.values())), None)


@dataclass(slots=True)
class QuestionView:
    """A question with the answers that were accepted."""

    question: Question
    opened: datetime
    answers: list[Answer] = field(default_factory=list)
    escalated: list[str] = field(default_factory=list)
    outcome: str = ""  # "" while open
    because: str = ""
    closed: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether an answer would still count."""
        return not self.outcome

    @property
    def is_about_undo(self) -> bool:
        """Whether an undo waits for it: its own gate, or what to do after it failed."""
        return bool({"undo", "undo_failed"} & set(self.question.card))


@dataclass(slots=True)
class Moments:
    """The moments that are measured: detected, decided, recovered, closed."""

    created: datetime | None = None
    detected: datetime | None = None
    decided: datetime | None = None
    recovered: datetime | None = None
    closed: datetime | None = None
    ended: datetime | None = None


@dataclass(slots=True)
class RunView:
    """A run."""

    id: str
    state: RunState = RunState.RUNNING
    because: str = ""
    created: Mapping[str, Any] = field(default_factory=dict)
    steps: dict[str, StepView] = field(default_factory=dict)
    questions: dict[str, QuestionView] = field(default_factory=dict)
    facts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    moments: Moments = field(default_factory=Moments)
    epoch: int = 0
    holder: str = ""
    seq: int = 0
    at: datetime | None = None
    head: str = ""
    paused: bool = False
    abort: Mapping[str, Any] | None = None
    behind: Sequence[Mapping[str, Any]] = ()  # what hosts knew of the run and the journal did not
    accepted: bool = False  # a person said to go on all the same
    undo: Mapping[str, Any] | None = None  # a wish to take back that is not carried out yet
    undone: list[Mapping[str, Any]] = field(default_factory=list)
    guarded: dict[str, set[str]] = field(default_factory=dict)  # by gate, the steps it guards anew
    wishes: list[Event] = field(default_factory=list)  # op.retry and op.skip not yet obeyed
    notes: list[Event] = field(default_factory=list)
    proposal: Mapping[str, Any] | None = None  # the newest amendment that was put to people
    plan: Mapping[str, Any] | None = None  # the plan in force, where it is not the first one
    amendments: list[Event] = field(default_factory=list)
    session: Session | None = None  # the reconciliation with the branches
    awaited: dict[tuple[str, str | None], None] = field(default_factory=dict)
    """Units that came to be in doubt or to wait; whoever sees to one takes it out."""
    _restless: dict[str, StepView] = field(default_factory=dict)
    _fans: dict[str, StepView] = field(default_factory=dict)
    _asked: dict[str, QuestionView] = field(default_factory=dict)

    def step(self, step_id: str) -> StepView:
        """Return the step's view, made when it is new."""
        if step_id not in self.steps:
            self.steps[step_id] = StepView(step_id)
        return self.steps[step_id]

    def taken_back(self) -> list[StepView]:
        """Steps that people took back and may have begun again: none of a rung that was left."""
        if not self.undone:
            return []
        outline = {str(line["id"]): line for line in self.created.get("outline", ())}
        found = [step for step in list(self.steps.values()) if step.state in TAKEN_BACK]
        return [step for step in found if self._stands(outline.get(step.id, {}))]

    def _stands(self, line: Mapping[str, Any]) -> bool:
        ladder = self.steps.get(str(line.get("ladder")))
        if ladder is None:
            return True
        return ladder.state not in ENDED and ladder.rungs.get(str(line.get("rung"))) == "started"

    @property
    def undo_is_given_up(self) -> bool:
        """Whether the run was aborted after somebody wished that it be taken back."""
        if self.undo is None or self.abort is None:
            return False
        return int(self.abort["latest"]) > int(self.undo["seq"])

    @property
    def is_behind(self) -> bool:
        """Whether the journal is known to lack events, and nobody has decided about it."""
        return bool(self.behind) and not self.accepted

    def open_questions(self) -> list[QuestionView]:
        """Questions that wait for an answer: those that hold an undo up, then the oldest first."""
        found = [q for q in list(self._asked.values()) if q.is_open]
        return sorted(found, key=lambda q: not q.is_about_undo)

    def restless(self) -> list[StepView]:
        """Steps with something under way, waiting or in doubt: few, however long the run."""
        return list(self._restless.values())

    def fan_outs(self) -> list[StepView]:
        """Those of the restless steps that run on many hosts."""
        return list(self._fans.values())

    def questions_of(self, step_id: str) -> list[QuestionView]:
        """Every question about a step, oldest first."""
        return [q for q in list(self.questions.values()) if q.question.step == step_id]

    def in_doubt(self) -> list[tuple[StepView, UnitView]]:
        """Units of which nobody knows whether they took effect."""
        return [
            (step, step.units[host])
            for step in list(self._restless.values())
            for host in step.hosts_in(StepState.IN_DOUBT)
        ]

    def jobs_left(self) -> list[tuple[StepView, UnitView]]:
        """Units whose job an abort did not end, or of which nobody knows whether it runs."""
        if self.abort is None:
            return []
        return [
            (step, unit)
            for step in list(self.steps.values())
            for unit in list(step.units.values())
            if unit.stop is not None and unit.stop.get("outcome") not in _STOPPED_FOR_SURE
        ]

    def apply(self, event: Event) -> StepView | None:
        """Fold one event in; return the step it concerns, if any."""
        self.seq, self.at, self.head = event.seq, event.at, event.hash
        if self.wishes and event.kind not in _OF_PEOPLE:
            # the engine has moved the step since: the wish was obeyed, or fits no more
            self.wishes = [wish for wish in self.wishes if wish.step != event.step]
        _APPLY[event.kind](self, event)
        if self.session is not None and event.data.get("takes_locks"):
            self.session.frees_locks = False
        step = self.steps.get(event.step) if event.step else None
        if step is not None:
            for host in list(step.units) if event.kind in _OF_ALL_UNITS else [event.host]:
                self._note(step, host)
            if step.is_restless:
                self._restless[step.id] = step
                if step.fan_out:
                    self._fans[step.id] = step
            else:
                self._restless.pop(step.id, None)
                self._fans.pop(step.id, None)
        return step

    def _note(self, step: StepView, host: str | None) -> None:
        moved_to = step.sort_in(host)
        if moved_to in _AWAITED:
            self.awaited[step.id, host] = None
        elif moved_to is not None:
            self.awaited.pop((step.id, host), None)

    def refuse_impossible(self, draft: Draft) -> None:
        """Refuse what could not be folded in: once written it could never be read again.

        Raises:
            IllegalTransitionError: the unit can not move so.
        """
        step = self.steps.get(draft.step or "")
        unit = step.units.get(draft.host) if step else None
        event = _movement(draft, unit)
        if event is not None:
            begins = event is not _E.UNDO_STARTED and not _has_begun(unit)
            if begins and step is not None and step.state in _LEFT_OUT:
                raise IllegalTransitionError(step.state, event)
            moved(unit.state if unit else _S.PENDING, event)

    def apply_all(self, events: Iterable[Event]) -> RunView:
        """Fold events of a journal in and return self.

        Raises:
            JournalError: one does not follow from those before it; no engine writes such rows.
        """
        for event in events:
            try:
                self.apply(event)
            except _NEVER_WRITTEN as error:
                raise _unfoldable(event, error) from error
        return self


def _has_begun(unit: UnitView | None) -> bool:
    return unit is not None and unit.state not in {_S.PENDING, _S.READY, _S.WAITING}


def _movement(draft: Draft, unit: UnitView | None) -> StepEvent | None:
    match draft.kind:
        case Kind.INTENT:
            return _E.STARTED
        case Kind.FINISHED:
            return _FINISHED[str(draft.data["state"])]
        case Kind.LOST:
            return _E.LOST
        case Kind.UNDO_INTENT:
            under_way = unit is not None and unit.state is _S.UNDOING
            return None if under_way else _E.UNDO_STARTED
        case Kind.UNDO_FINISHED:
            return _E.UNDO_CONFIRMED if draft.data["state"] == "undone" else _E.UNDO_REFUSED
        case _:
            return None


def _unfoldable(event: Event, error: Exception) -> JournalError:
    return JournalError(
        f"event {event.seq} of run {event.run} does not follow from those before it: "
        f"{event.kind}, {type(error).__name__} {error}",
        hint=f"Type 'dr journal verify {event.run}' to see whether it was changed.",
        code="journal_damaged",
    )


def fold(run: str, events: Iterable[Event]) -> RunView:
    """Return the state that ``events`` of ``run`` add up to."""
    return RunView(run).apply_all(events)


def _created(view: RunView, event: Event) -> None:
    view.created = event.data
    view.moments.created = event.at
    # people may have seen it before they typed the command
    seen = event.data.get("detected_at")
    view.moments.detected = parse_utc(str(seen)) if seen else event.at


def _lease(view: RunView, event: Event) -> None:
    view.epoch = int(event.data["epoch"])
    view.holder = str(event.data["holder"])


def _behind(view: RunView, event: Event) -> None:
    view.behind, view.accepted = tuple(event.data["seen"]), False


def _accept(view: RunView, _event: Event) -> None:
    view.accepted = True


def _facts(view: RunView, event: Event) -> None:
    view.facts[str(event.data["name"])] = event.data


def _run_state(view: RunView, event: Event) -> None:
    view.state = RunState(event.data["state"])
    view.because = str(event.data.get("because", ""))


def _recovered(view: RunView, event: Event) -> None:
    view.moments.recovered = event.at


def _closed(view: RunView, event: Event) -> None:
    view.moments.closed = event.at


def _run_ended(view: RunView, event: Event) -> None:
    _run_state(view, event)
    view.moments.ended = event.at


def _here(view: RunView, event: Event) -> tuple[StepView, UnitView]:
    step = view.step(event.step or "")
    return step, step.unit(event.host)


def _lift(step: StepView, unit: UnitView) -> None:
    """Let a step that is not a fan-out stand as its only unit stands."""
    if not step.fan_out:
        step.outputs = unit.outputs
        step.ended = unit.ended if unit.state in ENDED else None
        step.state = unit.state


def _planned(view: RunView, event: Event) -> None:
    step = view.step(event.step or "")
    step.fan_out = True
    step.batches = [list(batch) for batch in event.data["batches"]]
    step.started = event.at
    for host in event.data["hosts"]:
        step.unit(host)
    step.state = StepState.RUNNING


def _waiting(view: RunView, event: Event) -> None:
    step = view.step(event.step or "")
    step.waiting_for = str(event.data.get("for", ""))
    step.started = step.started or event.at
    step.state = StepState.WAITING


def _skipped(view: RunView, event: Event) -> None:
    step = view.step(event.step or "")
    step.because, step.ended = str(event.data.get("because", "")), event.at
    step.end_seq = event.seq
    step.forced = bool(event.data.get("by"))
    step.state = StepState.SKIPPED


def _cancelled(view: RunView, event: Event) -> None:
    step = view.step(event.step or "")
    step.because, step.ended = str(event.data.get("because", "")), event.at
    step.state = StepState.CANCELLED


def _step_finished(view: RunView, event: Event) -> None:
    step = view.step(event.step or "")
    state = StepState(event.data["state"])
    step.started, step.ended = step.started or event.at, event.at
    step.end_seq = event.seq
    step.outputs = event.data.get("outputs", {})
    step.because = str(event.data.get("because", ""))
    step.forced = bool(event.data.get("forced", False))
    step.waiting_for = ""
    if step.rung and state is StepState.SUCCEEDED:
        step.rungs[step.rung] = "succeeded"
    step.state = state


def _reopened(view: RunView, event: Event) -> None:
    step = view.step(event.step or "")
    step.because = str(event.data.get("because", ""))
    for unit in list(step.units.values()):
        done = unit.state in {StepState.SUCCEEDED, StepState.ALREADY_DONE}
        if done and event.data.get("keep_done", True) and step.fan_out:
            continue
        step.units[unit.host] = UnitView(
            unit.host,
            attempt=unit.attempt,
            epoch=unit.epoch,
            left=_may_have_left(unit),
            undo_number=unit.undo_number,
        )
    step.guards = tuple(event.data.get("guards", step.guards))
    for gate in step.guards:
        view.guarded.setdefault(gate, set()).add(step.id)
    if taken_back := event.data.get("take_back"):
        step.rungs.pop(str(taken_back), None)
        step.rung = None
    if event.data.get("rungs"):
        step.rung, step.rungs, step.rung_notes = None, {}, {}
    step.started, step.ended, step.end_seq = None, None, 0
    step.state = StepState.PENDING


def _may_have_left(unit: UnitView) -> bool:
    """Whether something of what the unit did may still be there."""
    if unit.left:
        return unit.state is not _S.UNDONE
    if unit.intent is None or unit.state is _S.UNDONE:
        return False
    if unit.state in {_S.UNDOING, _S.UNDO_FAILED}:
        return True  # its error is that of the undo, and says nothing of the effect
    return (unit.error or {}).get("effect") != "none"


def _rung_started(view: RunView, event: Event) -> None:
    step = view.step(event.step or "")
    step.rung = str(event.data["rung"])
    step.rungs[step.rung] = "started"
    step.state, step.started = StepState.RUNNING, step.started or event.at


def _rung_failed(view: RunView, event: Event) -> None:
    step = view.step(event.step or "")
    rung = str(event.data["rung"])
    step.rungs[rung] = "failed"
    step.rung_notes[rung] = str(event.data.get("because", ""))


def _rung_closed(view: RunView, event: Event) -> None:
    step = view.step(event.step or "")
    step.rungs[str(event.data["rung"])] = "closed"


def _intent(view: RunView, event: Event) -> None:
    step, unit = _here(view, event)
    unit.attempt, unit.epoch = event.attempt or 1, event.epoch
    unit.intent, unit.handle, unit.error, unit.retry_at = event.data, None, None, None
    unit.has_result, unit.stop = False, None
    unit.started, unit.ended, unit.effect_ended = event.at, None, 0
    unit.begun = unit.attempt
    step.started = step.started or event.at
    unit.move(_E.STARTED)
    _lift(step, unit)


def _handle(view: RunView, event: Event) -> None:
    if event.data.get("call"):  # of a probe or verify within the step, not of its effect
        return
    _, unit = _here(view, event)
    unit.handle = event.data["handle"]


def _undo_handle(view: RunView, event: Event) -> None:
    _, unit = _here(view, event)
    unit.handle = event.data["handle"]


def _result(view: RunView, event: Event) -> None:
    _, unit = _here(view, event)
    unit.has_result = True
    unit.outputs, unit.facts = event.data.get("outputs", {}), event.data.get("facts", {})


_FINISHED = {
    "succeeded": _E.CONFIRMED,
    "already_done": _E.FOUND_DONE,
    "failed": _E.REFUSED,
    "retry": _E.RETRIED,
}


def _finished(view: RunView, event: Event) -> None:
    step, unit = _here(view, event)
    state = moved(unit.state, _FINISHED[str(event.data["state"])])
    unit.attempt = event.attempt or unit.attempt
    unit.outputs = event.data.get("outputs", unit.outputs)
    unit.facts = event.data.get("facts", unit.facts)
    unit.error = event.data.get("error")
    if event.data["state"] == "retry" and unit.intent is not None:
        said = (unit.error or event.data).get("effect", "possible")
        unit.left = unit.left or said != "none"
    if unit.stop and not _says_nothing_of_the_job(str(event.data.get("via", ""))):
        unit.stop = {"outcome": "ended", "detail": "its end was seen"}
    unit.retry_at = event.data.get("retry_at")
    unit.via = str(event.data.get("via", ""))
    unit.ended, unit.effect_ended = event.at, event.seq
    step.started = step.started or event.at
    step.waiting_for = "retry" if unit.retry_at else ""
    if not step.fan_out and unit.error:
        step.because = str(unit.error.get("message", ""))
    unit.state = state
    _lift(step, unit)


def _says_nothing_of_the_job(via: str) -> bool:
    """Whether an attempt's end was found out otherwise than from the job itself."""
    return via in _NOT_FROM_THE_JOB or via.startswith("person")


def _stopping(view: RunView, event: Event) -> None:
    _, unit = _here(view, event)
    unit.stop = {"outcome": "unknown", "detail": "the engine died while it ended the job"}
    unit.handle = unit.handle or event.data.get("handle")


def _stopped(view: RunView, event: Event) -> None:
    _, unit = _here(view, event)
    unit.stop = event.data


def _lost(view: RunView, event: Event) -> None:
    step, unit = _here(view, event)
    state = moved(unit.state, _E.LOST)
    unit.error = event.data.get("error")
    if not step.fan_out:
        step.because = str(event.data.get("message", ""))
    unit.state = state
    _lift(step, unit)


def _probed(view: RunView, event: Event) -> None:
    _, unit = _here(view, event)
    unit.presence = event.data
    if unit.stop and event.data.get("attach") in _STOPPED_FOR_SURE:
        unit.stop = {"outcome": event.data["attach"], "detail": event.data.get("attach_detail", "")}


def _undo_intent(view: RunView, event: Event) -> None:
    step, unit = _here(view, event)
    unit.epoch = event.epoch
    unit.handle = None
    unit.undo_number = int(event.data.get("number", event.attempt or 1))
    unit.undo_wish = event.data.get("wish")
    if unit.state is not StepState.UNDOING:
        unit.move(_E.UNDO_STARTED)
    _lift(step, unit)


def _undo_finished(view: RunView, event: Event) -> None:
    step, unit = _here(view, event)
    undone = event.data["state"] == "undone"
    state = moved(unit.state, _E.UNDO_CONFIRMED if undone else _E.UNDO_REFUSED)
    unit.error, unit.ended = event.data.get("error"), event.at
    unit.left = unit.left and not undone
    unit.state = state
    _lift(step, unit)


def _question_opened(view: RunView, event: Event) -> None:
    question = Question.from_data(event.data["question"])
    view.questions[question.id] = view._asked[question.id] = QuestionView(question, event.at)
    if question.kind is QuestionKind.AMENDMENT:
        return  # it is about the run
    step = view.step(question.step)
    step.question = question.id
    step.visit += 1
    step.started = step.started or event.at
    if question.kind in {"gate", "task", "reconciliation"}:
        step.waiting_for, step.state = str(question.kind), StepState.WAITING


def _question_answered(view: RunView, event: Event) -> None:
    asked = view.questions.get(str(event.data["question"]))
    if asked is not None:
        asked.answers.append(Answer.from_data(event.data["answer"]))


def _question_escalated(view: RunView, event: Event) -> None:
    view.questions[str(event.data["question"])].escalated.append(str(event.data["to"]))


def _question_closed(view: RunView, event: Event) -> None:
    asked = view.questions[str(event.data["question"])]
    view._asked.pop(asked.question.id, None)
    asked.because, asked.closed = str(event.data.get("because", "")), event.at
    asked.outcome = str(event.data["outcome"])
    if asked.question.kind == "gate" and asked.outcome == "approved":
        view.moments.decided = event.at


def _reconcile_opened(view: RunView, event: Event) -> None:
    view.session = reconciling.opened(event)


def _reconcile(view: RunView, event: Event) -> None:
    if view.session is None:
        raise LookupError("no reconciliation is open")
    reconciling.apply(view.session, event)


def _pause(view: RunView, _event: Event) -> None:
    view.paused = True


def _continue(view: RunView, _event: Event) -> None:
    view.paused = False


def _abort(view: RunView, event: Event) -> None:
    # who said it first ended the run; a later one may say more: to end what still runs
    first = view.abort or {**event.data, "seq": event.seq}
    kill_jobs = bool(first.get("kill_jobs") or event.data.get("kill_jobs"))
    view.abort = {**first, "kill_jobs": kill_jobs, "latest": event.seq}


def _undo(view: RunView, event: Event) -> None:
    if view.undo is None:
        view.undo = {**event.data, "seq": event.seq}


def _wished(view: RunView) -> dict[str, Any]:
    wish = view.undo or {}
    return {"wish": wish.get("seq"), "because": wish.get("because", ""), "from": wish.get("from")}


def _run_undone(view: RunView, event: Event) -> None:
    view.undone.append({**event.data, **_wished(view), "seq": event.seq})
    if not event.data.get("whole"):
        view.paused = True  # people say how it goes on from there
    view.undo = None  # last: what held everything back meanwhile


def _wish(view: RunView, event: Event) -> None:
    view.wishes.append(event)


def _note(view: RunView, event: Event) -> None:
    view.notes.append(event)


def _proposed(view: RunView, event: Event) -> None:
    _require_difference(event.data["diff"])
    set(event.data["affected"])
    set(event.data["plan"]["gates"])
    view.proposal = event.data


def _require_difference(diff: Mapping[str, Any]) -> None:
    """Let a difference that could not be shown fail here, where damage of the journal is told."""
    for kind in ("added", "removed", "changed"):
        [step["id"] for step in diff["steps"][kind]]
    [(entry["section"], entry["name"], entry["how"]) for entry in diff["inventory"]]
    {**diff["inputs"], **diff["runbook"]}


def _amended(view: RunView, event: Event) -> None:
    _require_difference(event.data["diff"])
    set(event.data["approved_by"])
    set(event.data["asked_again"])
    proposal = view.proposal or {}
    if proposal["number"] != event.data["number"]:
        raise ValueError(f"amendment {event.data['number']} was not the last one proposed")
    view.plan = proposal["plan"]
    view.created = {**view.created, **view.plan["created"]}
    for entry in event.data["diff"]["inventory"]:
        if entry["section"] == "services":  # who is what there is looked at anew
            view.facts.pop(f"service.{entry['name']}", None)
    view.amendments.append(event)


_OF_PEOPLE = frozenset(kind for kind in Kind if kind.startswith("op.")) | {
    Kind.QUESTION_ANSWERED,
    Kind.QUESTION_CLOSED,
    *reconciling.FOLDED,
}

_APPLY: dict[Kind, Callable[[RunView, Event], None]] = {
    Kind.RUN_CREATED: _created,
    Kind.RUN_LEASE: _lease,
    Kind.RUN_BEHIND: _behind,
    Kind.RUN_FACTS: _facts,
    Kind.RUN_STATE: _run_state,
    Kind.RUN_RECOVERED: _recovered,
    Kind.RUN_CLOSED: _closed,
    Kind.RUN_ENDED: _run_ended,
    Kind.STEP_PLANNED: _planned,
    Kind.STEP_WAITING: _waiting,
    Kind.STEP_SKIPPED: _skipped,
    Kind.STEP_CANCELLED: _cancelled,
    Kind.STEP_FINISHED: _step_finished,
    Kind.STEP_REOPENED: _reopened,
    Kind.RUNG_STARTED: _rung_started,
    Kind.RUNG_FAILED: _rung_failed,
    Kind.RUNG_CLOSED: _rung_closed,
    Kind.INTENT: _intent,
    Kind.HANDLE: _handle,
    Kind.RESULT: _result,
    Kind.FINISHED: _finished,
    Kind.LOST: _lost,
    Kind.PROBED: _probed,
    Kind.STOPPING: _stopping,
    Kind.STOPPED: _stopped,
    Kind.UNDO_INTENT: _undo_intent,
    Kind.UNDO_HANDLE: _undo_handle,
    Kind.UNDO_FINISHED: _undo_finished,
    Kind.QUESTION_OPENED: _question_opened,
    Kind.QUESTION_ANSWERED: _question_answered,
    Kind.QUESTION_ESCALATED: _question_escalated,
    Kind.QUESTION_CLOSED: _question_closed,
    Kind.RECONCILE_OPENED: _reconcile_opened,
    **dict.fromkeys(reconciling.FOLDED, _reconcile),
    Kind.OP_PAUSE: _pause,
    Kind.OP_CONTINUE: _continue,
    Kind.OP_ABORT: _abort,
    Kind.OP_UNDO: _undo,
    Kind.RUN_UNDONE: _run_undone,
    Kind.OP_RETRY: _wish,
    Kind.OP_SKIP: _wish,
    Kind.OP_TAKEOVER: lambda _view, _event: None,
    Kind.OP_ACCEPT: _accept,
    Kind.OP_NOTE: _note,
    Kind.OP_AMEND: _proposed,
    Kind.RUN_AMENDED: _amended,
}
