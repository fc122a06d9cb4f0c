"""asyncssh on many hosts at once: a worker for ``fan_out``, run in the peers' environment."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import asyncssh
from samples import serve

_loop = asyncio.new_event_loop()
_kept: dict[str, asyncssh.SSHClientConnection] = {}


async def _connect(host: str, identity: str, known_hosts: str) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        host, username="root", client_keys=[identity], known_hosts=known_hosts, config=None
    )


async def _on_all(hosts: list[str], keys: dict[str, str], *, cold: bool) -> float:
    if not cold:
        for host in hosts:
            if host not in _kept:
                _kept[host] = await _connect(host, **keys)

    async def one(host: str) -> None:
        connection = await _connect(host, **keys) if cold else _kept[host]
        await connection.run("exit 0", check=True)
        if cold:
            connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(host) for host in hosts))
    return time.perf_counter() - began


def measure(hosts: list[str], identity: str, known_hosts: str, cold: bool) -> dict[str, Any]:
    """Run the command on every host at once and return how long that took."""
    keys = {"identity": identity, "known_hosts": known_hosts}
    return {"seconds": _loop.run_until_complete(_on_all(hosts, keys, cold=cold))}


if __name__ == "__main__":
    serve(measure)
