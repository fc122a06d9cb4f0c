"""Planted secrets in a real run over SSH: what the engine keeps, shows, sends and starts has none.

A canary is a secret with characters that every encoding writes differently.  The run meets them
in all the ways there are: as a file, from the environment, as an output that is declared secret,
printed by commands in clear and encoded, in the words of a command that fails, in a letter.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from getpass import getuser
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.deadline import wait_for
from tests.integration.notices.scripted_server import Script, mail_server
from tests.sshd import SSHD, running_sshd

DR = Path(sys.executable).with_name("dr")
LIMIT_S = 60
CANARIES: Mapping[str, str] = {
    "file": "canary'file/7Q+x&y",
    "env": 'canary"env\\9Z=w z',
    "output": "canary%output<5K>",
    "failed": "canary$failed#3J",
    "said": "canary~said*8P;v",
}

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: "say it: {{ word }}"
      ansible.builtin.shell: 'cat; sleep 0.3'
      args: { stdin: "{{ word }}" }
    - ansible.builtin.debug: { msg: "it is {{ word }}" }
    - ansible.builtin.fail: { msg: "because of {{ word }}" }
"""

RUNBOOK = """\
format: 1
name: canaries
title: {{ en: Canaries, zh: 金丝雀 }}
on_failure: continue
steps:
  - id: look
    uses: ssh.run
    hosts: target
    effect: read
    with:
      env: {{ A: {{ secret: "file:secret.txt" }} }}
      shell: 'printf "%s\\n" "$A"; printf %s "$A" | base64; set -x; : "$A"; {pause}'
  - id: act
    uses: ssh.run
    hosts: target
    effect: once
    with:
      env: {{ B: {{ secret: "env:CANARY_ENV" }}, A: {{ secret: "file:secret.txt" }} }}
      shell: |
        printf "%s\\n" "$B"; printf "%s and %s\\n" "$B" "$A" >&2; {pause}
  - id: play
    uses: ansible.playbook
    hosts: target
    effect: idempotent
    with:
      playbook: playbooks/say.yaml
      extra_vars: {{ word: {{ secret: "file:secret.txt" }} }}
  - id: token
    uses: ssh.run
    hosts: target
    effect: once
    with: {{ shell: 'cat {folder}/output.txt; {pause}' }}
    outputs: {{ token: {{ from: stdout, secret: true }} }}
  - id: use
    uses: ssh.run
    hosts: target
    effect: once
    with:
      env: {{ T: "${{{{ steps.token.outputs.token }}}}" }}
      shell: 'printf "%s\\n" "$T"; printf %s "$T" | base64; printf "%s\\n" "$T" >&2; {pause}'
  - id: fails
    uses: ssh.run
    hosts: target
    effect: idempotent
    with: {{ shell: 'cat {folder}/failed.txt; cat {folder}/said.txt >&2; exit 3' }}
    outputs: {{ token: {{ from: stdout, secret: true }} }}
  - id: again
    uses: ssh.run
    hosts: target
    effect: once
    with: {{ shell: 'echo $(cat {folder}/output.txt) >&2; exit 4' }}
  - id: tell
    uses: notify.send
    effect: once
    with:
      to: [ana]
      subject: "it is ${{{{ steps.token.outputs.token }}}}"
      text:
        en: "use ${{{{ steps.token.outputs.token }}}} now"
        zh: "现在用 ${{{{ steps.token.outputs.token }}}}"
  - id: ask
    uses: human.task
    with:
      group: support
      instructions:
        en: "type ${{{{ steps.token.outputs.token }}}}"
        zh: "输入 ${{{{ steps.token.outputs.token }}}}"
finally:
  - {{ id: report, uses: report.write, effect: idempotent }}
"""


@dataclass
class Place:
    """A workspace with a host and a mail server, and what every command said there."""

    folder: Path
    workspace: Path
    environ: dict[str, str]
    letters: Script
    screens: dict[str, str] = field(default_factory=dict)

    def dr(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [DR, *words],
            cwd=self.workspace,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        self.screens[" ".join(words)] = done.stdout + done.stderr
        return done


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    if SSHD is None:
        pytest.skip("openssh-server is not installed")
    workspace = tmp_path / "workspace"
    host = tmp_path / "host"
    host.mkdir()
    script = Script()
    with running_sshd(host) as server, mail_server(script) as port:
        (workspace / "inventory").mkdir(parents=True)
        (workspace / "runbooks").mkdir()
        _write(workspace / "secret.txt", CANARIES["file"])
        for name in ("output", "failed", "said"):
            _write(host / f"{name}.txt", CANARIES[name])
        (workspace / "playbooks").mkdir()
        (workspace / "playbooks/say.yaml").write_text(PLAYBOOK)
        (workspace / "dr.yaml").write_text(
            "format: 1\nbureau: { en: B, zh: 局 }\ndefault_environment: lab\n"
            "environments:\n  lab: { kind: lab, inventory: inventory }\nrunbooks: [runbooks]\n"
            f"mail: {{ host: 127.0.0.1, port: {port}, from: dr@b.example }}\n"
        )
        (workspace / "inventory/hosts.yaml").write_text(
            "all:\n  hosts:\n    target:\n"
            f"      ansible_host: 127.0.0.1\n      ansible_port: {server.port}\n"
            f"      ansible_user: {getuser()}\n      dr_state_dir: {server.state_root}\n"
            f"      ansible_ssh_private_key_file: {host}/client_key\n"
            f"      dr_known_hosts: {host}/known_hosts\n"
        )
        (workspace / "inventory/services.yaml").write_text("format: 1\nservices: {}\n")
        (workspace / "inventory/people.yaml").write_text(
            "format: 1\ngroups: { support: { title: { en: S, zh: 助 }, members: [ana] } }\n"
            "people: { ana: { name: { en: Ana, zh: 安娜 }, email: ana@b.example } }\n"
        )
        pause = "sleep 0.3"  # long enough to be seen in the list of processes
        (workspace / "runbooks/canaries.yaml").write_text(
            RUNBOOK.format(folder=host, pause=pause), encoding="utf-8"
        )
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("DR_", "LC_", "LANG"))}
        more = {"CANARY_ENV": CANARIES["env"], "DR_PERSON": "ana", "LC_ALL": "C.UTF-8"}
        more["PATH"] = f"{DR.parent}:{kept['PATH']}"
        yield Place(host, workspace, {**kept, **more, "DR_LAB": "/nonexistent"}, script)


