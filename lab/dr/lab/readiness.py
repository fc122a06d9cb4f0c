"""Waiting until a lab is usable: hosts answer, standbys stream, branches register."""

from __future__ import annotations

import os
import socket
import subprocess
import time

from dr.lab import kernel, rpc
from dr.lab.enter import enter, in_host
from dr.lab.errors import LabError
from dr.lab.plan import LabPlan
from dr.lab.postgres import SOCKET_DIR
from dr.lab.topology import Cluster

_READY_S = 60.0
_PAUSE_S = 0.03


def wait_until_ready(plan: LabPlan, world: int) -> None:
    """Return when everything answers; LabError naming what does not after a minute."""
    end = time.monotonic() + _READY_S
    child = kernel.fork()
    if child == 0:
        # an own process: the control host's network is not for the caller
        silent = "?"
        try:
            enter(plan.directory)
            silent = _wait_for_ssh([host.address for host in plan.topology.hosts], end)
        except OSError as error:
            os.write(2, f"{error}\n".encode())
        finally:
            os._exit(1 if silent else 0)
    if os.waitpid(child, 0)[1] != 0:
        raise LabError("not every host of the lab answers on port 22")
    for cluster in plan.topology.clusters:
        _wait_for_streaming(plan, cluster, end)
        _start_archiving_on_time(plan, cluster)
    while not all(
        branch.get("last_success") for branch in rpc.call(plan.directory, "status")["branches"]
    ):
        if time.monotonic() > end:
            raise LabError("not every branch could register business")
        time.sleep(_PAUSE_S)
    assert world  # noqa: S101  it just answered


def _wait_for_ssh(addresses: list[str], end: float) -> str:
    """Return the first address that never answered, or nothing."""
    for address in addresses:
        while not _greets(address):
            if time.monotonic() > end:
                return address
            time.sleep(_PAUSE_S)
    return ""


def _greets(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), 1.0) as client:
            client.settimeout(1.0)
            return client.recv(4) == b"SSH-"
    except OSError:
        return False


def _wait_for_streaming(plan: LabPlan, cluster: Cluster, end: float) -> None:
    sql = (
        "SELECT string_agg(application_name, ',') FROM pg_stat_replication "
        "WHERE state = 'streaming'"
    )
    while True:
        try:
            said = _on_primary(plan, cluster, sql)
        except subprocess.TimeoutExpired:
            said = ""
        if set(said.split(",")) >= set(cluster.standbys):
            return
        if time.monotonic() > end:
            raise LabError(f"not every standby follows {cluster.primary}: streaming is '{said}'")
        time.sleep(_PAUSE_S)


def _start_archiving_on_time(plan: LabPlan, cluster: Cluster) -> None:
    """Have archive_timeout count from now on.

    The checkpointer of a server that was shut down cleanly first looks at the clock, finds the
    server still recovering, and sleeps for a whole checkpoint_timeout unless it is woken.
    """
    _on_primary(plan, cluster, "CHECKPOINT")


def _on_primary(plan: LabPlan, cluster: Cluster, sql: str) -> str:
    assert plan.installation is not None  # noqa: S101  there is a cluster, so there is a server
    psql = [plan.installation.program("psql"), "-qtAX", "-h", SOCKET_DIR, "-U", "postgres"]
    done = in_host(plan.directory, cluster.primary, [*psql, "-c", sql], timeout_s=10.0)
    return done.stdout.strip()
