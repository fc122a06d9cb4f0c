"""Which backup is restored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dr.backups.catalogue import Expectation, find_set, read_sets
from dr.backups.choice import candidates, choose, estimate
from dr.backups.pgbackrest import BackupRef, Repository
from dr.engine.core.errors import UserError

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SETS = {
    "registry-db": {
        "service": "registry",
        "rpo": "900s",
        "copies": [
            {
                "id": "disk",
                "driver": "pgbackrest",
                "medium": "disk",
                "host": "backup",
                "stanza": "registry",
                "expect": {"fixed": "5s", "rate_mb_s": 100},
            },
            {
                "id": "tape",
                "driver": "tape",
                "medium": "tape",
                "unavailable": {"en": "tape is not built yet", "zh": "未实现"},
            },
        ],
    }
}
SET = find_set(SETS, "registry-db")


def backup(label: str, hours_ago: float, *, error: bool = False) -> BackupRef:
    return BackupRef(
        label=label,
        kind="full",
        started=NOON - timedelta(hours=hours_ago, minutes=1),
        consistent_at=NOON - timedelta(hours=hours_ago),
        size_bytes=1_000_000_000,
        wal_start="000000010000000000000003",
        wal_stop="000000010000000000000004",
        system_id="1",
        error=error,
    )


def repository(*backups: BackupRef) -> Repository:
    return Repository("registry", True, "ok", backups, wal_last="000000010000000000000004")


def test_the_newest_backup_is_chosen() -> None:
    held = repository(backup("old", 24), backup("new", 1), backup("middle", 12))
    best = choose(candidates(SET, {"disk": held}, medium=None))
    assert best is not None
    assert best.backup is not None
    assert best.backup.label == "new"


def test_the_newest_backup_is_passed_over_when_it_is_damaged() -> None:
    held = repository(backup("good", 24), backup("bad", 1, error=True))
    best = choose(candidates(SET, {"disk": held}, medium=None))
    assert best is not None
    assert best.backup is not None
    assert best.backup.label == "good"


def test_a_backup_newer_than_the_wanted_moment_is_not_chosen() -> None:
    held = repository(backup("before", 24), backup("after", 1))
    found = candidates(SET, {"disk": held}, medium="disk", target_time=NOON - timedelta(hours=2))
    best = choose(found)
    assert best is not None
    assert best.backup is not None
    assert best.backup.label == "before"


def test_a_repository_that_can_not_be_read_has_no_usable_backup_and_says_why() -> None:
    found = candidates(SET, {"disk": "backup did not answer"}, medium=None)
    assert choose(found) is None
    assert [c.because for c in found] == ["backup did not answer", "tape is not built yet"]


def test_another_medium_is_not_looked_at() -> None:
    found = candidates(SET, {"disk": repository(backup("b", 1))}, medium="tape")
    assert [c.copy.id for c in found] == ["tape"]


def test_the_estimate_is_the_fixed_part_and_the_bytes_over_the_rate() -> None:
    one = replace(backup("b", 1), wal_start="")
    takes = estimate(one, repository(one), Expectation(timedelta(seconds=5), 100))
    assert takes.p50 == timedelta(seconds=15)
    assert takes.basis.say("en") == "1000 MB at the declared 100 MB/s"
    assert takes.basis.say("zh") == "1000 MB，按登记速率 100 MB/s 计"


def test_without_a_rate_nobody_knows_how_long_it_takes() -> None:
    one = backup("b", 1)
    assert estimate(one, repository(one), Expectation()).p50 is None


def test_an_unknown_set_is_named_with_those_that_exist() -> None:
    with pytest.raises(UserError, match="no backup set 'other'"):
        find_set(SETS, "other")
    assert read_sets({"sets": SETS}) == read_sets(SETS)
