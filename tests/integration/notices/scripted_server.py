"""A mail server on loopback that answers as it is told to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Event, Thread
from typing import Any

from aiosmtpd.smtp import SMTP


@dataclass
class Script:
    """Answers by address, used up one by one; without any the server says 250.

    ``hang`` after DATA: the text is taken, and no answer comes until the test lets go.
    """

    recipients: dict[str, list[str]] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    hanging: Event = field(default_factory=Event)
    let_go: Event = field(default_factory=Event)

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        answers = self.recipients.get(address)
        answer = answers.pop(0) if answers else "250 fine"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        (address,) = envelope.rcpt_tos
        answers = self.texts.get(address)
        answer = answers.pop(0) if answers else "250 taken"
        if answer == "hang":
            self.hanging.set()
            while not self.let_go.is_set():
                await asyncio.sleep(0.01)
            return "250 too late"
        if answer.startswith("250"):
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.taken.append((address, message))
        return answer


@contextmanager
def mail_server(script: Script) -> Iterator[int]:
    """Serve ``script`` on a free port of loopback."""
    loop = asyncio.new_event_loop()
    worker = Thread(target=loop.run_forever, name="mail server", daemon=True)
    listener = socket.create_server(("127.0.0.1", 0))
    worker.start()

    async def serve() -> asyncio.Server:
        return await loop.create_server(lambda: SMTP(script, loop=loop), sock=listener)

    async def end(server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(5)
    try:
        yield listener.getsockname()[1]
    finally:
        script.let_go.set()
        asyncio.run_coroutine_threadsafe(end(server), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        worker.join(5)
        loop.close()
