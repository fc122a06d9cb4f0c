"""The explicit list of the actions that dr ships."""

from __future__ import annotations

from pathlib import Path

from dr.engine.actions.ansible.playbook import AnsiblePlaybook
from dr.engine.actions.gate_approve import GateApprove
from dr.engine.actions.hosts import Connections
from dr.engine.actions.http_check import HttpCheck
from dr.engine.actions.human_task import HumanTask
from dr.engine.actions.path_check import PathCheck
from dr.engine.actions.reconcile_close import ReconcileClose
from dr.engine.actions.recovery import recovery_actions
from dr.engine.actions.registry import ActionRegistry, add_plugins
from dr.engine.actions.report_write import report_actions
from dr.engine.actions.sql_check import SqlCheck
from dr.engine.actions.ssh_run import SshRun
from dr.engine.actions.tcp_check import TcpCheck
from dr.engine.actions.wait_until import WaitUntil


def standard_actions(
    connections: Connections,
    *,
    workspace: Path | None = None,
    state: Path | None = None,
    plugins: bool = True,
) -> ActionRegistry:
    """Return every shipped action, bound to ``connections``, and those of installed plug-ins.

    Args:
        workspace: what playbooks are relative to; the current directory if not given.
        state: where playbooks leave their artifacts; ``.dr`` in the workspace if not given.
    """
    here = (workspace or Path()).absolute()
    registry = ActionRegistry(
        [
            SshRun(connections),
            PathCheck(connections),
            TcpCheck(),
            HttpCheck(),
            SqlCheck(),
            AnsiblePlaybook(here, state or here / ".dr"),
            HumanTask(),
            GateApprove(),
            ReconcileClose(),
            *recovery_actions(connections),
            *report_actions(),
        ]
    )
    registry.add(WaitUntil(registry))
    if plugins:
        add_plugins(registry, connections)
    return registry
