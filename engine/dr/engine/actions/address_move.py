"""``address.move``: the service address is on one host, and the branches reach it there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections, Observer
from dr.engine.actions.inputs import Inputs
from dr.engine.actions.observations import ADDRESSES, NEIGHBOUR, TCP_OPEN
from dr.engine.actions.postgres.fence import ADDRESS_FILE
from dr.engine.actions.postgres.member import Member, holds_address
from dr.engine.actions.postgres.observatory import look_at_hosts
from dr.engine.actions.postgres.proof import recheck_proof
from dr.engine.actions.postgres.scripts import script
from dr.engine.actions.postgres.service import Address, Service, as_host, service_of
from dr.engine.core.errors import ActionError, FailedError, RefusedError
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

_LOOK = timedelta(seconds=5)


class MoveInput(Inputs):
    """``with`` of address.move: ``to`` is the host, by name or a map with ``host``."""

    service: str | None = None
    to: str | dict[str, Any]


class Move(Driver[MoveInput]):
    """Puts the address on the new primary, at once and for the next boot.

    It takes it from nobody: the old holder is fenced, or seen to be without it, before.
    """

    inputs = MoveInput
    spec = specify(
        "address.move",
        "Move the service address",
        "迁移服务地址",
        MoveInput,
        effects=(Effect.IDEMPOTENT, Effect.ONCE),
        probes=True,
        attaches=True,
        undoes=True,
        outputs={"host": "string", "address": "string", "seen_from": "string"},
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say where the address goes."""
        to = as_host(attempt.input.get("to")) or "the new primary"
        return [
            "look that no other host holds the service address",
            f"on {to}: ip address add, {ADDRESS_FILE}, gratuitous ARP",
            "look from a branch that the address answers there",
        ]

    def precheck(self, attempt: Attempt, world: World) -> Check:
        """No other host holds it, and the target writes."""
        service, address, to = self._about(attempt, world)
        members = look_at_hosts(self._connections, service, world.inventory, world.clock)
        target = next((m for m in members if m.host == to), None)
        if target is None or not target.reachable:
            return Check(holds=False, because=f"{to} does not answer")
        if target.role != "primary":
            return Check(
                holds=False,
                because=f"{to} is no primary that writes, but {target.role}",
                hint="Give the address to the host that was promoted or restored.",
            )
        return self._no_other(attempt, world, service, address, members, to)

    def probe(self, attempt: Attempt, world: World) -> Probe:
        """Whether the target holds it; a second holder makes it PARTIAL."""
        service, address, to = self._about(attempt, world)
        members = look_at_hosts(self._connections, service, world.inventory, world.clock)
        holders = [m.host for m in members if m.holds_address]
        target = next((m for m in members if m.host == to), None)
        if target is None or target.holds_address is None:
            return Probe(Presence.UNKNOWN, f"{to} does not answer")
        if not target.holds_address:
            return Probe(Presence.ABSENT, f"{to} does not hold {address.ip}")
        if holders != [to]:
            return Probe(Presence.PARTIAL, f"{' and '.join(holders)} hold {address.ip}")
        if not self._persists(to, address):
            return Probe(Presence.PARTIAL, f"{to} holds {address.ip}, but not after a reboot")
        return Probe(Presence.DONE, f"{to} holds {address.ip}", _outputs(address, to))

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Put it on, and tell the neighbours."""
        may = self.precheck(attempt, world)
        if may.holds is not True:
            raise RefusedError(may.because, hint=may.hint)
        _, address, to = self._about(attempt, world)
        done = self._connections.actor(to).job(
            attempt, world, script=script("address"), env=_env(address, "add")
        )
        if not done.ok:
            raise _failed(to, address, done.exit_code, done.stdout)
        return Outcome(_outputs(address, to))

    def attach(self, attempt: Attempt, world: World) -> Attached:
        """Find the job on the target."""
        _, address, to = self._about(attempt, world)
        found = self._connections.actor(to).attach(attempt, world)
        if found.found is not Found.ENDED or found.outcome is None:
            return found
        code = int(found.outcome.outputs.get("exit_code", 1))
        if code == 0:
            return Attached(Found.ENDED, outcome=Outcome(_outputs(address, to)))
        said = str(found.outcome.outputs.get("stdout", ""))
        return Attached(Found.ENDED, error=_failed(to, address, code, said))

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:  # noqa: ARG002
        """A branch reaches the port through the address, and the target's card answers."""
        service, address, to = self._about(attempt, world)
        if not holds_address(self._connections.observer(to), address.ip, timeout=_LOOK):
            return Check(holds=False, because=f"{to} does not hold {address.ip}")
        if not address.verify_from:
            return Check(holds=True, because=f"{to} holds it; no branch is declared to look from")
        branch = self._connections.observer(address.verify_from)
        try:
            reached = branch.observe(
                TCP_OPEN, timeout=_LOOK, address=address.ip, port=str(service.database.port)
            )
        except ActionError as error:
            return Check(holds=UNKNOWN, because=f"{address.verify_from}: {error.message}")
        if not reached.ok:
            return Check(
                holds=False,
                because=f"{address.verify_from} does not reach {address.ip} on port "
                f"{service.database.port}",
                hint="Look whether its neighbour table still has the old host: `ip neigh`.",
            )
        return self._right_card(branch, to, address)

    def undo(self, attempt: Attempt, world: World) -> Outcome:
        """Take the address from the target again."""
        _, address, to = self._about(attempt, world)
        done = self._connections.actor(to).job(
            attempt, world, script=script("address"), env=_env(address, "remove"), name="undo"
        )
        if not done.ok:
            raise FailedError(f"{address.ip} could not be taken from {to}: {done.stdout.strip()}")
        return Outcome({"host": to, "address": address.ip})

    def forecast(self, attempt: Attempt, world: World) -> Forecast:  # noqa: ARG002
        """A second, most of it duplicate address detection."""
        return Forecast(
            p50=timedelta(seconds=1),
            p90=timedelta(seconds=10),
            basis=Text(en="most of it is duplicate address detection", zh="主要为地址冲突检测"),
            available=Check(holds=UNKNOWN),
        )

    def _about(self, attempt: Attempt, world: World) -> tuple[Service, Address, str]:
        given = self.given(attempt)
        service = service_of(attempt, world, given.service)
        to = as_host(given.to)
        if service.address is None:
            raise RefusedError(
                f"service '{service.id}' declares no address",
                hint="Add `address:` to it in services.yaml.",
            )
        if to is None or to not in service.hosts:
            raise RefusedError(f"'{to}' is no host of service '{service.id}'")
        return service, service.address, to

    def _no_other(
        self,
        attempt: Attempt,
        world: World,
        service: Service,
        address: Address,
        members: Sequence[Member],
        to: str,
    ) -> Check:
        holders = [m.host for m in members if m.holds_address and m.host != to]
        if holders:
            return Check(
                holds=False,
                because=f"{holders[0]} holds {address.ip}",
                hint=f"Fence {holders[0]} first; two holders would split the business.",
            )
        silent = [m.host for m in members if m.holds_address is None and m.host != to]
        proof = attempt.requires.get("proof")
        if silent and isinstance(proof, dict) and proof.get("host") in silent:
            proven = recheck_proof(proof, self._connections, service, world.inventory)
            if proven.holds is True:
                silent.remove(str(proof["host"]))
        # a host that can not be asked is asked by the network: duplicate detection on the target
        because = f"{', '.join(silent)} can not be asked; the network will be" if silent else ""
        return Check(holds=True, because=because)

    def _persists(self, to: str, address: Address) -> bool:
        content = self._connections.observer(to).read(
            ADDRESS_FILE, max_bytes=1 << 16, timeout=_LOOK
        )
        words = (content or b"").decode("utf-8", "replace").split()
        return any(w == address.ip or w.startswith(f"{address.ip}/") for w in words)

    def _right_card(self, branch: Observer, to: str, address: Address) -> Check:
        """Compare the card that the branch sends to with the target's; a router hides it."""
        said = branch.observe(NEIGHBOUR, timeout=_LOOK, address=address.ip)
        cards = {str(n["lladdr"]) for n in json.loads(said.stdout or "[]") if n.get("lladdr")}
        if not cards:
            return Check(holds=True, because=f"{branch.host} reaches {address.ip} over a router")
        links = json.loads(self._connections.observer(to).observe(ADDRESSES, timeout=_LOOK).stdout)
        own = {str(link.get("address")) for link in links}
        if cards & own:
            return Check(holds=True, because=f"{branch.host} reaches {address.ip} on {to}")
        return Check(
            holds=False, because=f"{branch.host} still sends {address.ip} to another card than {to}"
        )


def _env(address: Address, what: str) -> dict[str, str]:
    return {
        "DR_ADDRESS": address.ip,
        "DR_PREFIX": str(address.prefix),
        "DR_INTERFACE": address.interface,
        "DR_ADDRESS_FILE": ADDRESS_FILE,
        "DR_DO": what,
    }


def _outputs(address: Address, to: str) -> dict[str, Any]:
    return {"host": to, "address": address.ip, "seen_from": address.verify_from}


def _failed(to: str, address: Address, code: int, said: str) -> ActionError:
    last = said.strip().splitlines()[-1] if said.strip() else f"exit code {code}"
    if code == 10:  # noqa: PLR2004 - the script's own code
        return RefusedError(
            f"{address.ip} was not put on {to}: {last}",
            hint="Find the host that answers (`arping -D`), and fence it.",
        )
    return FailedError(f"{address.ip} could not be put on {to}: {last}")
