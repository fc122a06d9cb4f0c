"""``business.release``: held parcels go back into business once what was wrong is settled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import Field

from dr.engine.actions.business_reopen import stage_env
from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections
from dr.engine.actions.inputs import Inputs
from dr.engine.actions.postgres.observatory import the_primary
from dr.engine.actions.postgres.query import quoted, rows
from dr.engine.actions.postgres.scripts import script
from dr.engine.actions.postgres.service import Service, as_host, service_of
from dr.engine.core.errors import ActionError, FailedError, RefusedError
from dr.engine.core.model import Effect
from dr.engine.core.ports import (
    Attached,
    Attempt,
    Check,
    Found,
    Outcome,
    Presence,
    Probe,
    World,
)

_LOOK = timedelta(seconds=10)
_SHOWN = 5


class ReleaseInput(Inputs):
    """``with`` of business.release."""

    service: str | None = None
    host: str | dict[str, Any] | None = Field(
        None, description="The database; the one primary that is seen when empty."
    )
    parcels: list[str] | None = Field(
        None, description="By name; every parcel that is held when not given."
    )
    keep: list[str] = Field(default_factory=list, description="Parcels that stay held.")


class Release(Driver[ReleaseInput]):
    """Lets parcels go, by the service's own SQL, all of them or none."""

    inputs = ReleaseInput
    spec = specify(
        "business.release",
        "Release held parcels",
        "解除暂停办理",
        ReleaseInput,
        effects=(Effect.IDEMPOTENT,),
        probes=True,
        attaches=True,
        closes=True,
        outputs={"released": "list", "still_held": "list", "host": "string"},
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say which parcels go."""
        given = self.given(attempt)
        named = ", ".join(given.parcels) if given.parcels is not None else "every held parcel"
        kept = f", except {', '.join(given.keep)}" if given.keep else ""
        return [f"release {named}{kept}"]

    def precheck(self, attempt: Attempt, world: World) -> Check:
        """A primary, and the SQL of holds declared."""
        try:
            service = self._service(attempt, world)
            _declared(service, "release")
            self._held(attempt, world, service)
        except ActionError as error:
            return Check(holds=False, because=error.message, hint=error.hint)
        return Check(holds=True)

    def probe(self, attempt: Attempt, world: World) -> Probe:
        """Whether nothing that is to be released is held."""
        try:
            service = self._service(attempt, world)
            host, held = self._held(attempt, world, service)
        except ActionError as error:
            return Probe(Presence.UNKNOWN, error.message)
        wanted = self._wanted(attempt, held)
        if wanted:
            return Probe(Presence.ABSENT, f"{len(wanted)} parcels are held that are to go")
        outputs = {"released": [], "still_held": held, "host": host}
        return Probe(Presence.DONE, "nothing is held that is to go", outputs)

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Release in one transaction on the primary."""
        service = self._service(attempt, world)
        host, held = self._held(attempt, world, service)
        wanted = self._wanted(attempt, held)
        statements = "\n".join(_release_sql(service, wanted, attempt.run))
        done = self._connections.actor(host).job(
            attempt,
            world,
            script=script("reopen"),
            env=stage_env(service, proves=False),
            stdin=f"SELECT 1;\n-- dr: then\n{statements}\n".encode(),
        )
        if not done.ok:
            said = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["nothing"]
            raise FailedError(
                f"releasing on {host} failed with exit code {done.exit_code}: {said[0]}",
                hint="Nothing was released.  Correct `holds: release:` in services.yaml, then "
                "`dr retry`.",
            )
        still = sorted(set(held) - set(wanted))
        return Outcome({"released": wanted, "still_held": still, "host": host})

    def attach(self, attempt: Attempt, world: World) -> Attached:
        """Find the job; what is held says how it ended."""
        service = self._service(attempt, world)
        try:
            host, _held = self._held(attempt, world, service)
        except ActionError as error:
            return Attached(Found.UNKNOWN, error.message)
        found = self._connections.actor(host).attach(attempt, world)
        if found.found is not Found.ENDED:
            return found
        probe = self.probe(attempt, world)
        if probe.presence is Presence.DONE:
            return Attached(Found.ENDED, probe.detail, Outcome(probe.outputs))
        return Attached(Found.ENDED, error=FailedError(probe.detail))

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:
        """None of what was released is held; what was to stay is."""
        service = self._service(attempt, world)
        try:
            _host, held = self._held(attempt, world, service)
        except ActionError as error:
            return Check(holds=False, because=error.message)
        wrong = sorted(set(held) & set(outcome.outputs.get("released") or ()))
        lost = sorted(set(outcome.outputs.get("still_held") or ()) - set(held))
        if wrong:
            return Check(holds=False, because=f"{_some(wrong)} are still held")
        if lost:
            return Check(holds=False, because=f"{_some(lost)} were to stay held and are not")
        return Check(holds=True, because="released")

    def _service(self, attempt: Attempt, world: World) -> Service:
        return service_of(attempt, world, self.given(attempt).service)

    def _held(self, attempt: Attempt, world: World, service: Service) -> tuple[str, list[str]]:
        """Return the host and what is held there, in order."""
        query = _declared(service, "held")
        named = as_host(self.given(attempt).host)
        host = the_primary(self._connections, service, world, named)
        found = rows(self._connections.observer(host), service.database, query, timeout=_LOOK)
        return host, sorted({str(next(iter(row.values()))) for row in found})

    def _wanted(self, attempt: Attempt, held: Sequence[str]) -> list[str]:
        given = self.given(attempt)
        named = set(held) if given.parcels is None else set(given.parcels)
        return [parcel for parcel in held if parcel in named and parcel not in given.keep]


def _release_sql(service: Service, parcels: Sequence[str], by: str) -> Iterator[str]:
    statement = _declared(service, "release").strip().rstrip(";")
    for parcel in parcels:
        values = {"parcel": quoted(parcel), "by": quoted(by)}
        # in one pass: a parcel may be called like a place
        yield re.sub(r"%\((parcel|by)\)s", lambda m: values[m[1]], statement) + ";"  # noqa: B023


def _declared(service: Service, name: str) -> str:
    holds: Mapping[str, Any] = service.business.get("holds") or {}
    if not holds.get(name):
        raise RefusedError(
            f"service '{service.id}' does not declare how holds are listed and released",
            hint="Add `held:` and `release:` to `business: { holds: … }` in services.yaml.",
        )
    return str(holds[name])


def _some(parcels: Sequence[str]) -> str:
    more = f" and {len(parcels) - _SHOWN} more" if len(parcels) > _SHOWN else ""
    return ", ".join(parcels[:_SHOWN]) + more
