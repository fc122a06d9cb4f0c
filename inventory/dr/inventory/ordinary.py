"""Opens files that somebody else may have made: ordinary ones only, and none is waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

LARGEST_BYTES = 1_000_000
LARGEST_PLAN_BYTES = 64_000_000


def open_ordinary(path: Path) -> BinaryIO:
    """Open a file for reading; what is read later is this file, whatever its name becomes.

    Raises:
        OSError: it can not be opened, or is a pipe, a device, a socket or a folder.  A pipe
            without a writer would be waited for, and some devices never end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not an ordinary file", str(path))
    return os.fdopen(descriptor, "rb")


def read_ordinary(path: Path, largest_bytes: int = LARGEST_BYTES) -> str:
    """Return the UTF-8 text of a small file.

    Raises:
        OSError: like :func:`open_ordinary`, or it is larger.
        UnicodeDecodeError: it is no text.
    """
    with open_ordinary(path) as stream:
        raw = stream.read(largest_bytes + 1)
    if len(raw) > largest_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {largest_bytes} bytes", str(path))
    return raw.decode("utf-8")
