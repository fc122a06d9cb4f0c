"""What a report lays out: sections of tables in one language, without a layout.

Markdown and HTML both draw these, so that neither can say less than the other.
"""

from __future__ import annotations

from collections.abc import Iterator

from dr.engine.core.canonical import canonical_bytes
from dr.engine.core.values import Text, Unknown
from dr.incidents.reconciliation.content import ReconciliationContent
from dr.incidents.report.data import (
    AnswerFacts,
    LadderFacts,
    Objective,
    QuestionFacts,
    ReportData,
    RungFacts,
    StepFacts,
)
from dr.incidents.report.parts import Cell, Section
from dr.incidents.report.voice import Voice, visible

_TONES = {
    "succeeded": "good",
    "already_done": "good",
    "failed": "bad",
    "aborted": "bad",
    "undo_failed": "bad",
    "in_doubt": "doubt",
    "waiting": "wait",
    "running": "wait",
    "skipped": "faint",
    "cancelled": "faint",
    "pending": "faint",
    "unavailable": "faint",
    "not_tried": "faint",
    "closed": "bad",
    "started": "wait",
}

_OVER = frozenset({"succeeded", "already_done", "failed", "skipped", "cancelled"})
_CONDITION = "its condition does not hold: "


def tone_of(state: str) -> str:
    """Return the tone of a state, "" when it has none."""
    return _TONES.get(state, "")


