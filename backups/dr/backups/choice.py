"""Which backup to restore, what it would take and what it would lose: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dr.backups.catalogue import BackupSet, Copy, Expectation
from dr.backups.pgbackrest import BackupRef, Repository, wal_bytes_after, why_unusable
from dr.engine.core.values import Text

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backup of a copy with a verdict; ``because`` says why it is not usable."""

    copy: Copy
    backup: BackupRef | None
    usable: bool
    because: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a restore would take; None is what nobody knows."""

    p50: timedelta | None
    p90: timedelta | None
    basis: Text


def candidates(
    backup_set: BackupSet,
    repositories: dict[str, Repository | str],
    *,
    medium: str | None,
    target_time: datetime | None = None,
) -> list[Candidate]:
    """List every backup of the set's copies, newest first within a copy, with its verdict.

    Args:
        repositories: by copy id, what it holds, or why it could not be read.
        target_time: a backup that became consistent after it can not go back that far.
    """
    found: list[Candidate] = []
    for copy in backup_set.copies_on(medium):
        if copy.unavailable:
            found.append(Candidate(copy, None, usable=False, because=copy.unavailable.say("en")))
            continue
        repository = repositories.get(copy.id, "it was not looked at")
        if isinstance(repository, str):
            found.append(Candidate(copy, None, usable=False, because=repository))
            continue
        if not repository.backups:
            found.append(Candidate(copy, None, usable=False, because="it holds no backup"))
        newest_first = sorted(repository.backups, key=lambda b: b.consistent_at, reverse=True)
        for backup in newest_first:
            because = why_unusable(backup, repository)
            if not because and target_time is not None and backup.consistent_at > target_time:
                because = "it is newer than the moment to go back to"
            found.append(Candidate(copy, backup, usable=not because, because=because))
    return found


def choose(found: Sequence[Candidate]) -> Candidate | None:
    """Return the newest usable backup; the set's order of copies breaks ties.  None: there is none.

    With WAL in the archive every usable backup reaches the same moment, and the newest one has the
    least to replay.
    """
    best: Candidate | None = None
    for candidate in found:
        if not candidate.usable or candidate.backup is None:
            continue
        newest = best.backup.consistent_at if best and best.backup else None
        if newest is None or candidate.backup.consistent_at > newest:
            best = candidate
    return best


def age(backup: BackupRef, now: datetime) -> timedelta:
    """Return how old the backup's data is without any WAL; never negative."""
    return max(timedelta(), now - backup.consistent_at)


def estimate(backup: BackupRef, repository: Repository, expect: Expectation) -> Estimate:
    """Return what a restore of ``backup`` would take by the declared figures.

    Half as long again is the P90 while nothing was measured: restores on shared machines were seen
    to scatter that much.
    """
    if expect.rate_mb_s is None or expect.rate_mb_s <= 0:
        unknown = Text(
            en="no restore was measured and no rate is declared",
            zh="尚无恢复实测数据，也未登记速率",
        )
        return Estimate(None, None, unknown)
    wal = wal_bytes_after(backup, repository) or 0
    seconds = (backup.size_bytes + wal) / _MB / expect.rate_mb_s
    p50 = (expect.fixed or timedelta()) + timedelta(seconds=seconds)
    moved = (backup.size_bytes + wal) / _MB
    basis = Text(
        en=f"{moved:.0f} MB at the declared {expect.rate_mb_s:g} MB/s",
        zh=f"{moved:.0f} MB，按登记速率 {expect.rate_mb_s:g} MB/s 计",
    )
    return Estimate(p50, p50 * 1.5, basis)
