"""When branches accepted what they did, by all that counts of their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dr.engine.actions.branch_comparison import Bureau, Piece
from dr.reconcile.corrections import Accepted


def accepted_by(bureau: Bureau, branch: str, pieces: Sequence[Piece]) -> Iterator[Accepted]:
    """Yield what a branch accepted; what an earlier piece has is not told again by a later one.

    Raises:
        EvidenceError: a piece can not be read.
        OSError: its file can not be read.
    """
    from dr.reconcile.canon import Canon
    from dr.reconcile.intake import read_evidence
    from dr.reconcile.ledger import Told
    from dr.reconcile.moments import parse_moment

    shape, known_as = bureau.shape_of(branch), bureau.known_as(branch)
    key, moment = shape.place(shape.key), shape.place(shape.moment) if shape.moment else -1
    parcel = shape.place("parcel") if "parcel" in shape.names else -1
    seen: set[str] = set()
    before = 0  # lines of earlier pieces: they are told first
    for path, via in pieces:
        kind = bureau.type_of(branch, via)
        canon = Canon(shape, kind.zone, kind.ten_thousands)
        reading = read_evidence(branch, path.read_bytes(), kind, shape, known_as=known_as)
        fresh: set[str] = set()
        for number, row in enumerate(reading.rows):
            name = canon.value(key, row[key]) or ""
            if name in seen or reading.told.get(number) is Told.FAILED:
                continue
            fresh.add(name)
            text = canon.value(moment, row[moment]) if moment >= 0 else None
            try:
                at = parse_moment(text, shape.zone) if text else None
            except ValueError:
                at = None
            line = before + reading.lines[number]
            yield Accepted(branch, name, at, line, (row[parcel] or "") if parcel >= 0 else "")
        seen |= fresh
        before += max(reading.lines, default=0)