class Content:
    """The sections of one report in one language."""

    def __init__(self, data: ReportData, voice: Voice) -> None:
        self.data = data
        self.say = voice
        self._titles = {step.id: step.title for step in data.steps}

    @property
    def title(self) -> str:
        """What was run, in words."""
        return self.say.text(self.data.run.title) or visible(self.data.run.runbook)

    @property
    def banner(self) -> tuple[str, ...]:
        """The words that must not be overlooked: drill, environment, provisional."""
        run = self.data.run
        return tuple(
            word
            for word in (
                self.say("drill") if run.mode == "drill" else "",
                self.say.named("kind", run.kind) if run.kind else "",
                self.say("provisional") if run.provisional else "",
            )
            if word
        )

    def step(self, step: str, host: str = "") -> str:
        """Return a step's title and where it ran."""
        title = self.say.text(self._titles.get(step, Text())) or visible(step)
        return f"{title} @ {visible(host)}" if host else title

    def sections(self) -> Iterator[Section]:
        """Yield the sections in reading order; a section without matter is left out."""
        yield self._objectives()
        yield self._moments()
        yield self._loss()
        if self.data.reconciliation is not None:
            yield from ReconciliationContent(self.data.reconciliation, self.say).overview()
        yield self._decisions()
        yield self._fencing()
        for ladder in self.data.ladders:
            yield self._ladder(ladder)
        yield self._steps()
        yield self._doubts()
        yield self._failures()
        if self.data.questions:
            yield self._questions()
        if self.data.operators:
            yield self._operators()
        if self.data.jobs:
            yield self._jobs()
        yield self._evidence()

    def _objectives(self) -> Section:
        say, loss = self.say, self.data.loss
        records = (
            ""
            if isinstance(loss.records, Unknown)
            else say("records", count=say.count(loss.records))
        )
        rows = (
            self._objective(say("rto"), self.data.recovery_time),
            self._objective(say("rpo"), self.data.recovery_point, records),
        )
        headers = (say("measure"), say("target"), say("actual"), say("kept"))
        return Section("objectives", say("objectives"), headers=headers, rows=rows)

    def _objective(self, name: str, objective: Objective, extra: str = "") -> tuple[Cell, ...]:
        met = objective.met
        tone = "" if isinstance(met, Unknown) else "good" if met else "bad"
        actual = Cell(self.say.length(objective.actual_s), "", (extra,) if extra else ())
        target = Cell(self.say.length(objective.target_s))
        return Cell(name), target, actual, Cell(self.say.met(met), tone)

    def moments(self) -> tuple[tuple[str, str, str], ...]:
        """Return each moment's name, time, and how long after detection it came."""
        say, moments = self.say, self.data.moments
        missing = "unknown" if moments.ended else "not_yet"
        told = []
        for name in ("detected", "started", "decided", "recovered", "closed", "ended"):
            at = getattr(moments, name)
            after = ""
            if at and moments.detected:
                after = say.length((at - moments.detected).total_seconds())
            told.append((say(f"moment_{name}"), say.moment(at, missing=missing), after))
        return tuple(told)

    def _moments(self) -> Section:
        say = self.say
        rows = tuple(
            (Cell(name), Cell(at), Cell(f"+{after}" if after else ""))
            for name, at, after in self.moments()
        )
        headers = ("", say("at"), say("since_detected"))
        note = Cell(say("times_in", zone=say.zone_name), "faint")
        return Section("moments", say("moments"), (note,), headers, rows)

    def _loss(self) -> Section:
        say, loss = self.say, self.data.loss
        facts = (
            say.pair(say("data_lost"), say.length(loss.seconds)),
            say.pair(say("records_lost"), say.count(loss.records)),
            say.pair(say("recovery_point"), say.moment(loss.recovered_to)),
            say.pair(say("how_known"), say.text(loss.basis) or say("unknown")),
        )
        notes = tuple(Cell(fact) for fact in facts)
        if not loss.branches:
            return Section("loss", say("loss"), (*notes, Cell(say("no_branches"), "doubt")))
        headers = (say("branch"), say("missing"), say("unsure"), say("numbers"), say("how_known"))
        rows = tuple(
            (
                Cell(
                    say.text(branch.title),
                    "",
                    () if branch.title.en == branch.branch else (visible(branch.branch),),
                ),
                Cell(say.count(branch.missing), "bad" if branch.missing else ""),
                Cell(say.count(branch.unsure), "doubt" if branch.unsure else ""),
                Cell(say.joined(visible(number) for number in branch.numbers), "code"),
                Cell(say.text(branch.basis)),
            )
            for branch in loss.branches
        )
        return Section("loss", say("loss"), notes, headers, rows)

    def _decisions(self) -> Section:
        say = self.say
        gates = [q for q in self.data.questions if q.kind == "gate"]
        rows = tuple(
            (
                Cell(self.step(gate.step)),
                Cell(say.person(answer.by)),
                Cell(say.answer(answer), self._weight(answer)),
                Cell(visible(answer.reason)),
                Cell(say.moment(answer.at)),
            )
            for gate in gates
            for answer in gate.answers
        )
        notes = () if self.data.approvals else (Cell(say("no_approval")),)
        headers = (say("kind_gate"), say("by"), say("answer"), say("because"), say("at"))
        return Section("authority", say("authority"), notes, headers if rows else (), rows)

    @staticmethod
    def _weight(answer: AnswerFacts) -> str:
        if answer.verdict == "reject":
            return "bad"
        return "good" if answer.means == "signature" else "doubt"

    def _fencing(self) -> Section:
        say = self.say
        if not self.data.proofs:
            return Section("fencing", say("fencing"), (Cell(say("no_fence"), "doubt"),))
        rows = tuple(
            (
                Cell(visible(proof.host) or say("unknown")),
                Cell(say(proof.kind), "good" if proof.kind == "proof" else "doubt"),
                Cell(
                    say.named("means", proof.means) or say("unknown"),
                    "",
                    tuple(
                        note
                        for note in (
                            visible(proof.because),
                            say("attested_by", names=say.people(proof.by)) if proof.by else "",
                            say("survives", answer=say.known(proof.survives_reboot)),
                        )
                        if note
                    ),
                ),
                Cell(say.moment(proof.at)),
            )
            for proof in self.data.proofs
        )
        headers = (say("host"), "", say("how_known"), say("at"))
        return Section("fencing", say("fencing"), (), headers, rows)

    def _ladder(self, ladder: LadderFacts) -> Section:
        say = self.say
        rows = tuple(self._rung(rung) for rung in ladder.rungs)
        headers = (say("rung"), say("forecast"), say("forecast_loss"), say("outcome"))
        title = say.pair(say("ladder"), self.step(ladder.step))
        return Section(f"ladder-{ladder.step}", title, (), headers, rows)

    def _rung(self, rung: RungFacts) -> tuple[Cell, ...]:
        say = self.say
        marks = say.joined(
            (say("proposed") if rung.proposed else "", say("chosen") if rung.chosen else "")
        )
        basis = say.text(rung.basis)
        took = (
            "" if isinstance(rung.took_s, Unknown) else say("took", value=say.length(rung.took_s))
        )
        why = tuple(note for note in (took, say.text(rung.because)) if note)
        return (
            Cell(say.text(rung.title), "", (marks,) if marks else ()),
            Cell(self._time(rung)),
            Cell(say.length(rung.loss_s), "", (basis,) if basis else ()),
            Cell(say.named("fate", rung.fate), tone_of(rung.fate), why),
        )

    def _time(self, rung: RungFacts) -> str:
        if isinstance(rung.p50_s, Unknown) and isinstance(rung.p90_s, Unknown):
            return self.say("unknown")
        return f"{self.say.length(rung.p50_s)} / {self.say.length(rung.p90_s)}"

    def _steps(self) -> Section:
        say = self.say
        headers = (
            say("step"),
            say("phase"),
            say("state"),
            say("start"),
            say("duration"),
            say("remark"),
        )
        rows = tuple(self._step_row(step) for step in self.data.steps)
        return Section("steps", say("steps"), (), headers, rows)

    def _step_row(self, step: StepFacts) -> tuple[Cell, ...]:
        say = self.say
        state = "not_tried" if self._is_not_tried(step) else step.state
        return (
            Cell(say.text(step.title), "", (visible(step.id),)),
            Cell(say.named("phase", step.phase)),
            Cell(say.named("state", state), tone_of(state)),
            Cell(say.hour(step.started)),
            Cell(say.length(step.duration_s) if step.started and step.ended else "–"),
            Cell("", "", tuple(self._remarks(step))),
        )

    def _is_not_tried(self, step: StepFacts) -> bool:
        """Whether the step is of a rung that was not tried, and its ladder is over."""
        if step.state != "pending" or not step.rung:
            return False
        states = {other.id: other.state for other in self.data.steps}
        return bool(self.data.moments.ended) or states.get(step.ladder) in _OVER

    def _remarks(self, step: StepFacts) -> Iterator[str]:
        say = self.say
        if step.passed:
            name = say.person(step.by) if step.by else ""
            yield say(f"passed_{step.passed}", name=name)
        if step.because and tone_of(step.state) != "good":
            # the words before the facts are the engine's, and said above in the report's own
            yield visible(step.because.removeprefix(_CONDITION))
        if step.attempts > 1:
            yield say.pair(say("attempts"), str(step.attempts))
        for host in step.hosts:
            state = "" if host.state == step.state else say.named("state", host.state)
            took = "" if isinstance(host.duration_s, Unknown) else say.length(host.duration_s)
            yield say.joined((visible(host.host), state, took if len(step.hosts) > 1 else ""))

    def _doubts(self) -> Section:
        say = self.say
        if not self.data.doubts:
            return Section("doubts", say("doubts"), (Cell(say("no_doubts")),))
        rows = tuple(
            (
                Cell(self.step(doubt.step, doubt.host), "", (f"{say('attempt')} {doubt.attempt}",)),
                Cell(say.moment(doubt.since)),
                Cell(visible(doubt.because)),
                Cell(
                    say.named("settled", doubt.settled),
                    "" if doubt.settled else "doubt",
                    tuple(
                        note
                        for note in (
                            visible(doubt.saw),
                            say.named("verdict", doubt.verdict) if doubt.verdict else "",
                            say.people(doubt.by),
                            say.moment(doubt.at) if doubt.at else "",
                        )
                        if note
                    ),
                ),
            )
            for doubt in self.data.doubts
        )
        headers = (say("step"), say("at"), say("because"), say("settled"))
        return Section("doubts", say("doubts"), (), headers, rows)

    def _failures(self) -> Section:
        say = self.say
        if not self.data.failures:
            return Section("failures", say("failures"), (Cell(say("no_failures")),))
        rows = tuple(
            (
                Cell(
                    self.step(failure.step, failure.host),
                    "",
                    (f"{say('attempt')} {failure.attempt}",) if failure.attempt else (),
                ),
                Cell(say.moment(failure.at)),
                Cell(visible(failure.message)),
                Cell(say.named("then", failure.then)),
            )
            for failure in self.data.failures
        )
        headers = (say("step"), say("at"), say("message"), say("then"))
        return Section("failures", say("failures"), (), headers, rows)

    def _questions(self) -> Section:
        say = self.say
        rows = tuple(self._question(question) for question in self.data.questions)
        headers = (say("at"), say("question"), say("answer"))
        return Section("questions", say("questions"), (), headers, rows)

    def _question(self, question: QuestionFacts) -> tuple[Cell, ...]:
        say = self.say
        group = say.text(question.group)
        about = tuple(
            note
            for note in (
                say.pair(say.named("kind", question.kind), self.step(question.step, question.host)),
                say("asked_of", group=group, quorum=question.quorum) if group else "",
                say("escalated", groups=say.joined(map(visible, question.escalated)))
                if question.escalated
                else "",
                say("plan_hash", hash=question.plan_hash[:12]) if question.plan_hash else "",
            )
            if note
        )
        answers = [
            say.pair(say.person(a.by), say.answer(a))
            + (f" — {visible(a.reason)}" if a.reason else "")
            for a in question.answers
        ]
        answers += [canonical_bytes(a.evidence).decode() for a in question.answers if a.evidence]
        if question.outcome:
            outcome = say("outcome_is", outcome=say.named("verdict", question.outcome))
            if question.because:
                outcome += f" — {visible(question.because)}"
            answers.append(outcome)
        said = (
            Cell("", "", tuple(visible(a) for a in answers))
            if answers
            else Cell(say("open"), "wait")
        )
        return Cell(say.moment(question.opened)), Cell(say.text(question.asks), "", about), said

    def _operators(self) -> Section:
        say = self.say
        rows = tuple(
            (
                Cell(say.moment(wish.at)),
                Cell(say.person(wish.by)),
                Cell(say.named("op", wish.what), "", (self.step(wish.step),) if wish.step else ()),
                Cell(visible(wish.text)),
            )
            for wish in self.data.operators
        )
        headers = (say("at"), say("by"), say("message"), say("remark"))
        return Section("operators", say("operators"), (), headers, rows)

    def _jobs(self) -> Section:
        say = self.say
        rows = tuple(
            (
                Cell(self.step(job.step, job.host)),
                Cell(say.named("job", job.outcome), "doubt"),
                Cell(visible(job.detail)),
            )
            for job in self.data.jobs
        )
        headers = (say("step"), say("state"), say("remark"))
        return Section("jobs", say("jobs"), (Cell(say("jobs_why"), "doubt"),), headers, rows)

    def _evidence(self) -> Section:
        say, journal, run = self.say, self.data.journal, self.data.run
        pairs = (
            (say("run"), run.id),
            (say("runbook"), run.runbook),
            (say("inputs"), canonical_bytes(run.inputs).decode()),
            (say("runbook_hash"), run.runbook_sha256),
            (say("journal_head"), journal.head),
            (say("journal_rows"), str(journal.rows)),
            (say("journal_last"), say.moment(journal.last)),
            (say("engines"), str(journal.engines)),
            (say("engine"), say.known(run.engine)),
        )
        rows = tuple((Cell(name), Cell(visible(value), "code")) for name, value in pairs)
        note = Cell(say("from_journal", run=visible(run.id)))
        return Section("evidence", say("evidence"), (note,), ("", ""), rows)
