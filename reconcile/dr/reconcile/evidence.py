"""What a branch handed in, kept as the bytes that came: under their SHA-256, never changed.

A better file does not replace an older one: both are kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from dr.engine.core.errors import DrError


class EvidenceError(DrError):
    """Evidence can not be used: what the branch did is unknown, and nothing was compared."""

    code = "evidence"


class EvidenceStore:
    """A folder of bytes by their SHA-256.  Nothing in it is ever changed or taken away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, data: bytes) -> str:
        """Write bytes down, synced to the disk, and return their SHA-256; once is enough.

        Raises:
            EvidenceError: the disk did not take them.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        if path.exists() and self._is_whole(path, digest):
            return digest
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, data)
        except OSError as error:
            raise EvidenceError(
                f"evidence can not be kept in {self._folder}: {(error.strerror or '').lower()}",
                hint="Free space or set the rights there, then hand the file in again.",
            ) from None
        return digest

    def read(self, digest: str) -> bytes:
        """Return bytes that were kept, after checking that they are what they were.

        Raises:
            EvidenceError: they are not there, or not the same any more.
        """
        try:
            data = self.path(digest).read_bytes()
        except OSError:
            raise EvidenceError(
                f"evidence {digest[:12]} is not in {self._folder}",
                hint="Ask the branch for the file again; its SHA-256 tells whether it is the same.",
            ) from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise EvidenceError(
                f"evidence {digest[:12]} in {self._folder} was changed after it was kept",
                hint="Keep that file for the auditor, and ask the branch for the original.",
            )
        return data

    def path(self, digest: str) -> Path:
        """Return where the bytes of a SHA-256 are."""
        return self._folder / digest[:2] / digest

    @staticmethod
    def _is_whole(path: Path, digest: str) -> bool:
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _write(path: Path, data: bytes) -> None:
    """Put a file in place whole or not at all; one that a power cut left torn is replaced."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o444)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
