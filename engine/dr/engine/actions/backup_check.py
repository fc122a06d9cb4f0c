"""``backup.check``: which backups there are, how fresh, and which one would be restored."""

from __future__ import annotations

from collections.abc import Sequence

from dr.backups.catalogue import find_set
from dr.backups.choice import Candidate, age, candidates, choose, estimate
from dr.backups.pgbackrest import Repository
from dr.engine.actions.backup_catalogue import look_into, os_user_of
from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections
from dr.engine.actions.inputs import Inputs
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt, Outcome, Presence, Probe, World
from dr.engine.core.values import Text, format_duration, utc_text


class BackupCheckInput(Inputs):
    """``with`` of backup.check: the set, and the medium when only one counts."""

    set: str
    medium: str | None = None


class BackupCheck(Driver[BackupCheckInput]):
    """Reads the catalogues of a set's copies."""

    inputs = BackupCheckInput
    spec = specify(
        "backup.check",
        "See which backups there are and how fresh",
        "检查备份及其新鲜度",
        BackupCheckInput,
        effects=(Effect.READ,),
        reads_only=True,
        probes=True,
        outputs={
            "usable": "boolean",
            "backup": "string",
            "copy": "string",
            "consistent_at": "moment",
            "age_s": "number",
            "wal_to": "string",
            "p50_s": "number",
            "fresh": "boolean",
            "basis": "map",
            "candidates": "list",
        },
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what is read."""
        return [f"read the catalogues of the copies of {attempt.input.get('set')}"]

    def probe(self, attempt: Attempt, world: World) -> Probe:  # noqa: ARG002
        """A look is never done already."""
        return Probe(Presence.ABSENT, "catalogues are read anew")

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Read, judge, choose."""
        given = self.given(attempt)
        backup_set = find_set(world.inventory.get("backups") or {}, given.set)
        user = os_user_of(world.inventory, backup_set)
        held = look_into(self._connections, backup_set, user, medium=given.medium)
        found = candidates(backup_set, held, medium=given.medium)
        best = choose(found)
        listed = [_line(c) for c in found]
        repository = held.get(best.copy.id) if best else None
        if best is None or best.backup is None or not isinstance(repository, Repository):
            because = "; ".join(dict.fromkeys(c.because for c in found)) or "it has no copies"
            basis = Text(en=f"no usable backup: {because}", zh=f"没有可用备份：{because}")
            return Outcome(
                {
                    "usable": False,
                    "backup": None,
                    "copy": None,
                    "consistent_at": None,
                    "age_s": None,
                    "wal_to": None,
                    "p50_s": None,
                    "fresh": False,
                    "basis": basis.plain(),
                    "candidates": listed,
                }
            )
        old = age(best.backup, world.clock.now())
        takes = estimate(best.backup, repository, best.copy.expect)
        basis = Text(
            en=f"backup {best.backup.label}, {format_duration(old)} old, "
            f"log to {repository.wal_last}",
            zh=f"备份 {best.backup.label}，距今 {format_duration(old)}，"
            f"日志至 {repository.wal_last}",
        )
        return Outcome(
            {
                "usable": True,
                "backup": best.backup.label,
                "copy": best.copy.id,
                "consistent_at": utc_text(best.backup.consistent_at),
                "age_s": old.total_seconds(),
                "wal_to": repository.wal_last,
                "p50_s": takes.p50.total_seconds() if takes.p50 else None,
                # with log in the archive the age of the base backup is no measure of what is lost
                "fresh": repository.ok,
                "basis": basis.plain(),
                "candidates": listed,
            }
        )


def _line(candidate: Candidate) -> dict[str, object]:
    backup = candidate.backup
    return {
        "copy": candidate.copy.id,
        "medium": candidate.copy.medium,
        "backup": backup.label if backup else None,
        "consistent_at": utc_text(backup.consistent_at) if backup else None,
        "usable": candidate.usable,
        "because": candidate.because,
    }
