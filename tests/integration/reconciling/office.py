"""A run whose branches are being reconciled, people with real keys, a clock that tests set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import RunRecord
from dr.engine.core.questions import Question, QuestionKind
from dr.engine.core.reconciliation import Case, Found
from dr.engine.core.values import Text, utc_text
from dr.engine.journal.memory import MemoryDisk, MemoryJournal
from dr.engine.service.branch_signing import BranchSigning
from dr.engine.service.reconciling import Reconciling
from tests.integration.approvals.bureau import RUN, START, SetClock

BRANCHES: dict[str, Any] = {
    "north": {"id": "north", "responsible": "cai", "group": "execution-group"},
    "south": {"id": "south", "responsible": "dan", "group": "execution-group"},
}
"""cai's deputy is eva; eva and fei are clerks of both."""


def lost(number: int, branch: str = "north", amount: str = "10") -> Found:
    """Return a difference: the database lacks what the branch did."""
    return Found(
        id=f"c{number}", branch=branch, what="missing_central", key=f"{branch}/{number}",
        amount=amount, ledger={"slip": str(number)},
    )  # fmt: skip


@dataclass
class Office:
    """Everything around one session."""

    workspace: Path
    inventory: dict[str, Any]
    clock: SetClock = field(default_factory=SetClock)
    disk: MemoryDisk = field(default_factory=MemoryDisk)

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(self.clock, self.disk)
        self.reconciling = Reconciling(self.journal, self.clock)
        self.signing = BranchSigning(self.reconciling, self.workspace)

    def another_process(self) -> Reconciling:
        """Return the use cases as another process has them, on the same journal."""
        return Reconciling(MemoryJournal(self.clock, self.disk), self.clock)

    def begin(self, where: Mapping[str, Any] | None = None, **rule: Any) -> None:
        """Write the run down with its session open, about the service and host of ``where``."""
        record = RunRecord(
            id=RUN, runbook="storage-failure", runbook_sha256="b" * 64, source="",
            file="storage-failure.yaml", environment="lab", mode="real", requester="fei",
            inputs={}, inventory={"branches": BRANCHES, **self.inventory},
            created=self.clock.now(),
        )  # fmt: skip
        self.journal.create(record, [Draft(Kind.RUN_CREATED, data={"requester": "fei"})])
        asked = Question(
            id="sign#1", kind=QuestionKind.RECONCILIATION, step="sign", asks=Text("Sign"),
            nonce="n", opened=utc_text(START), approvers="leadership",
        )  # fmt: skip
        self.say(Kind.QUESTION_OPENED, question=asked.to_data())
        window = {"from": utc_text(START - timedelta(hours=1)), "to": utc_text(START)}
        self.say(
            Kind.RECONCILE_OPENED, session=f"{RUN}/sign#1", rule=rule,
            branches=sorted(BRANCHES), due=utc_text(START + timedelta(days=1)),
            **{**window, **(where or {})},
        )  # fmt: skip

    def say(self, kind: Kind, **data: Any) -> None:
        """Append an event, as the engine would."""
        self.journal.append(RUN, [Draft(kind, "sign", data=data)])

    def compare(self, branch: str, *cases: Found, sha: str = "aa") -> None:
        """Say what a comparison found."""
        found = [case.to_data() for case in cases]
        self.say(Kind.RECONCILE_COMPARED, branch=branch, evidence=sha, entries=9, cases=found)

    def case(self, case_id: str) -> Case:
        """Return a case as the journal has it."""
        return self.reconciling.open(RUN).case(case_id)[1]
