"""``ssh.run``: a command on a host, under the remote wrapper."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import Field, model_validator

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections, host_of
from dr.engine.actions.inputs import Inputs, Sensitive, reveal
from dr.engine.actions.observations import PING
from dr.engine.core.errors import ActionError, FailedError, Problem, RefusedError, RetryableError
from dr.engine.core.model import Effect
from dr.engine.core.ports import (
    Attached,
    Attempt,
    Check,
    Found,
    Outcome,
    World,
)
from dr.engine.core.values import UNKNOWN, Secret, parse_duration

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PING = parse_duration("10s")


class SshRunInputs(Inputs):
    """``with`` of ssh.run: ``argv`` or ``shell``, and how to run it."""

    argv: list[str | int | float] | None = Field(
        None, min_length=1, description="The command and its arguments, passed as they are."
    )
    shell: str | None = Field(
        None, min_length=1, description="Shell text; never templated, values come in `env`."
    )
    env: dict[str, Sensitive | int | float | bool] = Field(
        default_factory=dict, description="Environment variables; secrets belong here."
    )
    user: str | None = Field(None, description="Run as this user of the host; needs root.")
    cwd: str | None = Field(None, description="Directory to run in; / if not given.")
    ok_codes: list[int] = Field(default=[0], description="Exit codes that are a success.")
    kill_on_timeout: bool = Field(False, description="End the command when the time is up.")

    @model_validator(mode="after")
    def _one_command(self) -> Self:
        if (self.argv is None) == (self.shell is None):
            raise ValueError("give either 'argv' or 'shell'")
        wrong = [name for name in self.env if not _VARIABLE.fullmatch(name)]
        if wrong:
            raise ValueError(f"'{wrong[0]}' is no name for an environment variable")
        return self


class SshRun(Driver[SshRunInputs]):
    """Runs a command; its exit code decides.

    Only the host knows what the command did, so there is no probe: give the step one.
    """

    inputs = SshRunInputs
    spec = specify(
        "ssh.run",
        "Run a command on a host",
        "在主机上执行命令",
        SshRunInputs,
        effects=(Effect.READ, Effect.IDEMPOTENT, Effect.ONCE, Effect.IRREVERSIBLE),
        attaches=True,
        needs_host=True,
        outputs={"stdout": "string", "stderr": "string", "exit_code": "integer"},
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def validate(self, inputs: Mapping[str, Any]) -> Sequence[Problem]:
        """List what is wrong; shell text with an expression in it is."""
        found = list(super().validate(inputs))
        shell = inputs.get("shell")
        if isinstance(shell, str) and "${{" in shell:
            found.append(
                Problem(
                    "shell text is never templated",
                    ("shell",),
                    hint='Pass the value as `env: { DR_NAME: ... }` and write "$DR_NAME".',
                    rule="shell-template",
                )
            )
        return found

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Return the command, secrets masked."""
        given = self.given(attempt)
        who = f" as {given.user}" if given.user else ""
        env = [f"{name}={_shown(value)}" for name, value in given.env.items()]
        words = [str(word) for word in given.argv or ()]
        command = shlex.join(words) if words else str(given.shell)
        first, *rest = command.splitlines() or [""]
        return [f"on {attempt.host}{who}: {' '.join([*env, first])}", *rest]

    def precheck(self, attempt: Attempt, world: World) -> Check:  # noqa: ARG002
        """Say whether the host answers; a command that reads is simply tried."""
        if attempt.effect is Effect.READ:
            return Check(holds=True)
        try:
            self._connections.observer(host_of(attempt)).observe(PING, timeout=_PING)
        except RetryableError as error:
            return Check(holds=UNKNOWN, because=error.message, hint=error.hint)
        except RefusedError as error:
            return Check(holds=False, because=error.message, hint=error.hint)
        return Check(holds=True, because=f"{attempt.host} answers")

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Run the command and wait for its end."""
        given = self.given(attempt)
        done = self._connections.actor(host_of(attempt)).job(
            attempt,
            world,
            [str(word) for word in given.argv] if given.argv is not None else None,
            script=given.shell,
            env={**_identity(attempt), **{k: _text(v) for k, v in given.env.items()}},
            user=given.user,
            cwd=given.cwd,
            kill_on_timeout=given.kill_on_timeout,
        )
        return _judged(attempt, given, done.exit_code, done.stdout, done.stderr)

    def attach(self, attempt: Attempt, world: World) -> Attached:
        """Find the command that an earlier engine started, and wait for its end."""
        found = self._connections.actor(host_of(attempt)).attach(attempt, world)
        if found.found is not Found.ENDED or found.outcome is None:
            return found
        seen = found.outcome.outputs
        try:
            outcome = _judged(
                attempt, self.given(attempt), seen["exit_code"], seen["stdout"], seen["stderr"]
            )
        except ActionError as error:
            return Attached(Found.ENDED, found.detail, error=error)
        return Attached(Found.ENDED, found.detail, outcome)

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:  # noqa: ARG002
        """Its exit code was judged already."""
        code = outcome.outputs.get("exit_code")
        return Check(holds=True, because=f"it ended with exit code {code}")


def _identity(attempt: Attempt) -> dict[str, str]:
    return {
        "DR_RUN": attempt.run,
        "DR_STEP": attempt.step,
        "DR_HOST": attempt.host or "",
        "DR_ATTEMPT": str(attempt.number),
    }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else reveal(value)


def _shown(value: object) -> str:
    return (
        "***" if isinstance(value, Secret) or hasattr(value, "secret") else shlex.quote(str(value))
    )


def _judged(
    attempt: Attempt, given: SshRunInputs, exit_code: int, stdout: str, stderr: str
) -> Outcome:
    facts: dict[str, Any] = {
        "exit_code": exit_code,
        "stdout": stdout.strip(),
        "stderr": stderr.strip(),
    }
    if exit_code in given.ok_codes:
        return Outcome(outputs=facts)
    said = (stderr.strip() or stdout.strip()).splitlines()
    last = f": {said[-1]}" if said else ""
    raise FailedError(
        f"the command on {attempt.host} ended with exit code {exit_code}{last}",
        hint=f"Read its output: `dr log {attempt.run} {attempt.step}`.",
        facts={**facts, "stdout": stdout.strip()[-4000:], "stderr": stderr.strip()[-4000:]},
    )
