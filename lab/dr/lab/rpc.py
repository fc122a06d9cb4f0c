"""Talking to the world: one request and one answer in JSON over a unix socket in the lab directory.

Standard library only and few imports: every ``dr`` command against a lab goes through here.
"""

from __future__ import annotations

import array
import json
import os
import socket
from pathlib import Path
from typing import Any

SOCKET = "world.sock"
_LARGEST = 1 << 20
_MOST_FDS = 8


class WorldRefusedError(Exception):
    """The world answered that it cannot; carries its message and its hint."""

    def __init__(self, message: str, hint: str, usage: bool) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.usage = usage


def _address(folder: int) -> str:
    # a socket's path has at most 107 bytes; by its folder's descriptor it always fits
    return f"/proc/self/fd/{folder}/{SOCKET}"


def listen(directory: Path) -> socket.socket:
    """Open the world's end."""
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        server.bind(_address(folder))
        server.listen(16)
        return server
    finally:
        os.close(folder)


def call(
    directory: Path, request: str, *, timeout_s: float = 60.0, **arguments: Any
) -> dict[str, Any]:
    """Ask the world of ``directory``; OSError when nobody listens there."""
    answer, fds = call_for_fds(directory, request, timeout_s=timeout_s, **arguments)
    for fd in fds:
        os.close(fd)
    return answer


def call_for_fds(
    directory: Path, request: str, *, timeout_s: float = 60.0, **arguments: Any
) -> tuple[dict[str, Any], list[int]]:
    """Ask for an answer that comes with file descriptors, which the caller closes."""
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(timeout_s)
            client.connect(_address(folder))
            client.send(json.dumps({"request": request, **arguments}).encode())
            data, fds, _, _ = socket.recv_fds(client, _LARGEST, _MOST_FDS)
    finally:
        os.close(folder)
    if not data:
        raise ConnectionError("the lab ended before it answered")
    answer: dict[str, Any] = json.loads(data)
    if "error" in answer:
        raise WorldRefusedError(
            answer["error"], answer.get("hint", ""), usage=bool(answer.get("usage"))
        )
    return answer, list(fds)


def receive(client: socket.socket) -> dict[str, Any]:
    """Read the request of a client, in the world."""
    loaded: dict[str, Any] = json.loads(client.recv(_LARGEST) or b"{}")
    return loaded


def answer(client: socket.socket, body: dict[str, Any], fds: list[int] | None = None) -> None:
    """Send the answer of the world."""
    data = json.dumps(body).encode()
    if fds:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        client.sendmsg([data], ancillary)
    else:
        client.send(data)
