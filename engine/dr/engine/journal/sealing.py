"""Give drafts their number, time and hash.  Pure; both journals go through here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import Any

from dr.engine.core.canonical import GENESIS, plain
from dr.engine.core.events import Draft, Event
from dr.engine.core.ports import Clock
from dr.engine.journal import refusals

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

# what is encoded was copied by ``_plain`` and holds no circle
canonical_text = json.JSONEncoder(
    ensure_ascii=False,
    sort_keys=True,
    separators=(",", ":"),
    allow_nan=False,
    check_circular=False,
).encode


@dataclass(frozen=True, slots=True)
class Head:
    """Where a run's chain ends: number, hash and time of its newest event."""

    seq: int = 0
    hash: str = GENESIS
    at: datetime = _BEGINNING


@dataclass(frozen=True, slots=True)
class Sealed:
    """An event beside the two texts that are stored and hashed as they are."""

    event: Event
    at_text: str
    data_text: str


def moment(clock: Clock | None, head: Head) -> datetime:
    """Return the later of the clock and the run's last event, so that time never goes back."""
    now = clock.now() if clock is not None else datetime.now(UTC)
    return max(now, head.at)


def data_text(value: object) -> tuple[Any, str]:
    """Return ``value`` as JSON data and as its canonical text.

    Half of a surrogate pair (bytes of a command's output that were no UTF-8) has no canonical
    form and becomes ``?``.

    Raises:
        TypeError: a value has no JSON form.
        ValueError: a number is not finite.
    """
    data = _plain(value)
    text = canonical_text(data)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode(errors="replace").decode()
        data = json.loads(text)
    return data, text


def _plain(value: Any) -> Any:
    # ``core.canonical.plain`` for what an event is nearly always made of, at a third of its cost
    kind = type(value)
    if kind is str or kind is int or kind is float or kind is bool or value is None:
        return value
    if kind is dict:
        return {k if type(k) is str else str(k): _plain(v) for k, v in value.items()}
    if kind is list or kind is tuple:
        return [_plain(v) for v in value]
    return plain(value)


def instant_text(at: datetime) -> str:
    """Return what ``core.values.utc_text`` returns, without its slow ``strftime``."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def chained(  # noqa: PLR0913 - the columns of a row
    previous: str,
    *,
    run: str,
    seq: int,
    at: str,
    kind: str,
    step: str | None,
    host: str | None,
    attempt: int | None,
    epoch: int,
    data: str,
) -> str:
    """Return what ``core.events.row_hash`` returns, from texts that are canonical already.

    Composing the row instead of encoding it again halves the work of an append; a property
    test holds the two together.
    """
    return hashlib.sha256(
        f'{previous}\n{{"at":{_text(at)},"attempt":{_number(attempt)},"data":{data},'
        f'"epoch":{epoch},"host":{_text(host)},"kind":{_text(kind)},"run":{_text(run)},'
        f'"seq":{seq},"step":{_text(step)}}}'.encode()
    ).hexdigest()


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def seal(
    run: str, drafts: Sequence[Draft], *, head: Head, epoch: int, at: datetime
) -> list[Sealed]:
    """Chain ``drafts`` to ``head`` in order; all of them happen ``at`` one moment.

    Raises:
        LapsedError: one of them may not happen any more at that moment.
    """
    at_text = instant_text(at)
    sealed: list[Sealed] = []
    seq, previous = head.seq, head.hash
    for draft in drafts:
        if draft.until is not None and at >= draft.until:
            raise refusals.lapsed(draft.step, draft.until)
        seq += 1
        data, text = data_text(draft.data)
        kind = str(draft.kind)
        previous = chained(
            previous,
            run=run,
            seq=seq,
            at=at_text,
            kind=kind,
            step=draft.step,
            host=draft.host,
            attempt=draft.attempt,
            epoch=epoch,
            data=text,
        )
        event = Event(
            run, seq, at, draft.kind, draft.step, draft.host, draft.attempt, epoch, data, previous
        )
        sealed.append(Sealed(event, at_text, text))
    return sealed
