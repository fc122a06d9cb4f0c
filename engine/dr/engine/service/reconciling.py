"""The reconciliation of a run with its branches: cases, makers and checkers.  Faces call this.

No engine is needed: what people decide is appended to the run's journal, also after its end.  Each
decision rests on the session as it was read; when something moved meanwhile it is read again, so
of two clerks who settle one case the second is told what the first did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dr.engine.core.amendment import as_amended
from dr.engine.core.errors import MovedError, NotAllowedError, UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import Clock, Journal, RunRecord
from dr.engine.core.reconciled import may_close, totals, totals_data
from dr.engine.core.reconciliation import Branch, Case, CaseState, Resolution, Session
from dr.engine.core.reconciling import closing_drafts, first_drafts
from dr.engine.core.values import utc_text
from dr.engine.core.view import RunView
from dr.engine.service.authority import known_person
from dr.inventory.directory import Directory
from dr.inventory.strictyaml.validation import did_you_mean

_TRIES = 20
"""How often a decision is weighed anew because others wrote meanwhile."""


@dataclass
class Open:
    """A run with its session, as read up to ``view.seq``; ``catch_up`` reads what is new."""

    journal: Journal
    record: RunRecord
    view: RunView

    def catch_up(self) -> None:
        """Fold in what was written since."""
        self.view.apply_all(self.journal.events(self.record.id, after=self.view.seq))
        self.record = as_amended(self.record, self.view)

    @property
    def session(self) -> Session:
        """The session.

        Raises:
            UserError: the run has none.
        """
        if self.view.session is None:
            raise UserError(
                f"run {self.record.id} has no reconciliation yet",
                hint="It is opened by the step with 'uses: reconcile.close', once service is back.",
            )
        return self.view.session

    def branch(self, name: str) -> Branch:
        """Return a branch of the session.

        Raises:
            UserError: there is no such branch.
        """
        found = self.session.branches.get(name)
        if found is None:
            hint = did_you_mean(name, self.session.branches, otherwise="Branches are")
            raise UserError(f"no branch is called '{name}'", hint=hint)
        return found

    def case(self, case_id: str) -> tuple[Branch, Case]:
        """Return a case by its id or a beginning that no other has, with its branch.

        Raises:
            UserError: there is no such case, or several.
        """
        found = [
            (branch, case)
            for branch in self.session.branches.values()
            for known, case in branch.cases.items()
            if known.startswith(case_id)
        ]
        if len(found) != 1 or not case_id:
            many = "several cases are" if found else "no case is"
            raise UserError(
                f"{many} called '{case_id}'",
                hint=f"Type 'dr reconcile breaks {self.record.id}' to list them.",
            )
        return found[0]


Decide = Callable[[Open], Sequence[Draft]]


@dataclass
class Reconciling:
    """Use cases of a session."""

    journal: Journal
    clock: Clock
    _known: dict[str, Open] = field(default_factory=dict)

    def open(self, run: str) -> Open:
        """Return a run with its session as it stands now.

        Raises:
            UserError: there is no such run, or it has no session.
        """
        record = self.journal.run(run)
        known = self._known.setdefault(record.id, Open(self.journal, record, RunView(record.id)))
        known.catch_up()
        known.session  # noqa: B018 - raises where there is none
        return known

    def write(self, run: str, decide: Decide) -> Open:
        """Append what ``decide`` returns, if nothing moved since it looked; else it looks again.

        Raises:
            MovedError: others wrote all the time.
        """
        at = self.open(run)
        for left in reversed(range(_TRIES)):
            drafts = list(decide(at))
            try:
                if drafts:
                    self.journal.append(at.record.id, drafts, after=at.view.seq)
            except MovedError:
                if not left:
                    raise
                at.catch_up()
                continue
            at.catch_up()
            return at
        raise AssertionError("unreachable")  # the last try raised

    # -- cases

    def propose(
        self, run: str, *cases: str, resolution: str, by: str, reason: str, reference: str = ""
    ) -> Case:
        """Propose what is to be done about cases, all or none; who does is their maker.

        Args:
            reference: of the correction, where the registration application has one already.

        Raises:
            UserError: no such case or resolution, no reason, or the case is settled.
            NotAllowedError: the person is not of the branch.
        """
        wanted = _resolution(resolution)
        _require(reason, "a reason", "--reason")

        def decide(at: Open, branch: Branch, found: Case) -> Draft:
            who = person_of(at, branch.name, by)
            if not found.is_open:
                raise _settled(found)
            if found.state is not CaseState.OPEN and found.maker != who:
                raise UserError(
                    f"case {found.found.id} was taken by '{found.maker}': {found.resolution}",
                    hint="Let them change it, or dispute it with: dr reconcile dispute",
                )
            data = {"resolution": wanted, "reason": reason, "reference": reference}
            return decision(at, branch, found, "propose", who, data)

        return self._decide_all(run, cases, decide)

    def approve(self, run: str, *cases: str, by: str) -> Case:
        """Approve what the makers proposed, all or none; the checker is another person.

        Raises:
            NotAllowedError: it is the maker, or nobody of the branch.
            UserError: nothing is proposed.
        """

        def decide(at: Open, branch: Branch, found: Case) -> Draft:
            who = person_of(at, branch.name, by)
            if found.state is not CaseState.PROPOSED:
                raise _settled(found) if not found.is_open else _nothing_proposed(at, found)
            if who == found.maker:
                raise NotAllowedError(
                    f"'{who}' proposed this and can not approve it: maker and checker are two",
                    hint="Let another person of the branch approve it.",
                )
            return decision(at, branch, found, "approve", who, {})

        return self._decide_all(run, cases, decide)

    def dispute(self, run: str, *cases: str, by: str, reason: str) -> Case:
        """Send proposals back, all or none; the cases are open again.

        Raises:
            UserError: nothing is proposed, or no reason is given.
        """
        _require(reason, "a reason", "--reason")

        def decide(at: Open, branch: Branch, found: Case) -> Draft:
            who = person_of(at, branch.name, by)
            if found.state not in {CaseState.PROPOSED, CaseState.APPROVED}:
                raise _settled(found) if not found.is_open else _nothing_proposed(at, found)
            return decision(at, branch, found, "dispute", who, {"reason": reason})

        return self._decide_all(run, cases, decide)

    def _decide_all(
        self, run: str, cases: Sequence[str], decide: Callable[[Open, Branch, Case], Draft]
    ) -> Case:
        """Write a decision for each case, all at once or none; return the last of them."""

        def each(at: Open) -> Sequence[Draft]:
            found = {case.found.id: (branch, case) for branch, case in map(at.case, cases)}
            return [decide(at, branch, case) for branch, case in found.values()]

        return self.write(run, each).case(cases[-1])[1]

    def assign(self, run: str, cases: Sequence[str], *, by: str, owner: str) -> None:
        """Give cases to somebody of their branch."""

        def decide(at: Open) -> Iterator[Draft]:
            for case in cases:
                branch, found = at.case(case)
                who, to = person_of(at, branch.name, by), person_of(at, branch.name, owner)
                yield decision(at, branch, found, "assign", who, {"owner": to})

        self.write(run, lambda at: list(decide(at)))

    # -- the session

    def begin(self, run: str, by: str) -> Open:
        """Open the session of a run whose runbook compares branches and opens none.

        Raises:
            UserError: it has one, or nothing was compared in it.
        """
        record = self.journal.run(run)
        at = self._known.setdefault(record.id, Open(self.journal, record, RunView(record.id)))
        at.catch_up()
        who = known_person(Directory(record.inventory), by)
        if at.view.session is not None:
            raise UserError(
                f"run {record.id} has a reconciliation already",
                hint=f"Look at it with: dr reconcile status {record.id}",
            )
        _require_none_to_come(at)
        drafts = list(_opening(at, self.clock.now(), who))
        self.journal.append(record.id, drafts, after=at.view.seq)
        at.catch_up()
        return at

    def close(self, run: str, *, by: str) -> Session:
        """Close the session now that its rule is met; an engine that waits for it goes on.

        Raises:
            UserError: its rule is not met, or it is closed.
        """

        def decide(at: Open) -> Sequence[Draft]:
            session, now = at.session, self.clock.now()
            who = known_person(Directory(at.record.inventory), by)
            if session.closed is not None:
                raise UserError(
                    f"the reconciliation of run {at.record.id} is closed already",
                    hint=f"Open it again with: dr reconcile reopen {at.record.id} --because '…'",
                )
            how, because = may_close(session, now)
            if not how:
                raise UserError(
                    f"the reconciliation can not close: {because}",
                    hint=f"See who is awaited with: dr reconcile status {at.record.id}",
                )
            stand = totals_data(totals(session, now))
            return closing_drafts(session, how, stand, by=who, ended=at.view.state.ended)

        return self.write(run, decide).session

    def reopen(self, run: str, *, by: str, because: str) -> Session:
        """Open a closed session again: a late ledger came, or a doubt.

        Raises:
            UserError: it is not closed, or no reason is given.
        """
        _require(because, "a reason", "--because")

        def decide(at: Open) -> Sequence[Draft]:
            session = at.session
            who = known_person(Directory(at.record.inventory), by)
            if session.closed is None:
                raise UserError(
                    f"the reconciliation of run {at.record.id} is open",
                    hint=f"Look at it with: dr reconcile status {at.record.id}",
                )
            data = {"by": who, "because": because}
            return [Draft(Kind.RECONCILE_REOPENED, session.step, data=data)]

        return self.write(run, decide).session


def person_of(at: Open, branch: str, name: str) -> str:
    """Return who may act for a branch: its head, its group; anyone where neither is declared.

    Raises:
        NotAllowedError: the person is unknown or of another office.
    """
    directory = Directory(at.record.inventory)
    who = known_person(directory, name)
    people = staff_of(at.record.inventory, branch)
    if people and who not in people:
        raise NotAllowedError(
            f"'{who}' does not belong to branch '{branch}'",
            hint=f"Ask one of: {', '.join(people)}.",
        )
    return who


def staff_of(inventory: Mapping[str, Any], branch: str) -> list[str]:
    """Return the people of a branch: its head, the head's deputy, its group; [] when undeclared."""
    declared = (inventory.get("branches") or {}).get(branch) or {}
    directory = Directory(inventory)
    people = [*heads_of(inventory, branch)]
    if declared.get("group"):
        people += directory.members(str(declared["group"]))
    return list(dict.fromkeys(people))


