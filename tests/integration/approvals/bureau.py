"""A bureau with real keys, a run that waits at a gate, and a clock that tests set."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import RunRecord
from dr.engine.core.questions import Option, Question, QuestionKind
from dr.engine.core.values import Text, utc_text
from dr.engine.journal.memory import MemoryJournal
from dr.engine.service.approvals import Approvals

START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
RUN = "2026-11-22-storage-failure-7f3a"
PLAN = "a" * 64
PEOPLE = ("ana", "bo", "cai", "dan", "eva", "fei")
GROUPS: Mapping[str, Sequence[str]] = {
    "leadership": ("ana", "bo", "cai"),
    "leadership-deputies": ("dan",),
    "execution-group": ("eva", "fei"),
}


@dataclass
class SetClock:
    """A clock that stands still until a test moves it."""

    moment: datetime = START

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def pass_(self, length: timedelta) -> None:
        self.moment += length


def make_key(folder: Path, name: str) -> str:
    """Make a key pair; return the public line."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    return path.with_suffix(path.suffix + ".pub").read_text(encoding="utf-8").strip()


def make_inventory(workspace: Path) -> dict[str, Any]:
    """Return a snapshot whose people have real keys in the workspace."""
    keys = workspace / "keys" / "people"
    people: dict[str, Any] = {
        who: {"id": who, "name": {"en": who, "zh": ""}, "keys": [make_key(keys, who)]}
        for who in PEOPLE
    }
    people["cai"]["deputy"] = "eva"
    return {
        "environment": {"name": "lab", "kind": "lab"},
        "bureau": {"en": "Lab", "zh": "", "namespace": "lab.example"},
        "people": people,
        "people_groups": {
            name: {"id": name, "title": {"en": name, "zh": ""}, "members": list(members)}
            for name, members in GROUPS.items()
        },
        "standing": {},
        "revoked": {},
    }


OPTIONS = (
    Option("promote", Text("Promote"), True, loss_s=3.0, loss_known=True, proposed=True),
    Option("restore", Text("Restore"), True, loss_s=120.0, loss_known=True),
    Option("tape", Text("Tape"), False, because=Text("no tape is in the library")),
)


def gate(**changes: Any) -> Question:
    """Return the gate that most tests ask at."""
    asked = Question(
        id="choose#1",
        kind=QuestionKind.GATE,
        step="choose",
        asks=Text("Declare the storage lost?"),
        nonce="n-1",
        opened=utc_text(START),
        approvers="leadership",
        distinct_from=("fei",),
        plan_hash=PLAN,
        options=OPTIONS,
        chooses="database",
        expires=utc_text(START + timedelta(minutes=30)),
        escalate=(("leadership-deputies", 600.0),),
        max_loss_s=900.0,
    )
    return replace(asked, **changes)


@dataclass
class Bureau:
    """Everything around one run."""

    workspace: Path
    inventory: dict[str, Any]
    clock: SetClock = field(default_factory=SetClock)

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(self.clock)
        self.approvals = Approvals(
            self.journal, self.clock, workspace=self.workspace, state=self.workspace / ".dr"
        )

    def begin(self, *questions: Question, requester: str = "fei") -> RunRecord:
        """Create the run with these questions open."""
        record = RunRecord(
            id=RUN,
            runbook="storage-failure",
            runbook_sha256="b" * 64,
            source="",
            file="storage-failure.yaml",
            environment="lab",
            mode="real",
            requester=requester,
            inputs={},
            inventory=self.inventory,
            created=self.clock.now(),
        )
        self.journal.create(record, [Draft(Kind.RUN_CREATED, data={"requester": requester})])
        for question in questions or (gate(),):
            self.ask(question)
        return record

    def ask(self, question: Question) -> None:
        """Open a question."""
        data = {"question": question.to_data()}
        self.journal.append(RUN, [Draft(Kind.QUESTION_OPENED, question.step, data=data)])

    def close(self, question: str, outcome: str = "approved") -> None:
        """Close a question, as the engine does."""
        step = question.partition("#")[0]
        data = {"question": question, "outcome": outcome, "because": "", "answers": []}
        self.journal.append(RUN, [Draft(Kind.QUESTION_CLOSED, step, data=data)])

    def key(self, who: str) -> Path:
        """Return a person's private key."""
        return self.workspace / "keys" / "people" / who

    def answers(self) -> list[dict[str, Any]]:
        """Return the answers in the journal."""
        events = self.journal.events(RUN)
        return [dict(e.data["answer"]) for e in events if e.kind is Kind.QUESTION_ANSWERED]
