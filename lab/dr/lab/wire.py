"""A line between two sites with delay, loss and a switch.

The kernel's own tool for this, netem, is missing from many kernels.  A wire joins two interfaces
by packet sockets and holds every frame back for its delay; PACKET_VNET_HDR lets frames larger
than the MTU (segmentation offload) survive the trip.  All wires of a lab share one process.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from dr.lab import kernel

_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23
_ETH_P_ALL = 3
_BURST = 64
_LARGEST_FRAME = 70_000


@dataclass(frozen=True, slots=True)
class WireSpec:
    """One line: the two interfaces it joins and its one-way delay in milliseconds."""

    name: str
    near: str
    far: str
    delay_ms: float


class _Wire:
    def __init__(self, spec: WireSpec) -> None:
        self.name = spec.name
        self.delay_s = spec.delay_ms / 1000
        self.loss = 0.0
        self.up = True
        self.frames = self.bytes = 0
        self.ends = (_packet_socket(spec.near), _packet_socket(spec.far))


def _packet_socket(interface: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    end.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    end.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    end.bind((interface, 0))
    end.setblocking(False)
    return end


class _Pump:
    """Moves frames, and answers the world's orders in between."""

    def __init__(self, specs: list[WireSpec], orders: socket.socket) -> None:
        self.wires = {spec.name: _Wire(spec) for spec in specs}
        self.orders = orders
        self.waiting: list[tuple[float, int, socket.socket, bytes]] = []
        self.sequence = 0
        self.poll = select.epoll()
        self.poll.register(orders, select.EPOLLIN)
        self.sources: dict[int, tuple[_Wire, socket.socket, socket.socket]] = {}
        for wire in self.wires.values():
            for source, target in (wire.ends, wire.ends[::-1]):
                self.sources[source.fileno()] = (wire, source, target)
                self.poll.register(source, select.EPOLLIN)

    def run(self) -> None:
        while True:
            for fd, _ in self.poll.poll(self._deliver()):
                if fd in self.sources:
                    self._receive(*self.sources[fd])
                else:
                    self._obey()

    def _deliver(self) -> float | None:
        """Send what is due; return the seconds until the next frame is."""
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, _, target, frame = heapq.heappop(self.waiting)
            try:
                target.send(frame)
            except OSError:
                continue  # the far interface is down: the frame is lost, as on a real line
        return self.waiting[0][0] - now if self.waiting else None

    def _receive(self, wire: _Wire, source: socket.socket, target: socket.socket) -> None:
        due = time.monotonic() + wire.delay_s
        for _ in range(_BURST):
            try:
                frame = source.recv(_LARGEST_FRAME)
            except OSError:
                return
            if not wire.up or (wire.loss and random.random() < wire.loss):  # noqa: S311
                continue
            wire.frames += 1
            wire.bytes += len(frame)
            self.sequence += 1
            heapq.heappush(self.waiting, (due, self.sequence, target, frame))

    def _obey(self) -> None:
        message = self.orders.recv(4096)
        if not message:
            os._exit(0)  # the world is gone
        order = json.loads(message)
        wire = self.wires.get(order.get("name", ""))
        if wire is not None:
            wire.up = order.get("up", wire.up)
            wire.delay_s = order.get("delay_ms", wire.delay_s * 1000) / 1000
            wire.loss = order.get("loss", wire.loss)
        answer = {
            name: {
                "up": one.up,
                "delay_ms": one.delay_s * 1000,
                "loss": one.loss,
                "frames": one.frames,
                "bytes": one.bytes,
            }
            for name, one in self.wires.items()
        }
        self.orders.send(json.dumps(answer).encode())


class Wires:
    """The world's end of the process that moves the frames."""

    def __init__(self, specs: list[WireSpec]) -> None:
        self.names = frozenset(spec.name for spec in specs)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._socket.close()
                kernel.name_process("lab-wires")
                _Pump(specs, theirs).run()
            finally:
                os._exit(1)
        theirs.close()

    def set(
        self,
        name: str,
        *,
        up: bool | None = None,
        delay_ms: float | None = None,
        loss: float | None = None,
    ) -> dict[str, dict[str, float]]:
        """Change a wire; return what all wires carry now."""
        wanted = {"name": name, "up": up, "delay_ms": delay_ms, "loss": loss}
        return self._ask({key: value for key, value in wanted.items() if value is not None})

    def state(self) -> dict[str, dict[str, float]]:
        """Return up, delay, loss and counters of every wire."""
        return self._ask({})

    def _ask(self, order: Mapping[str, object]) -> dict[str, dict[str, float]]:
        self._socket.settimeout(5.0)
        self._socket.send(json.dumps(order).encode())
        answer: dict[str, dict[str, float]] = json.loads(self._socket.recv(1 << 16))
        return answer