def heads_of(inventory: Mapping[str, Any], branch: str) -> list[str]:
    """Return who signs for a branch: its head and the head's deputy; [] when undeclared."""
    declared = (inventory.get("branches") or {}).get(branch) or {}
    directory = Directory(inventory)
    head = directory.person(str(declared.get("responsible") or ""))
    if head is None:
        return []
    deputy = directory.deputy(head)
    return [head, *([deputy] if deputy else [])]


def decision(
    at: Open, branch: Branch, case: Case, verb: str, by: str, data: Mapping[str, Any]
) -> Draft:
    """Return the event that says what somebody does about a case.

    Raises:
        UserError: the session is closed.
    """
    if at.session.closed is not None:
        raise UserError(
            f"the reconciliation of run {at.record.id} is closed",
            hint=f"Open it again with: dr reconcile reopen {at.record.id} --because '…'",
        )
    said = {"branch": branch.name, "case": case.found.id, "verb": verb, "by": by, **data}
    return Draft(Kind.RECONCILE_DECIDED, at.session.step, data=said)


def _resolution(word: str) -> Resolution:
    try:
        return Resolution(word)
    except ValueError:
        hint = did_you_mean(word, [str(r) for r in Resolution], otherwise="Choose one of")
        raise UserError(f"'{word}' is no resolution of a case", hint=hint) from None


