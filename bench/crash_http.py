"""Talking to the servers of peers on loopback."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from typing import Any

CONFLICT, BUSY = 409, 503


def call(url: str, body: Any = None) -> Any:
    """Get, or post ``body`` as JSON; return the JSON of the answer, None where it is empty.

    Raises:
        OSError: it does not answer, or with an error (HTTPError).
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        text = answer.read()
    return json.loads(text) if text else None


def patiently(url: str, body: Any = None) -> Any:
    """Call, again while the server says that it is busy; half a minute at most.

    Raises:
        OSError: as ``call``.
    """
    end = time.monotonic() + 30
    while True:
        try:
            return call(url, body)
        except urllib.error.HTTPError as error:
            if error.code != BUSY or time.monotonic() > end:
                raise
        time.sleep(0.3)


def until_answered(url: str, body: Any) -> None:
    """Post until it is taken, a minute at most; a conflict is an answer too.

    Raises:
        OSError: it never was.
    """
    end = time.monotonic() + 60
    while True:
        try:
            call(url, body)
            return
        except OSError as error:
            conflict = isinstance(error, urllib.error.HTTPError) and error.code == CONFLICT
            if conflict or time.monotonic() > end:
                raise
        time.sleep(0.2)


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
