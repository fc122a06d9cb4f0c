"""Fence proofs: what shows that a host can not write, and whether it still shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dr.engine.actions.hosts import Connections, Observer
from dr.engine.actions.observations import PG_BACKENDS, PING
from dr.engine.actions.postgres.member import holds_address, is_marked, mark_path
from dr.engine.actions.postgres.service import Service
from dr.engine.core.errors import ActionError, RetryableError
from dr.engine.core.ports import Check
from dr.engine.core.values import UNKNOWN

LOOK = timedelta(seconds=5)
_BEFORE_ARGS = 4  # pid, ppid, stat, comm


@dataclass(frozen=True, slots=True)
class Fenced:
    """What was seen of a host that should be fenced; None is what could not be seen."""

    reachable: bool
    because: str = ""
    boot_id: str = ""
    running: bool | None = None
    holds_address: bool | None = None
    marked: bool | None = None
    processes: str = ""

    @property
    def stopped(self) -> bool:
        """Whether it was seen that no server runs, the address is gone and the mark is there."""
        return self.running is False and self.holds_address is False and self.marked is True

    def missing(self) -> str:
        """Say what stands against a proof, for people."""
        if not self.reachable:
            return f"it does not answer: {self.because}"
        said = []
        if self.running is not False:
            what = "PostgreSQL still runs" if self.running else "nobody knows whether it runs"
            said.append(f"{what} ({self.processes})" if self.processes else what)
        if self.holds_address is not False:
            said.append("it may still hold the service address")
        if self.marked is not True:
            said.append("the fence mark is not there, so a reboot would bring it back")
        return ", ".join(said)


def look_fenced(
    observer: Observer, service: Service, inventory: Mapping[str, Any], timeout: timedelta = LOOK
) -> Fenced:
    """Look whether a host is fenced.  Never raises for a dead one."""
    try:
        boot = observer.boot_id()
        left = server_processes(observer, service, timeout=timeout)
        held = (
            False
            if service.address is None
            else holds_address(observer, service.address.ip, timeout=timeout)
        )
    except ActionError as error:
        return Fenced(reachable=False, because=error.message)
    marked = is_marked(observer, mark_path(inventory, observer.host, service.id), timeout=timeout)
    return Fenced(
        reachable=True,
        boot_id=boot,
        running=None if left is None else bool(left),
        holds_address=held,
        marked=marked,
        processes="; ".join(left or ()),
    )


def server_processes(
    observer: Observer, service: Service, *, timeout: timedelta
) -> list[str] | None:
    """List the PostgreSQL processes that may belong to the service's cluster; None: no answer.

    A postmaster with another data directory and its children are left out; whatever can not be
    told apart counts.

    Raises:
        RetryableError: the host does not answer.
    """
    done = observer.observe(PG_BACKENDS, timeout=timeout)
    if not done.ok:
        return None
    return own_processes(done.stdout, service.database.data_dir)


def own_processes(listing: str, data_dir: str) -> list[str]:
    """Return the lines of ``ps -o pid,ppid,stat,comm,args`` that belong to ``data_dir``."""
    lines = [line.split(None, _BEFORE_ARGS) for line in listing.splitlines()]
    found = [
        f
        for f in lines
        if len(f) >= _BEFORE_ARGS and f[3] in {"postgres", "postmaster"} and f[2][0] != "Z"
    ]
    other: set[str] = set()
    for fields in found:
        words = fields[-1].split() if len(fields) > _BEFORE_ARGS else []
        if "-D" in words[:-1] and words[words.index("-D") + 1] != data_dir:
            other.add(fields[0])
    return [f"pid {f[0]} in state {f[2]}" for f in found if f[0] not in other and f[1] not in other]


def recheck_proof(
    proof: Mapping[str, Any],
    connections: Connections,
    service: Service,
    inventory: Mapping[str, Any],
) -> Check:
    """Say whether ``proof`` still holds, by looking again.

    UNKNOWN means that the host does not answer and its proof would not outlive a reboot.
    """
    host = str(proof.get("host") or "")
    if host not in service.hosts:
        return Check(
            holds=False,
            because=f"the proof is for '{host}', which is no host of {service.id}",
            hint="Fence the old primary of this service: run the step again with its host.",
        )
    means = str(proof.get("means") or "")
    if proof.get("kind") == "attestation" or means == "powered_off":
        return _still_silent(host, connections, proof)
    seen = look_fenced(connections.observer(host), service, inventory)
    if seen.stopped:
        return Check(holds=True, because=f"{host} is stopped, marked and without the address")
    if not seen.reachable and proof.get("survives_reboot") is True:
        return Check(
            holds=True,
            because=f"{host} was stopped and marked, and does not answer any more: {seen.because}",
        )
    if not seen.reachable:
        return Check(holds=UNKNOWN, because=f"{host} does not answer: {seen.because}")
    return Check(
        holds=False,
        because=f"{host} is not fenced any more: {seen.missing()}",
        hint="Somebody has brought it back.  Fence it again: `dr retry RUN fence`.",
    )


def _still_silent(host: str, connections: Connections, proof: Mapping[str, Any]) -> Check:
    try:
        connections.observer(host).observe(PING, timeout=LOOK)
    except RetryableError as error:
        words = "attested" if proof.get("kind") == "attestation" else "powered off"
        return Check(holds=True, because=f"{host} was {words} and is silent: {error.message}")
    except ActionError as error:
        return Check(holds=False, because=f"{host} answers again: {error.message}")
    return Check(
        holds=False,
        because=f"{host} answers again, so it must be fenced for real",
        hint="Fence it now that it can be reached: `dr retry RUN fence`.",
    )