def _write(path: Path, text: str) -> None:
    path.write_text(text + "\n")
    path.chmod(0o600)


def _forms(value: str) -> list[bytes]:
    """Return what is looked for; each is written out here, apart from what the engine masks."""
    raw = value.encode()
    rest = value[7:]  # after the mark that a shell, JSON or a URL would write otherwise
    return [
        raw,
        rest.encode(),
        json.dumps(rest)[1:-1].encode(),
        quote(rest, safe="").encode(),
        base64.b64encode(raw).rstrip(b"=")[:-1],
        raw.hex().encode(),
    ]


def _found(content: bytes) -> list[str]:
    return [name for name, value in CANARIES.items() if any(f in content for f in _forms(value))]


@contextmanager
def watched() -> Iterator[dict[bytes, list[str]]]:
    """Look at the command line of every process all the time; yields those with a canary."""
    stop, caught, seen = threading.Event(), dict[bytes, list[str]](), set[bytes]()

    def look() -> None:
        while not stop.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes()
                except OSError:
                    continue
                if line not in seen:
                    seen.add(line)
                    if names := _found(line):
                        caught[line] = names

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield caught
    finally:
        stop.set()
        thread.join(10)
    assert any(b"sleep" in line for line in seen), "the watcher saw no command of a host"


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "secret.txt":
            yield str(path.relative_to(folder)), path.read_bytes()


def _state(place: Place, run: str) -> str:
    done = place.dr("status", run, "--json")
    return str(json.loads(done.stdout)["state"])


def _view(place: Place, run: str) -> None:
    """Let every command that shows something say what it shows."""
    for words in (
        ["status"],
        ["status", run, "--lang", "zh"],
        ["show", run],
        ["show", run, "--json"],
        ["log", run],
        ["plan", "canaries"],
        ["plan", "canaries", "--details", "--json"],
        *(["show", run, step] for step in ("act", "play", "token", "use", "fails", "again", "ask")),
        *(["log", run, step] for step in ("look", "act", "play", "token", "use", "fails", "again")),
    ):
        place.dr(*words)


def test_no_canary_is_in_anything_that_the_engine_keeps_shows_sends_or_starts(
    place: Place,
) -> None:
    with watched() as caught:
        said = place.dr("run", "canaries", "--no-wait")
        assert said.returncode == 3, said.stdout + said.stderr
        run = json.loads(place.dr("status", "--json").stdout)["runs"][0]["id"]
        assert _state(place, run) == "in_doubt"  # a card with the last lines of step 'again'
        place.dr("show", run, "again")
        place.dr("resolve", run, "again", "--as", "failed", "--because", "seen")
        wait_for(lambda: _state(place, run) == "waiting", 20, "the task")
        _view(place, run)
        waiting = dict(_files(place.workspace))
        assert ".dr/journal.sqlite3-wal" in waiting
        assert place.dr("answer", run, "done").returncode == 0
        wait_for(lambda: _state(place, run) in {"succeeded", "failed"}, 20, "the end")
        place.dr("show", run, "--report")
        exported = place.dr("journal", "export", run, "-o", "bundle.drj")
        assert exported.returncode == 0, exported.stderr

    files = {**waiting, **{f"{name} at the end": raw for name, raw in _files(place.workspace)}}
    letters = {f"letter to {to}": raw.as_bytes() for to, raw in place.letters.taken}
    letters |= {f"words to {to}": _words(raw) for to, raw in place.letters.taken}
    screens = {f"$ dr {words}": said.encode() for words, said in place.screens.items()}
    assert len(letters) == 2
    assert any("report.en.html" in name for name in files)
    leaks = {
        where: names
        for where, content in {**files, **letters, **screens}.items()
        if (names := _found(content))
    }
    assert leaks == {}
    assert caught == {}
    # the run did meet its canaries: what was masked stands where they would stand
    _met(place, run)


def _words(letter: EmailMessage) -> bytes:
    part = letter.get_body()
    return f"{letter['subject']}\n{part.get_content() if part is not None else ''}".encode()


def _met(place: Place, run: str) -> None:
    played = place.screens[f"log {run} play"]
    assert "because of ***" in played, (
        place.screens[f"show {run} play"] + place.screens[f"log {run}"]
    )
    shown = place.screens[f"log {run} act"]
    assert shown.count("***") >= 3, shown
    assert "***" in place.screens[f"log {run} use"]
