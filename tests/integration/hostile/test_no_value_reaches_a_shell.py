"""Values that would be commands to a shell, on a real host and in a real Ansible, stay text."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dr.engine.actions.conformance import RecordingWorld
from dr.engine.actions.transport.settings import host_settings
from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.errors import ActionError, RefusedError
from dr.engine.core.model import Effect
from tests.integration.transport.test_actions import action
from tests.integration.transport.test_jobs import an_attempt
from tests.sshd import Sshd

CANARY = "canary-that-must-not-be"


def hostile(folder: Path) -> list[str]:
    """Return values each of which makes the canary where a shell or Ansible reads it."""
    touch = f"touch {folder}/{CANARY}"
    return [
        f"$({touch})",
        f"`{touch}`",
        f"'; {touch}; '",
        f'"; {touch}; "',
        f"\n{touch}\n",
        f"x\n# end of payload\n{touch}",
        f"&& {touch}",
        f"| {touch}",
        f"> {folder}/{CANARY}",
        f"-oProxyCommand={touch}",
        "--",
        "-x",
        "~/*? ${HOME} $0 \\",
        f"{{{{ lookup('pipe', '{touch}') }}}}",
        f"{{% if lookup('pipe', '{touch}') %}}x{{% endif %}}",
        "\x1b]0;title\x07\x1b[2J",
        "safe\u202etxt.exe\u200b\U0001f600",
        "",
    ]


def made(folder: Path) -> list[Path]:
    """Return where the canary is, below the folder or in the places a shell would start in."""
    return [*folder.rglob(f"{CANARY}*"), *(p for p in (Path("/") / CANARY,) if p.exists())]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with a folder for playbooks."""
    (tmp_path / "playbooks").mkdir()
    return tmp_path


def test_every_word_of_a_command_arrives_as_it_was_written(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    words = hostile(workspace)
    run = action("ssh.run", connections, workspace)

    outcome = run.perform(an_attempt(input={"argv": ["printf", "%s|", *words]}), world)

    assert outcome.outputs["stdout"] == "".join(f"{word}|" for word in words).strip()
    assert made(workspace) == []


def test_every_variable_of_a_command_arrives_as_it_was_written(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    values = hostile(workspace)
    env = {f"V{number}": value for number, value in enumerate(values)}
    script = "".join(f'printf "%s|" "$V{number}"\n' for number in range(len(values)))
    run = action("ssh.run", connections, workspace)

    outcome = run.perform(an_attempt(input={"shell": script, "env": env}), world)

    assert outcome.outputs["stdout"] == "".join(f"{value}|" for value in values).strip()
    assert made(workspace) == []


def test_places_users_and_paths_are_never_commands(
    connections: SshConnections, workspace: Path, world: RecordingWorld
) -> None:
    run = action("ssh.run", connections, workspace)
    look = action("path.check", connections, workspace)
    for number, value in enumerate(hostile(workspace)):
        for given in ({"cwd": value}, {"user": value}):
            attempt = an_attempt(number=number + 1, input={"argv": ["true"], **given})
            try:
                run.perform(attempt, world)
            except ActionError:
                continue
        attempt = an_attempt(effect=Effect.READ, input={"path": value, "within": "5s"})
        try:
            look.perform(attempt, world)
        except (ActionError, ValueError):
            continue
    assert made(workspace) == []


@pytest.mark.parametrize("where", ["address", "user", "jump"])
def test_a_host_whose_address_or_user_is_no_plain_word_is_refused_before_anything_is_dialled(
    sshd: Sshd, workspace: Path, where: str
) -> None:
    for value in [v for v in hostile(workspace) if v]:
        inventory = sshd.inventory(**{where: value})
        with pytest.raises(RefusedError):
            host_settings(inventory, workspace, "target")


needs_ansible = pytest.mark.skipif(
    shutil.which("ansible-playbook", path=str(Path(sys.executable).parent)) is None
    or shutil.which("ssh") is None,
    reason="ansible-playbook or ssh is not installed",
)

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: keep
      delegate_to: localhost
      vars:
        ansible_connection: local
        ansible_python_interpreter: "{{ ansible_playbook_python }}"
      copy: { content: "{{ values | to_json }}", dest: "FOLDER/seen.json" }
    - name: reach
      raw: "true"
"""


@needs_ansible
def test_ansible_takes_values_as_text_and_paths_as_one_word(
    sshd: Sshd, workspace: Path, world: RecordingWorld
) -> None:
    values = hostile(workspace)
    # a path that would end one option of ssh and begin another
    odd = workspace / f"known hosts -oProxyCommand=touch\t{CANARY} 100%"
    odd.mkdir()
    shutil.copy(sshd.folder / "known_hosts", odd / "file")
    inventory = sshd.inventory(known_hosts=str(odd / "file"))
    world = RecordingWorld(inventory)
    (workspace / "playbooks" / "p.yml").write_text(PLAY.replace("FOLDER", str(workspace)))
    made_here = SshConnections(inventory, workspace)
    try:
        play = action("ansible.playbook", made_here, workspace)
        extra: dict[str, Any] = {"values": [*values, {"deep": [values[13]]}]}
        outcome = play.perform(
            an_attempt(
                timeout=timedelta(seconds=60),
                input={"playbook": "playbooks/p.yml", "extra_vars": extra},
            ),
            world,
        )
    finally:
        made_here.close()

    assert outcome.outputs["hosts"]["target"]["state"] == "ok"
    assert json.loads((workspace / "seen.json").read_text()) == extra["values"]
    assert [p for p in made(workspace) if not str(p).startswith(str(odd))] == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"playbook": "../p.yml"}, "outside of the workspace"),
        ({"playbook": "/etc/passwd"}, "outside of the workspace"),
        ({"playbook": "playbooks/out/p.yml"}, "outside of the workspace"),
        ({"playbook": "playbooks/p.yml", "limit": "@/etc/passwd"}, "names a file"),
    ],
)
def test_a_playbook_and_its_limit_stay_inside_the_workspace(
    connections: SshConnections,
    workspace: Path,
    world: RecordingWorld,
    given: dict[str, Any],
    said: str,
) -> None:
    (workspace / "playbooks" / "p.yml").write_text("[]")
    (workspace / "playbooks" / "out").symlink_to(workspace.parent)
    play = action("ansible.playbook", connections, workspace)
    with pytest.raises(RefusedError, match=said):
        play.perform(an_attempt(input=given), world)
