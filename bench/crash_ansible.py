"""ansible-playbook in the kill matrix: nothing is kept, so people start it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from crash_effect import ASKS
from crash_host import Host
from crash_process import Peer, here
from samples import ROOT

_BOOK = """\
- hosts: target
  gather_facts: false
  tasks:
    - {{ name: look, ansible.builtin.command: cat /proc/uptime, changed_when: false }}
    - {{ name: settle, ansible.builtin.command: {effect} settle }}
    - name: move
      ansible.builtin.command: {{ cmd: {effect} move{creates} }}
    - {{ name: agree, ansible.builtin.pause: {{ prompt: "{asks}" }} }}
    - block:
        - {{ name: reopen, ansible.builtin.command: {effect} reopen }}
      rescue:
        - name: unmove
          ansible.builtin.command: {{ cmd: {effect} unmove{undo_creates} }}
        - {{ name: stop, ansible.builtin.fail: {{ msg: undone }} }}
"""


class Ansible(Peer):
    """ansible-playbook, started again as its documentation says.

    Args:
        at: the task that a person names with --start-at-task; empty: the whole playbook again.
        creates: whether effect and undo name the file that each leaves.
    """

    terminal = True

    def __init__(self, *, at: str = "", creates: bool = False) -> None:
        super().__init__()
        self._at, self._creates = at, creates
        ways = {"": "run again"} | {at: "--start-at-task, where it stopped"} if at else {}
        self.name = f"ansible-playbook, {'`creates:`' if creates else ways.get(at, 'run again')}"

    def prepare(self, host: Host) -> None:
        """Write the playbook and the inventory."""
        super().prepare(host)
        creates = f", creates: {host.folder}/seen.move" if self._creates else ""
        undo = creates.replace("seen.move", "seen.unmove")
        book = _BOOK.format(
            effect=host.folder / "effect", creates=creates, undo_creates=undo, asks=ASKS
        )
        (self.folder / "book.yaml").write_text(book)
        said = {"ansible_ssh_common_args": f"-F {host.ssh_config}"}
        known = {"all": {"hosts": {"target": said}}}
        (self.folder / "hosts.json").write_text(json.dumps(known))

    def command(self, verb: str) -> Sequence[str | Path]:
        """Return the command that a person types."""
        words: list[str | Path] = [ROOT / ".venv/bin/ansible-playbook", "-i", "hosts.json"]
        again = ["--start-at-task", self._stopped_at()] if verb == "resume" and self._at else []
        return [*words, "book.yaml", *again]

    def environment(self) -> Mapping[str, str]:
        """Return its settings; the callback is what kills it at a task."""
        return {
            "ANSIBLE_CALLBACK_PLUGINS": str(here("crash_callbacks")),
            "ANSIBLE_CALLBACKS_ENABLED": "crash_point",
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
            "ANSIBLE_NOCOLOR": "1",
        }

    def _stopped_at(self) -> str:
        """Return the last task that was on the screen, which is all that a person has."""
        tasks = [line for log in self._logs[:1] for line in log.read_text().splitlines()
                 if line.startswith("TASK [")]  # fmt: skip
        return tasks[-1].partition("[")[2].partition("]")[0] if tasks else "look"

    def ended(self) -> str:
        """Return its exit code in words."""
        state = super().ended()
        undone = state.startswith("exit") and '"msg": "undone"' in self.printed()
        return "undone" if undone else state.replace("exit 0", "succeeded")
