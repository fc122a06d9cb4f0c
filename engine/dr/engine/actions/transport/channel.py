"""One command on an open connection: feed it, read it within bounds, know how it ended."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Protocol

import paramiko

_CHUNK = 64 * 1024


class Sink(Protocol):
    """Takes output as it comes."""

    def stdout(self, data: bytes) -> None:
        """Take bytes of the standard output."""

    def stderr(self, data: bytes) -> None:
        """Take bytes of the standard error."""


class ConnectionLostError(Exception):
    """The connection ended without an exit status."""


class TooLateError(Exception):
    """The time was up, or nobody wanted to wait any more."""


def execute(
    channel: paramiko.Channel,
    command: str,
    sink: Sink,
    *,
    stdin: bytes = b"",
    timeout_s: float,
    every_second: Callable[[], bool] | None = None,
) -> int:
    """Run ``command`` and return its exit status.

    Args:
        timeout_s: from the request to the exit status.
        every_second: called about once a second while it runs; False stops the waiting.

    Raises:
        ConnectionLostError: the request was sent, and no exit status came.
        TooLateError: the request was sent, and the time is up.
    """
    deadline = time.monotonic() + timeout_s
    try:
        channel.settimeout(timeout_s)
        channel.exec_command(command)
        _converse(channel, sink, stdin, deadline, every_second)
        # set by the exit status and by the end of the connection, whichever comes
        if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
            raise TooLateError("it closed its output and went on")
    except TimeoutError as error:
        raise TooLateError("the time was up") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise ConnectionLostError(str(error) or type(error).__name__) from error
    status = channel.recv_exit_status()
    if status < 0:
        raise ConnectionLostError("the connection closed without an exit status")
    return status


def _converse(
    channel: paramiko.Channel,
    sink: Sink,
    stdin: bytes,
    deadline: float,
    every_second: Callable[[], bool] | None,
) -> None:
    channel.setblocking(0)
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    left = memoryview(stdin)
    if not left:
        channel.shutdown_write()
    tick = time.monotonic() + 1.0
    while True:
        if left:
            left = _send(channel, left)
        moved = _drain(channel, sink)
        if not moved and (channel.eof_received or channel.closed) and not _waiting(channel):
            return
        now = time.monotonic()
        if now >= deadline:
            raise TooLateError("the time was up")
        if now >= tick:
            tick = now + 1.0
            if every_second is not None and not every_second():
                raise TooLateError("nobody waits for it any more")
        if not moved:
            pause = min(deadline, tick) - now
            poll.poll(1000 * (min(pause, 0.02) if left else pause))


def _waiting(channel: paramiko.Channel) -> bool:
    return channel.recv_ready() or channel.recv_stderr_ready()


def _drain(channel: paramiko.Channel, sink: Sink) -> bool:
    moved = False
    if channel.recv_ready():
        data = channel.recv(_CHUNK)
        sink.stdout(data)
        moved = bool(data)
    if channel.recv_stderr_ready():
        data = channel.recv_stderr(_CHUNK)
        sink.stderr(data)
        moved = moved or bool(data)
    return moved


def _send(channel: paramiko.Channel, left: memoryview) -> memoryview:
    if channel.closed or channel.eof_received:
        return left[len(left) :]  # it does not want the rest
    if channel.send_ready():
        left = left[channel.send(bytes(left[:_CHUNK])) :]
        if not left:
            channel.shutdown_write()
    return left
