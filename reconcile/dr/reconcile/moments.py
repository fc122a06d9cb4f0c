"""Moments and days as people and spreadsheets write them, brought to one form.

The canonical form says no more than was written: ``2026-11-25T02:05Z`` is known to the minute and
``2026-11-25`` to the day, so that two sides can be compared to the coarser of the two.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_DATE = r"(?P<y>\d{4})\s*[-/.年]\s*(?P<mo>\d{1,2})\s*[-/.月]\s*(?P<d>\d{1,2})\s*日?"
_TIME = (
    r"(?P<h>\d{1,2})\s*[:时點点]\s*(?P<mi>\d{1,2})\s*分?"
    r"(?:\s*:?\s*(?P<s>\d{1,2})\s*秒?(?:[.,](?P<f>\d{1,9}))?)?"
)
_ZONE = r"(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)"
_WRITTEN = re.compile(rf"{_DATE}(?:[T\s]*{_TIME}\s*{_ZONE}?)?", re.IGNORECASE)
_PACKED = re.compile(
    r"(?P<y>\d{4})(?P<mo>\d{2})(?P<d>\d{2})(?:[T\s]*(?P<h>\d{2})(?P<mi>\d{2})(?P<s>\d{2})?)?"
    r"(?P<f>(?!))?(?P<zone>(?!))?"
)


def canonical_moment(text: str, zone: timezone) -> str | None:
    """Return a moment in UTC to the precision that was written; None when it is none.

    Args:
        zone: of a moment that carries none.
    """
    match = _WRITTEN.fullmatch(text) or _PACKED.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    try:
        moment = datetime(  # noqa: DTZ001 - the zone follows
            int(part["y"]), int(part["mo"]), int(part["d"]),
            int(part["h"] or 0), int(part["mi"] or 0), int(part["s"] or 0),
        )  # fmt: skip
        if part["h"] is None:
            return f"{moment:%Y-%m-%d}"
        moment = moment.replace(tzinfo=_zone(part["zone"], zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if part["s"] is None:
        return f"{moment:%Y-%m-%dT%H:%M}Z"
    fraction = (part["f"] or "").rstrip("0")[:6]
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' if fraction else ''}{fraction}Z"


def canonical_day(text: str, zone: timezone) -> str | None:
    """Return the day of a moment or a day, in ``zone``; None when it is none."""
    moment = canonical_moment(text, zone)
    if moment is None or len(moment) == 10:  # noqa: PLR2004 - YYYY-MM-DD
        return moment
    return f"{parse_moment(moment).astimezone(zone):%Y-%m-%d}"


def parse_moment(canonical: str, zone: timezone = UTC) -> datetime:
    """Return a canonical moment; a day begins at midnight of ``zone``."""
    moment = datetime.fromisoformat(canonical)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def same_moment(one: str, other: str, zone: timezone) -> bool:
    """Say whether two canonical moments are the same, to the coarser precision of the two."""
    if one == other:
        return True
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) == 10:  # noqa: PLR2004
        return canonical_day(longer, zone) == shorter
    return longer.startswith(shorter[:-1])


def _zone(written: str | None, usual: timezone) -> timezone:
    if not written:
        return usual
    if written in "zZ":
        return UTC
    digits = written[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if written[0] == "-" else offset)
