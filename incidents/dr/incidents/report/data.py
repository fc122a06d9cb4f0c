"""What a report says, before it has a language or a layout.

Seconds are seconds; moments are aware UTC, None for a moment that has not come.  UNKNOWN is a
fact that the journal does not hold; every layout prints it as unknown and none fills it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dr.engine.core.canonical import plain
from dr.engine.core.values import UNKNOWN, Text, Unknown

if TYPE_CHECKING:
    from dr.incidents.reconciliation.facts import ReconciliationFacts

VERSION = 1
"""Version of the JSON form.  A field is added without raising it, never renamed or removed."""

Seconds = float | Unknown
Count = int | Unknown


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody by inventory id, with the names that the run's inventory gives."""

    id: str
    name: Text = Text()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What was run.  ``provisional`` while the run has not ended or something is in doubt."""

    id: str
    runbook: str
    title: Text
    bureau: Text
    environment: str
    kind: str  # lab | staging | production | ""
    mode: str  # real | drill
    requester: Person
    inputs: Mapping[str, Any]
    state: str
    because: str
    provisional: bool
    runbook_sha256: str
    engine: str | Unknown


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments that are measured."""

    detected: datetime | None = None
    started: datetime | None = None
    decided: datetime | None = None
    recovered: datetime | None = None
    closed: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Objective:
    """A target against what happened; ``met`` is UNKNOWN when either is."""

    target_s: Seconds = UNKNOWN
    actual_s: Seconds = UNKNOWN

    @property
    def met(self) -> bool | Unknown:
        """Whether the target was kept."""
        if isinstance(self.target_s, Unknown) or isinstance(self.actual_s, Unknown):
            return UNKNOWN
        return self.actual_s <= self.target_s


@dataclass(frozen=True, slots=True)
class BranchLoss:
    """What a branch did that the recovered database lacks.

    ``missing`` were acknowledged to the branch; of ``unsure`` the branch itself does not know
    whether they were accepted.  ``numbers`` are receipts, as far as they were listed.
    """

    branch: str
    title: Text
    missing: Count
    unsure: Count
    numbers: tuple[str, ...] = ()
    basis: Text = Text()


@dataclass(frozen=True, slots=True)
class Loss:
    """Data lost."""

    seconds: Seconds = UNKNOWN
    records: Count = UNKNOWN
    basis: Text = Text()
    recovered_to: datetime | None = None
    branches: tuple[BranchLoss, ...] = ()


@dataclass(frozen=True, slots=True)
class Recovery:
    """By what the service came back: ``promoted``, ``restored`` or "" when nothing did."""

    means: str = ""
    step: str = ""
    host: str | Unknown = UNKNOWN
    backup: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """Why the old primary can not write.  ``kind`` is proof or attestation, never mixed up."""

    step: str
    kind: str
    host: str
    means: str
    by: tuple[Person, ...] = ()
    because: str = ""
    survives_reboot: bool | Unknown = UNKNOWN
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RungFacts:
    """A rung: its forecast when it was decided upon, and what became of it.

    ``fate``: succeeded, failed, closed, started, unavailable, not_tried.
    """

    name: str
    title: Text
    fate: str
    proposed: bool = False
    chosen: bool = False
    because: Text = Text()
    p50_s: Seconds = UNKNOWN
    p90_s: Seconds = UNKNOWN
    loss_s: Seconds = UNKNOWN
    basis: Text = Text()
    took_s: Seconds = UNKNOWN


@dataclass(frozen=True, slots=True)
class LadderFacts:
    """A ladder with every rung."""

    step: str
    title: Text
    rungs: tuple[RungFacts, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time; ``end`` is None while it lasts."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A step on one host."""

    host: str
    state: str
    attempts: int
    duration_s: Seconds = UNKNOWN


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A step.  ``passed`` says how the run went on without its success:

    ``condition`` (its own ``if``), ``skipped`` or ``forced`` by a person, ``continued`` by the
    runbook's ``on_failure: continue``, ``simulated`` in a drill, "" otherwise.
    """

    id: str
    title: Text
    phase: str
    uses: str
    effect: str
    state: str
    ladder: str = ""
    rung: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    duration_s: Seconds = UNKNOWN
    attempts: int = 0
    hosts: tuple[HostFacts, ...] = ()
    passed: str = ""
    by: Person | None = None
    because: str = ""
    waited: tuple[Span, ...] = ()
    doubted: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """An answer.  ``means``: signature, standing, voice or terminal."""

    by: Person
    verdict: str
    means: str
    at: datetime | None
    reason: str = ""
    choice: str = ""
    max_loss_s: Seconds = UNKNOWN
    witnesses: tuple[Person, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QuestionFacts:
    """A question that was put to people; ``outcome`` is "" while it is open."""

    id: str
    kind: str
    step: str
    host: str
    asks: Text
    group: Text
    quorum: int
    opened: datetime
    closed: datetime | None
    outcome: str
    because: str
    plan_hash: str
    answers: tuple[AnswerFacts, ...] = ()
    escalated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DoubtFacts:
    """An attempt of which nobody knew whether it had taken effect.

    ``settled``: attach, probe, rerun, person, skip, or "" while it is in doubt.
    """

    step: str
    host: str
    attempt: int
    since: datetime
    because: str
    settled: str = ""
    at: datetime | None = None
    by: tuple[Person, ...] = ()
    verdict: str = ""
    saw: str = ""


@dataclass(frozen=True, slots=True)
class FailureFacts:
    """An attempt or a rung that failed; ``then`` is retried, passed, failed or unknown."""

    step: str
    host: str
    attempt: int
    at: datetime
    message: str
    code: str = ""
    then: str = ""


@dataclass(frozen=True, slots=True)
class OperatorFacts:
    """A wish or a note of an operator: pause, continue, abort, retry, skip, note."""

    at: datetime
    what: str
    by: Person
    step: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A command of which it is not certain that an abort ended it.

    ``outcome``: running, unknown, left.
    """

    step: str
    host: str
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What the report was made from; ``head`` is the hash of the last row."""

    head: str
    rows: int
    last: datetime | None
    engines: int  # how many engines held the run, one after the other


@dataclass(frozen=True, slots=True)
class ReportData:
    """The whole report."""

    run: RunFacts
    moments: Moments
    recovery_time: Objective
    recovery_point: Objective
    loss: Loss
    recovery: Recovery
    journal: JournalFacts
    proofs: tuple[Proof, ...] = ()
    ladders: tuple[LadderFacts, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    questions: tuple[QuestionFacts, ...] = ()
    doubts: tuple[DoubtFacts, ...] = ()
    failures: tuple[FailureFacts, ...] = ()
    operators: tuple[OperatorFacts, ...] = ()
    jobs: tuple[JobFacts, ...] = ()
    reconciliation: ReconciliationFacts | None = None

    @property
    def approvals(self) -> tuple[tuple[QuestionFacts, AnswerFacts], ...]:
        """Every approval of the decision, with the gate it was given at.

        Where a gate stands in the phase ``decide``, others, such as an attestation, do not count.
        """
        deciding = {step.id for step in self.steps if step.phase == "decide"}
        gates = [question for question in self.questions if question.kind == "gate"]
        counted = [gate for gate in gates if gate.step in deciding] or gates
        return tuple(
            (gate, answer)
            for gate in counted
            for answer in gate.answers
            if answer.verdict == "approve"
        )

    def to_data(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        data: dict[str, Any] = plain(self)
        for name in ("recovery_time", "recovery_point"):
            data[name]["met"] = plain(getattr(self, name).met)
        return {"kind": "dr.report", "v": VERSION, **data}
