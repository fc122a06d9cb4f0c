"""Whether a restore is seen as done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from dr.engine.actions.backup_restore import Restore
from dr.engine.actions.postgres.member import Member
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt, Presence, World


class Unreadable(Restore):
    """The target runs some cluster; the repository that says which one is silent."""

    def _service(self, attempt: Attempt, world: World) -> Any:
        return None

    def _look(self, attempt: Attempt, world: World, service: Any) -> Member:
        at = datetime(2026, 11, 1, tzinfo=UTC)
        return Member(
            "spare", at, reachable=True, answers=True, in_recovery=False, system_id="other"
        )

    def _choose(self, attempt: Attempt, world: World) -> str:
        return "the repository does not answer"

    def _outputs(self, *_: Any) -> dict[str, Any]:
        return {}


def test_any_cluster_on_the_target_is_no_finished_restore_while_the_repository_is_silent() -> None:
    attempt = Attempt(
        "r", "restore", "spare", 1, 1, {}, timeout=timedelta(minutes=1), effect=Effect.ONCE
    )
    seen = Unreadable(cast("Any", None)).probe(attempt, cast("World", None))
    assert seen.presence is Presence.UNKNOWN
