"""``postgres.assess``: how a service's hosts stand, and what taking over would lose; reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dr.engine.actions.branch_ledgers import collect
from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections
from dr.engine.actions.inputs import Duration, Inputs
from dr.engine.actions.postgres.evidence import detected_at, gather
from dr.engine.actions.postgres.loss import Loss, loss
from dr.engine.actions.postgres.lsn import format_lsn
from dr.engine.actions.postgres.member import Member
from dr.engine.actions.postgres.observatory import look_at_hosts
from dr.engine.actions.postgres.roles import is_healthy, lag_bytes, picture, why_nobody
from dr.engine.actions.postgres.scan import Scan, scan
from dr.engine.actions.postgres.service import service_of
from dr.engine.core.errors import RetryableError
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt, Outcome, Presence, Probe, World
from dr.engine.core.values import Text, utc_text


class AssessInput(Inputs):
    """``with`` of postgres.assess.

    Attributes:
        detected_at: when the failure was noticed, RFC 3339; the run's start when empty.
        scan: whether to read every page; without it ``intact`` is unknown.
        within: how long the scan may take.
    """

    service: str | None = None
    detected_at: str | None = None
    scan: bool = True
    within: Duration = timedelta(minutes=2)


class Assess(Driver[AssessInput]):
    """Looks at every host; with ``hosts`` scans that one, else the best candidate."""

    inputs = AssessInput
    spec = specify(
        "postgres.assess",
        "See how the database hosts stand",
        "评估各数据库主机状态",
        AssessInput,
        effects=(Effect.READ,),
        reads_only=True,
        probes=True,
        outputs={
            "host": "string",
            "healthy": "boolean",
            "intact": "string",
            "intact_basis": "string",
            "system_id": "string",
            "timeline": "integer",
            "position": "string",
            "recovered_to": "moment",
            "lag_bytes": "integer",
            "because": "map",
            "loss_s": "number",
            "loss_basis": "map",
            "primary": "string",
            "primary_basis": "string",
            "primary_answers": "boolean",
            "members": "map",
        },
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what is looked at."""
        target = attempt.host or "the best standby"
        lines = ["look at every host of the service: role, timeline, position, service address"]
        if self.given(attempt).scan:
            lines.append(f"on {target}: read every page and check every index, bounded in time")
        return lines

    def probe(self, attempt: Attempt, world: World) -> Probe:  # noqa: ARG002
        """A look is never done already: what was seen gets old."""
        return Probe(Presence.ABSENT, "looks are taken anew")

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Look, scan and estimate."""
        given = self.given(attempt)
        service = service_of(attempt, world, given.service)
        members = look_at_hosts(self._connections, service, world.inventory, world.clock)
        if not any(m.reachable for m in members):
            raise RetryableError(
                f"no host of {service.id} answers: {members[0].because if members else 'none'}",
                reason="unreachable",
                hint="Look whether this machine still reaches the machine room: `dr doctor`.",
            )
        seen = picture(members, service.expected_primary)
        wanted = attempt.host or seen["standby"]["host"]
        target = next((m for m in members if m.host == wanted), None)
        checked = Scan("unknown", "no host was seen that could take over")
        if target is not None and not target.answers:
            checked = Scan("unknown", f"{target.host} does not answer: {target.because}")
        elif target is not None:
            checked = Scan("unknown", "it was not scanned")
            if given.scan:
                observer = self._connections.observer(target.host)
                checked = scan(observer, service.database, within=given.within)
        branches = collect(self._connections, service, world.inventory)
        detected = detected_at(world, given.detected_at)
        lost = None if target is None else loss(gather(target, members, branches, detected))
        return Outcome(_outputs(seen, members, target, checked, lost), facts=dict(seen["members"]))


def _outputs(
    seen: Mapping[str, Any],
    members: Sequence[Member],
    target: Member | None,
    checked: Scan,
    lost: Loss | None,
) -> dict[str, Any]:
    old = seen["old_primary"]
    now_primary = seen["primary"]
    because = _because(members, target, checked, old["host"])
    return {
        "host": target.host if target else None,
        "healthy": target is not None and is_healthy(target),
        "intact": checked.verdict,
        "intact_basis": checked.basis,
        "system_id": target.system_id if target else None,
        "timeline": target.timeline if target else None,
        "position": format_lsn(target.end if target else None),
        "recovered_to": utc_text(target.replayed_to) if target and target.replayed_to else None,
        "lag_bytes": lag_bytes(target, members) if target else None,
        "because": because.plain() if because else None,
        "loss_s": lost.seconds if lost else None,
        "loss_basis": lost.basis.plain() if lost else {"en": checked.basis, "zh": checked.basis},
        "primary": now_primary["host"],
        "primary_basis": now_primary["basis"],
        "primary_answers": bool(old.get("answers")),
        "members": seen["members"],
    }


def _because(
    members: Sequence[Member], target: Member | None, checked: Scan, old: str | None
) -> Text | None:
    """Say why the host can not take over; None where nothing speaks against it."""
    if target is None:
        return why_nobody(members, old)
    if not is_healthy(target):
        words = f"{target.host}: {target.because or 'nobody knows where it stands'}"
        return Text(en=words, zh=words)
    if checked.verdict == "damaged":
        return Text(en=f"{target.host}: {checked.basis}", zh=f"{target.host}：{checked.basis}")
    return None
