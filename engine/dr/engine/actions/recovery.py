"""The actions that bring a database service back, as one list."""

from __future__ import annotations

from dr.engine.actions.address_move import Move
from dr.engine.actions.backup_check import BackupCheck
from dr.engine.actions.backup_restore import Restore
from dr.engine.actions.business_release import Release
from dr.engine.actions.business_reopen import Reopen
from dr.engine.actions.hosts import Connections
from dr.engine.actions.postgres.assess import Assess
from dr.engine.actions.postgres.fence import Fence
from dr.engine.actions.postgres.promote import Promote
from dr.engine.actions.postgres.start import Start
from dr.engine.actions.reconcile_branches import Reconcile
from dr.engine.core.ports import Action


def recovery_actions(connections: Connections) -> list[Action]:
    """Return the recovery actions, bound to ``connections``."""
    return [
        Assess(connections),
        Fence(connections),
        Promote(connections),
        Start(connections),
        Move(connections),
        Reopen(connections),
        Release(connections),
        BackupCheck(connections),
        Restore(connections),
        Reconcile(connections),
    ]
