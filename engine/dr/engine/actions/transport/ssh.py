"""Hosts over SSH: an observer that can only look, and an actor on top of it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from dr.engine.actions.hosts import Actor, Completed, Observer, Stat
from dr.engine.actions.observations import OBSERVATIONS, Observation
from dr.engine.actions.transport.bounded import HeadAndTail
from dr.engine.actions.transport.channel import ConnectionLostError, TooLateError, execute
from dr.engine.actions.transport.files import Files
from dr.engine.actions.transport.pool import ConnectionPool
from dr.engine.actions.transport.settings import HostSettings, host_settings
from dr.engine.actions.wrapper.jobs import Command, RemoteJobs
from dr.engine.actions.wrapper.refusals import silence
from dr.engine.actions.wrapper.request import command_text
from dr.engine.core.errors import RefusedError, RetryableError
from dr.engine.core.ports import Attached, Attempt, Stopped, World

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_OPEN = frozenset({"DR_RUN", "DR_STEP", "DR_HOST", "DR_ATTEMPT"})
"""Variables that hold no secret; a command with others is not shown in the list of processes."""

_QUICK = timedelta(seconds=10)


class SshConnections:
    """The hosts of an inventory over SSH, on shared connections; safe for threads.

    Args:
        inventory: the snapshot that the run keeps.
        workspace_dir: what relative key paths are relative to.
        read_only: never hand out an actor; dry runs are given such connections.
    """

    def __init__(
        self, inventory: Mapping[str, Any], workspace_dir: Path, *, read_only: bool = False
    ) -> None:
        self._inventory = inventory
        self._workspace = workspace_dir
        self._read_only = read_only
        self._pool = ConnectionPool()

    def observer(self, host: str) -> Observer:
        """Return ``host``, for looking."""
        return SshObserver(self._pool, self._settings(host))

    def actor(self, host: str) -> Actor:
        """Return ``host``, for acting.

        Raises:
            RefusedError: these connections are read-only.
        """
        if self._read_only:
            raise RefusedError(
                f"nothing may act on {host}: these connections are read-only",
                hint="A dry run only looks; leave out --dry-run to act.",
            )
        return SshActor(self._pool, self._settings(host))

    def close(self) -> None:
        """Close every connection; jobs go on."""
        self._pool.close()

    def _settings(self, host: str) -> HostSettings:
        return host_settings(self._inventory, self._workspace, host)


class SshObserver:
    """A host that can be looked at."""

    def __init__(self, pool: ConnectionPool, settings: HostSettings) -> None:
        self.host = settings.name
        self._pool = pool
        self._settings = settings
        self._files = Files(pool, settings)

    def boot_id(self) -> str:
        """Return the kernel's boot id."""
        return (self.read(_BOOT_ID, max_bytes=64, timeout=_QUICK) or b"").decode().strip()

    def stat(self, path: str, *, timeout: timedelta) -> Stat | None:
        """Return what is at ``path``; None when nothing is."""
        return self._files.stat(path, timeout)

    def read(self, path: str, *, max_bytes: int, timeout: timedelta) -> bytes | None:
        """Return the first ``max_bytes`` of a file; None when there is none."""
        return self._files.read(path, max_bytes, timeout)

    def listing(self, path: str, *, timeout: timedelta) -> Sequence[str] | None:
        """Return the names in a directory; None when there is none."""
        return self._files.listing(path, timeout)

    def observe(self, what: Observation, *, timeout: timedelta, **arguments: str) -> Completed:
        """Run a registered read-only command."""
        if OBSERVATIONS.get(what.name) is not what:
            raise ValueError(f"observation '{what.name}' is not in the table of observations")
        sink = _Kept()
        become = "sudo -n " if self._settings.become else ""
        request = f"exec {become}/bin/sh -c {shlex.quote(what.command(arguments))}"
        began = time.monotonic()
        try:
            with self._pool.session(self._settings) as channel:
                code = execute(channel, request, sink, timeout_s=timeout.total_seconds())
        except TooLateError as error:
            raise RetryableError(
                f"{self.host}: '{what.name}' did not end within {timeout.total_seconds():g} s",
                reason="timeout",
            ) from error
        except ConnectionLostError as error:
            raise RetryableError(
                f"{self.host}: the connection ended during '{what.name}': {error}",
                reason="unreachable",
            ) from error
        if become and code == 1 and sink.err.text().startswith("sudo:"):
            raise silence(self._settings, code, sink.err.text())
        return Completed(
            code,
            sink.out.text(),
            sink.err.text(),
            time.monotonic() - began,
            sink.out.truncated or sink.err.truncated,
        )


class SshActor(SshObserver):
    """A host that can be acted on, through the remote wrapper."""

    def __init__(self, pool: ConnectionPool, settings: HostSettings) -> None:
        super().__init__(pool, settings)
        self._jobs = RemoteJobs(settings, pool)

    def job(  # noqa: PLR0913 - see Actor.job
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
        """Run a command under the wrapper and wait for its end."""
        text = command_text(argv, script, env=env or {}, user=user, cwd=cwd)
        shown = "\0".join([*(argv or ()), script or "", user or "", cwd or "", *(env or {})])
        has_secrets = bool(set(env or {}) - _OPEN)
        command = Command(text, shown, stdin, user or "", name, kill_on_timeout, has_secrets)
        return self._jobs.run(attempt, world, command)

    def attach(self, attempt: Attempt, world: World, *, name: str = "") -> Attached:
        """Find the job of ``attempt`` and wait while it runs."""
        return self._jobs.attach(attempt, world, name)

    def end(self, attempt: Attempt, world: World, *, name: str = "") -> Stopped:
        """End the job of ``attempt``."""
        return self._jobs.end(attempt, world, name)


class _Kept:
    """Keeps both streams within bounds."""

    def __init__(self) -> None:
        self.out = HeadAndTail()
        self.err = HeadAndTail()

    def stdout(self, data: bytes) -> None:
        self.out.feed(data)

    def stderr(self, data: bytes) -> None:
        self.err.feed(data)
