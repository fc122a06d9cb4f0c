"""One letter to one person over SMTP, with every answer sorted by what is known after it."""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from enum import StrEnum

_ACCEPTED = 250
_GO_AHEAD = 354
_REFUSED_FROM = 500
_DOMAIN = "dr.invalid"


class Fate(StrEnum):
    """What became of a letter.  Written down; never renamed."""

    SENDING = "sending"  # written down before the text is sent: afterwards nobody knows
    ACCEPTED = "accepted"  # the server took it over
    REFUSED = "refused"  # the server or the inventory says no; asking again will not help
    LATER = "later"  # not sent; asking again may help
    UNKNOWN = "unknown"  # sent, and no answer came


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed in.  ``tls``: none or starttls; times in seconds."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""
    tls: str = "none"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server said; ``reason`` of LATER is unreachable, timeout or busy."""

    fate: Fate
    answer: str
    reason: str = ""


def message_id(key: str, person: str) -> str:
    """Return the Message-ID of the letter to ``person``: the same at every attempt.

    Whoever doubts whether it arrived looks for it in the log of the mail server.
    """
    name = hashlib.sha256(f"dr-letter/1\0{key}\0{person}".encode()).hexdigest()[:40]
    return f"<{name}@{_DOMAIN}>"


def letter(
    *,
    sender: str,
    name: str,
    address: str,
    subject: str,
    text: str,
    at: datetime,
    identity: str,
    headers: dict[str, str],
) -> EmailMessage:
    """Return the letter; line breaks in a subject or name become spaces."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = formataddr((" ".join(name.split()), address))
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(at)
    message["Message-ID"] = identity
    message["Auto-Submitted"] = "auto-generated"
    for key, value in headers.items():
        message[key] = " ".join(value.split())
    message.set_content(text, cte="base64")
    return message


class Post:
    """A conversation with the mail server that ends by ``deadline_s``, whatever it answers."""

    def __init__(self, server: MailServer, timeout_s: float) -> None:
        self._server = server
        self.sender = server.sender
        self._end = time.monotonic() + timeout_s

    def send(self, message: EmailMessage, address: str, before_text: Callable[[], None]) -> Receipt:
        """Hand in one letter; ``before_text`` is called just before the text is sent."""
        try:
            with self._connected() as server:
                refusal = self._envelope(server, address)
                return refusal or self._text(server, message, before_text)
        except smtplib.SMTPAuthenticationError as error:
            return Receipt(Fate.REFUSED, _said(error.smtp_code, error.smtp_error))
        except smtplib.SMTPResponseException as error:
            return _sorted(error.smtp_code, error.smtp_error)
        except ssl.SSLError as error:
            return Receipt(Fate.REFUSED, f"tls: {error.reason or error}")
        except (smtplib.SMTPException, OSError) as error:
            if self._is_over() or isinstance(error, TimeoutError):
                return Receipt(Fate.LATER, "the server did not answer in time", "timeout")
            return Receipt(Fate.LATER, f"the server is not reachable: {error}", "unreachable")

    def _is_over(self) -> bool:
        return time.monotonic() >= self._end

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        left = max(self._end - time.monotonic(), 0.1)
        server = smtplib.SMTP(timeout=left + 1)
        # A server that answers a byte at a time passes every socket time-out: the line is cut.
        watch = threading.Timer(left, lambda: _cut(server))
        watch.daemon = True
        watch.start()
        try:
            code, said = server.connect(self._server.host, self._server.port)
            if code // 100 != 2:  # noqa: PLR2004 - the class of the answer
                raise smtplib.SMTPConnectError(code, said)
            if self._server.tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            server.ehlo_or_helo_if_needed()
            if self._server.user:
                server.login(self._server.user, self._server.password)
            yield server
        finally:
            watch.cancel()
            with suppress(smtplib.SMTPException, OSError):
                server.close()

    def _envelope(self, server: smtplib.SMTP, address: str) -> Receipt | None:
        for code, said in (server.mail(self._server.sender), server.rcpt(address)):
            if code // 100 != 2:  # noqa: PLR2004 - the class of the answer
                return _sorted(code, said)
        return None

    def _text(
        self, server: smtplib.SMTP, message: EmailMessage, before_text: Callable[[], None]
    ) -> Receipt:
        code, said = server.docmd("DATA")
        if code != _GO_AHEAD:
            return _sorted(code, said)
        before_text()
        body = re.sub(rb"(?m)^\.", b"..", message.as_bytes())
        try:
            server.send(body + b".\r\n")
            code, said = server.getreply()
        except (smtplib.SMTPException, OSError) as error:
            return Receipt(Fate.UNKNOWN, f"no answer after the text was sent: {error}")
        if code == -1:
            return Receipt(Fate.UNKNOWN, "the line was cut after the text was sent")
        receipt = _sorted(code, said)
        with suppress(smtplib.SMTPException, OSError):
            server.docmd("QUIT")
        return receipt


def _cut(server: smtplib.SMTP) -> None:
    with suppress(OSError, AttributeError):
        server.sock.shutdown(2)  # type: ignore[union-attr]


def _sorted(code: int, said: bytes | str) -> Receipt:
    text = _said(code, said)
    if code == _ACCEPTED:
        return Receipt(Fate.ACCEPTED, text)
    if code >= _REFUSED_FROM:
        return Receipt(Fate.REFUSED, text)
    return Receipt(Fate.LATER, text, "unreachable" if code < 0 else "busy")


def _said(code: int, said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.split())}"[:300]
