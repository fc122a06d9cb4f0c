"""``postgres.fence``: proof that the old primary can not write any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections, host_of
from dr.engine.actions.inputs import Inputs
from dr.engine.actions.observations import PING
from dr.engine.actions.postgres.member import Member, mark_path
from dr.engine.actions.postgres.observatory import look_at_hosts
from dr.engine.actions.postgres.proof import LOOK, Fenced, look_fenced
from dr.engine.actions.postgres.scripts import script
from dr.engine.actions.postgres.service import Service, service_of
from dr.engine.core.errors import ActionError, FailedError, RefusedError, RetryableError
from dr.engine.core.events import Kind
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

ADDRESS_FILE = "/etc/dr-addresses"
"""Addresses that a host takes at boot, one ``IP/PREFIX INTERFACE`` a line."""

_PATIENCE_S = 3


class Gate(Inputs):
    """A gate of the run, by its step's id."""

    gate: str


class FenceInput(Inputs):
    """``with`` of postgres.fence.

    Attributes:
        expected: ``system_id`` and ``timeline`` that the old primary must have, where it can be
            asked.
        attested_by: who attests that a host which can not be reached is off: people's names, or
            ``{gate: STEP}``, the people who approved that gate of this run.
        quorum: how many different people that takes.
    """

    service: str | None = None
    expected: dict[str, Any] | None = None
    attested_by: Gate | list[str] | str | None = None
    quorum: int = 2


