"""``postgres.promote``: a standby becomes the primary, and there is no way back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dr.engine.actions.backup_catalogue import archived_before
from dr.engine.actions.branch_ledgers import collect
from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections, host_of
from dr.engine.actions.inputs import Inputs
from dr.engine.actions.postgres.accepted import GREATER, too_much
from dr.engine.actions.postgres.evidence import detected_at, fenced_at, gather
from dr.engine.actions.postgres.loss import Loss, loss
from dr.engine.actions.postgres.lsn import format_lsn
from dr.engine.actions.postgres.member import Member
from dr.engine.actions.postgres.observatory import look_at_hosts
from dr.engine.actions.postgres.proof import recheck_proof
from dr.engine.actions.postgres.roles import intact, is_healthy
from dr.engine.actions.postgres.scripts import script
from dr.engine.actions.postgres.service import Service, required_proof, service_of
from dr.engine.core.errors import FailedError, RefusedError
from dr.engine.core.model import Effect
from dr.engine.core.ports import (
    Attached,
    Attempt,
    Check,
    Forecast,
    Found,
    Outcome,
    Presence,
    Probe,
    World,
)
from dr.engine.core.values import UNKNOWN, Text, utc_text

_SLOT = re.compile(r"[a-z0-9_]{1,63}")


class PromoteInput(Inputs):
    """``with`` of postgres.promote.

    Attributes:
        max_loss: the greatest loss that is accepted, ``15m`` or seconds; nothing is promoted
            when the loss is greater or unknown.  Empty: what the run's gate
            accepted, if it named a loss.
        detected_at: when the failure was noticed; the run's start when empty.
    """

    service: str | None = None
    max_loss: str | float | int | None = None
    detected_at: str | None = None


class Promote(Driver[PromoteInput]):
    """Promotes the host, after looking again at everything that could make it the wrong one."""

    inputs = PromoteInput
    spec = specify(
        "postgres.promote",
        "Promote a standby to primary",
        "将备库提升为主库",
        PromoteInput,
        effects=(Effect.IRREVERSIBLE,),
        probes=True,
        attaches=True,
        needs_host=True,
        outputs={
            "host": "string",
            "recovered_to": "moment",
            "timeline": "integer",
            "system_id": "string",
            "loss_s": "number",
            "loss_basis": "map",
        },
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what would be done on the host."""
        host = attempt.host or "the standby"
        return [
            "look again whether the old primary is still fenced",
            f"check that {host} is in recovery, of the same cluster, and no standby is ahead",
            f"on {host}: pg_ctl promote -w, wait until it writes, make the standbys' slots",
        ]

    def precheck(self, attempt: Attempt, world: World) -> Check:
        """Whether this host may be promoted now."""
        service = service_of(attempt, world, self.given(attempt).service)
        members = self._members(service, world)
        host = host_of(attempt)
        try:
            proof = required_proof(attempt)
        except RefusedError as error:
            return Check(holds=False, because=error.message, hint=error.hint)
        proven = recheck_proof(proof, self._connections, service, world.inventory)
        if proven.holds is not True:
            return proven
        wrong = why_not_promote(host, members, proof)
        if wrong:
            return Check(holds=False, because=wrong, hint=_LOOK_AGAIN)
        lost = self._loss(attempt, world, service, members)
        because = too_much(lost, self.given(attempt).max_loss, world)
        if because:
            return Check(holds=False, because=because, hint=GREATER, facts=_loss_data(lost))
        return Check(holds=True, because=proven.because, facts=_loss_data(lost))

    def probe(self, attempt: Attempt, world: World) -> Probe:
        """Whether the host is a writable primary of the cluster."""
        service = service_of(attempt, world, self.given(attempt).service)
        host = host_of(attempt)
        members = self._members(service, world)
        target = next((m for m in members if m.host == host), None)
        if target is None or not target.answers:
            because = target.because if target else "it is no host of the service"
            return Probe(Presence.UNKNOWN, f"{host} does not answer: {because}")
        if target.role == "standby":
            return Probe(Presence.ABSENT, f"{host} is in recovery on timeline {target.timeline}")
        if target.fenced:
            return Probe(Presence.PARTIAL, f"{host} writes although it carries a fence mark")
        others = {m.system_id for m in members if m.system_id and m.host in service.members}
        if len(others) > 1:
            return Probe(Presence.PARTIAL, f"{host} writes, but is not of the same cluster")
        if (target.timeline or 0) < 2 and host == service.expected_primary:  # noqa: PLR2004
            return Probe(Presence.UNKNOWN, f"{host} writes and was never promoted")
        lost = self._loss(attempt, world, service, members)
        return Probe(
            Presence.DONE,
            f"{host} writes on timeline {target.timeline}",
            _outputs(target, lost),
        )

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Check all of it again, then promote."""
        may = self.precheck(attempt, world)
        if may.holds is not True:
            raise RefusedError(may.because, hint=may.hint, facts=may.facts)
        service = service_of(attempt, world, self.given(attempt).service)
        host = host_of(attempt)
        members = self._members(service, world)
        before = next(m for m in members if m.host == host)
        lost = self._loss(attempt, world, service, members)
        done = self._connections.actor(host).job(
            attempt,
            world,
            script=script("promote"),
            env=self._env(service, before, members, attempt),
        )
        if not done.ok:
            raise _failed(host, done.exit_code, done.stdout + done.stderr)
        after = self._look_again(service, world, host)
        facts = {"said": done.stdout.strip().splitlines(), "position": format_lsn(after.end)}
        return Outcome(_outputs(after, lost, fallback=before), facts)

    def attach(self, attempt: Attempt, world: World) -> Attached:
        """Find the job; what it brought about is seen by looking."""
        found = self._connections.actor(host_of(attempt)).attach(attempt, world)
        if found.found is not Found.ENDED or found.outcome is None:
            return found
        code = int(found.outcome.outputs.get("exit_code", 1))
        said = str(found.outcome.outputs.get("stdout", ""))
        if code != 0:
            return Attached(Found.ENDED, error=_failed(host_of(attempt), code, said))
        probe = self.probe(attempt, world)
        if probe.presence is Presence.DONE:
            return Attached(Found.ENDED, probe.detail, Outcome(probe.outputs))
        return Attached(Found.UNKNOWN, f"the promotion ended, and then: {probe.detail}")

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:
        """It writes, on a newer timeline than every standby, in the same cluster."""
        service = service_of(attempt, world, self.given(attempt).service)
        host = host_of(attempt)
        members = self._members(service, world)
        target = next((m for m in members if m.host == host), None)
        if target is None or not target.answers:
            return Check(holds=UNKNOWN, because=f"{host} does not answer")
        if target.role != "primary":
            return Check(holds=False, because=f"{host} is still in recovery")
        if target.system_id != outcome.outputs.get("system_id"):
            return Check(holds=False, because=f"{host} is another cluster: {target.system_id}")
        rivals = [m.host for m in members if m.host != host and m.role == "primary"]
        if rivals:
            return Check(holds=False, because=f"{rivals[0]} writes as well: two primaries")
        return Check(holds=True, because=f"{host} writes on timeline {target.timeline}")

    def forecast(self, attempt: Attempt, world: World) -> Forecast:
        """Seconds; the loss is that of the host as it stands."""
        service = service_of(attempt, world, self.given(attempt).service)
        members = self._members(service, world)
        target = next((m for m in members if m.host == attempt.host), None)
        if target is None or not is_healthy(target):
            because = target.because if target else "no host was seen that could take over"
            return Forecast(loss=UNKNOWN, available=Check(holds=False, because=because))
        whole, basis = intact(target)
        if target.role == "primary":
            words = Text(
                en=f"{target.host} has been promoted already; nothing more is lost",
                zh=f"{target.host} 已被提升为主库，不会再有数据损失",
            )
            return Forecast(
                p50=timedelta(seconds=1),
                p90=timedelta(seconds=2),
                loss=timedelta(),
                basis=words,
                available=Check(holds=whole is not False, because=basis),
            )
        lost = self._loss(attempt, world, service, members)
        return Forecast(
            p50=timedelta(seconds=3),
            p90=timedelta(seconds=15),
            loss=UNKNOWN if lost.at_most is None else lost.at_most,
            basis=lost.basis,
            available=Check(holds=whole is not False, because=basis),
        )

    def _members(self, service: Service, world: World) -> list[Member]:
        return look_at_hosts(self._connections, service, world.inventory, world.clock)

    def _look_again(self, service: Service, world: World, host: str) -> Member:
        return look_at_hosts(
            self._connections, service, world.inventory, world.clock, hosts=[host]
        )[0]

    def _loss(
        self, attempt: Attempt, world: World, service: Service, members: Sequence[Member]
    ) -> Loss:
        target = next((m for m in members if m.host == attempt.host), None)
        if target is None:
            return Loss(None, Text(en="the host was not seen", zh="未能查看该主机"))
        branches = collect(self._connections, service, world.inventory)
        detected = detected_at(world, self.given(attempt).detected_at)
        archived = None
        if target.replayed_to is None:
            archived = archived_before(self._connections, world.inventory, service.id, target)
        return loss(gather(target, members, branches, detected, fenced_at(attempt), archived))

    def _env(
        self, service: Service, target: Member, members: Sequence[Member], attempt: Attempt
    ) -> dict[str, str]:
        slots = [
            m.slot
            for m in members
            if m.host != target.host and m.role == "standby" and _SLOT.fullmatch(m.slot)
        ]
        database = service.database
        return {
            "DR_OS_USER": database.os_user,
            "DR_BIN_DIR": database.bin_dir,
            "DR_DATA_DIR": database.data_dir,
            "DR_SOCKET_DIR": database.socket_dir,
            "DR_PORT": str(database.port),
            "DR_ADMIN_USER": database.admin_user,
            "DR_SYSTEM_ID": target.system_id or "",
            "DR_SLOTS": " ".join(sorted(set(slots))),
            "DR_WAIT_S": str(max(5, int(attempt.timeout.total_seconds() * 0.4))),
        }


_LOOK_AGAIN = "See who is what now: `dr inventory show`, then start again from there."

_CODES = {
    10: "it is not the expected cluster",
    11: "it was not in recovery",
    12: "what it had received was not replayed in time",
    13: "pg_ctl promote failed",
    14: "it did not become writable in time",
}


def why_not_promote(host: str, members: Sequence[Member], proof: Mapping[str, Any]) -> str:
    """Return why ``host`` must not be promoted, or an empty text: pure."""
    target = next((m for m in members if m.host == host), None)
    if target is None or not target.answers:
        return f"{host} does not answer: {target.because if target else 'it is not a member'}"
    if proof.get("host") == host:
        return f"the proof says that {host} itself is fenced"
    if target.fenced:
        return f"{host} carries a fence mark"
    if target.role != "standby":
        return f"{host} is not in recovery"
    rivals = [m.host for m in members if m.host != host and m.role == "primary"]
    if rivals:
        return f"{rivals[0]} is a primary that writes; promoting {host} would make two"
    wanted = proof.get("system_id")
    if wanted and target.system_id != str(wanted):
        return f"{host} has the system identifier {target.system_id}, the fenced primary {wanted}"
    ahead = [m for m in members if m.host != host and m.role == "standby" and _ahead(m, target)]
    if ahead:
        most = max(ahead, key=lambda m: (m.timeline or 0, m.end or 0))
        return (
            f"{most.host} is further: {format_lsn(most.end)} on timeline {most.timeline},"
            f" {host} is at {format_lsn(target.end)} on {target.timeline}"
        )
    return ""


def _ahead(other: Member, target: Member) -> bool:
    """Whether ``other`` has something that ``target`` lacks: a timeline, or a later commit.

    A few bytes of log without a commit are no data, and no reason to go to another site.
    """
    if (other.timeline or 0) != (target.timeline or 0):
        return (other.timeline or 0) > (target.timeline or 0)
    if (other.end or 0) <= (target.end or 0):
        return False
    if other.replayed_to is None or target.replayed_to is None:
        return True
    return other.replayed_to > target.replayed_to


def _loss_data(lost: Loss) -> dict[str, Any]:
    return {
        "loss_s": lost.seconds,
        "loss_basis": lost.basis.plain(),
        "missing_bytes": lost.missing_bytes,
    }


def _outputs(member: Member, lost: Loss, fallback: Member | None = None) -> dict[str, Any]:
    # a restarted server has forgotten; what was seen just before it was promoted still holds
    moment = member.replayed_to or (fallback.replayed_to if fallback else None) or lost.since
    return {
        "host": member.host,
        "recovered_to": utc_text(moment) if moment else None,
        "timeline": member.timeline,
        "system_id": member.system_id,
        "loss_s": lost.seconds,
        "loss_basis": lost.basis.plain(),
    }


def _failed(host: str, code: int, said: str) -> FailedError:
    last = said.strip().splitlines()[-1] if said.strip() else ""
    words = _CODES.get(code, f"exit code {code}")
    return FailedError(
        f"promoting {host} failed: {words}{f' ({last})' if last else ''}",
        hint="Read the server's own log on the host before anything is tried again.",
    )
