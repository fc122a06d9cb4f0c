"""The first look at a piece of evidence: read it, and take its fingerprint.  Needs no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dr.reconcile.branch_type import BranchType, Source
from dr.reconcile.branch_work import Desk
from dr.reconcile.by_hand import Total, read_totals
from dr.reconcile.evidence import EvidenceError
from dr.reconcile.fingerprints import NOTHING, Fingerprint, fingerprint
from dr.reconcile.intake import read_evidence
from dr.reconcile.reading import Reading
from dr.reconcile.session import Session
from dr.reconcile.shape import RecordShape


@dataclass(frozen=True, slots=True)
class Submission:
    """Evidence of a branch that counts now; ``path`` is where the store keeps its bytes.

    A branch may have several, such as its ledger, receipts typed in, a queue of unsent work; the
    later ones add what the earlier ones do not have.
    """

    branch: str
    branch_type: BranchType
    path: Path
    known_as: tuple[str, ...] = ()


@dataclass(slots=True)
class Look:
    """What the first look at a piece of evidence tells.

    Attributes:
        rejected: why it can not be used; "" when it can.
        totals: what was told by telephone: then there are no lines.
        names: the columns that it has.
        doubts: whether the branch is to be looked at whatever its fingerprint says.
        reading: its lines, where they were kept; else it is read again when they are wanted.
    """

    submission: Submission
    rejected: str = ""
    totals: tuple[Total, ...] | None = None
    names: tuple[str, ...] = ()
    fingerprint: Fingerprint = NOTHING
    doubts: bool = False
    reading: Reading | None = None
    unread: tuple[str, ...] = ()
    refused: int = 0
    evidence: str = ""
    encoding: str = ""


@dataclass
class Eye:
    """Looks at evidence; a process of its own can have it.

    Args:
        cut: to how many characters the centre's values are cut, by column; 0 when they are not.
    """

    session: Session
    shape: RecordShape
    cut: tuple[int, ...]
    _desks: dict[str, Desk] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Any, ...]:
        """What it has remembered stays with this process."""
        return Eye, (self.session, self.shape, self.cut)

    def look(self, submission: Submission, *, keep: bool) -> Look:
        """Look at a piece; ``keep`` its lines in memory."""
        found = Look(submission)
        try:
            if submission.branch_type.source is Source.TOTALS:
                found.totals = read_totals(submission.branch, submission.path.read_bytes())
                return found
            reading = self.read(submission)
        except EvidenceError as error:
            found.rejected = error.message
            return found
        except OSError as error:
            found.rejected = f"its evidence can not be read: {error.strerror}"
            return found
        desk = self.desk(submission.branch_type)
        lines = desk.lines(reading)
        places = [i for i, n in enumerate(self.shape.names) if n not in reading.absent]
        whole = len(places) == len(self.shape.names)
        rows = lines if whole else [[row[i] for i in places] for row in lines]
        found.names = desk.names(reading)
        found.fingerprint = fingerprint(rows, self.session.salt)
        found.doubts = desk.doubts(reading, lines)
        found.reading = reading if keep else None
        found.unread, found.refused = reading.problems, len(reading.refused)
        found.evidence, found.encoding = reading.evidence, reading.encoding
        return found

    def read(self, submission: Submission) -> Reading:
        """Read a piece.

        Raises:
            EvidenceError: it can not be used.
            OSError: its file can not be read.
        """
        return read_evidence(
            submission.branch,
            submission.path.read_bytes(),
            submission.branch_type,
            self.shape,
            known_as=submission.known_as,
            parameters=self.session.window.parameters(submission.branch_type.zone),
        )

    def desk(self, branch_type: BranchType) -> Desk:
        """Return who works on the branches of a type."""
        if branch_type.name not in self._desks:
            self._desks[branch_type.name] = Desk(
                self.shape, branch_type, self.cut, self.session.window
            )
        return self._desks[branch_type.name]