class Fence(Driver[FenceInput]):
    """Ends PostgreSQL on the host, takes the service address away and marks the host.

    The host itself does it when it can be reached, a declared power switch (host variable
    ``dr_power``: ``{host, argv}``) when it can not; else a quorum may attest by
    name, which is never called a proof.
    """

    inputs = FenceInput
    spec = specify(
        "postgres.fence",
        "Make sure that a database host can not write",
        "隔离数据库主机，使其无法写入",
        FenceInput,
        effects=(Effect.IDEMPOTENT,),
        probes=True,
        attaches=True,
        needs_host=True,
        outputs={"proof": "map", "means": "string"},
        proofs=frozenset({"proof"}),
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what would be done on the host."""
        host = attempt.host or "the old primary"
        return [
            f"look again who {host} is; refuse when it is a standby or the promoted primary",
            f"on {host}: write the fence mark, remove the service address, end PostgreSQL",
            f"look that no PostgreSQL process and no service address is left on {host}",
        ]

    def precheck(self, attempt: Attempt, world: World) -> Check:
        """Refuse the wrong host."""
        service = service_of(attempt, world, self.given(attempt).service)
        host = host_of(attempt)
        if host not in service.hosts:
            return Check(holds=False, because=f"{host} is no host of service {service.id}")
        wrong = self._wrong(attempt, world, service)
        return Check(holds=not wrong, because=wrong, hint=_WRONG_HOST if wrong else "")

    def probe(self, attempt: Attempt, world: World) -> Probe:
        """Whether the host is stopped, marked and without the address."""
        service = service_of(attempt, world, self.given(attempt).service)
        host = host_of(attempt)
        seen = look_fenced(self._connections.observer(host), service, world.inventory)
        if seen.stopped:
            proof = self._proof(service, host, seen, world)
            return Probe(Presence.DONE, f"{host} is fenced", _outputs(proof))
        if not seen.reachable:
            return Probe(Presence.UNKNOWN, f"{host} does not answer: {seen.because}")
        some = seen.running is False or seen.marked is True
        return Probe(Presence.PARTIAL if some else Presence.ABSENT, seen.missing())

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Fence by the first means that can be had."""
        given = self.given(attempt)
        service = service_of(attempt, world, given.service)
        host = host_of(attempt)
        wrong = self._wrong(attempt, world, service)
        if wrong:
            raise RefusedError(wrong, hint=_WRONG_HOST)
        try:
            self._stop(attempt, world, service, host)
            seen = look_fenced(self._connections.observer(host), service, world.inventory)
        except RetryableError as error:
            seen = Fenced(reachable=False, because=error.message)
        if seen.stopped:
            return Outcome(_outputs(self._proof(service, host, seen, world)))
        power = _power(world.inventory, host)
        if power is not None:
            self._power_off(attempt, world, host, power)
            return Outcome(_outputs(self._powered_off(service, host, world)))
        if not seen.reachable:
            return Outcome(_outputs(_attestation(given, service, host, seen, world)))
        raise FailedError(
            f"{host} can not be proven fenced: {seen.missing()}",
            hint=f"Power {host} off by hand, declare dr_power for it, then `dr retry` this step.",
        )

    def attach(self, attempt: Attempt, world: World) -> Attached:
        """Find the job on the host; what it brought about is seen by looking."""
        found = self._connections.actor(host_of(attempt)).attach(attempt, world, name="fence")
        if found.found is not Found.ENDED:
            return found
        probe = self.probe(attempt, world)
        if probe.presence is Presence.DONE:
            return Attached(Found.ENDED, probe.detail, Outcome(probe.outputs))
        return Attached(Found.ENDED, probe.detail, error=FailedError(probe.detail))

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:
        """Look again, by the means of the proof."""
        from dr.engine.actions.postgres.proof import recheck_proof

        service = service_of(attempt, world, self.given(attempt).service)
        proof = outcome.outputs.get("proof") or {}
        return recheck_proof(proof, self._connections, service, world.inventory)

    def forecast(self, attempt: Attempt, world: World) -> Forecast:  # noqa: ARG002
        """Seconds, unless processes have to be waited for."""
        host = attempt.host or ""
        try:
            self._connections.observer(host).observe(PING, timeout=LOOK)
        except ActionError as error:
            return Forecast(available=Check(holds=UNKNOWN, because=error.message))
        basis = Text(en="one job on the host, no measurement yet", zh="单机任务，尚无实测")
        return Forecast(
            p50=timedelta(seconds=2),
            p90=timedelta(seconds=2 * _PATIENCE_S + 5),
            basis=basis,
            available=Check(holds=True),
        )

    def _wrong(self, attempt: Attempt, world: World, service: Service) -> str:
        return why_not_fence(
            host_of(attempt),
            self._members(service, world),
            self.given(attempt).expected or {},
            declared=service.expected_primary,
        )

    def _members(self, service: Service, world: World) -> list[Member]:
        return look_at_hosts(self._connections, service, world.inventory, world.clock)

    def _stop(self, attempt: Attempt, world: World, service: Service, host: str) -> None:
        mark = mark_path(world.inventory, host, service.id)
        done = self._connections.actor(host).job(
            attempt,
            world,
            script=script("fence"),
            name="fence",
            env={
                "DR_MARK": mark,
                "DR_MARK_TEXT": f"fenced by {attempt.key} at {utc_text(world.clock.now())}",
                "DR_DATA_DIR": service.database.data_dir,
                "DR_ADDRESS": service.address.ip if service.address else "",
                "DR_ADDRESS_FILE": ADDRESS_FILE,
                "DR_PATIENCE_S": str(_PATIENCE_S),
            },
        )
        if not done.ok:
            # what was reached is seen by looking, whatever the script could do
            world.output(f"the fence script ended with {done.exit_code}\n")

    def _proof(self, service: Service, host: str, seen: Fenced, world: World) -> dict[str, Any]:
        return {
            "kind": "proof",
            "means": "stopped",
            "host": host,
            "service": service.id,
            "system_id": self._system_id(service, world, host),
            "boot_id": seen.boot_id,
            "survives_reboot": True,
            "at": utc_text(world.clock.now()),
        }

    def _powered_off(self, service: Service, host: str, world: World) -> dict[str, Any]:
        return {
            "kind": "proof",
            "means": "powered_off",
            "host": host,
            "service": service.id,
            "system_id": self._system_id(service, world, host),
            "boot_id": "",
            # whoever presses the button brings PostgreSQL back with it
            "survives_reboot": False,
            "at": utc_text(world.clock.now()),
        }

    def _system_id(self, service: Service, world: World, host: str) -> str | None:
        """Return the cluster's identifier: the host's own, else what its standbys carry."""
        members = self._members(service, world)
        own = [m.system_id for m in members if m.host == host and m.system_id]
        others = {m.system_id for m in members if m.system_id and m.host in service.members}
        return own[0] if own else (others.pop() if len(others) == 1 else None)

    def _power_off(
        self, attempt: Attempt, world: World, host: str, power: Mapping[str, Any]
    ) -> None:
        argv = [str(word) for word in power["argv"]]
        done = self._connections.actor(str(power["host"])).job(attempt, world, argv, name="power")
        if not done.ok:
            raise FailedError(
                f"the power switch of {host} ended with exit code {done.exit_code}",
                hint="Read its output with `dr log`, or power the host off by hand.",
            )
        try:
            self._connections.observer(host).observe(PING, timeout=LOOK)
        except RetryableError:
            return
        raise FailedError(f"{host} still answers although its power switch says it is off")


_WRONG_HOST = "Look who is primary now: `dr inventory show`, and fence the other one."


def why_not_fence(
    host: str, members: Sequence[Member], expected: Mapping[str, Any], *, declared: str = ""
) -> str:
    """Return why ``host`` must not be fenced, or an empty text: pure.

    A standby is no danger; a primary on the highest timeline while another one writes on a lower
    one, or has been fenced, is the promoted host, and fencing it would be the second outage.  The
    declared primary may be fenced although a mark of an earlier incident lies on another host.
    """
    target = next((m for m in members if m.host == host), None)
    if target is None or not target.answers:
        return ""
    if target.role == "standby":
        return f"{host} is a standby in recovery, not a primary"
    wanted = expected.get("system_id")
    if wanted and target.system_id and str(wanted) != target.system_id:
        return f"{host} has the system identifier {target.system_id}, expected was {wanted}"
    timeline = expected.get("timeline")
    if timeline is not None and target.timeline is not None and target.timeline > int(timeline):
        return (
            f"{host} is a primary on timeline {target.timeline}, newer than the expected"
            f" {timeline}: it was promoted meanwhile"
        )
    older = [
        m.host
        for m in members
        if m.host != host
        and m.role == "primary"
        and m.timeline is not None
        and target.timeline is not None
        and m.timeline < target.timeline
    ]
    if older:
        return f"{host} is the promoted primary; the old one is {older[0]}"
    fenced = [m.host for m in members if m.host != host and m.fenced]
    if fenced and host != declared:
        return f"{host} is the primary in service; {fenced[0]} has been fenced already"
    return ""


def _outputs(proof: Mapping[str, Any]) -> dict[str, Any]:
    return {"proof": dict(proof), "means": proof["means"]}


def _power(inventory: Mapping[str, Any], host: str) -> Mapping[str, Any] | None:
    variables = (inventory.get("hosts") or {}).get(host, {}).get("vars") or {}
    power = variables.get("dr_power")
    return power if isinstance(power, Mapping) and power.get("host") and power.get("argv") else None


def _attesting(named: Gate | list[str] | str | None, world: World) -> list[str]:
    """Return who attests: as named, or who approved the gate."""
    if isinstance(named, Gate):
        approvals = [
            event.data.get("outputs") or {}
            for event in world.history()
            if event.kind is Kind.STEP_FINISHED
            and event.step == named.gate
            and event.data.get("state") == "succeeded"
        ]
        return sorted(set(approvals[-1].get("approved_by") or ())) if approvals else []
    return sorted({n for n in ([named] if isinstance(named, str) else named or ()) if n})


def _attestation(
    given: FenceInput, service: Service, host: str, seen: Fenced, world: World
) -> dict[str, Any]:
    people = _attesting(given.attested_by, world)
    unknown = [p for p in people if p not in (world.inventory.get("people") or {})]
    if unknown:
        raise RefusedError(
            f"'{unknown[0]}' attests that {host} is off, and is not in the people file",
            hint="Let people of people.yaml attest.",
        )
    if len(people) < max(1, given.quorum):
        raise RefusedError(
            f"{host} can not be reached ({seen.because}), so nothing proves that it can not write",
            hint=f"Reach it, declare dr_power for it, or let {max(1, given.quorum)} people attest "
            "by name that it is off (`attested_by`).",
        )
    return {
        "kind": "attestation",
        "means": "attested",
        "host": host,
        "service": service.id,
        "system_id": None,
        "boot_id": "",
        "survives_reboot": False,
        "by": people,
        "because": seen.because,
        "at": utc_text(world.clock.now()),
    }
