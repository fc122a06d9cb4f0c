"""The sections of a report of a reconciliation in one language, without a layout.

HTML, the document and the run's own report draw these, so that none can say less than another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from dr.engine.core.values import UNKNOWN, Unknown
from dr.incidents.reconciliation.facts import (
    OUTCOMES,
    STATES,
    BranchFacts,
    CaseFacts,
    ReconciliationFacts,
    SignatureFacts,
    Sum,
    WaiverFacts,
)
from dr.incidents.report.found import length
from dr.incidents.report.parts import Cell, Section
from dr.incidents.report.voice import Voice, visible

STATE_TONES = {
    "waiting": "wait",
    "refused": "bad",
    "working": "wait",
    "clean": "doubt",
    "signed": "good",
    "waived": "faint",
}
_CHECK_TONES = {"good": "good", "bad": "bad", "void": "bad", "spoken": "doubt", "not": "doubt"}
_LISTED = 60
"""How many branches the run's own report lists; the report of the reconciliation lists all."""


class ReconciliationContent:
    """What one report says."""

    def __init__(self, facts: ReconciliationFacts, voice: Voice) -> None:
        self.facts = facts
        self.say = voice

    # -- words

    def name(self, branch: BranchFacts) -> str:
        """Return a branch's title."""
        return self.say.text(branch.title) or visible(branch.id)

    def state(self, state: str) -> str:
        """Return the words for a branch's state."""
        return self.say.named("rc_state", state)

    @property
    def title(self) -> str:
        """The title of the bureau's report."""
        return self.say("rc_bureau_title", title=self._what())

    def branch_title(self, branch: BranchFacts) -> str:
        """Return the title of a branch's report."""
        return self.say("rc_branch_title", branch=self.name(branch), title=self._what())

    def _what(self) -> str:
        return self.say.text(self.facts.title) or visible(self.facts.run)

    @property
    def banner(self) -> tuple[str, ...]:
        """The words that must not be overlooked."""
        facts, say = self.facts, self.say
        return tuple(
            word
            for word in (
                say("drill") if facts.mode == "drill" else "",
                say.named("kind", facts.kind) if facts.kind else "",
                say("provisional") if facts.closed is None else "",
            )
            if word
        )

    def how(self) -> str:
        """Return whether and how it closed."""
        facts = self.facts
        return self.say.named("rc_closed", facts.how) if facts.closed else self.say("rc_open")

    def money(self, value: str | Unknown) -> str:
        """Return an amount with thousands marked."""
        return self.say("unknown") if isinstance(value, Unknown) else f"{Decimal(value):,f}"

    def value(self, of: Sum) -> str:
        """Return what cases are worth; what is unknown is said, and never counted as zero."""
        if not of.count:
            return self.say("rc_nothing")
        if isinstance(of.value, Unknown):
            return self.say("rc_all_unpriced", n=of.unpriced)
        money = self.money(of.value)
        if of.unpriced:
            return self.say("rc_and_unpriced", value=money, n=of.unpriced)
        return money

    def sorted(self) -> list[BranchFacts]:
        """Return the branches as reports list them: by state, then those that matter most."""
        place = {str(state): index for index, state in enumerate(STATES)}
        return sorted(self.facts.branches, key=lambda b: (place.get(b.state, 0), *urgency(b)))

    # -- reports

    def bureau(self) -> Iterator[Section]:
        """Yield the sections of the bureau's report but for the picture, in reading order."""
        yield self.situation()
        yield self.moments()
        yield self.outcomes()
        yield self._classes()
        yield self._branches(self.sorted(), "branches")
        yield self._signatures(self.facts.branches)
        yield self._waivers(self.facts.waivers)
        yield self.source()

    def branch(self, branch: BranchFacts) -> Iterator[Section]:
        """Yield the sections of a branch's report."""
        yield self._branch_situation(branch)
        yield self.moments()
        yield self.outcomes(branch)
        yield self._cases(branch)
        yield self._evidence(branch)
        yield self._signatures((branch,))
        if branch.waiver is not None:
            yield self._waivers((branch.waiver,))
        yield self.source(branch)

    def overview(self) -> Iterator[Section]:
        """Yield what the run's own report says: all sums, and the branches that are awaited."""
        first = self.situation()
        yield Section("reconcile-situation", self.say("rc_section"), first.notes)
        yield self.outcomes()
        awaited = [b for b in self.sorted() if b.state != "signed"]
        yield self._branches(awaited, "awaited", most=_LISTED)
        some = self.facts.branches if len(self.facts.branches) <= _LISTED else ()
        yield self._signatures(some)
        if self.facts.waivers:
            yield self._waivers(self.facts.waivers)

    # -- the situation

    def situation(self) -> Section:
        """Return the paragraphs that begin the report."""
        facts, say = self.facts, self.say
        cases = facts.open.count + sum(of.count for of in facts.outcomes.values())
        notes = [
            Cell(say("rc_as_of", at=say.moment(facts.as_of), zone=say.zone_name), "faint"),
            Cell(
                say(
                    "rc_summary",
                    branches=say.count(len(facts.branches)),
                    answered=say.count(facts.answered),
                    signed=say.count(facts.states.get("signed", 0)),
                    waived=say.count(facts.states.get("waived", 0)),
                    cases=say.count(cases),
                    open=say.count(facts.open.count),
                    risk=self.value(facts.open),
                )
            ),
        ]
        return Section(
            "reconcile-situation", say("rc_situation"), (*notes, *self._doubts(), *self._terms())
        )

    def _doubts(self) -> Iterator[Cell]:
        facts, say = self.facts, self.say
        if facts.critical:
            yield Cell(say("rc_critical", n=facts.critical), "bad")
        if facts.oldest is not None:
            age = say.length(length(facts.oldest.since, facts.as_of))
            yield Cell(
                say(
                    "rc_oldest",
                    case=visible(facts.oldest.case),
                    branch=self.name(facts.branch(facts.oldest.branch)),
                    since=say.moment(facts.oldest.since),
                    age=age,
                )
            )

    def _terms(self) -> Iterator[Cell]:
        facts, say = self.facts, self.say
        start = say.moment(facts.window_from) if facts.window_from else say("rc_beginning")
        yield Cell(say("rc_window", start=start, end=say.moment(facts.window_to)))
        rule = facts.rule
        yield Cell(
            say(
                "rc_rule",
                signed=_percent(rule.signed_off),
                open=rule.unexplained,
                waivable=_percent(rule.waivable),
            )
        )

    def _branch_situation(self, branch: BranchFacts) -> Section:
        say, facts = self.say, self.facts
        notes = [
            Cell(say("rc_as_of", at=say.moment(facts.as_of), zone=say.zone_name), "faint"),
            Cell(
                say.pair(say("state"), self.state(branch.state)),
                STATE_TONES.get(branch.state, ""),
            ),
            Cell(
                say(
                    "rc_branch_summary",
                    entries=say.count(branch.entries),
                    cases=branch.total.count,
                    open=branch.open.count,
                    risk=self.value(branch.open),
                )
            ),
        ]
        if branch.problem:
            notes.append(Cell(visible(branch.problem), "bad"))
        if branch.critical:
            notes.append(Cell(say("rc_critical", n=branch.critical), "bad"))
        return Section("reconcile-situation", say("rc_situation"), tuple(notes))

    def steps(self) -> tuple[tuple[str, str, str], ...]:
        """Return each moment's name, time, and how long after recovery it came."""
        facts, say = self.facts, self.say
        told: list[tuple[str, str, str]] = []
        named: Sequence[tuple[str, datetime | None]] = (
            ("recovered", facts.recovered),
            ("opened", facts.opened),
            ("due", facts.due),
            ("closed", facts.closed),
        )
        for name, at in named:
            missing = "not_yet" if name == "closed" else "unknown"
            if name == "due" and at is None:
                continue
            after = ""
            if at and facts.recovered and name != "recovered":
                after = "+" + say.length(length(facts.recovered, at))
            told.append((say(f"rc_moment_{name}"), say.moment(at, missing=missing), after))
        return tuple(told)

    def moments(self) -> Section:
        """Return the two moments that count, recovered and closed, and those between."""
        say = self.say
        rows = tuple((Cell(name), Cell(at), Cell(after)) for name, at, after in self.steps())
        note = Cell(self.how(), "good" if self.facts.closed else "wait")
        headers = ("", say("at"), say("rc_since_recovered"))
        return Section("reconcile-moments", say("rc_moments"), (note,), headers, rows)

    # -- sums

    def outcomes(self, branch: BranchFacts | None = None) -> Section:
        """Return how many cases ended how, what they are worth, and what is still at risk."""
        say = self.say
        found = branch.outcomes if branch else self.facts.outcomes
        still = branch.open if branch else self.facts.open
        rows = [
            self._sum(say.named("rc_out", name), found.get(name, Sum()), _tone(name, found))
            for name in (*OUTCOMES, *(set(found) - set(OUTCOMES)))
        ]
        rows.append(self._sum(say("rc_out_open"), still, "wait" if still.count else ""))
        headers = (say("rc_outcome"), say("rc_count"), say("rc_value"))
        return Section("reconcile-outcomes", say("rc_outcomes"), (), headers, tuple(rows))

    def _sum(self, name: str, of: Sum, tone: str) -> tuple[Cell, ...]:
        return Cell(name, tone), Cell(f"{of.count:,}", "number"), Cell(self.value(of), "number")

    def _classes(self) -> Section:
        say = self.say
        rows = tuple(
            self._sum(say.named("rc_what", what), of, "") for what, of in self.facts.classes.items()
        )
        headers = (say("rc_class"), say("rc_count"), say("rc_value"))
        notes = () if rows else (Cell(say("rc_no_cases"), "good"),)
        return Section("reconcile-classes", say("rc_classes"), notes, headers if rows else (), rows)

    # -- branches

    def _branches(self, branches: Sequence[BranchFacts], kind: str, *, most: int = 0) -> Section:
        say = self.say
        shown = branches[:most] if most else branches
        notes = () if branches else (Cell(say("rc_none_awaited"), "good"),)
        if len(shown) < len(branches):
            left = len(branches) - len(shown)
            notes = (Cell(say("rc_more", n=left, run=visible(self.facts.run))),)
        headers = (
            say("branch"),
            say("state"),
            say("rc_entries"),
            say("rc_count"),
            say("rc_open_column"),
            say("rc_at_risk"),
        )
        rows = tuple(self._branch_row(branch) for branch in shown)
        return Section(f"reconcile-{kind}", say(f"rc_{kind}"), notes, headers if rows else (), rows)

    def _branch_row(self, branch: BranchFacts) -> tuple[Cell, ...]:
        say = self.say
        about = [visible(branch.problem)] if branch.problem else []
        if branch.reminded:
            about.append(say("rc_reminded", n=branch.reminded))
        if branch.critical:
            about.append(say("rc_critical", n=branch.critical))
        title = self.name(branch)
        return (
            Cell(title, "", () if title == branch.id else (visible(branch.id),)),
            Cell(self.state(branch.state), STATE_TONES.get(branch.state, ""), tuple(about)),
            Cell(say.count(branch.entries), "number"),
            Cell(say.count(branch.total.count if branch.compared else UNKNOWN), "number"),
            Cell(say.count(branch.open.count if branch.compared else UNKNOWN), "number"),
            Cell(self._at_risk(branch), "number"),
        )

    def _at_risk(self, branch: BranchFacts) -> str:
        return self.value(branch.open) if branch.compared else self.say("unknown")

    # -- signatures and waivers

    def _signatures(self, branches: Sequence[BranchFacts]) -> Section:
        say = self.say
        rows = tuple(self._signature_row(branch) for branch in branches if branch.signature)
        headers = (say("branch"), say("rc_signer"), say("at"), say("rc_means"), say("rc_check"))
        counted = self._counted()
        notes = [Cell(counted)] if len(branches) != 1 and counted else []
        if not rows and not notes:
            one = "rc_not_signed" if len(branches) == 1 else "rc_no_signature"
            notes = [Cell(say(one), "wait")]
        return Section(
            "reconcile-signatures",
            say("rc_signatures"),
            tuple(notes),
            headers if rows else (),
            rows,
        )

    def _counted(self) -> str:
        signed = [b.signature for b in self.facts.branches if b.signature]
        if not signed:
            return ""
        verdicts = [verdict(one) for one in signed]
        return self.say(
            "rc_counted_checks",
            n=len(signed),
            good=verdicts.count("good"),
            spoken=verdicts.count("spoken"),
            bad=verdicts.count("bad"),
            void=verdicts.count("void"),
            unchecked=verdicts.count("not"),
        )

    def _signature_row(self, branch: BranchFacts) -> tuple[Cell, ...]:
        say, signed = self.say, branch.signature
        assert signed is not None  # noqa: S101 - the caller looked
        found = verdict(signed)
        heard = (say("witnesses", names=say.people(signed.witnesses)),) if signed.witnesses else ()
        why = (visible(signed.because),) if found == "bad" and signed.because else ()
        return (
            Cell(self.name(branch)),
            Cell(say.person(signed.by)),
            Cell(say.moment(signed.at)),
            Cell(say.named("rc_means", signed.means), "", heard),
            Cell(say(f"rc_check_{found}"), _CHECK_TONES[found], why),
        )

    def _waivers(self, waivers: Sequence[WaiverFacts]) -> Section:
        say = self.say
        rows = tuple(
            (
                Cell(say.joined(self._titles(waiver.branches))),
                Cell(visible(waiver.reason)),
                Cell(say.person(waiver.by)),
                Cell(
                    say.moment(waiver.expires),
                    "bad" if waiver.lapsed else "",
                    (say("rc_lapsed"),) if waiver.lapsed else (),
                ),
            )
            for waiver in waivers
        )
        headers = (say("rc_waived_branches"), say("rc_reason"), say("by"), say("rc_expires"))
        note = Cell(say("rc_debt"), "wait") if rows else Cell(say("rc_no_waiver"))
        return Section(
            "reconcile-waivers", say("rc_waivers"), (note,), headers if rows else (), rows
        )

    def _titles(self, names: Sequence[str]) -> Iterator[str]:
        known = {branch.id: branch for branch in self.facts.branches}
        for name in names:
            yield self.name(known[name]) if name in known else visible(name)

    # -- one branch

    def _cases(self, branch: BranchFacts) -> Section:
        say = self.say
        if not branch.total.count:
            word = "rc_no_cases" if branch.compared else "unknown"
            return Section("reconcile-cases", say("rc_cases"), (Cell(say(word)),))
        headers = (
            say("rc_case_column"),
            say("rc_ledger"),
            say("rc_central"),
            say("rc_outcome"),
            say("rc_people"),
        )
        rows = tuple(self._case_row(case) for case in branch.cases)
        return Section("reconcile-cases", say("rc_cases"), (), headers, rows)

    def _case_row(self, case: CaseFacts) -> tuple[Cell, ...]:
        say = self.say
        about = (
            visible(case.id),
            say.pair(say("rc_case_number"), visible(case.key)) if case.key else "",
            say("rc_parcel", parcel=visible(case.parcel)) if case.parcel else "",
            say.pair(say("rc_value"), self.money(case.amount)),
            say("rc_reopened", n=case.reopened) if case.reopened else "",
        )
        done = say.named("rc_out", case.outcome) if case.outcome != "open" else ""
        tone = "bad" if case.critical or case.outcome == "lost" else "" if done else "wait"
        state = done or say.named("rc_case", case.state)
        why = (
            say.named("rc_do", case.resolution) if case.resolution and not done else "",
            visible(case.reason),
            say("rc_reference", reference=visible(case.reference)) if case.reference else "",
            say.moment(case.settled) if case.settled else "",
        )
        people = [
            say.person(who) if who else say("rc_nothing") for who in (case.maker, case.checker)
        ]
        return (
            Cell(say.named("rc_what", case.what), "bad" if case.critical else "", _some(about)),
            self._version(case.ledger, case.fields),
            self._version(case.central, case.fields),
            Cell(state, tone, _some(why)),
            Cell(" / ".join(people)),
        )

    def _version(self, record: object, fields: Sequence[str]) -> Cell:
        if not isinstance(record, dict) or not record:
            return Cell(self.say("rc_not_there"), "faint")
        lines = tuple(
            f"{'≠ ' if name in fields else ''}{visible(name)}: {visible(value)}"
            for name, value in record.items()
            if value
        )
        return Cell("", "", lines)

    def _evidence(self, branch: BranchFacts) -> Section:
        say = self.say
        rows = tuple(
            (
                Cell(visible(e.name), "bad" if e.problem else "", _some((visible(e.problem),))),
                Cell(say.named("rc_via", e.via)),
                Cell(say.moment(e.at)),
                Cell(visible(e.sha256), "code"),
            )
            for e in branch.evidence
        )
        headers = (say("rc_file"), say("rc_via"), say("at"), "SHA-256")
        notes = () if rows else (Cell(say("rc_no_evidence"), "wait"),)
        return Section(
            "reconcile-evidence", say("rc_evidence"), notes, headers if rows else (), rows
        )

    def source(self, branch: BranchFacts | None = None) -> Section:
        """Return what the report was made from."""
        say, facts = self.say, self.facts
        pairs = [
            (say("run"), facts.run),
            (say("rc_session"), facts.session),
            (say("journal_head"), facts.head),
            (say("journal_rows"), str(facts.rows)),
        ]
        if branch is not None:
            pairs.append((say("rc_statement"), branch.digest))
        rows = tuple((Cell(name), Cell(visible(value), "code")) for name, value in pairs)
        note = Cell(say("rc_verify", run=visible(facts.run)))
        return Section("reconcile-source", say("rc_source"), (note,), ("", ""), rows)


def urgency(branch: BranchFacts) -> tuple[bool, int, str]:
    """Return what sorts branches within a state: doubtful ones first, then by open cases."""
    return not branch.critical, -branch.open.count, branch.id


def verdict(signed: SignatureFacts) -> str:
    """Return what is to be thought of a signature: good, bad, void, spoken or not (checked)."""
    if not signed.stands:
        return "void"
    if signed.holds is True:
        return "good"
    if signed.holds is False:
        return "bad"
    return "spoken" if signed.means == "voice" else "not"


def _tone(outcome: str, found: object) -> str:
    is_there = isinstance(found, dict) and outcome in found and found[outcome].count
    return "bad" if outcome == "lost" and is_there else ""


def _percent(part: float) -> str:
    return f"{part * 100:.4g}%"


def _some(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if line)
