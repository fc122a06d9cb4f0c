"""Takes secrets out of text before it is written anywhere, however the text is cut into chunks."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 6
"""Values with fewer characters are not looked for: they would blank out ordinary words."""

_LONGEST_PEM = 65_536
_LONGEST_HEAD = 64
_SHORTEST_CORE = 8
_PEM = r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----"
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----")
_LONGEST_PEM_END = 64
_KEYWORDS = (
    "password|passwd|passphrase|passwort|pgpassword|secret_key|api[_-]?key|access_token|密码"
)
_HEAD = re.compile(rf"""(?i:{_KEYWORDS})["']?[ \t]{{0,2}}[=:][ \t]{{0,2}}""")
_URL = r"://[^\s/:@'\"]{0,64}:[^\s/@'\"]{1,200}@"
_LONGEST_URL = 3 + 64 + 1 + 200 + 1
_QUOTES = "\"'"
_ENDS = re.compile(r"[\s,;&\"'})\]]")


def forms(value: str) -> set[str]:
    """Return the ways in which a secret may stand in text: plain, base64, URL, shell, JSON."""
    raw = value.encode()
    found = {value, quote(value, safe=""), quote(value), quote_plus(value)}
    found |= {shlex.quote(value)[1:-1] if shlex.quote(value) != value else value}
    found |= {re.sub(r"([^\w@%+=:,./-])", r"\\\1", value)}
    found |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found |= {encode(raw).decode(), encode(raw).decode().rstrip("=")}
        found |= {core for core in _cores(raw, encode) if len(core) >= _SHORTEST_CORE}
    found |= {raw.hex(), raw.hex().upper()}
    found |= {line.strip() for line in value.splitlines() if len(line.strip()) >= 2 * SHORTEST}
    return {form for form in found if len(form) >= SHORTEST}


