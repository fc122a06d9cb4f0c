"""Gathering what tells how much would be lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dr.engine.actions.branch_ledgers import Collection
from dr.engine.actions.postgres.loss import Evidence
from dr.engine.actions.postgres.member import Member
from dr.engine.actions.postgres.roles import lag_bytes
from dr.engine.core.ports import World
from dr.engine.core.values import parse_utc


def detected_at(world: World, given: str | None) -> datetime:
    """Return when the failure was noticed: as given, else when the run was made."""
    if given:
        return parse_utc(given)
    noticed = world.record().inputs.get("detected_at")
    return parse_utc(str(noticed)) if noticed else world.record().created


def gather(
    taking_over: Member, members: Sequence[Member], branches: Collection, detected: datetime
) -> Evidence:
    """Return the evidence about ``taking_over`` as it was just seen."""
    others = [m for m in members if m.host != taking_over.host]
    return Evidence(
        recovered_to=taking_over.replayed_to,
        detected_at=detected,
        last_acknowledged=branches.last_acknowledged,
        all_branches=branches.complete and bool(branches.ledgers),
        missing_bytes=lag_bytes(taking_over, members),
        writing=any(m.role == "primary" for m in others),
    )
