"""Locks of the operating system beside the database: held for as long as a process lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from urllib.parse import quote


class RunHolds:
    """The runs that this process holds.

    A ``flock`` belongs to the open file, is not inherited through ``exec``, and ends with the
    process however it ends, so a dead engine holds nothing.  Not thread-safe by itself.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, int] = {}

    def take(self, name: str, *, wait: bool = False) -> bool:
        """Hold ``name``; False when another process, or this one, does.

        Raises:
            OSError: the folder cannot be written.
        """
        if name in self._open:
            return False
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = self._locked(name, wait=wait)
        if descriptor is None:
            return False
        self._open[name] = descriptor
        return True

    def drop(self, name: str) -> None:
        """Let ``name`` go; harmless when it is not held."""
        descriptor = self._open.pop(name, None)
        if descriptor is not None:
            self._path(name).unlink(missing_ok=True)  # while it is still locked
            os.close(descriptor)

    def drop_all(self) -> None:
        """Let everything go, as the end of the process would."""
        for name in list(self._open):
            self.drop(name)

    def forget(self) -> None:
        """Close a forked child's copies, so that the parent's death still frees its runs."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _locked(self, name: str, *, wait: bool) -> int | None:
        path = self._path(name)
        how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, how)
                if _is_at(descriptor, path):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # the holder before removed the file: lock the new one

    def _path(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}.lock"


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)
