"""``tcp.check``: does a port take connections?"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from datetime import timedelta

from pydantic import Field

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.inputs import Duration, Inputs
from dr.engine.core.errors import RefusedError
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt, Outcome, World


class TcpCheckInputs(Inputs):
    """``with`` of tcp.check."""

    port: int = Field(ge=1, le=65535)
    address: str | None = Field(None, description="Where to connect; the step's host if not given.")
    within: Duration = timedelta(seconds=5)


class TcpCheck(Driver[TcpCheckInputs]):
    """Connects from the engine's machine and closes again; the answer is an output."""

    inputs = TcpCheckInputs
    spec = specify(
        "tcp.check",
        "See whether a port takes connections",
        "检查端口是否可连接",
        TcpCheckInputs,
        effects=(Effect.READ,),
        reads_only=True,
        outputs={"state": "string", "took_s": "number"},
    )

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say where it connects to."""
        given = self.given(attempt)
        where = given.address or attempt.host
        return [f"connect to {where} port {given.port}, at most {given.within.total_seconds():g} s"]

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Connect once: open, refused, timeout or unreachable."""
        given = self.given(attempt)
        address = given.address or _address(attempt, world)
        began = time.monotonic()
        state = _connect(address, given.port, given.within.total_seconds())
        took_s = round(time.monotonic() - began, 3)
        world.output(f"{address} port {given.port}: {state} after {took_s} s\n")
        return Outcome(
            outputs={"state": state, "took_s": took_s},
            facts={"address": address, "port": given.port, "state": state},
        )


def _connect(address: str, port: int, timeout_s: float) -> str:
    try:
        socket.create_connection((address, port), timeout_s).close()
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timeout"
    except OSError:
        return "unreachable"
    return "open"


def _address(attempt: Attempt, world: World) -> str:
    hosts = world.inventory.get("hosts") or {}
    if attempt.host is None or attempt.host not in hosts:
        raise RefusedError(
            f"step '{attempt.step}' says no address to connect to",
            hint="Give `with: { address: ..., port: ... }` or a `hosts:` key.",
        )
    return str(hosts[attempt.host].get("address") or attempt.host)
