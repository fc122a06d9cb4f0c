"""pgBackRest: what its ``info`` says, the command that restores, and how its answer is judged.

The exit code of a restore is never the verdict: ``pgbackrest restore`` ends with 0 although the
WAL that makes the backup consistent is gone.  A restore counts once the server has left recovery.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dr.engine.core.errors import DrError

# https://pgbackrest.org/command.html#command-info: 0 is ok; everything else leaves something out
_STATUS_OK = 0
_WAL_NAME = re.compile(r"[0-9A-F]{24}")
_FOUR_GIB = 1 << 32
_SEGMENT_BYTES = 16 << 20


class CatalogueError(DrError):
    """The backup catalogue could not be understood; nobody knows what there is."""

    code = "backup_catalogue"


@dataclass(frozen=True, slots=True)
class BackupRef:
    """One backup of a copy.

    Attributes:
        label: pgBackRest's own name, such as ``20261122-024500F``.
        consistent_at: when it ended; before that moment nothing can be restored.  Repository clock.
        size_bytes: what a restore writes.
        wal_start / wal_stop: first and last segment it needs to become consistent.
        error: pages of it failed their checksum while it was taken.
    """

    label: str
    kind: str
    started: datetime
    consistent_at: datetime
    size_bytes: int
    wal_start: str
    wal_stop: str
    system_id: str
    error: bool = False
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repository:
    """What a stanza holds.

    ``status`` is pgBackRest's own word; ``wal_last`` the newest archived segment of the
    current system, None when the archive is empty.
    """

    stanza: str
    ok: bool
    status: str
    backups: tuple[BackupRef, ...] = ()
    wal_first: str | None = None
    wal_last: str | None = None
    archive_id: str = ""
    system_id: str = ""


def parse_info(text: str, stanza: str) -> Repository:
    """Read ``pgbackrest info --output=json``.

    Raises:
        CatalogueError: it is no such output, or the stanza is not in it.
    """
    try:
        found = json.loads(text)
        stanzas = {entry["name"]: entry for entry in found}
    except (ValueError, TypeError, KeyError) as error:
        raise CatalogueError(
            "pgbackrest info did not answer with its catalogue",
            hint="Run 'pgbackrest --output=json info' on the backup host and read what it says.",
        ) from error
    if stanza not in stanzas:
        raise CatalogueError(
            f"the backup repository has no stanza '{stanza}'",
            hint=f"It has: {', '.join(sorted(stanzas)) or 'none'}; correct backups.yaml.",
        )
    return _repository(stanzas[stanza])


def _repository(entry: dict[str, Any]) -> Repository:
    status = entry.get("status", {})
    databases = {(d.get("repo-key"), d["id"]): d for d in entry.get("db", [])}
    current = entry["db"][-1] if entry.get("db") else None
    archives = [
        a
        for a in entry.get("archive", [])
        if current is not None and a.get("database", {}).get("id") == current["id"] and a.get("max")
    ]
    return Repository(
        stanza=str(entry["name"]),
        ok=status.get("code") == _STATUS_OK,
        status=str(status.get("message", "unknown")),
        backups=tuple(_backup(b, databases) for b in entry.get("backup", [])),
        wal_first=min((str(a["min"]) for a in archives), default=None),
        wal_last=max((str(a["max"]) for a in archives), default=None),
        archive_id=max(((str(a["max"]), str(a.get("id", ""))) for a in archives), default=("", ""))[
            1
        ],
        system_id=str(current["system-id"]) if current else "",
    )


def _backup(entry: dict[str, Any], databases: dict[tuple[Any, Any], dict[str, Any]]) -> BackupRef:
    database = entry.get("database", {})
    owner = databases.get((database.get("repo-key"), database.get("id")), {})
    return BackupRef(
        label=str(entry["label"]),
        kind=str(entry.get("type", "")),
        started=datetime.fromtimestamp(entry["timestamp"]["start"], UTC),
        consistent_at=datetime.fromtimestamp(entry["timestamp"]["stop"], UTC),
        size_bytes=int(entry.get("info", {}).get("size", 0)),
        wal_start=str(entry.get("archive", {}).get("start") or ""),
        wal_stop=str(entry.get("archive", {}).get("stop") or ""),
        system_id=str(owner.get("system-id", "")),
        error=bool(entry.get("error", False)),
        parents=tuple(str(r) for r in entry.get("reference") or ()),
    )


def why_unusable(backup: BackupRef, repository: Repository) -> str:
    """Return why ``backup`` can not be restored, or an empty text.

    Pages that were damaged when it was taken, a parent that is gone, and a stop segment that the
    archive does not reach all make a restore that ends with exit code 0 and never starts.
    """
    labels = {b.label for b in repository.backups}
    lost = [p for p in backup.parents if p not in labels]
    if backup.error:
        return "pages failed their checksum while it was taken"
    if lost:
        return f"it builds on {lost[0]}, which is gone"
    if not _WAL_NAME.fullmatch(backup.wal_stop):
        return "the catalogue does not say which WAL makes it consistent"
    if repository.wal_last is None:
        return "the WAL archive is empty"
    if repository.wal_last[8:] < backup.wal_stop[8:]:
        return f"the WAL archive ends at {repository.wal_last}, before its stop {backup.wal_stop}"
    return ""


def wal_bytes_after(backup: BackupRef, repository: Repository) -> int | None:
    """Return how much WAL is replayed after ``backup``, None when names can not be compared."""
    last = repository.wal_last
    if last is None or not (_WAL_NAME.fullmatch(last) and _WAL_NAME.fullmatch(backup.wal_start)):
        return None
    return max(0, _segment(last) - _segment(backup.wal_start) + 1) * _SEGMENT_BYTES


def archive_end(repository: Repository, segment_bytes: int) -> tuple[int, int] | None:
    """Return the timeline and the log position that the archive reaches; None when it is empty.

    Args:
        segment_bytes: the cluster's ``wal_segment_size``; the catalogue does not say it.
    """
    last = repository.wal_last
    if last is None or not _WAL_NAME.fullmatch(last):
        return None
    # the middle of a segment's name counts 4 GiB, its end the segments therein
    return int(last[:8], 16), int(last[8:16], 16) * _FOUR_GIB + (
        int(last[16:24], 16) + 1
    ) * segment_bytes


def _segment(name: str) -> int:
    return int(name[8:16], 16) * 256 + int(name[16:24], 16)


def archive_folder(repository_path: str, repository: Repository) -> str | None:
    """Return the folder of the repository that holds the newest archived segment."""
    if repository.wal_last is None or not repository.archive_id:
        return None
    place = f"{repository.stanza}/{repository.archive_id}/{repository.wal_last[:16]}"
    return f"{repository_path}/archive/{place}"


def info_argv(config: str, stanza: str) -> list[str]:
    """Return the command that prints the catalogue."""
    return ["pgbackrest", f"--config={config}", f"--stanza={stanza}", "--output=json", "info"]


def restore_argv(
    *,
    config: str,
    stanza: str,
    data_dir: str,
    label: str,
    target_time: datetime | None = None,
    processes: int = 2,
) -> list[str]:
    """Return the command that restores ``label`` into the empty ``data_dir``.

    Never with ``--delta`` or ``--force``: those replace a foreign cluster without a word.  The
    restored cluster must not archive into the repository that it came from.

    Args:
        target_time: stop there, UTC; None replays everything that the archive has.
    """
    argv = [
        "pgbackrest",
        f"--config={config}",
        f"--stanza={stanza}",
        f"--pg1-path={data_dir}",
        f"--set={label}",
        f"--process-max={processes}",
        "--archive-mode=off",
        "--log-level-console=info",
        "--log-level-file=off",
    ]
    if target_time is None:
        argv.append("--type=default")
    else:
        moment = target_time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
        argv += ["--type=time", f"--target={moment}", "--target-action=promote"]
    return [*argv, "restore"]


_BAD_WORDS = ("IS NOT VALID", "checksum mismatch", "invalid checksum", "ERROR:", "WARN:")


def complaints(output: str) -> list[str]:
    """List the lines of a restore's output that say something is wrong, whatever it returned."""
    return [line.strip() for line in output.splitlines() if any(w in line for w in _BAD_WORDS)]


def fixed_settings() -> Sequence[tuple[str, str]]:
    """Return the settings that a restored server starts with, whatever the backup's files say.

    A planted ``archive_command`` or ``shared_preload_libraries`` would run as the database's
    user at start; a value on the server's command line beats every file.
    """
    return (
        ("archive_mode", "off"),
        ("archive_command", "/bin/false"),
        ("archive_cleanup_command", ""),
        ("recovery_end_command", ""),
        ("shared_preload_libraries", ""),
        ("session_preload_libraries", ""),
        ("ssl_passphrase_command", ""),
        ("max_logical_replication_workers", "0"),
    )
