"""Output kept within bounds: the head, the tail, and a note between them."""

from __future__ import annotations

from collections import deque

KEPT_BYTES = 64 * 1024
"""How much of the head, and how much of the tail, is kept of a stream."""


class HeadAndTail:
    """Keeps the first and the last ``KEPT_BYTES`` of what it is fed."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.total_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.total_bytes += len(data)
        room = KEPT_BYTES - len(self._head)
        self._head += data[:room]
        rest = data[room:] if room < len(data) else b""
        if not rest:
            return
        self._tail.append(rest)
        self._tail_bytes += len(rest)
        while self._tail_bytes - len(self._tail[0]) >= KEPT_BYTES:
            self._tail_bytes -= len(self._tail.popleft())

    @property
    def truncated(self) -> bool:
        """Whether something between head and tail was left out."""
        return self.total_bytes > 2 * KEPT_BYTES

    def text(self) -> str:
        """Return what was kept; bytes that are not UTF-8 are replaced."""
        tail = b"".join(self._tail)[-KEPT_BYTES:]
        if not self.truncated:
            return (bytes(self._head) + tail).decode(errors="replace")
        left_out = self.total_bytes - len(self._head) - len(tail)
        note = f"\n[... {left_out} bytes left out ...]\n"
        return self._head.decode(errors="replace") + note + tail.decode(errors="replace")
