"""Jobs on a host: started once, followed, found again, ended."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dr.engine.actions.hosts import Completed
from dr.engine.actions.transport.channel import ConnectionLostError, TooLateError, execute
from dr.engine.actions.transport.pool import ConnectionPool
from dr.engine.actions.transport.settings import HostSettings
from dr.engine.actions.wrapper.refusals import refusal, silence
from dr.engine.actions.wrapper.reply import LogTail, Reply
from dr.engine.actions.wrapper.request import JobName, job_name, payload, wrapper_text
from dr.engine.actions.wrapper.sessions import ending_text, plain_text, session_handle
from dr.engine.core.errors import (
    ActionError,
    FailedError,
    FencedError,
    LostContactError,
    RefusedError,
    RetryableError,
)
from dr.engine.core.faults import passage
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attached, Attempt, Ending, Found, Outcome, Stopped, World

_LOOK_S = 20.0
"""The wrapper waits up to 10 s for the guard's lock, and up to 8 s for a command to end."""
_PATIENCE_S = 30.0
"""How long attach keeps asking a host that does not answer."""


@dataclass(frozen=True)
class Command:
    """What to run: shell text that becomes the command, its input, and how it is treated."""

    text: str
    shown: str
    stdin: bytes = b""
    user: str = ""
    name: str = ""
    kill_on_timeout: bool = False
    has_secrets: bool = True
    """Whether the text may hold secrets, and must stay out of the host's list of processes."""


@dataclass
class _Following:
    """A job that somebody waits for."""

    attempt: Attempt
    job: JobName
    name: str
    world: World
    log: LogTail = field(init=False)

    def __post_init__(self) -> None:
        self.log = LogTail(self.world.output)


