"""When branches accepted what they did, by all that counts of their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dr.engine.actions.branch_comparison import Bureau, Piece
from dr.reconcile.corrections import Accepted


def accepted_by(
    bureau: Bureau,
    branch: str,
    pieces: Sequence[Piece],
    *,
    recovery_point: datetime | None,
    service_back: datetime | None,
) -> list[Accepted] | None:
    """Return what a branch accepted; what an earlier piece has is not told again by a later one.

    None when it can not be told whole: lines that nobody understands, or without parcels, may be
    about any parcel.

    Raises:
        EvidenceError: a piece can not be read.
        OSError: its file can not be read.
    """
    from dr.reconcile.first_look import Eye, Submission
    from dr.reconcile.ledger import Told
    from dr.reconcile.session import Session

    shape = bureau.shape_of(branch)
    eye = Eye(Session(branch, bureau.window(recovery_point, service_back)), shape, ())
    key, parcel = shape.place(shape.key), shape.place("parcel")
    found: list[Accepted] = []
    seen: set[str] = set()
    before = 0  # lines of earlier pieces: they are told first
    for path, via in pieces:
        kind = bureau.type_of(branch, via)
        reading = eye.read(Submission(branch, kind, path, bureau.known_as(branch)))
        desk = eye.desk(kind)
        if not reading.complete or parcel < 0 or "parcel" in reading.absent:
            return None
        fresh: set[str] = set()
        for number, row in enumerate(reading.rows):
            name = desk.canon.value(key, row[key]) or ""
            if name not in seen and reading.told.get(number) is not Told.FAILED:
                fresh.add(name)
                line = before + reading.lines[number]
                found.append(Accepted(branch, name, desk.moment(row), line, row[parcel] or ""))
        seen |= fresh
        before += max(reading.lines, default=0)
    return found
