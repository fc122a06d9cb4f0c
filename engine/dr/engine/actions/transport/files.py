"""Reading files over SFTP: the subsystem has no way to run anything, and we only call its reads."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import paramiko

from dr.engine.actions.hosts import Stat, StorageError
from dr.engine.actions.transport.pool import ConnectionPool
from dr.engine.actions.transport.settings import HostSettings
from dr.engine.core.errors import RefusedError, RetryableError

T = TypeVar("T")

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


class Files:
    """The files of one host, for reading.

    Each call has a session of its own: a request that storage never answers can not hold up others.
    """

    def __init__(self, pool: ConnectionPool, host: HostSettings) -> None:
        self._pool = pool
        self._host = host

    def stat(self, path: str, timeout: timedelta) -> Stat | None:
        """Return what is at ``path``, following links; None when nothing is."""

        def ask(sftp: paramiko.SFTPClient) -> Stat:
            found = sftp.stat(path)
            return Stat(found.st_size or 0, found.st_mode or 0, float(found.st_mtime or 0))

        return self._ask(path, timeout, ask)

    def read(self, path: str, max_bytes: int, timeout: timedelta) -> bytes | None:
        """Return the first ``max_bytes`` of a file; None when there is none."""

        def ask(sftp: paramiko.SFTPClient) -> bytes:
            with sftp.open(path, "r") as file:
                return file.read(max_bytes)

        return self._ask(path, timeout, ask)

    def listing(self, path: str, timeout: timedelta) -> Sequence[str] | None:
        """Return the names in a directory, sorted; None when there is none."""
        return self._ask(path, timeout, lambda sftp: sorted(sftp.listdir(path)))

    def _ask(
        self, path: str, timeout: timedelta, ask: Callable[[paramiko.SFTPClient], T]
    ) -> T | None:
        where = f"{self._host.name}:{path}"
        try:
            with self._session(timeout) as sftp:
                return ask(sftp)
        except TimeoutError as error:
            raise RetryableError(
                f"{where} did not answer within {timeout.total_seconds():g} s", reason="timeout"
            ) from error
        except PermissionError as error:
            raise RefusedError(
                f"{self._host.user} may not read {where}",
                hint="Give the engine's user the right to read it, or use another path.",
            ) from error
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            # SFTP has one code for every other error: "Failure"; the host itself is well
            if isinstance(error, ConnectionError) or str(error) == "Socket is closed":
                raise _gone(where, error) from error
            raise StorageError(f"{where}: {error}") from error
        except (EOFError, paramiko.SSHException) as error:
            raise _gone(where, error) from error

    @contextlib.contextmanager
    def _session(self, timeout: timedelta) -> Iterator[paramiko.SFTPClient]:
        with self._pool.session(self._host) as channel:
            channel.settimeout(timeout.total_seconds())
            channel.invoke_subsystem("sftp")
            yield paramiko.SFTPClient(channel)


def _gone(where: str, error: BaseException) -> RetryableError:
    words = str(error).rstrip(".").lower() or type(error).__name__
    return RetryableError(
        f"the connection ended while reading {where}: {words}", reason="unreachable"
    )
