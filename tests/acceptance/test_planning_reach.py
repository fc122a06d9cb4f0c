"""A dry run is unable to act: the connections that it is handed can not write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from dr.engine.actions.hosts import Observer
from dr.engine.actions.postgres.observatory import Roles
from dr.engine.actions.standard import standard_actions
from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.errors import RefusedError, RetryableError
from dr.engine.core.model import Runbook
from dr.engine.journal.memory import MemoryJournal
from dr.engine.loader.expressions import Grammar
from dr.engine.loader.loading import load
from dr.engine.service.catalog import load_runbook
from dr.engine.service.plans import Plan, Planning
from dr.engine.service.starting import check_inputs, record_of
from dr.engine.service.surroundings import SystemClock, with_paths
from dr.engine.service.wiring import Reach, offline_actions, wire
from dr.inventory.snapshot import snapshot
from dr.inventory.workspace import Workspace, read_workspace
from tests.acceptance.conftest import SceneFactory

pytestmark = [pytest.mark.lab]

READS = {"host", "boot_id", "stat", "read", "listing", "observe"}

FORGED = """\
format: 1
name: forged
title: { en: Forged, zh: 伪造 }
owner: execution-group
steps:
  - id: words
    title: { en: Words, zh: 命令 }
    uses: ssh.run
    hosts: db-a
    with: { argv: [touch, /root/forged] }
    effect: read
  - id: query
    title: { en: Query, zh: 查询 }
    uses: sql.check
    with: { service: registry, query: CREATE TABLE forged () }
    effect: read
"""


@dataclass
class Watched:
    """Connections that write down who wanted to act; whoever looks finds nobody at home."""

    acted: list[str] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    def observer(self, host: str) -> Observer:
        self.looked.append(host)
        return Nobody(host)  # what it lacks can not be called

    def actor(self, host: str) -> Any:
        self.acted.append(host)
        raise AssertionError(f"a dry run wanted to act on {host}")

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Nobody:
    """A host that does not answer, and that has no method to write with."""

    host: str

    def _silent(self, *_words: Any, **_more: Any) -> Any:
        raise RetryableError(f"{self.host} does not answer", reason="unreachable")

    boot_id = stat = read = listing = observe = _silent


@pytest.fixture(scope="module")
def workspace(make_scene: SceneFactory) -> Workspace:
    """The workspace of a lab; no host of it is asked anything here."""
    return read_workspace(make_scene(only_ssh=False, branches=1).workspace)


def planned(workspace: Workspace, runbook: Runbook, watched: Watched) -> Plan:
    """Plan with ``watched`` in place of the real connections."""
    inventory: Mapping[str, Any] = with_paths(workspace, snapshot(workspace, "lab"))
    wiring = wire(workspace, MemoryJournal(SystemClock()), inventory, "lab", reach=Reach.LOOK)
    actions = standard_actions(watched, workspace=workspace.directory, state=workspace.state)
    roles = Roles(watched, inventory, SystemClock())
    ports = replace(wiring.ports, actions=actions, observatory=roles)
    inputs = check_inputs(runbook, {}, inventory)
    words = {"environment": "lab", "mode": "real", "requester": "nobody"}
    record = record_of(runbook, inputs, inventory, Grammar(), **words)
    return Planning(ports, runbook, record, probe=True).plan()


def test_the_connections_of_a_dry_run_hand_out_nobody_who_acts(workspace: Workspace) -> None:
    inventory = snapshot(workspace, "lab")
    connections = SshConnections(inventory, workspace.directory, read_only=True)
    with pytest.raises(RefusedError, match="read-only"):
        connections.actor("db-a")
    offered = {name for name in dir(connections.observer("db-a")) if not name.startswith("_")}
    assert offered == READS
    connections.close()


def test_planning_the_recovery_looks_at_hosts_and_asks_for_no_actor(workspace: Workspace) -> None:
    watched = Watched()
    runbook = load_runbook(workspace, "storage-failure", offline_actions())
    plan = planned(workspace, runbook, watched)
    assert {"db-a", "db-b", "dr-a"} <= set(watched.looked)
    assert watched.acted == []
    assert plan.ready is False


def test_a_step_that_claims_to_read_but_could_write_shows_that_it_is_unknown(
    workspace: Workspace,
) -> None:
    watched = Watched()
    runbook = load(FORGED, actions=offline_actions(), file="forged.yaml")
    plan = planned(workspace, runbook, watched)
    assert [step.mark for step in plan.steps] == ["?", "?"]
    assert watched.acted == []
    assert watched.looked == []
