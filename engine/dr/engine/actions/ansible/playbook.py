"""``ansible.playbook``: one ansible-runner call for all hosts of a step's batch."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from dr.engine.actions.ansible.events import Progress, progress
from dr.engine.actions.ansible.inventory import ansible_inventory
from dr.engine.actions.ansible.plain_values import never_templated
from dr.engine.actions.ansible.process import (
    boot_id,
    exit_code,
    is_alive,
    launch,
    was_started,
    withdraw,
)
from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.inputs import Inputs, Sensitive, reveal
from dr.engine.actions.wrapper.request import job_name
from dr.engine.core.errors import ActionError, FailedError, LostContactError, RefusedError
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attached, Attempt, Check, Found, Outcome, World
from dr.engine.core.values import Secret

_LOOK_S = 0.1
_START_S = 5.0


class AnsiblePlaybookInputs(Inputs):
    """``with`` of ansible.playbook."""

    playbook: str = Field(min_length=1, description="File, relative to the workspace.")
    limit: list[str] | str | None = Field(
        None, description="Hosts or groups; the step's host if not given."
    )
    extra_vars: dict[str, Sensitive | int | float | bool | list[Any] | dict[str, Any] | None] = (
        Field(default_factory=dict, description="Variables; secrets are kept out of the log.")
    )
    tags: list[str] = Field(default_factory=list)
    skip_tags: list[str] = Field(default_factory=list)
    forks: int = Field(20, ge=1, le=500)


class AnsiblePlaybook(Driver[AnsiblePlaybookInputs]):
    """Runs a playbook with the run's own inventory, as a process that outlives the engine.

    Args:
        workspace: what playbooks are relative to.
        state: where the artifacts are kept, which later find the run again.
    """

    inputs = AnsiblePlaybookInputs
    spec = specify(
        "ansible.playbook",
        "Run an Ansible playbook",
        "执行 Ansible 剧本",
        AnsiblePlaybookInputs,
        effects=(Effect.READ, Effect.IDEMPOTENT, Effect.ONCE, Effect.IRREVERSIBLE),
        attaches=True,
        outputs={"hosts": "map", "last_task": "string", "exit_code": "integer"},
    )

    def __init__(self, workspace: Path, state: Path) -> None:
        self._workspace = workspace
        self._state = state

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Return the command line, secrets masked."""
        given = self.given(attempt)
        words = ["ansible-playbook", given.playbook, "--limit", _limit(given, attempt)]
        words += [f"--{name}={','.join(v)}" for name, v in _tags(given) if v]
        words += [f"-e {name}={_shown(value)}" for name, value in given.extra_vars.items()]
        return [" ".join(words)]

    def precheck(self, attempt: Attempt, world: World) -> Check:  # noqa: ARG002
        """Say whether there is such a playbook."""
        try:
            path = self._playbook(self.given(attempt))
        except RefusedError as error:
            return Check(holds=False, because=error.message, hint=error.hint)
        if path.is_file():
            return Check(holds=True, because=f"there is a playbook {path}")
        return Check(
            holds=False,
            because=f"there is no playbook {path}",
            hint="Write the path relative to the workspace, such as playbooks/site.yml.",
        )

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Run the playbook and wait for its end."""
        given = self.given(attempt)
        playbook = self._playbook(given)
        if not playbook.is_file():
            raise RefusedError(f"there is no playbook {playbook}")
        folder = self._folder(attempt)
        self._prepare(folder, given, attempt, world)
        world.record_handle({"kind": "playbook", "folder": str(folder), "boot": boot_id()})
        environment = {
            "ANSIBLE_HOST_KEY_CHECKING": "True",
            "ANSIBLE_FORKS": str(given.forks),
            "ANSIBLE_NOCOLOR": "1",
        }
        launch(folder, playbook, environment)
        code = _wait(folder, attempt, world)
        if code is None:
            is_running = is_alive(folder)
            if not is_running:
                _forget_secrets(folder, world)
            raise _lost(folder, attempt, is_running=is_running)
        _forget_secrets(folder, world)
        return _judged(folder, attempt, code)

    def attach(self, attempt: Attempt, world: World) -> Attached:
        """Find the playbook that an earlier engine started, and wait for its end."""
        if attempt.handle is None:
            return Attached(Found.NEVER_STARTED, "it is written down before it starts")
        folder = Path(str(attempt.handle.get("folder") or self._folder(attempt)))
        if not folder.exists() and attempt.handle.get("boot") != boot_id():
            return Attached(Found.UNKNOWN, f"it was started on another machine, in {folder}")
        if withdraw(folder):
            return Attached(Found.NEVER_STARTED, "it was withdrawn before it began")
        code = _wait(folder, attempt, world)
        if code is not None:
            _forget_secrets(folder, world)
            return _ended(folder, attempt, code)
        last = progress(folder / "artifacts" / "run").last_task or "none"
        if is_alive(folder):
            return Attached(Found.UNKNOWN, f"it is still running; last task seen: {last}")
        return Attached(Found.GONE, f"its process is gone; last task seen: {last}")

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:  # noqa: ARG002
        """Every host must have ended well."""
        hosts = outcome.outputs.get("hosts") or {}
        bad = sorted(name for name, result in hosts.items() if result["state"] != "ok")
        if bad:
            return Check(holds=False, because=f"not well on {', '.join(bad)}")
        return Check(holds=True, because=f"every task ended well on {len(hosts)} hosts")

    def _playbook(self, given: AnsiblePlaybookInputs) -> Path:
        path = (self._workspace / given.playbook).resolve()
        if not path.is_relative_to(self._workspace.resolve()):
            raise RefusedError(
                f"the playbook {path} is outside of the workspace",
                hint="Put it into playbooks/ of the workspace, and name it from there.",
            )
        return path

    def _folder(self, attempt: Attempt) -> Path:
        return self._state / "ansible" / job_name(attempt).key / str(attempt.number)

    def _prepare(
        self, folder: Path, given: AnsiblePlaybookInputs, attempt: Attempt, world: World
    ) -> None:
        try:
            folder.mkdir(parents=True, mode=0o700)
        except FileExistsError:
            raise LostContactError(
                f"the playbook of step '{attempt.step}' was started before, in {folder}"
            ) from None
        inventory = ansible_inventory(world.inventory, self._workspace)
        (folder / "inventory").mkdir()
        (folder / "env").mkdir()
        (folder / "inventory" / "hosts.json").write_text(json.dumps(inventory))
        extra = {name: _plain(value) for name, value in given.extra_vars.items()}
        secret = folder / "env" / "extravars"
        secret.touch(mode=0o600)
        secret.write_text(never_templated(extra), encoding="utf-8")
        words = [f"--limit={_limit(given, attempt)}"]
        words += [f"--{name}={','.join(tags)}" for name, tags in _tags(given) if tags]
        (folder / "env" / "cmdline").write_text(" ".join(_quoted(word) for word in words))


def _wait(folder: Path, attempt: Attempt, world: World) -> int | None:
    """Follow the output until the end, the timeout, or the process is gone."""
    began = time.monotonic()
    sent = 0
    while True:
        waited_s = time.monotonic() - began
        is_starting = not was_started(folder) and waited_s < _START_S
        is_over = not is_starting and not is_alive(folder)
        code = exit_code(folder)
        sent = _pass_on(folder / "artifacts" / "run" / "stdout", sent, world)
        is_late = waited_s >= attempt.timeout.total_seconds()
        if code is not None or is_over or is_late or world.cancelled():
            return code
        time.sleep(_LOOK_S)


def _pass_on(stdout: Path, sent: int, world: World) -> int:
    try:
        with stdout.open("rb") as file:
            file.seek(sent)
            data = file.read(1 << 20)
    except OSError:
        return sent
    if data:
        world.output(data.decode(errors="replace"))
    return sent + len(data)


def _lost(folder: Path, attempt: Attempt, *, is_running: bool) -> ActionError:
    seen = progress(folder / "artifacts" / "run")
    log = (folder / "runner.log").read_text(errors="replace").strip()
    if not is_running and not seen.last_task and not seen.hosts:
        last = log.splitlines()[-1] if log else "it said nothing"
        return RefusedError(f"ansible-runner could not start: {last}", facts={"log": log[-4000:]})
    how = "still runs" if is_running else "is gone"
    return LostContactError(
        f"the playbook of step '{attempt.step}' {how}; last task seen: {seen.last_task or 'none'}",
        facts={"last_task": seen.last_task, "hosts": seen.to_data()},
    )


def _judged(folder: Path, attempt: Attempt, code: int) -> Outcome:
    seen: Progress = progress(folder / "artifacts" / "run")
    outputs = {"hosts": seen.to_data(), "last_task": seen.last_task, "exit_code": code}
    if code == 0 and seen.hosts:
        return Outcome(outputs=outputs, facts={"hosts": seen.to_data()})
    if not seen.hosts:
        raise RefusedError(
            f"the playbook ran on no host: exit code {code}",
            hint=f"Read its output: `dr log {attempt.run} {attempt.step}`; check `limit`.",
            facts=outputs,
        )
    bad = [f"{n}: {r.state} {r.last_error}" for n, r in seen.hosts.items() if r.state != "ok"]
    raise FailedError(
        f"the playbook failed, exit code {code}; {'; '.join(bad) or seen.last_task}",
        hint=f"Read its output: `dr log {attempt.run} {attempt.step}`.",
        facts=outputs,
    )


def _ended(folder: Path, attempt: Attempt, code: int) -> Attached:
    try:
        return Attached(Found.ENDED, f"exit code {code}", _judged(folder, attempt, code))
    except ActionError as error:
        return Attached(Found.ENDED, f"exit code {code}", error=error)


def _forget_secrets(folder: Path, world: World) -> None:
    """Leave no secret in what ansible-runner keeps: its events say what every task said."""
    (folder / "env" / "extravars").unlink(missing_ok=True)
    # the whole environment stands in it, with secrets that no step of this run asked for
    (folder / "artifacts" / "run" / "command").unlink(missing_ok=True)
    for path in (folder / "runner.log", *(folder / "artifacts").rglob("*")):
        if path.is_file() and not path.is_symlink():
            _mask(path, world)


def _mask(path: Path, world: World) -> None:
    text = path.read_text(encoding="utf-8", errors="replace")
    masked = world.redact(text)
    if masked != text:
        draft = path.with_name(f".{path.name}")
        draft.touch(mode=0o600)
        draft.write_text(masked, encoding="utf-8")
        draft.replace(path)


def _limit(given: AnsiblePlaybookInputs, attempt: Attempt) -> str:
    if given.limit is None:
        return attempt.host or "all"
    limit = given.limit if isinstance(given.limit, str) else ",".join(given.limit)
    if "@" in limit:  # Ansible would read the file of that name
        raise RefusedError(f"the limit '{limit}' names a file", hint="Name hosts and groups.")
    return limit


def _tags(given: AnsiblePlaybookInputs) -> tuple[tuple[str, list[str]], ...]:
    return ("tags", given.tags), ("skip-tags", given.skip_tags)


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\"'\"'") + "'"


def _plain(value: Any) -> Any:
    return reveal(value) if isinstance(value, Secret) or hasattr(value, "secret") else value


def _shown(value: Any) -> str:
    return "***" if isinstance(value, Secret) or hasattr(value, "secret") else json.dumps(value)