def _cores(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterable[str]:
    """Yield what base64 makes of ``raw`` inside a longer text, at each of the three alignments."""
    for before in range(3):
        text = encode(b"\0" * before + raw).decode().rstrip("=")
        first = (0, 2, 3)[before]
        last = len(text) if (before + len(raw)) % 3 == 0 else len(text) - 1
        yield text[first:last]


@lru_cache(maxsize=4)
def _compiled(values: frozenset[str]) -> tuple[re.Pattern[str], int]:
    """Return what finds these values, and the longest text that it can match."""
    words = sorted({form for value in values for form in forms(value)}, key=lambda w: (-len(w), w))
    known = "|".join(re.escape(word) for word in words)
    parts = [f"(?P<known>{known})"] if known else []
    pattern = re.compile("|".join([*parts, f"(?P<pem>{_PEM})", f"(?P<url>{_URL})"]))
    return pattern, max([_LONGEST_URL, *(len(w) for w in words[:1])])


class Redactor:
    """A stream with its secrets taken out.

    ``feed`` returns what is safe to write and keeps back the end of the text while it could be
    the beginning of a secret; ``flush`` returns the rest.  Together they return the same for
    every way of cutting the text.  Known values go first, so that a value with a comma in it
    is gone as a whole before ``password=`` is looked for.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values = {s for s in secrets if len(s) >= SHORTEST}
        self._known = _KnownValues(self._values)
        self._named = _NamedValues()

    def add(self, secret: str) -> None:
        """Take ``secret`` out from now on; shorter than six characters is ignored."""
        if len(secret) >= SHORTEST and secret not in self._values:
            self._values.add(secret)
            self._known.expect(self._values)

    def fresh(self) -> Redactor:
        """Return a redactor for another stream that knows the same secrets."""
        return Redactor(self._values)

    def redact(self, text: str) -> str:
        """Return a whole text without its secrets; the stream is not touched."""
        if not self._known.finds(text) and _HEAD.search(text) is None:
            return text  # nearly always, and the journal asks for every text in every event
        other = self.fresh()
        return other.feed(text) + other.flush()

    def feed(self, text: str) -> str:
        """Take the next chunk, return what may be written now."""
        return self._named.take(self._known.take(text))

    def flush(self) -> str:
        """Return what was kept back; the stream ends here."""
        rest = self._named.take(self._known.take("", last=True), last=True)
        self._known, self._named = _KnownValues(self._values), _NamedValues()
        return rest


class _KnownValues:
    """Masks values that are known, private keys, and passwords in addresses."""

    def __init__(self, values: Iterable[str]) -> None:
        self._buffer = ""
        self._in_key = False
        self._swallowed = 0
        self.expect(values)

    def expect(self, values: Iterable[str]) -> None:
        """Look for these values from now on."""
        self._pattern, self._hold = _compiled(frozenset(values))

    def finds(self, text: str) -> bool:
        """Whether there is anything to mask in ``text``, taken as a whole."""
        return self._pattern.search(text) is not None

    def take(self, text: str, *, last: bool = False) -> str:
        """Return what is certain by now."""
        self._buffer += text
        out: list[str] = []
        while self._key(last=last) if self._in_key else self._text(out, last=last):
            pass
        return "".join(out)

    def _text(self, out: list[str], *, last: bool) -> bool:
        """Copy up to the next match; a match counts once everything it could reach is here."""
        match = self._pattern.search(self._buffer)
        safe = len(self._buffer) if last else max(0, len(self._buffer) - self._hold)
        if match is None or (match.start() >= safe and not last):
            out.append(self._buffer[:safe])
            self._buffer = self._buffer[safe:]
            return False
        out.append(self._buffer[: match.start()])
        self._buffer = self._buffer[match.end() :]
        if match.lastgroup == "url":
            found = match.group()
            out.append(found[: found.index(":", 3) + 1] + MASK + "@")
        else:
            out.append(MASK)
        self._in_key, self._swallowed = match.lastgroup == "pem", 0
        return True

    def _key(self, *, last: bool) -> bool:
        """Swallow a private key to its end, or to a length that no key has."""
        end = _PEM_END.search(self._buffer)
        limit = _LONGEST_PEM - self._swallowed
        if end is not None and end.end() <= limit:
            self._buffer, self._in_key = self._buffer[end.end() :], False
            return True
        if len(self._buffer) >= limit:
            self._buffer, self._in_key = self._buffer[limit:], False
            return True
        # what could be the beginning of the END line stays
        gone = len(self._buffer) if last else max(0, len(self._buffer) - _LONGEST_PEM_END)
        self._swallowed += gone
        self._buffer = self._buffer[gone:]
        return False


class _NamedValues:
    """Masks what stands after ``password=`` and the like."""

    def __init__(self) -> None:
        self._buffer = ""
        self._state = "text"
        self._quote = ""

    def take(self, text: str, *, last: bool = False) -> str:
        """Return what is certain by now."""
        self._buffer += text
        out: list[str] = []
        while self._buffer and self._step(out, last=last):
            pass
        return "".join(out)

    def _step(self, out: list[str], *, last: bool) -> bool:
        if self._state == "text":
            return self._text(out, last=last)
        if self._state == "open":
            # a quote mark says where the value will end
            self._quote = self._buffer[0] if self._buffer[0] in _QUOTES else ""
            self._buffer, self._state = self._buffer[len(self._quote) :], "value"
            return True
        return self._value()

    def _text(self, out: list[str], *, last: bool) -> bool:
        match = _HEAD.search(self._buffer)
        safe = len(self._buffer) if last else max(0, len(self._buffer) - _LONGEST_HEAD)
        if match is None or (match.start() >= safe and not last):
            out.append(self._buffer[:safe])
            self._buffer = self._buffer[safe:]
            return False
        out.append(self._buffer[: match.end()] + MASK)
        self._buffer, self._state = self._buffer[match.end() :], "open"
        return True

    def _value(self) -> bool:
        ends = re.compile(rf"[{self._quote}\n]") if self._quote else _ENDS
        end = ends.search(self._buffer)
        if end is None:
            self._buffer = ""
            return False
        skipped = end.end() if end.group() == self._quote else end.start()
        self._buffer, self._state = self._buffer[skipped:], "text"
        return True
