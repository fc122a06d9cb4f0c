"""Looking into the copies of a backup set; reads only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dr.backups.catalogue import BackupSet, Copy, read_sets
from dr.backups.pgbackrest import (
    CatalogueError,
    Repository,
    archive_end,
    archive_folder,
    parse_info,
)
from dr.engine.actions.hosts import Connections, StorageError
from dr.engine.actions.observations import PGBACKREST_INFO
from dr.engine.actions.postgres.member import Member
from dr.engine.core.errors import ActionError

LOOK = timedelta(seconds=20)


def look_into(
    connections: Connections, backup_set: BackupSet, os_user: str, *, medium: str | None
) -> dict[str, Repository | str]:
    """Return by copy what it holds, or why it could not be read."""
    return {
        copy.id: _look(connections, copy, os_user)
        for copy in backup_set.copies_on(medium)
        if not copy.unavailable
    }


def _look(connections: Connections, copy: Copy, os_user: str) -> Repository | str:
    if copy.driver != "pgbackrest":
        return f"there is no driver '{copy.driver}' yet"
    if not copy.host:
        return "it names no host"
    try:
        done = connections.observer(copy.host).observe(
            PGBACKREST_INFO,
            timeout=LOOK,
            config=copy.config,
            stanza=copy.stanza,
            os_user=copy.user or os_user,
        )
        return parse_info(done.stdout, copy.stanza)
    except ActionError as error:
        return error.message
    except CatalogueError as error:
        return f"{error.message}: {done.stderr.strip()[-200:]}" if done.stderr else error.message


def archived_at(connections: Connections, copy: Copy, repository: Repository) -> datetime | None:
    """Return when the newest log segment arrived in the archive, by the backup host's clock.

    Everything committed before then can be replayed.  None when the repository's folder can not be
    looked into, as in an object store.
    """
    folder = archive_folder(copy.repository, repository)
    if folder is None or not copy.host:
        return None
    try:
        observer = connections.observer(copy.host)
        names = observer.listing(folder, timeout=LOOK) or ()
        newest = next((n for n in names if n.startswith(f"{repository.wal_last}-")), None)
        found = observer.stat(f"{folder}/{newest}", timeout=LOOK) if newest else None
    except (ActionError, StorageError):
        return None
    return datetime.fromtimestamp(found.modified, UTC) if found else None


def os_user_of(inventory: Mapping[str, Any], backup_set: BackupSet) -> str:
    """Return the user that runs the database whose backups these are."""
    service = (inventory.get("services") or {}).get(backup_set.service) or {}
    return str((service.get("database") or {}).get("os_user") or "postgres")


def archived_before(
    connections: Connections, inventory: Mapping[str, Any], service: str, member: Member
) -> datetime | None:
    """Return when the newest log was archived that ``member`` surely has; None when unknown.

    A host whose own log reaches past the archive has everything that the archive has.
    """
    found: list[datetime | None] = []
    for backup_set in read_sets(inventory.get("backups") or {}).values():
        if backup_set.service != service:
            continue
        held = look_into(connections, backup_set, os_user_of(inventory, backup_set), medium=None)
        for copy in backup_set.copies:
            repository = held.get(copy.id)
            if not isinstance(repository, Repository):
                continue
            if member.segment_bytes and member.reaches(
                archive_end(repository, member.segment_bytes)
            ):
                found.append(archived_at(connections, copy, repository))
    return max((moment for moment in found if moment is not None), default=None)
