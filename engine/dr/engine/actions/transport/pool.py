"""Open connections, kept and shared: one to a host, more when many commands run at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import paramiko

from dr.engine.actions.transport.dial import dial
from dr.engine.actions.transport.settings import HostSettings
from dr.engine.core.errors import RetryableError

SESSIONS_PER_CONNECTION = 8
"""sshd's MaxSessions is 10 by default."""


@dataclass
class _Link:
    transport: paramiko.Transport
    in_use: int = 0


@dataclass
class _Lane:
    """The connections to one host."""

    settings: HostSettings
    lock: threading.Lock = field(default_factory=threading.Lock)
    links: list[_Link] = field(default_factory=list)


class ConnectionPool:
    """Hands out sessions on open connections; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}

    @contextlib.contextmanager
    def session(self, host: HostSettings) -> Iterator[paramiko.Channel]:
        """Yield a fresh session channel; nothing has been asked of the host yet.

        Raises:
            RetryableError, RefusedError: as :func:`dial`.
        """
        lane = self._lane(host)
        link, channel = self._open(lane)
        try:
            yield channel
        finally:
            channel.close()
            with lane.lock:
                link.in_use -= 1

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            lanes = list(self._lanes.values())
            self._lanes.clear()
        for lane in lanes:
            with lane.lock:
                for link in lane.links:
                    link.transport.close()
                lane.links.clear()

    def _lane(self, host: HostSettings) -> _Lane:
        with self._lock:
            return self._lanes.setdefault(host.name, _Lane(host))

    def _open(self, lane: _Lane) -> tuple[_Link, paramiko.Channel]:
        link, is_fresh = self._take(lane)
        try:
            return link, self._channel(lane, link)
        except RetryableError:
            # An old connection may have died unseen; nothing was sent on it, so dial once anew.
            self._drop(lane, link)
            if is_fresh:
                raise
        link, _ = self._take(lane, fresh=True)
        try:
            return link, self._channel(lane, link)
        except RetryableError:
            self._drop(lane, link)
            raise

    def _take(self, lane: _Lane, *, fresh: bool = False) -> tuple[_Link, bool]:
        with lane.lock:
            lane.links = [each for each in lane.links if each.transport.is_active()]
            for link in lane.links:
                if not fresh and link.in_use < SESSIONS_PER_CONNECTION:
                    link.in_use += 1
                    return link, False
            link = _Link(self._dial(lane.settings), in_use=1)
            lane.links.append(link)
            return link, True

    def _dial(self, host: HostSettings) -> paramiko.Transport:
        if host.jump is None:
            return dial(host)
        link, _ = self._take(self._lane(host.jump))
        # the tunnel keeps its place on the jump host's connection for as long as it lives
        try:
            return dial(host, link.transport)
        except BaseException:
            link.in_use -= 1
            raise

    def _channel(self, lane: _Lane, link: _Link) -> paramiko.Channel:
        timeout_s = lane.settings.connect_timeout_s
        try:
            return link.transport.open_session(timeout=timeout_s)
        except (paramiko.SSHException, OSError, EOFError) as error:
            with lane.lock:
                link.in_use -= 1
            raise RetryableError(
                f"{lane.settings.name} gave no session within {timeout_s:g} s: "
                f"{str(error).rstrip('.').lower() or type(error).__name__}",
                reason="unreachable",
            ) from error

    def _drop(self, lane: _Lane, link: _Link) -> None:
        """Forget a connection; the sessions that others still have on it go on or fail there."""
        with lane.lock:
            if link in lane.links:
                lane.links.remove(link)
        if link.in_use == 0:
            link.transport.close()
