"""``path.check``: is a path there, does its storage answer?  Over SFTP, which only reads here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections, Observer, StorageError, host_of
from dr.engine.actions.inputs import Duration, Inputs
from dr.engine.actions.observations import PING
from dr.engine.core.errors import RefusedError, RetryableError
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt, Outcome, World

_SAMPLE_BYTES = 8192


class PathState(StrEnum):
    """What was seen of a path."""

    PRESENT = "present"
    ABSENT = "absent"
    IO_ERROR = "io_error"
    HANGS = "hangs"
    UNREACHABLE = "unreachable"


_SEEN = frozenset({PathState.PRESENT, PathState.ABSENT})


class PathCheckInputs(Inputs):
    """``with`` of path.check."""

    path: str = Field(pattern=r"^/", description="Absolute path on the host.")
    within: Duration = Field(
        default=timedelta(seconds=10), description="How long one answer may take."
    )
    times: int = Field(
        default=2, ge=1, le=20, description="How many looks in a row must agree on a bad answer."
    )
    pause: Duration = Field(default=timedelta(milliseconds=500), description="Between the looks.")


@dataclass(frozen=True)
class _Look:
    state: PathState
    took_s: float
    detail: str = ""
    size_bytes: int | None = None


class PathCheck(Driver[PathCheckInputs]):
    """Looks at a path.  The answer is an output, not a success or a failure.

    One look that finds it present settles it; every other answer counts only when it was given
    ``times`` in a row, so that one slow or broken answer is not taken for a dead storage.
    """

    inputs = PathCheckInputs
    spec = specify(
        "path.check",
        "Look at a path on a host",
        "检查主机上的路径",
        PathCheckInputs,
        effects=(Effect.READ,),
        reads_only=True,
        needs_host=True,
        outputs={
            "state": "string",
            "detail": "string",
            "size_bytes": "integer",
            "took_s": "number",
            "looks": "integer",
        },
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what is looked at."""
        given = self.given(attempt)
        return [
            f"look at {given.path} on {attempt.host} over SFTP, "
            f"at most {given.within.total_seconds():g} s a look, {given.times} looks"
        ]

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Look until a good answer comes or ``times`` bad ones agree."""
        given = self.given(attempt)
        observer = self._connections.observer(host_of(attempt))
        deadline = time.monotonic() + attempt.timeout.total_seconds()
        agreed: list[_Look] = []
        looks = 0
        while True:
            seen = _look(observer, given)
            looks += 1
            world.output(f"{given.path}: {seen.state} after {seen.took_s:.2f} s {seen.detail}\n")
            if agreed and agreed[-1].state is not seen.state:
                agreed.clear()
            agreed.append(seen)
            is_settled = seen.state is PathState.PRESENT or len(agreed) >= given.times
            if is_settled or world.cancelled() or time.monotonic() >= deadline:
                break
            time.sleep(given.pause.total_seconds())
        if not is_settled:
            raise RetryableError(
                f"the answers about {attempt.host}:{given.path} do not agree: {seen.state} last",
                reason="not_yet",
            )
        return Outcome(
            outputs={
                "state": seen.state.value,
                "detail": seen.detail,
                "size_bytes": seen.size_bytes,
                "took_s": round(seen.took_s, 3),
                "looks": looks,
            },
            facts={"host": attempt.host, "path": given.path, "state": seen.state.value},
            unseen="" if seen.state in _SEEN else f"{attempt.host}:{given.path}: {seen.state}",
        )


def _look(observer: Observer, given: PathCheckInputs) -> _Look:
    """Look once; storage that hangs holds up a thread of its own and nobody else."""
    began = time.monotonic()
    seen = _bounded(lambda: _state(observer, given), 2 * given.within.total_seconds() + 5.0)
    took_s = time.monotonic() - began
    if seen is None or seen.state is PathState.HANGS:
        return _hang_or_silence(observer, given, took_s)
    return _Look(seen.state, took_s, seen.detail, seen.size_bytes)


def _state(observer: Observer, given: PathCheckInputs) -> _Look:
    try:
        stat = observer.stat(given.path, timeout=given.within)
        if stat is None:
            return _Look(PathState.ABSENT, 0, "there is nothing")
        if stat.is_dir:
            names = observer.listing(given.path, timeout=given.within)
            return _Look(PathState.PRESENT, 0, f"{len(names or ())} entries")
        if stat.is_file:  # the inode may be remembered while the disk is long gone
            observer.read(given.path, max_bytes=_SAMPLE_BYTES, timeout=given.within)
        return _Look(PathState.PRESENT, 0, "", stat.size_bytes)
    except StorageError as error:
        return _Look(PathState.IO_ERROR, 0, str(error))
    except RetryableError as error:
        is_slow = error.reason == "timeout"
        return _Look(PathState.HANGS if is_slow else PathState.UNREACHABLE, 0, error.message)


def _hang_or_silence(observer: Observer, given: PathCheckInputs, took_s: float) -> _Look:
    """Nothing came in time: ask the host for a sign of life that needs no storage of this path."""
    try:
        observer.observe(PING, timeout=max(given.within, timedelta(seconds=2)))
    except RetryableError as error:
        return _Look(PathState.UNREACHABLE, took_s, error.message)
    limit = given.within.total_seconds()
    return _Look(PathState.HANGS, took_s, f"the host answers, the path not within {limit:g} s")


def _bounded(ask: Callable[[], _Look], limit_s: float) -> _Look | None:
    """Return the answer of ``ask``; None when it takes longer than ``limit_s``."""
    answers: list[_Look] = []
    errors: list[RefusedError] = []

    def run() -> None:
        try:
            answers.append(ask())
        except RefusedError as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="path-check", daemon=True)
    thread.start()
    thread.join(limit_s)  # stat and the read have bounds of their own; this one is the last
    if errors:
        raise errors[0]
    return answers[0] if answers else None
