"""Where the output of attempts goes: one file for each step and host, beside the journal."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from dr.engine.core.ports import Attempt, Secrets

log = logging.getLogger("dr.engine")

LARGEST_BYTES = 64 * 1024 * 1024
"""A log file grows no further; a line says so.  What is decided on stands in the journal."""

_LONGEST_LINE = 65_536


class FileLogs:
    """Appends redacted output to ``FOLDER/RUN/STEP@HOST.log``.

    Text is redacted line by line, so that a secret cut in two by a chunk's end is still found;
    an empty text writes what is left of the last line.
    """

    def __init__(self, folder: Path, secrets: Secrets) -> None:
        self._folder = folder
        self._secrets = secrets
        self._pending: dict[Path, str] = {}
        self._lost: set[Path] = set()
        self._lock = threading.Lock()

    def path(self, run: str, step: str, host: str | None) -> Path:
        """Return the file for a step on a host."""
        name = re.sub(r"[^\w.@-]", "_", f"{step.partition('.')[0]}@{host or 'engine'}")
        return self._folder / run / f"{name}.log"

    def writer(self, attempt: Attempt) -> Callable[[str], None]:
        """Return what appends to the log file of ``attempt``."""
        path = self.path(attempt.run, attempt.step, attempt.host)

        def write(text: str) -> None:
            with self._lock:
                whole, rest = _cut(self._pending.get(path, "") + text, end=not text)
                self._pending[path] = rest
                if whole:
                    self._keep(path, self._secrets.redact(whole))

        return write

    def _keep(self, path: Path, text: str) -> None:
        """Append; text that can not be kept is dropped, for it must not put a step in doubt."""
        try:
            _append(path, text)
        except OSError as error:
            if path not in self._lost:
                log.warning("output is lost, %s can not be written: %s", path, error.strerror)
            self._lost.add(path)

    def tail(self, run: str, step: str, host: str | None, lines: int) -> str:
        """Return the last lines that the step put out on ``host``; empty when it was silent."""
        path = self.path(run, step, host)
        try:
            with path.open(encoding="utf-8", errors="replace") as stream:
                return "".join(deque(stream, maxlen=lines))
        except OSError:
            return ""


class NoLogs:
    """Keeps nothing: a plan that looks leaves no file behind."""

    def writer(self, attempt: Attempt) -> Callable[[str], None]:  # noqa: ARG002
        """Return what drops the text."""
        return lambda _text: None

    def tail(self, run: str, step: str, host: str | None, lines: int) -> str:  # noqa: ARG002
        """Return nothing."""
        return ""


def _cut(text: str, *, end: bool) -> tuple[str, str]:
    """Return the whole lines of ``text`` and the rest; all of it at the end."""
    if end or len(text) > _LONGEST_LINE:
        return text, ""
    at = text.rfind("\n") + 1
    return text[:at], text[at:]


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    size = path.stat().st_size if path.exists() else 0
    if size >= LARGEST_BYTES:
        return
    if size + len(text) > LARGEST_BYTES:
        text = text[: LARGEST_BYTES - size] + "\n[the log ends here: it is 64 MiB long]\n"
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)