def _require(text: str, what: str, option: str) -> None:
    if not text.strip():
        raise UserError(f"{what} is missing", hint=f"Add {option} with a sentence.")


def _settled(case: Case) -> UserError:
    who = " and ".join(w for w in (case.maker, case.checker) if w) or "a comparison"
    return UserError(
        f"case {case.found.id} is settled: {case.outcome}, by {who}",
        hint="A new comparison opens it again when the difference is still there.",
    )


def _nothing_proposed(at: Open, case: Case) -> UserError:
    return UserError(
        f"nothing is proposed for case {case.found.id}",
        hint=f"Propose something first: dr reconcile resolve {at.record.id} {case.found.id} "
        "--as RESOLUTION --reason '…'",
    )


def _require_none_to_come(at: Open) -> None:
    """Refuse where the run itself will open one: it would take the place of this one."""
    outline = at.view.created.get("outline") or ()
    if not at.view.state.ended and any(s.get("uses") == "reconcile.close" for s in outline):
        raise UserError(
            f"run {at.record.id} opens its reconciliation by itself",
            hint=f"Follow it with: dr attach {at.record.id}",
        )


def _opening(at: Open, now: datetime, by: str) -> Iterator[Draft]:
    """Yield what opens a session with what the run's own comparison found."""
    found = [s for s in at.view.steps.values() if isinstance(s.outputs.get("compared"), Mapping)]
    if not found:
        raise UserError(
            f"run {at.record.id} has not compared its branches",
            hint="Its runbook needs a step with 'uses: reconcile.branches' that ended well.",
        )
    step, compared = found[-1], found[-1].outputs["compared"]
    data: dict[str, Any] = {
        "session": f"{at.record.id}/{step.id}",
        "from": step.outputs.get("since"),
        "recovery_point": step.outputs.get("recovery_point"),
        "to": utc_text(at.view.moments.recovered or now),
        "due": None,
        "rule": {},
        "branches": sorted(compared),
        "service": step.outputs.get("service") or "",
        "host": step.outputs.get("host") or "",
        "by": by,
    }
    yield Draft(Kind.RECONCILE_OPENED, step.id, data=data)
    yield from first_drafts(step.id, compared)
