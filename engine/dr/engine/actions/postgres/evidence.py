"""Gathering what tells how much would be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from dr.engine.actions.branch_ledgers import Collection
from dr.engine.actions.postgres.loss import Evidence
from dr.engine.actions.postgres.member import Member
from dr.engine.actions.postgres.roles import lag_bytes
from dr.engine.core.ports import Attempt, World
from dr.engine.core.values import parse_utc


def detected_at(world: World, given: str | None) -> datetime:
    """Return when the failure was noticed: as given, else when the run was made."""
    if given:
        return parse_utc(given)
    noticed = world.record().inputs.get("detected_at")
    return parse_utc(str(noticed)) if noticed else world.record().created


def fenced_at(attempt: Attempt) -> datetime | None:
    """Return when the old primary was fenced, by the proof that the step requires."""
    proof = attempt.requires.get("proof")
    moment = proof.get("at") if isinstance(proof, Mapping) else None
    return parse_utc(str(moment)) if moment else None


def gather(
    taking_over: Member,
    members: Sequence[Member],
    branches: Collection,
    detected: datetime,
    ended: datetime | None = None,
    archived: datetime | None = None,
) -> Evidence:
    """Return the evidence about ``taking_over`` as it was just seen.

    ``archived`` is when the newest log was archived, where ``taking_over`` reaches past it.

    Once it writes itself and nobody knows when the old primary was fenced, what branches were told
    last says nothing about the old one: then the detection has to bound the loss.
    """
    others = [m for m in members if m.host != taking_over.host]
    return Evidence(
        recovered_to=taking_over.replayed_to,
        detected_at=detected,
        last_acknowledged=branches.last_acknowledged,
        all_branches=branches.complete
        and bool(branches.ledgers)
        and (ended is not None or taking_over.role != "primary"),
        missing_bytes=lag_bytes(taking_over, members) if others else None,
        ended_at=ended,
        writing=any(m.role == "primary" for m in others),
        whole_until=_whole_until(taking_over, archived),
    )


def _whole_until(taking_over: Member, archived: datetime | None) -> datetime | None:
    """Return until when a standby surely has everything.

    A primary's checkpoint and archive are its own, made after it was promoted: they say nothing.
    """
    if taking_over.role != "standby":
        return None
    return max((m for m in (taking_over.checkpoint_at, archived) if m is not None), default=None)
