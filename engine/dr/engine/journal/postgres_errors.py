"""What PostgreSQL says, in words that tell a person what to type next."""

from __future__ import annotations

import psycopg

from dr.engine.core.errors import JournalBusyError, JournalError

_BUSY = frozenset({"40001", "40P01", "55P03", "57014", "53300", "57P01", "57P02", "57P03", "57P05"})
_READ_ONLY = frozenset({"25006", "42501"})
_DAMAGED = frozenset({"XX001", "XX002"})


def journal_error(error: psycopg.Error, name: str) -> JournalError:
    """Return the JournalError that ``error`` means for the database called ``name``."""
    state = error.sqlstate or ""
    said = " ".join(str(error).split())
    if state in _BUSY:
        return JournalBusyError(
            f"the journal {name} is busy or going down: {said}",
            hint="Wait a moment, then type 'dr resume RUN'; nothing of this write was kept.",
        )
    if state == "53100":
        return JournalError(
            f"no space is left for the journal {name}",
            hint="Free space on the database's disk, then type 'dr resume RUN'; "
            "nothing of this write was kept.",
            code="journal_full",
        )
    if state in _READ_ONLY:
        return JournalError(
            f"the journal {name} cannot be written: {said}",
            hint="Point DR_DATABASE_URL at the primary, and at a role that may write.",
            code="journal_read_only",
        )
    if state in _DAMAGED:
        return JournalError(
            f"the journal {name} is damaged: {said}",
            hint="Type 'dr journal verify RUN' to see what is left.",
            code="journal_damaged",
        )
    if isinstance(error, psycopg.OperationalError):
        return JournalBusyError(
            f"the journal {name} cannot be reached: {said}",
            hint="Look at DR_DATABASE_URL and at the server with 'pg_isready'.",
            code="journal_unreachable",
        )
    return JournalError(
        f"the journal {name} refused: {said}",
        hint="Type 'dr journal verify RUN' to have it checked.",
    )


def commit_unknown(name: str) -> JournalError:
    """Return the error for a commit whose answer never came."""
    return JournalError(
        f"the connection to the journal {name} broke during a commit: "
        "nobody knows yet whether it was kept",
        hint="When the database is back, type 'dr resume RUN'; the journal will tell.",
        code="journal_commit_unknown",
    )
