"""What an action may use of a host.

An :class:`Observer` is unable to act: it reads files over SFTP and runs the fixed commands of
``actions.observations``.  An :class:`Actor` acts, only through the remote wrapper and only with
an epoch.  Dry runs are handed connections whose ``actor`` refuses.
"""

from __future__ import annotations

import stat as modes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from dr.engine.actions.observations import Observation
from dr.engine.core.errors import RefusedError
from dr.engine.core.ports import Attached, Attempt, Stopped, World

STATE_ROOT = "/var/lib/dr"
"""Where the wrapper keeps jobs and the guard; the host variable ``dr_state_dir`` overrides it."""


@dataclass(frozen=True)
class Completed:
    """A command that ended.

    ``stdout`` and ``stderr`` hold the first and the last 64 KiB when ``truncated``.
    """

    exit_code: int
    stdout: str
    stderr: str
    duration_s: float
    truncated: bool = False

    @property
    def ok(self) -> bool:
        """Whether the exit code is 0."""
        return self.exit_code == 0


@dataclass(frozen=True)
class Stat:
    """What SFTP says about a path.  ``modified`` is a Unix time in seconds."""

    size_bytes: int
    mode: int
    modified: float

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return modes.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it is an ordinary file."""
        return modes.S_ISREG(self.mode)


class StorageError(Exception):
    """The host answered, but its storage gave an error for the path (EIO and the like)."""


class Observer(Protocol):
    """A host as dry runs, probes and prechecks see it: nothing here can write.

    Every call raises RetryableError (``reason`` is "unreachable" or "timeout") when the host does
    not answer, and RefusedError when it answers but will not let us in.
    """

    host: str

    def boot_id(self) -> str:
        """Return the kernel's boot id, read anew."""

    def stat(self, path: str, *, timeout: timedelta) -> Stat | None:
        """Return what is at ``path``; None when nothing is.

        Raises:
            StorageError: the storage answered with an error.
        """

    def read(self, path: str, *, max_bytes: int, timeout: timedelta) -> bytes | None:
        """Return the first ``max_bytes`` of a file; None when there is none.

        Raises:
            StorageError: the storage answered with an error.
        """

    def listing(self, path: str, *, timeout: timedelta) -> Sequence[str] | None:
        """Return the names in a directory, sorted; None when there is none.

        Raises:
            StorageError: the storage answered with an error.
        """

    def observe(self, what: Observation, *, timeout: timedelta, **arguments: str) -> Completed:
        """Run a registered read-only command.

        Raises:
            ValueError: an argument is missing, unknown, or not of the shape it must have.
        """


class Actor(Observer, Protocol):
    """A host that an action may change."""

    def job(  # noqa: PLR0913 - what a command needs, each by name
        self,
        attempt: Attempt,
        world: World,
        argv: Sequence[str] | None = None,
        *,
        script: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        user: str | None = None,
        cwd: str | None = None,
        name: str = "",
        kill_on_timeout: bool = False,
    ) -> Completed:
        """Run a command under the remote wrapper and wait for its end.

        Either ``argv``, passed as it is, or ``script``, run by ``/bin/sh``.  The job is called
        ``attempt.key`` plus ``name`` and can be started once for each attempt: calling again finds
        the first.  It goes on when the connection or the engine dies.  An exit code that is not 0
        is no error.

        Args:
            env: ``DR_…`` variables; secrets belong here or in ``stdin``, never in ``argv``.
            name: tells the jobs of one attempt apart.
            kill_on_timeout: end the command when ``attempt.timeout`` passes.

        Raises:
            RetryableError: the host was never reached, or the guard is busy.
            RefusedError: no durable directory, not let in, no right to become ``user``.
            FencedError: the guard has seen a higher epoch.
            LostContactError: the connection went, or the time passed, after it was sent.
            FailedError: the time passed and ``kill_on_timeout`` ended it.
        """

    def attach(self, attempt: Attempt, world: World, *, name: str = "") -> Attached:
        """Find the job of ``attempt`` and wait while it runs, up to ``attempt.timeout``.

        ENDED carries ``outputs`` exit_code, stdout, stderr.  NEVER_STARTED is made true for good:
        a start request that is still on its way is refused from then on.
        """

    def end(self, attempt: Attempt, world: World, *, name: str = "") -> Stopped:
        """End the job of ``attempt``: its session gets TERM, after five seconds KILL.

        What has not begun is withdrawn for good.  Raises as :meth:`Observer` says when the host
        can not be asked, and FencedError when its guard has seen a higher epoch.
        """


class Connections(Protocol):
    """The way to the hosts of an inventory."""

    def observer(self, host: str) -> Observer:
        """Return the host, for looking.  Connects at the first call of a method.

        Raises:
            RefusedError: the inventory has no such host.
        """

    def actor(self, host: str) -> Actor:
        """Return the host, for acting.

        Raises:
            RefusedError: these connections are read-only, or there is no such host.
        """

    def close(self) -> None:
        """Close every connection; jobs go on."""


def host_of(attempt: Attempt) -> str:
    """Return the host that the attempt is for.

    Raises:
        RefusedError: the step names none.
    """
    if attempt.host is None:
        raise RefusedError(
            f"step '{attempt.step}' names no host", hint="Give the step a `hosts:` key."
        )
    return attempt.host
