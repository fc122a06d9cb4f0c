"""Evidence of many branches, looked at by several processes at once.

A reader is a process of its own: ``python -m dr.reconcile.readers``.  What it is to look at comes
in by its standard input, each look goes out by its standard output, and it ends when that is gone:
none outlives whoever started it.  What a reader that died did not look at is looked at here.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from dr.reconcile.first_look import Eye, Look, Submission

_WORTH_IT: Final = 32 << 20
"""Bytes of evidence that take longer to read than readers take to start."""
_MOST: Final = 8
_KEPT: Final = 200_000
"""Rows of evidence that stay in memory for a second look; others are read again."""


def look_at_all(
    eye: Eye, submissions: Sequence[Submission], *, readers: int | None = None
) -> list[Look]:
    """Look at every piece of evidence; the answer is in the order of ``submissions``.

    Args:
        readers: how many processes; None: as many as are worth it.
    """
    number = _worth(submissions) if readers is None else readers
    if number < 2:  # noqa: PLR2004 - one reader is this process
        return _look_here(eye, submissions)
    parts = [submissions[i::number] for i in range(number)]
    given_up = threading.Event()
    with ThreadPoolExecutor(number, thread_name_prefix="reader") as pool:
        try:
            looks = list(pool.map(lambda part: _look_elsewhere(eye, part, given_up), parts))
        except BaseException:
            given_up.set()  # Ctrl-C ends the readers too: nobody wants their rest any more
            raise
    found = {id(s): look for part, seen in zip(parts, looks, strict=True)
             for s, look in zip(part, seen, strict=True)}  # fmt: skip
    return [found[id(submission)] for submission in submissions]


def _worth(submissions: Sequence[Submission]) -> int:
    size = 0
    for submission in submissions:
        with suppress(OSError):  # whoever reads it says so
            size += submission.path.stat().st_size
    return min(len(os.sched_getaffinity(0)), _MOST, len(submissions), size // _WORTH_IT + 1)


def _look_here(eye: Eye, submissions: Sequence[Submission]) -> list[Look]:
    looks: list[Look] = []
    kept = 0
    for submission in submissions:
        look = eye.look(submission, keep=kept < _KEPT)
        looks.append(look)
        kept += look.fingerprint.count if look.reading else 0
    return looks


def _look_elsewhere(
    eye: Eye, submissions: Sequence[Submission], given_up: threading.Event
) -> list[Look]:
    looks = list(_asked(eye, submissions))
    for submission in submissions[len(looks) :]:
        if given_up.is_set():
            break
        looks.append(eye.look(submission, keep=False))
    return looks


def _asked(eye: Eye, submissions: Sequence[Submission]) -> Iterator[Look]:
    with subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as reader:
        assert reader.stdin is not None and reader.stdout is not None  # noqa: PT018, S101
        try:
            with suppress(BrokenPipeError), reader.stdin as words:
                pickle.dump((eye, list(submissions)), words)
            with suppress(EOFError, pickle.UnpicklingError):  # it died
                for submission in submissions:
                    look = pickle.load(reader.stdout)  # noqa: S301 - our own process
                    look.submission = submission
                    yield look
        finally:
            reader.kill()


def main() -> None:
    """Be a reader."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    eye, submissions = pickle.load(sys.stdin.buffer)  # noqa: S301 - from whoever started it
    for submission in submissions:
        pickle.dump(eye.look(submission, keep=False), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
