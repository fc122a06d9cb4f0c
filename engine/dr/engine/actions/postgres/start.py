"""``postgres.start``: the service's PostgreSQL runs on a host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections, host_of
from dr.engine.actions.inputs import Inputs
from dr.engine.actions.postgres.member import Member, mark_path
from dr.engine.actions.postgres.observatory import look_at_hosts
from dr.engine.actions.postgres.scripts import script
from dr.engine.actions.postgres.service import service_of
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
from dr.engine.core.values import UNKNOWN, Text


class StartInput(Inputs):
    """``with`` of postgres.start.

    Attributes:
        role: ``standby`` refuses to start a data directory that would come up as a primary; ``any``
            starts what is there.
        log: where the server writes its log.
    """

    service: str | None = None
    role: str = "standby"
    log: str = "/var/log/postgresql/postgresql.log"


class Start(Driver[StartInput]):
    """Starts a stopped server; a fenced host is refused."""

    inputs = StartInput
    spec = specify(
        "postgres.start",
        "Start PostgreSQL on a host",
        "启动数据库",
        StartInput,
        effects=(Effect.IDEMPOTENT, Effect.ONCE),
        probes=True,
        attaches=True,
        needs_host=True,
        outputs={"host": "string", "role": "string", "timeline": "integer", "system_id": "string"},
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what would be started."""
        return [f"on {attempt.host or 'the host'}: pg_ctl start -w, unless it is fenced or running"]

    def precheck(self, attempt: Attempt, world: World) -> Check:
        """Not on a fenced host."""
        seen = self._look(attempt, world)
        if seen.fenced:
            return Check(
                holds=False,
                because=f"{seen.host} is fenced",
                hint="Rebuild it as a standby of the new primary and take the mark away first.",
            )
        return Check(holds=True if seen.reachable else UNKNOWN, because=seen.because)

    def probe(self, attempt: Attempt, world: World) -> Probe:
        """Whether its database answers."""
        seen = self._look(attempt, world)
        if not seen.reachable:
            return Probe(Presence.UNKNOWN, seen.because)
        if seen.answers:
            return Probe(Presence.DONE, f"it runs as {seen.role}", _outputs(seen))
        return Probe(Presence.ABSENT, seen.because)

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Start it and wait until it answers."""
        given = self.given(attempt)
        service = service_of(attempt, world, given.service)
        host = host_of(attempt)
        database = service.database
        done = self._connections.actor(host).job(
            attempt,
            world,
            script=script("start"),
            env={
                "DR_OS_USER": database.os_user,
                "DR_BIN_DIR": database.bin_dir,
                "DR_DATA_DIR": database.data_dir,
                "DR_LOG": given.log,
                "DR_WAIT_S": str(max(5, int(attempt.timeout.total_seconds() * 0.8))),
                "DR_MARK": mark_path(world.inventory, host, service.id),
                "DR_STANDBY": "yes" if given.role == "standby" else "no",
            },
        )
        said = done.stdout.strip().splitlines()
        if done.exit_code in {10, 11}:
            raise RefusedError(f"{host}: {said[-1] if said else 'refused'}")
        if not done.ok:
            raise FailedError(
                f"PostgreSQL on {host} did not start (exit code {done.exit_code})",
                hint=f"Read {given.log} on {host}.",
            )
        return Outcome(_outputs(self._look(attempt, world)))

    def attach(self, attempt: Attempt, world: World) -> Attached:
        """Find the job; the server itself says how it ended."""
        found = self._connections.actor(host_of(attempt)).attach(attempt, world)
        probe = self.probe(attempt, world)
        if found.found is Found.ENDED and probe.presence is Presence.DONE:
            return Attached(Found.ENDED, probe.detail, Outcome(probe.outputs))
        if found.found is Found.ENDED:
            return Attached(Found.ENDED, error=FailedError(f"it does not run: {probe.detail}"))
        return found

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:  # noqa: ARG002
        """It answers a query."""
        seen = self._look(attempt, world)
        return Check(holds=seen.answers if seen.reachable else UNKNOWN, because=seen.because)

    def forecast(self, attempt: Attempt, world: World) -> Forecast:  # noqa: ARG002
        """Seconds after a clean stop; crash recovery can take minutes."""
        return Forecast(
            p50=timedelta(seconds=2),
            p90=timedelta(minutes=2),
            basis=Text(en="start with crash recovery, not measured", zh="含崩溃恢复，尚无实测"),
            available=Check(holds=UNKNOWN),
        )

    def _look(self, attempt: Attempt, world: World) -> Member:
        service = service_of(attempt, world, self.given(attempt).service)
        host = host_of(attempt)
        return look_at_hosts(
            self._connections, service, world.inventory, world.clock, hosts=[host]
        )[0]


def _outputs(member: Member) -> dict[str, object]:
    return {
        "host": member.host,
        "role": member.role,
        "timeline": member.timeline,
        "system_id": member.system_id,
    }
