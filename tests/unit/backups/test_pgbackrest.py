"""What pgBackRest says, and what is made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dr.backups.pgbackrest import (
    CatalogueError,
    archive_end,
    complaints,
    fixed_settings,
    parse_info,
    restore_argv,
    wal_bytes_after,
    why_unusable,
)


def info(**changes: Any) -> str:
    backup = {
        "archive": {"start": "000000010000000000000003", "stop": "000000010000000000000004"},
        "database": {"id": 1, "repo-key": 1},
        "error": False,
        "info": {"size": 48_000_000},
        "label": "20261122-024604F",
        "reference": None,
        "timestamp": {"start": 1795315564, "stop": 1795315566},
        "type": "full",
    }
    stanza: dict[str, Any] = {
        "name": "registry",
        "status": {"code": 0, "message": "ok"},
        "db": [{"id": 1, "repo-key": 1, "system-id": 7710821621175812107, "version": "15"}],
        "archive": [
            {
                "database": {"id": 1, "repo-key": 1},
                "min": "000000010000000000000003",
                "max": changes.pop("wal_last", "000000010000000000000026"),
            }
        ],
        "backup": [{**backup, **changes}],
    }
    return json.dumps([stanza])


def test_a_backup_has_the_system_identifier_of_its_database() -> None:
    (backup,) = parse_info(info(), "registry").backups
    assert backup.system_id == "7710821621175812107"
    assert backup.consistent_at == datetime(2026, 11, 22, 2, 46, 6, tzinfo=UTC)


def test_a_whole_backup_is_usable() -> None:
    repository = parse_info(info(), "registry")
    assert why_unusable(repository.backups[0], repository) == ""


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"error": True}, "checksum"),
        ({"reference": ["20261101-000000F"]}, "20261101-000000F, which is gone"),
        ({"wal_last": "000000010000000000000003"}, "before its stop"),
        ({"archive": {"start": None, "stop": None}}, "which WAL makes it consistent"),
    ],
    ids=["bad-pages", "parent-gone", "stop-wal-missing", "no-wal-range"],
)
def test_a_backup_that_would_never_start_is_not_usable(
    changes: dict[str, Any], because: str
) -> None:
    repository = parse_info(info(**changes), "registry")
    assert because in why_unusable(repository.backups[0], repository)


def test_a_newer_timeline_in_the_archive_does_not_make_a_backup_unusable() -> None:
    repository = parse_info(info(wal_last="000000020000000000000026"), "registry")
    assert why_unusable(repository.backups[0], repository) == ""


def test_an_unreadable_catalogue_is_an_error_and_not_an_empty_one() -> None:
    with pytest.raises(CatalogueError, match="did not answer with its catalogue"):
        parse_info("ERROR: [055]: unable to load info file", "registry")
    with pytest.raises(CatalogueError, match="has no stanza 'other'"):
        parse_info(info(), "other")


def test_the_log_to_replay_is_counted_in_segments() -> None:
    repository = parse_info(info(wal_last="000000010000000100000002"), "registry")
    segments = 256 + 2 - 3 + 1
    assert wal_bytes_after(repository.backups[0], repository) == segments << 24


def test_a_restore_never_replaces_what_is_there_and_never_archives() -> None:
    argv = restore_argv(config="/etc/p.conf", stanza="registry", data_dir="/data", label="L")
    assert not {"--delta", "--force"} & set(argv)
    assert "--archive-mode=off" in argv
    assert "--set=L" in argv
    assert argv[-1] == "restore"


def test_a_restore_to_a_moment_ends_there_and_writes() -> None:
    moment = datetime(2026, 11, 22, 3, tzinfo=UTC)
    argv = restore_argv(config="/c", stanza="s", data_dir="/d", label="L", target_time=moment)
    assert "--target=2026-11-22 03:00:00.000000+00" in argv
    assert "--target-action=promote" in argv


def test_nothing_that_a_backup_carries_is_run_at_start() -> None:
    settings = dict(fixed_settings())
    assert settings["archive_command"] == "/bin/false"
    assert settings["shared_preload_libraries"] == ""
    assert settings["recovery_end_command"] == ""


def test_warnings_count_whatever_the_exit_code_was() -> None:
    said = "P00   INFO: restore\nP00   WARN: file x IS NOT VALID\nP00   INFO: done"
    assert complaints(said) == ["P00   WARN: file x IS NOT VALID"]


@pytest.mark.parametrize(
    ("name", "segment_mb", "position"),
    [
        ("00000001000000000000000E", 16, 15 << 24),
        ("00000001000000000000000E", 4, 15 << 22),
        ("000000020000000100000000", 16, (1 << 32) + (1 << 24)),
    ],
)
def test_the_archive_ends_where_its_newest_segment_of_the_clusters_own_size_ends(
    name: str, segment_mb: int, position: int
) -> None:
    repository = parse_info(info(wal_last=name), "registry")
    assert archive_end(repository, segment_mb << 20) == (int(name[:8], 16), position)
