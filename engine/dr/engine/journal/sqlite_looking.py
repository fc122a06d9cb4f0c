"""Open an SQLite journal to look at it, also where nothing may be written.  Standard library only.

An auditor has a copy on a read-only disk, with or without the ``-wal`` that belonged to it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote


def look(path: Path, timeout_s: float = 2.0) -> sqlite3.Connection:
    """Return a connection that can not write to the journal at ``path``.

    WAL wants to make its index (``-shm``) beside the file.  Where that is impossible nobody else
    has the journal open either, or the index would be there: the file and its ``-wal`` stand
    still, and are read as they are.

    Raises:
        sqlite3.Error: it cannot be read.
        OSError: the ``-wal`` cannot be read, or there is no room for a copy of both.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection = sqlite3.connect(
        uri, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:
        connection.close()
        if not path.is_file() or _beside(path, "-shm").exists():
            raise
        wal = _beside(path, "-wal")
        if wal.exists() and wal.stat().st_size:
            return _merged(path, wal)
        return _immutable(path)
    return connection


def read_only(path: Path) -> bool:
    """Whether the journal at ``path`` is there and can be looked at, but not written."""
    return path.is_file() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _immutable(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _merged(path: Path, wal: Path) -> sqlite3.Connection:
    """Return a look at a private copy of both; its file is gone from sight once it is open."""
    with tempfile.TemporaryDirectory(prefix="dr-journal-") as folder:
        copy = Path(folder) / "journal.sqlite3"
        shutil.copyfile(path, copy)
        shutil.copyfile(wal, _beside(copy, "-wal"))
        with closing(sqlite3.connect(copy, isolation_level=None)) as merging:
            # a damaged -wal is left alone by SQLite; what is in the file is still to be read
            with suppress(sqlite3.OperationalError):
                merging.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            merging.execute("PRAGMA journal_mode=DELETE")
        return _immutable(copy)
