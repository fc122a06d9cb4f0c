"""The window of a comparison: what was at stake, from the recovery point until service was back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

_TEMPLATE = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Window:
    """What is compared.

    Attributes:
        recovery_point: the last moment whose work the recovered database should have; UTC.
        service_back: when branches could register again; None while they can not.
        overlap: how far before the recovery point is looked too, since the point is never exact.
        clock_slack: by how much a branch's clock may be wrong before what it lost counts as lost
            before the recovery point.
    """

    recovery_point: datetime
    service_back: datetime | None = None
    overlap: timedelta = timedelta(hours=1)
    clock_slack: timedelta = timedelta(minutes=1)

    @property
    def since(self) -> datetime:
        """The first moment of the window."""
        return self.recovery_point - self.overlap

    def holds(self, moment: datetime | None) -> bool:
        """Say whether a moment is inside; a record without a moment may be, and counts."""
        if moment is None:
            return True
        return self.since <= moment and (self.service_back is None or moment < self.service_back)

    def is_after(self, moment: datetime) -> bool:
        """Say whether a moment is after the end of the window."""
        return self.service_back is not None and moment >= self.service_back

    def is_before_recovery_point(self, moment: datetime) -> bool:
        """Say whether work of this moment should have come back, whatever the branch's clock."""
        return moment <= self.recovery_point - self.clock_slack

    def parameters(self, zone: timezone) -> dict[str, str]:
        """Return both ends for a query; the end is rounded up, what is too much is left out later.

        A query compares whole seconds with moments that have more: the last fraction counts.
        """
        wide = self.service_back and self.service_back + timedelta(seconds=1)
        since, until = replace(self, service_back=wide).texts(zone)
        return {"since": since, "until": until}

    def texts(self, zone: timezone) -> tuple[str, str]:
        """Return both ends as a template writes moments; texts of that form sort as time does."""
        end = self.service_back
        first = f"{self.since.astimezone(zone):{_TEMPLATE}}"
        return first, f"{end.astimezone(zone):{_TEMPLATE}}" if end else "9999"
