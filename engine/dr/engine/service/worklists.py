"""Lists that go out to branches and come back, and the corrections that they lead to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dr.engine.actions.branch_acceptance import accepted_by
from dr.engine.actions.branch_comparison import Bureau, evidence_name
from dr.engine.actions.branch_ledgers import sequence_names, understood
from dr.engine.core.errors import DrError, Problem, UserError
from dr.engine.core.events import Draft
from dr.engine.core.reconciliation import Branch, Case, CaseState
from dr.engine.core.values import Secret
from dr.engine.service.comparing import PARTIAL, bureau_of, counting, service_at
from dr.engine.service.evidence import read_given
from dr.engine.service.reconciling import Open, Reconciling, decision, person_of
from dr.incidents.reconciliation.filing import file_word
from dr.incidents.report.filing import write_whole
from dr.inventory.directory import Directory
from dr.reconcile.case_answers import (
    LARGEST_BYTES,
    Answer,
    Answers,
    WorkListError,
    bad_rows,
    read_answers,
)
from dr.reconcile.case_sheet import case_sheet, facts_digest
from dr.reconcile.corrections import (
    Accepted,
    Correction,
    corrections_csv,
    corrections_data,
    corrections_of,
)
from dr.reconcile.evidence import EvidenceStore
from dr.reconcile.ledger import Ledger, Told


@dataclass(frozen=True)
class Left:
    """A row that was left alone; ``why`` is settled, taken or another, ``who`` did it."""

    row: int
    case: str
    why: str
    who: str = ""
    outcome: str = ""


@dataclass
class Taken:
    """What became of a list that came back.

    Attributes:
        proposed: cases for which it was written what the list says.
        same: cases that said so already, by the same maker.
        left: rows that were left alone, and why.
        empty: how many rows nobody filled in.
    """

    branch: str
    proposed: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    empty: int = 0


@dataclass(frozen=True)
class WorkLists:
    """Use cases of files that travel.

    Args:
        keep: the folder of evidence: what came back is kept there under its SHA-256.
    """

    reconciling: Reconciling
    keep: Path

    def write(self, run: str, branches: Sequence[str], folder: Path) -> list[Path]:
        """Write a list for each branch; without names for each that has open cases.

        Raises:
            UserError: no such branch, nothing is open, or a list is there already: it may be
                filled in.
            OSError: a file could not be written; those written before it are whole.
        """
        at = self.reconciling.open(run)
        wanted = [at.branch(name) for name in dict.fromkeys(branches)] or [
            branch for branch in at.session.branches.values() if branch.open_cases
        ]
        if not wanted:
            raise UserError(
                f"no case of run {at.record.id} is open",
                hint=f"See who has not signed: dr reconcile status {at.record.id}",
            )
        files = {folder / f"worklist-{file_word(b.name)}.xlsx": b for b in wanted}
        there = [path for path in files if path.exists()]
        if there:
            raise UserError(
                f"{there[0]} is there already, and may be filled in",
                hint="Name another folder with --output, or move it away.",
            )
        folder.mkdir(parents=True, exist_ok=True)
        for path, branch in files.items():
            write_whole(path, case_sheet(at.record.id, at.session, branch))
        return list(files)

    def take_back(self, run: str, path: Path, *, by: str) -> Taken:
        """Propose what a filled-in list says; all of it, or none when a row is wrong.

        Cases that somebody settled or took meanwhile are left as they are, and named.

        Raises:
            WorkListError: it is no list, one of another session, or rows are wrong: all are named.
            NotAllowedError: the person is not of the branch.
            UserError: the file can not be read, or the session is closed.
        """
        content = read_given(path, LARGEST_BYTES)
        answers = read_answers(path.name, content)
        at = self.reconciling.open(run)
        _require_own(at, path.name, answers)
        who = person_of(at, answers.branch, by)
        _weighed(at, path.name, answers, who)  # refuses before anything is kept
        sha256 = EvidenceStore(self.keep).keep(content)
        taken = Taken(answers.branch)

        def decide(at: Open) -> Sequence[Draft]:
            nonlocal taken
            taken, drafts = _weighed(at, path.name, answers, who, sha256)
            return drafts

        self.reconciling.write(run, decide)
        return taken

    def corrections(self, run: str, branches: Sequence[str], folder: Path) -> list[Path]:
        """Write the approved corrections as CSV and JSON, in the original order of acceptance.

        Raises:
            UserError: no such branch.
            OSError: a file could not be written.
        """
        at = self.reconciling.open(run)
        found = self.approved(at, branches)
        folder.mkdir(parents=True, exist_ok=True)
        name = file_word(branches[0]) if len(branches) == 1 else "all"
        stem = f"corrections-{name}"
        data = corrections_data(at.record.id, at.session, found)
        text = json.dumps(data, ensure_ascii=False, indent=1) + "\n"
        files: dict[str, str | bytes] = {
            f"{stem}.csv": corrections_csv(found),
            f"{stem}.json": text.encode(errors="replace"),  # a lone surrogate has no place there
        }
        for file, content in files.items():
            write_whole(folder / file, content)
        return [folder / file for file in files]

    def approved(self, at: Open, branches: Sequence[str] = ()) -> list[Correction]:
        """Return the approved corrections of branches, of all when none is named.

        Raises:
            UserError: no such branch.
        """
        wanted = [at.branch(name).name for name in branches] or list(at.session.branches)
        found = {n: self._accepted(at, branch) for n, branch in at.session.branches.items()}
        ledgers = {name: accepted for name, accepted in found.items() if accepted is not None}
        return corrections_of(at.session, wanted, ledgers)

    def _accepted(self, at: Open, branch: Branch) -> list[Accepted] | None:
        """Return what a branch accepted, by what it was compared with; None when nobody knows."""
        bureau = self._bureau(at)
        if bureau is None or not bureau.knows(branch.name):
            ledger = self._ledger(at, branch)
            return None if ledger is None else list(_in_ledger(branch.name, ledger))
        pieces, store = counting(branch), EvidenceStore(self.keep)
        if evidence_name(one.sha256 for one in pieces) != branch.compared_with:
            return None
        if all(one.via in PARTIAL for one in pieces):
            return None  # there is more that it does not say
        try:
            paths = [(store.path(one.sha256), one.via) for one in pieces]
            return accepted_by(
                bureau,
                branch.name,
                paths,
                recovery_point=at.session.recovery_point,
                service_back=at.session.window[1],
            )
        except (OSError, DrError):
            return None

    def _bureau(self, at: Open) -> Bureau | None:
        try:
            return bureau_of(at, lambda _: Secret("", ""))  # reading files takes no secret
        except DrError:
            return None

    def _ledger(self, at: Open, branch: Branch) -> Ledger | None:
        """Return the ledger that the branch was compared with; None when it can not be read."""
        if not branch.compared_with:
            return None
        declared = (at.record.inventory.get("branches") or {}).get(branch.name) or {}
        try:
            content = EvidenceStore(self.keep).read(branch.compared_with)
            read = understood(branch.name, content, declared, _numbers(at))
        except (OSError, DrError):
            return None
        return read if isinstance(read, Ledger) else None


def _numbers(at: Open) -> list[str]:
    try:
        return sequence_names(service_at(at))
    except DrError:
        return []  # the order of acceptance does not rest on them


def _in_ledger(branch: str, ledger: Ledger) -> Iterator[Accepted]:
    for entry in ledger.entries:
        if entry.told is not Told.FAILED:
            yield Accepted(branch, entry.key, entry.at, entry.line, entry.parcel)


def _require_own(at: Open, name: str, answers: Answers) -> None:
    """Refuse a list of another run, another session, or a branch that is not in it."""
    if answers.run != at.record.id or answers.session != at.session.id:
        raise WorkListError(
            f"{name} is a list of another reconciliation: {answers.session}",
            hint=f"Hand it in to its own run: dr reconcile resolve {answers.run} --from {name}",
        )
    if answers.branch not in at.session.branches:
        raise WorkListError(
            f"{name} is a list of '{answers.branch}', which takes no part",
            hint=f"See who does: dr reconcile status {at.record.id} --all",
        )


def _weighed(
    at: Open, name: str, answers: Answers, who: str, sha256: str = ""
) -> tuple[Taken, list[Draft]]:
    """Return what becomes of each row, and the events that say so.

    Raises:
        WorkListError: rows are stale or wrong; all of them are named.
    """
    branch = at.branch(answers.branch)
    taken = Taken(branch.name, empty=answers.empty)
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for answer in answers.answers:
        where = f"{name}:{answer.row}"
        case = branch.cases.get(answer.case)
        if case is None:
            problems.append(Problem(f"no case is called '{answer.case}'", where=where))
            continue
        left = _left(at, answer, case, who)
        if left is not None:
            taken.left.append(left)
        elif answers.cases[answer.case] != facts_digest(case):
            problems.append(
                Problem(
                    f"case {answer.case} is not what it was when the list was written",
                    where=where,
                    hint=f"Write the list anew: dr reconcile worklist {at.record.id} {branch.name}",
                )
            )
        elif _says_so(case, answer, who):
            taken.same.append(answer.case)
        else:
            taken.proposed.append(answer.case)
            data = {
                "resolution": str(answer.resolution),
                "reason": answer.reason,
                "reference": answer.reference,
                "list": sha256,
            }
            drafts.append(decision(at, branch, case, "propose", who, data))
    if problems:
        raise bad_rows(name, problems)
    return taken, drafts


def _left(at: Open, answer: Answer, case: Case, who: str) -> Left | None:
    """Return why a row is left alone: others were faster, or it is another person's to hand in."""
    if not case.is_open:
        people = " & ".join(w for w in (case.maker, case.checker) if w)
        return Left(answer.row, answer.case, "settled", people, case.outcome)
    if case.state is not CaseState.OPEN and case.maker != who:
        return Left(answer.row, answer.case, "taken", case.maker, str(case.resolution or ""))
    if answer.maker and _person(at, answer.maker) != who:
        return Left(answer.row, answer.case, "another", answer.maker)
    return None


def _person(at: Open, name: str) -> str:
    """Return the id of who is named by id, alias or full name; the name itself when nobody is."""
    found = Directory(at.record.inventory).person(name)
    if found is not None:
        return found
    people = at.record.inventory.get("people") or {}
    named = [who for who, data in people.items() if name in (data.get("name") or {}).values()]
    return named[0] if len(named) == 1 else name


def _says_so(case: Case, answer: Answer, who: str) -> bool:
    said = (case.resolution, case.reason, case.reference, case.maker)
    return said == (answer.resolution, answer.reason, answer.reference, who)
