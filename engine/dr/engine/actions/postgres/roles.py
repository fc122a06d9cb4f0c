"""Who is primary, who may take over, and whom to fence: pure, from what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dr.engine.actions.postgres.lsn import format_lsn
from dr.engine.actions.postgres.member import Member
from dr.engine.core.values import Text

_NOISE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Role:
    """A host for a role, and how it is known: observed, address, declared or unknown."""

    host: str | None
    basis: str


def primary(members: Sequence[Member], declared: str) -> Role:
    """Return the primary: seen writing, else who holds the address, else who is declared.

    Of two that write (a split brain) the higher timeline is the later decision.  A host seen
    in recovery or fenced is no primary, whatever is declared, and spare storage only when
    seen to be.
    """
    writing = [m for m in members if m.role == "primary"]
    if writing:
        newest = max(writing, key=lambda m: (m.timeline or 0, m.written or 0))
        return Role(newest.host, "observed")
    possible = [m for m in members if m.role != "standby" and not m.fenced and not m.spare]
    holders = [m.host for m in possible if m.holds_address]
    if len(holders) == 1:
        return Role(holders[0], "address")
    if declared in {m.host for m in possible}:
        return Role(declared, "declared")
    if len(possible) == 1:
        return Role(possible[0].host, "declared")
    return Role(None, "unknown")


def old_primary(members: Sequence[Member], now_primary: Role, declared: str) -> Role:
    """Return whom to fence: the host that was primary when things went wrong.

    It differs from the primary once somebody has promoted another host by hand: then the
    declared one, unless it was seen as a healthy standby.
    """
    by_host = {m.host: m for m in members}
    before = by_host.get(declared)
    if now_primary.basis != "observed" or before is None or declared == now_primary.host:
        return now_primary
    if before.role == "standby":
        return now_primary
    basis = "observed" if before.role == "primary" else "declared"
    return Role(declared, "address" if before.holds_address else basis)


def candidate(members: Sequence[Member], old: Role) -> Member | None:
    """Return the best host to take over from ``old``.

    One that somebody has already promoted comes before all; then the most advanced standby, and
    of equals the one at the old primary's site.  While the primary writes, standbys are seen at
    slightly different moments: what differs by less than ``_NOISE_BYTES`` is equal then.
    """
    others = [m for m in members if m.host != old.host]
    promoted = [m for m in others if m.role == "primary"]
    if promoted:
        return max(promoted, key=lambda m: (m.timeline or 0, m.written or 0))
    site = next((m.site for m in members if m.host == old.host), "")
    standbys = [m for m in others if m.role == "standby" and m.end is not None]
    order = {m.host: -place for place, m in enumerate(members)}
    ends = [m.end or 0 for m in standbys]
    moving = any(m.role == "primary" or m.receiver == "streaming" for m in members)
    level = max(ends, default=0) - (_NOISE_BYTES if moving else 0)
    return max(
        standbys,
        key=lambda m: (m.timeline or 0, min(m.end or 0, level), m.site == site, order[m.host]),
        default=None,
    )


def why_nobody(members: Sequence[Member], old: str | None) -> Text:
    """Say of each host but ``old`` and spare storage why it can not take over."""
    others = [m for m in members if m.host != old and not m.spare]
    if not others:
        return Text(en="no other host is declared", zh="未登记其他主机")
    en, zh = zip(*(_why_not(m) for m in others), strict=True)
    return Text(
        en=f"no host was seen that could take over: {'; '.join(en)}",
        zh=f"未发现可接管的主机：{'；'.join(zh)}",
    )


def _why_not(member: Member) -> tuple[str, str]:
    host, said = member.host, member.because.rpartition("failed: ")[2]
    if not member.reachable:
        return f"{host} does not answer ({said})", f"{host} 无应答（{said}）"
    if not member.answers:
        return (
            f"{host} answers, its PostgreSQL does not ({said})",
            f"{host} 可达，但其 PostgreSQL 无应答（{said}）",
        )
    return f"{host} is no standby", f"{host} 不是备库"


def lag_bytes(standby: Member, members: Sequence[Member]) -> int | None:
    """Return what ``standby`` lacks of the primary's log; None when no primary's position is known.

    The primary's own word counts, else the last position it told any standby.
    """
    written = [m.written for m in members if m.role == "primary" and m.written is not None]
    told = [m.primary_end for m in members if m.primary_end is not None]
    known = max([*written, *told], default=None)
    if known is None or standby.end is None:
        return None
    return max(0, known - standby.end)


def is_healthy(standby: Member) -> bool:
    """Return whether a host could take over: it answers and knows where it stands."""
    return standby.answers and standby.system_id is not None and standby.end is not None


def intact(member: Member) -> tuple[bool | None, str]:
    """Return what the server itself has counted: a cheap sign, and no scan."""
    if member.checksum_failures:
        return False, f"the server counted {member.checksum_failures} damaged pages"
    if member.checksums and member.checksum_failures == 0:
        return True, "page checksums are on and none has failed so far; not scanned"
    return None, "page checksums are off; only a scan can tell"


def picture(members: Sequence[Member], declared: str) -> dict[str, Any]:
    """Return the roles as the mapping that expressions see."""
    now_primary = primary(members, declared)
    old = old_primary(members, now_primary, declared)
    best = candidate(members, old)
    by_host: Mapping[str, Member] = {m.host: m for m in members}

    def described(role: Role) -> dict[str, Any]:
        seen = by_host.get(role.host or "")
        return {**(seen.to_data() if seen else {"host": role.host}), "basis": role.basis}

    return {
        "primary": described(now_primary),
        "old_primary": described(old),
        "standby": _standby(best, members, old),
        "members": {m.host: _member(m, members) for m in members},
    }


def _member(member: Member, members: Sequence[Member]) -> dict[str, Any]:
    return {**member.to_data(), "lag_bytes": lag_bytes(member, members)}


def _standby(best: Member | None, members: Sequence[Member], old: Role) -> dict[str, Any]:
    if best is None:
        return {
            "host": None,
            "basis": "unknown",
            "healthy": False,
            "intact": None,
            "because": why_nobody(members, old.host).say("en"),
        }
    whole, basis = intact(best)
    return {
        **_member(best, members),
        "basis": "observed",
        "healthy": is_healthy(best),
        "intact": whole,
        "intact_basis": basis,
        "position": format_lsn(best.end),
    }
