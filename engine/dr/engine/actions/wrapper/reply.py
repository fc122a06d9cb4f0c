"""What the wrapper answers: marked lines, then the command's own output."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass, field

from dr.engine.actions.transport.bounded import HeadAndTail

_MARK = b"dr-job"
_NOISE_BYTES = 64 * 1024
_LOG_BYTES = 4 * 1024 * 1024


@dataclass
class LogTail:
    """Passes output on to the attempt's log, each byte once although it may be sent twice.

    ``seen`` counts the bytes of a stream that were passed on.  What exceeds 4 MiB is left out, with
    a note: a log must not fill the engine's disk.
    """

    write: Callable[[str], None]
    seen: dict[str, int] = field(default_factory=lambda: {"stdout": 0, "stderr": 0})
    _decoders: dict[str, codecs.IncrementalDecoder] = field(default_factory=dict)
    _total: int = 0

    def feed(self, stream: str, data: bytes, offset: int) -> None:
        """Take ``data``, which begins at byte ``offset`` of ``stream``."""
        fresh = data[max(0, self.seen[stream] - offset) :]
        if not fresh:
            return
        self.seen[stream] = offset + len(data)
        if self._total > _LOG_BYTES:
            return
        self._total += len(fresh)
        text = self._decoder(stream).decode(fresh)
        if self._total > _LOG_BYTES:
            text += "\n[... more output left out of this log ...]\n"
        if text:
            self.write(text)

    def _decoder(self, stream: str) -> codecs.IncrementalDecoder:
        if stream not in self._decoders:
            self._decoders[stream] = codecs.getincrementaldecoder("utf-8")(errors="replace")
        return self._decoders[stream]


class Reply:
    """Reads an answer as it comes in.

    Attributes:
        begun: the wrapper said that it starts the command now.
        words: the last marked line, such as ``["ended", "0", "whole", "whole"]``; None before it.
        out / err: the output that followed, within bounds.
    """

    def __init__(self, log: LogTail | None = None, *, out_from: int = 0, err_from: int = 0) -> None:
        self.begun = False
        self.words: list[str] | None = None
        self.out = HeadAndTail()
        self.err = HeadAndTail()
        self._log = log
        self._from = {"stdout": out_from, "stderr": err_from}
        self._before_out = b""
        self._before_err: bytes | None = b""
        self._noise = HeadAndTail()

    def stdout(self, data: bytes) -> None:
        """Take bytes of the standard output."""
        if self.words is None:
            data = self._marks(self._before_out + data)
        if data:
            self._pass_on("stdout", self.out, data)

    def stderr(self, data: bytes) -> None:
        """Take bytes of the standard error."""
        if self._before_err is not None:
            data = self._before_err + data
            before, mark, rest = data.partition(_MARK + b"\n")
            if not mark:
                self._before_err = data[-_NOISE_BYTES:]
                return
            self._noise.feed(before)
            self._before_err = None
            data = rest
        if data:
            self._pass_on("stderr", self.err, data)

    @property
    def complaint(self) -> str:
        """What came on standard error before the wrapper spoke, such as sudo's refusal."""
        return (self._noise.text() + (self._before_err or b"").decode(errors="replace")).strip()

    @property
    def truncated(self) -> bool:
        """Whether output was left out, there or here."""
        return self.out.truncated or self.err.truncated or "cut" in (self.words or [])

    def _marks(self, data: bytes) -> bytes:
        """Read marked lines; return what follows the last, keep what is not a whole line yet."""
        while self.words is None:
            line, end, rest = data.partition(b"\n")
            if not end:
                self._before_out = data[-_NOISE_BYTES:]
                return b""
            if line.startswith(_MARK + b" "):
                words = line.decode(errors="replace").split()[1:]
                if words == ["begun"]:
                    self.begun = True
                else:
                    self.words = words
            data = rest
        return data

    def _pass_on(self, stream: str, kept: HeadAndTail, data: bytes) -> None:
        # a running job is sent from where we stand, an ended one whole
        begin = self._from[stream] if self.words and self.words[0] == "running" else 0
        offset = begin + kept.total_bytes
        kept.feed(data)
        if self._log is not None:
            self._log.feed(stream, data, offset)
