"""What SQLite says, in words that tell a person what to type next."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from dr.engine.core.errors import JournalBusyError, JournalError

_RESUME = "then type 'dr resume RUN'; nothing of this write was kept"


def journal_error(error: sqlite3.Error, path: Path) -> JournalError:
    """Return the JournalError that ``error`` means for the database at ``path``."""
    name = getattr(error, "sqlite_errorname", None) or ""
    kind = "_".join(name.split("_")[:2])
    if kind in {"SQLITE_BUSY", "SQLITE_LOCKED"}:
        return JournalBusyError(
            f"the journal {path} is locked by another process",
            hint=f"Type 'fuser -v {path}' to see which, {_RESUME}.",
        )
    if kind == "SQLITE_FULL":
        return JournalError(
            f"no space is left for the journal {path}",
            hint=f"Free space ('df -h {path.parent}' shows how much there is), {_RESUME}.",
            code="journal_full",
        )
    if kind == "SQLITE_READONLY":
        return unwritable(path)
    if kind in {"SQLITE_CORRUPT", "SQLITE_NOTADB"}:
        return damaged(path, str(error))
    if kind in {"SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"}:
        return JournalError(
            f"the journal {path} cannot be opened: {error}",
            hint=f"Look at the folder with 'ls -ld {path.parent}'.",
            code="journal_unreachable",
        )
    if kind == "SQLITE_IOERR":
        return JournalError(
            f"the disk below the journal {path} failed: {error}",
            hint=f"Look at 'dmesg' and 'df -h {path.parent}', {_RESUME}.",
            code="journal_io",
        )
    return JournalError(
        f"the journal {path} refused: {error}",
        hint="Type 'dr journal verify RUN' to have it checked.",
    )


def unwritable(path: Path) -> JournalError:
    """Return the error for a journal that can only be read."""
    return JournalError(
        f"the journal {path} cannot be written",
        hint=f"Make the file and its folder writable ('ls -ld {path.parent} {path}'), {_RESUME}.",
        code="journal_read_only",
    )


def unreadable(error: OSError, path: Path) -> JournalError:
    """Return the error for a file that the operating system does not open."""
    return JournalError(
        f"the journal {path} cannot be opened: {error.strerror or error}",
        hint=f"Look at the folder with 'ls -ld {path.parent}'.",
        code="journal_unreachable",
    )


def damaged(path: Path, because: str) -> JournalError:
    """Return the error for a file that is no sound database."""
    return JournalError(
        f"the journal {path} is damaged: {because}",
        hint="Keep a copy of the file, then type 'dr journal verify RUN' to see what is left.",
        code="journal_damaged",
    )
