"""The lab's mail server: takes every message and keeps it as a file.  Delivers nothing."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

PORT = 25
_IDLE_S = 60.0


def serve_mail(address: str, folder: Path) -> None:
    """Listen on ``address``, port 25, for ever; one child per conversation."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.create_server((address, PORT), backlog=16)
    while True:
        client, _ = server.accept()
        if os.fork() == 0:
            try:
                server.close()
                client.settimeout(_IDLE_S)
                _converse(client, folder)
            finally:
                os._exit(0)
        client.close()


def _converse(client: socket.socket, folder: Path) -> None:
    lines = client.makefile("rb")

    def say(text: str) -> None:
        client.sendall(text.encode() + b"\r\n")

    say("220 mail.lab.example ESMTP the lab keeps what it gets")
    sender, recipients = "", list[str]()
    for raw in lines:
        line = raw.decode(errors="replace").strip()
        verb = line.upper()
        if verb.startswith("EHLO"):
            say("250-mail.lab.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 33554432")
        elif verb.startswith("MAIL FROM:"):
            sender, recipients = line[10:], []
            say("250 OK")
        elif verb.startswith("RCPT TO:"):
            recipients.append(line[8:])
            say("250 OK")
        elif verb == "DATA":
            say("354 end with <CRLF>.<CRLF>")
            say(f"250 OK kept as {_keep(lines, folder, sender, recipients)}")
        elif verb == "QUIT":
            say("221 bye")
            return
        elif verb.startswith(("HELO", "RSET", "NOOP")):
            say("250 OK")
        else:
            say("502 not here")


def _keep(lines: object, folder: Path, sender: str, recipients: list[str]) -> str:
    body = [f"X-Lab-From: {sender}\r\n".encode(), f"X-Lab-To: {', '.join(recipients)}\r\n".encode()]
    for raw in lines:  # type: ignore[attr-defined]
        if raw == b".\r\n":
            break
        body.append(raw[1:] if raw.startswith(b".") else raw)
    name = f"{time.time_ns()}-{os.getpid()}.eml"
    part = folder / f".{name}"
    part.write_bytes(b"".join(body))
    part.rename(folder / name)
    return name