class RemoteJobs:
    """The jobs of one host."""

    def __init__(self, host: HostSettings, pool: ConnectionPool) -> None:
        self._host = host
        self._pool = pool

    def run(self, attempt: Attempt, world: World, command: Command) -> Completed:
        """Run ``command`` and wait; see :meth:`dr.engine.actions.hosts.Actor.job`."""
        if attempt.effect is Effect.READ:
            return self._run_plainly(attempt, world, command)
        following = _Following(attempt, job_name(attempt, command.name), command.name, world)
        began = time.monotonic()
        text = payload(command.text)
        request = wrapper_text(
            "start",
            self._host.state_root,
            following.job,
            epoch=attempt.epoch,
            digest=hashlib.sha256(command.shown.encode()).hexdigest(),
            payload_bytes=len(text),
            stdin_bytes=len(command.stdin),
            user=command.user,
            become=self._host.become,
        )
        reply = Reply(following.log)
        with self._pool.session(self._host) as channel:
            world.record_handle(
                {
                    "kind": "job",
                    "host": self._host.name,
                    "job": f"{self._host.state_root}/{following.job.path}",
                    "name": command.name,
                }
            )
            passage("before-send")
            try:
                status = execute(
                    channel,
                    request,
                    reply,
                    stdin=text + command.stdin,
                    timeout_s=attempt.timeout.total_seconds(),
                    every_second=lambda: self._stream(following),
                )
            except TooLateError as error:
                return self._too_late(following, command, error, began)
            except ConnectionLostError as error:
                raise LostContactError(
                    f"the connection to {self._host.name} ended while the command ran: {error}",
                    hint="It goes on there; the engine looks for it before anything else.",
                    facts={"job": following.job.path},
                ) from error
        return self._answer(following, reply, status, began)

    def attach(self, attempt: Attempt, world: World, name: str = "") -> Attached:
        """Find the job of ``attempt`` and wait for its end, up to ``attempt.timeout``."""
        following = _Following(attempt, job_name(attempt, name), name, world)
        deadline = time.monotonic() + attempt.timeout.total_seconds()
        patience = min(deadline, time.monotonic() + _PATIENCE_S)
        verb, pause, last = "attach", 0.1, ""
        while True:
            try:
                reply = self._ask(verb, following)
                found = self._found(reply)
                if found is not None:
                    return found
                verb, last = "look", "it is still running"
                patience = min(deadline, time.monotonic() + _PATIENCE_S)
            except (RetryableError, LostContactError) as error:
                last = error.message
                if time.monotonic() >= patience:
                    return Attached(Found.UNKNOWN, last)
            except RefusedError as error:
                return Attached(Found.UNKNOWN, error.message)
            if time.monotonic() >= deadline or world.cancelled():
                return Attached(Found.UNKNOWN, last)
            time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            pause = min(1.0, pause * 1.5)

    def end(self, attempt: Attempt, world: World, name: str = "") -> Stopped:
        """End the job of ``attempt``; see :meth:`dr.engine.actions.hosts.Actor.end`."""
        handle = attempt.handle or {}
        if handle.get("kind") == "session":
            return self._end_session(handle)
        following = _Following(attempt, job_name(attempt, name), name, world)
        reply = self._ask("end", following)
        found = self._found(reply)
        if found is None:
            return Stopped(Ending.RUNNING, f"it did not end when told on {self._host.name}")
        return Stopped(Ending(found.found), found.detail)

    def _session(self, reply: Reply) -> dict[str, Any]:
        handle = session_handle(self._host.name, reply.words)
        return {"handle": handle} if handle else {}

    def _end_session(self, handle: Mapping[str, Any]) -> Stopped:
        """End what a command that only reads has started."""
        reply = Reply()
        try:
            with self._pool.session(self._host) as channel:
                request = ending_text(handle, become=self._host.become)
                status = execute(channel, request, reply, timeout_s=_LOOK_S)
        except (TooLateError, ConnectionLostError) as error:
            raise RetryableError(
                f"{self._host.name} did not say whether the command ended: {error}",
                reason="unreachable",
            ) from error
        match reply.words:
            case ["over"]:
                return Stopped(Ending.ENDED, "its processes were ended")
            case ["gone", *rest]:
                return Stopped(Ending.GONE, " ".join(rest))
            case ["running"]:
                return Stopped(Ending.RUNNING, f"it did not end when told on {self._host.name}")
            case _:
                raise silence(self._host, status, reply.complaint)

    def _found(self, reply: Reply) -> Attached | None:
        kind, *rest = reply.words or [""]
        if kind == "ended":
            outputs = {
                "exit_code": int(rest[0]),
                "stdout": reply.out.text(),
                "stderr": reply.err.text(),
            }
            return Attached(
                Found.ENDED, f"it ended with exit code {rest[0]}", Outcome(outputs=outputs)
            )
        if kind == "never":
            return Attached(Found.NEVER_STARTED, " ".join(rest))
        if kind == "gone":
            return Attached(Found.GONE, " ".join(rest))
        return None

    def _ask(self, verb: str, following: _Following) -> Reply:
        """Send a short request.

        Raises:
            ActionError: of any kind; asking changed nothing but what the verb says.
        """
        seen = following.log.seen
        out_from, err_from = seen["stdout"], seen["stderr"]
        request = wrapper_text(
            verb,
            self._host.state_root,
            following.job,
            epoch=following.attempt.epoch,
            become=self._host.become,
            out_from=out_from,
            err_from=err_from,
        )
        reply = Reply(following.log, out_from=out_from, err_from=err_from)
        try:
            with self._pool.session(self._host) as channel:
                status = execute(channel, request, reply, timeout_s=_LOOK_S)
        except (TooLateError, ConnectionLostError) as error:
            raise RetryableError(
                f"{self._host.name} did not say how the job stands: {error}", reason="unreachable"
            ) from error
        if reply.words is None:
            raise silence(self._host, status, reply.complaint)
        error_ = refusal(self._host, reply.words)
        if error_ is not None:
            raise error_
        return reply

    def _stream(self, following: _Following) -> bool:
        """Pass on what a running job has printed; False when nobody waits any more."""
        if following.world.cancelled():
            return False
        with contextlib.suppress(ActionError):  # only the waiting channel decides what became of it
            self._ask("look", following)
        return True

    def _answer(self, following: _Following, reply: Reply, status: int, began: float) -> Completed:
        if reply.words is None:
            if reply.begun:
                raise LostContactError(
                    f"the wrapper on {self._host.name} was ended while the command ran",
                    facts={"job": following.job.path},
                )
            raise silence(self._host, status, reply.complaint)
        error = refusal(self._host, reply.words)
        if error is not None:
            raise error
        if reply.words[0] == "ended":
            return Completed(
                int(reply.words[1]),
                reply.out.text(),
                reply.err.text(),
                time.monotonic() - began,
                reply.truncated,
            )
        if reply.words[0] == "exists":
            return self._first_start(following, began)
        raise LostContactError(
            f"nobody saw the end of the command on {self._host.name}: {' '.join(reply.words[1:])}",
            facts={"job": following.job.path},
        )

    def _first_start(self, following: _Following, began: float) -> Completed:
        """The job's directory was there: it is never started a second time, only waited for."""
        found = self.attach(following.attempt, following.world, following.name)
        if found.found is Found.ENDED and found.outcome is not None:
            outputs = found.outcome.outputs
            return Completed(
                outputs["exit_code"],
                outputs["stdout"],
                outputs["stderr"],
                time.monotonic() - began,
            )
        if found.found is Found.NEVER_STARTED:
            raise FencedError(
                f"the job was withdrawn on {self._host.name} before it began: {found.detail}",
                hint="Another engine took this run over; follow it with `dr attach RUN`.",
            )
        raise LostContactError(
            f"the job on {self._host.name} had been started before, and its end is not known: "
            f"{found.detail}",
            facts={"job": following.job.path},
        )

    def _too_late(
        self, following: _Following, command: Command, error: Exception, began: float
    ) -> Completed:
        limit = following.attempt.timeout.total_seconds()
        if not command.kill_on_timeout or following.world.cancelled():
            raise LostContactError(
                f"the command on {self._host.name} had not ended after "
                f"{time.monotonic() - began:.0f} s: {error}",
                hint="It goes on there; the engine looks for it before anything else.",
                facts={"job": following.job.path},
            ) from error
        try:
            reply = self._ask("end", following)
        except ActionError as failed:
            raise LostContactError(
                f"the command on {self._host.name} ran past {limit:g} s and could not be ended: "
                f"{failed.message}",
                facts={"job": following.job.path},
            ) from failed
        if (reply.words or [""])[0] != "ended":
            raise LostContactError(
                f"the command on {self._host.name} ran past {limit:g} s and did not end when told",
                facts={"job": following.job.path},
            ) from error
        raise FailedError(
            f"the command on {self._host.name} ran past {limit:g} s and was ended",
            facts={"exit_code": int((reply.words or ["", "-1"])[1]), "stderr": reply.err.text()},
        ) from error

    def _run_plainly(self, attempt: Attempt, world: World, command: Command) -> Completed:
        """Run a command that only reads: nothing to find again, it may be asked once more."""
        text = payload(command.text) if command.has_secrets else b""
        request = plain_text(command.text, len(text), become=self._host.become)
        reply = Reply(LogTail(world.output))
        began = time.monotonic()
        try:
            with self._pool.session(self._host) as channel:
                status = execute(
                    channel,
                    request,
                    reply,
                    stdin=text + command.stdin,
                    timeout_s=attempt.timeout.total_seconds(),
                    every_second=lambda: not world.cancelled(),
                )
        except TooLateError as error:
            raise RetryableError(
                f"the command on {self._host.name} had not ended after "
                f"{time.monotonic() - began:.0f} s: {error}",
                reason="timeout",
                facts=self._session(reply),
            ) from error
        except ConnectionLostError as error:
            raise RetryableError(
                f"the connection to {self._host.name} ended while the command ran: {error}",
                reason="unreachable",
                facts=self._session(reply),
            ) from error
        if reply.words is None:
            raise silence(self._host, status, reply.complaint)
        return Completed(
            status,
            reply.out.text(),
            reply.err.text(),
            time.monotonic() - began,
            reply.truncated,
        )
