"""Bring a new database to the newest schema; refuse one that a newer dr wrote.

Alembic is imported only when there is something to do: opening an up-to-date journal stays cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dr.engine.core.errors import JournalError
from dr.engine.core.faults import passage

if TYPE_CHECKING:
    from sqlalchemy import Connection

REVISIONS: tuple[str, ...] = ("0001",)
"""Every revision this dr knows, oldest first."""

MIGRATIONS = Path(__file__).parent / "migrations"


def is_current(version: str | None, found: Sequence[str], name: str) -> bool:
    """Say whether the schema needs nothing done.

    Args:
        version: what ``alembic_version`` says; None when there is no such table or row.
        found: which of the journal's tables are there.
        name: the database in words, for the error.

    Raises:
        JournalError: a newer dr wrote it, or the tables are somebody else's.
    """
    if version is None and found:
        raise JournalError(
            f"{name} has a table '{found[0]}' but is not a journal of dr",
            hint="Point DR_DATABASE_URL or 'state' in dr.yaml at a database of its own.",
            code="journal_foreign",
        )
    if version is not None and version not in REVISIONS:
        raise JournalError(
            f"{name} was written by a newer dr: its schema is {version}, "
            f"the newest known here is {REVISIONS[-1]}",
            hint="Install the newer dr on this machine; nothing was changed.",
            code="journal_newer",
        )
    return version == REVISIONS[-1]


def upgrade(connection: Connection) -> None:
    """Bring the schema up within the transaction that ``connection`` has begun."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    passage("before-migration")
    command.upgrade(config, "head")
    passage("within-migration")
