"""``http.check``: does a web service answer, and with what?"""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.inputs import Duration, Inputs
from dr.engine.core.errors import RefusedError
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt, Outcome, World

_BODY_BYTES = 64 * 1024


class HttpCheckInputs(Inputs):
    """``with`` of http.check."""

    url: str = Field(pattern=r"^https?://", description="http:// or https://.")
    status: list[int] = Field(default=[200], description="Status codes that are well.")
    match: str | None = Field(None, description="Regular expression that the body must hold.")
    ca_file: str | None = Field(None, description="Certificates to trust instead of the system's.")
    within: Duration = timedelta(seconds=10)

    @field_validator("match")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return value


class HttpCheck(Driver[HttpCheckInputs]):
    """Asks once with GET and follows no redirect; the answer is an output.

    GET may have effects on a server that is written badly, and the address is free, so a dry run
    does not send it.
    """

    inputs = HttpCheckInputs
    spec = specify(
        "http.check",
        "See whether a web service answers",
        "检查网页服务是否应答",
        HttpCheckInputs,
        effects=(Effect.READ,),
        outputs={"ok": "boolean", "state": "string", "status": "integer", "took_s": "number"},
    )

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what is asked."""
        given = self.given(attempt)
        return [f"GET {_masked(given.url)}, at most {given.within.total_seconds():g} s"]

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Ask: answered, refused, timeout, unreachable or broken."""
        given = self.given(attempt)
        began = time.monotonic()
        state, status, body = _get(given)
        took_s = round(time.monotonic() - began, 3)
        matches = given.match is None or re.search(given.match, body) is not None
        is_well = state == "answered" and status in given.status and matches
        world.output(f"{_masked(given.url)}: {state} {status or ''} after {took_s} s\n")
        return Outcome(
            outputs={"ok": is_well, "state": state, "status": status, "took_s": took_s},
            facts={"url": _masked(given.url), "state": state, "status": status, "ok": is_well},
        )


def _get(given: HttpCheckInputs) -> tuple[str, int | None, str]:
    parts = urlsplit(given.url)
    timeout_s = given.within.total_seconds()
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        try:
            context = ssl.create_default_context(cafile=given.ca_file)
        except OSError as error:
            raise RefusedError(f"can not read the certificates {given.ca_file}: {error}") from error
        connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
    target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    try:
        connection.request("GET", target, headers={"User-Agent": "dr", "Connection": "close"})
        answer = connection.getresponse()
        return "answered", answer.status, answer.read(_BODY_BYTES).decode(errors="replace")
    except TimeoutError:
        return "timeout", None, ""
    except ConnectionRefusedError:
        return "refused", None, ""
    except (http.client.HTTPException, ssl.SSLError, ConnectionError):
        return "broken", None, ""
    except OSError:
        return "unreachable", None, ""
    finally:
        connection.close()


def _masked(url: str) -> str:
    """Return ``url`` without a password and without its query, which often carries tokens."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="***" if parts.query else "").geturl()
