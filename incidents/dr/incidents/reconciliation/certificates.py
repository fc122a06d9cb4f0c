"""The account of numbered certificates: which are stolen, for the superior body; and all others.

The rules of Jiangxi on incidents of real-estate registration (2018, for trial), art. 17 (2), want
the number of stolen certificates found out and their serial ranges told to the provincial
registration office; art. 18 within one hour by word or in writing, the outcome in writing within
six hours after it was dealt with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dr.engine.core.values import Text
from dr.incidents.reconciliation.content import ReconciliationContent
from dr.incidents.reconciliation.facts import ReconciliationFacts
from dr.incidents.report.parts import Cell, Section
from dr.incidents.report.voice import Voice, visible

_AUDITED = ("serial_gap", "serial_dup", "serial_out_of_block", "serial_void")
_SHOWN = 30
"""How many numbers of one class a row lists; of the others it says how many there are."""


@dataclass(frozen=True, slots=True)
class FormsFacts:
    """The forms of one branch; ranges as they are printed.

    ``used`` and ``stolen_used`` count records of the database, None where it was not asked;
    ``found`` maps a class of the audit to numbers or ranges, None where nothing was audited.
    """

    branch: str
    title: Text
    issued: Sequence[str]
    issued_count: int
    void_count: int
    stolen: Sequence[str]
    stolen_count: int
    used: int | None
    stolen_used: int | None
    found: Mapping[str, Sequence[str]] | None = field(default_factory=dict)


class CertificatesContent(ReconciliationContent):
    """What the account says."""

    def __init__(
        self, facts: ReconciliationFacts, forms: Sequence[FormsFacts], voice: Voice
    ) -> None:
        super().__init__(facts, voice)
        self.forms = forms
        self.stolen = [each for each in forms if each.stolen]

    @property
    def title(self) -> str:
        """The title: of stolen certificates where some are."""
        return self.say("rcf_stolen_title" if self.stolen else "rcf_forms_title")

    def sections(self) -> Iterator[Section]:
        """Yield what is told, what is to be told first."""
        yield self._stolen()
        yield self._all()
        at = self.say.moment(self.facts.as_of)
        yield replace(self.source(), notes=(Cell(self.say("rcf_source", at=at)),))

    def _stolen(self) -> Section:
        say = self.say
        if not self.stolen:
            notes = (Cell(say("rcf_none_stolen"), "good"),)
            return Section("reconcile-stolen", say("rcf_stolen"), notes)
        rows = [
            (
                Cell(self._named(each)),
                Cell("", "code", tuple(map(visible, each.stolen))),
                Cell(f"{each.stolen_count:,}", "number"),
                self._count(each.stolen_used, "bad"),
            )
            for each in self.stolen
        ]
        known = [each.stolen_used for each in self.stolen if each.stolen_used is not None]
        used = sum(known) if len(known) == len(self.stolen) else None
        whole = sum(each.stolen_count for each in self.stolen)
        rows.append(
            (
                Cell(say("rcf_total")),
                Cell(""),
                Cell(f"{whole:,}", "number"),
                self._count(used, "bad"),
            )
        )
        told = (Cell(say("rcf_stolen_law")), Cell(say("rcf_stolen_police"), "doubt"))
        headers = (say("branch"), say("rcf_ranges"), say("rcf_count"), say("rcf_used_after"))
        return Section("reconcile-stolen", say("rcf_stolen"), told, headers, tuple(rows))

    def _all(self) -> Section:
        say = self.say
        rows = tuple(
            (
                Cell(self._named(each), "", tuple(map(visible, each.issued))),
                Cell(f"{each.issued_count:,}", "number"),
                self._count(each.used),
                Cell(f"{each.void_count:,}", "number"),
                self._audit(each),
            )
            for each in self.forms
        )
        headers = (
            say("branch"), say("rcf_issued"), say("rcf_used"), say("rcf_void"), say("rcf_audited"),
        )  # fmt: skip
        return Section("reconcile-forms", say("rcf_forms"), (), headers, rows)

    def _audit(self, forms: FormsFacts) -> Cell:
        if forms.found is None:
            return Cell(self.say("unknown"), "doubt")
        lines = tuple(self._found(forms.found))
        return Cell("" if lines else self.say("none"), "", lines)

    def _found(self, found: Mapping[str, Sequence[str]]) -> Iterator[str]:
        for what in _AUDITED:
            numbers = found.get(what, ())
            if numbers:
                listed = ", ".join(map(visible, numbers[:_SHOWN]))
                more = f" … +{len(numbers) - _SHOWN}" if len(numbers) > _SHOWN else ""
                yield self.say.pair(self.say.named("rc_what", what), f"{listed}{more}")

    def _named(self, forms: FormsFacts) -> str:
        return self.say.text(forms.title) or visible(forms.branch)

    def _count(self, number: int | None, tone: str = "") -> Cell:
        if number is None:
            return Cell(self.say("unknown"), "doubt")
        return Cell(f"{number:,}", tone if number and tone else "number")
