"""Gates of runbooks of one's own, in a lab where nothing is broken."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dr.engine.core.approval import gate_namespace
from dr.engine.core.events import Kind
from dr.engine.service.verification import bureau_of
from dr.inventory.snapshot import snapshot
from dr.inventory.workspace import read_workspace
from tests.acceptance.conftest import SceneFactory
from tests.acceptance.scene import Scene, until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

RUNBOOK = """\
format: 1
name: {name}
title: {{ en: A gate, zh: 审批 }}
owner: execution-group
on_failure: fail
steps:
  - id: gate
    title: {{ en: May it go on?, zh: 是否继续？ }}
    phase: decide
    needs: []
    uses: gate.approve
    with:
      ask: {{ en: May it go on?, zh: 是否继续？ }}
      approvers: {{ group: leadership }}
      distinct_from: [requester]
{keys}
  - id: act
    title: {{ en: Act, zh: 执行 }}
    phase: recover
    uses: ssh.run
    hosts: backup
    with: {{ argv: [touch, /root/{name}] }}
    effect: once
    probe:
      uses: path.check
      with: {{ path: /root/{name} }}
      when: "${{{{ result.state == 'present' }}}}"
"""


@pytest.fixture(scope="module")
def scene(make_scene: SceneFactory) -> Scene:
    """A lab without branches: only people are needed."""
    return make_scene(branches=0)


@pytest.fixture
def waiting(scene: Scene, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A run of a new runbook that waits at its gate; the parameter is the gate's further keys."""
    name, *keys = request.param
    text = RUNBOOK.format(name=name, keys="\n".join(f"      {key}" for key in keys))
    (scene.workspace / "runbooks" / f"{name}.yaml").write_text(text, "utf-8")
    scene.dr("run", name, "--no-wait", "--requester", "li.na", expect=3)
    yield scene
    if not scene.view.state.ended:
        scene.dr("abort", scene.run, "--because", "the test is over")
        scene.wait_end()


def acted(scene: Scene) -> bool:
    """Say whether the step behind the gate has acted."""
    return scene.upper("backup", f"/root/{scene.view.created['runbook']['name']}").exists()


@pytest.mark.parametrize("waiting", [("two-needed", "quorum: 2")], indirect=True)
def test_a_quorum_of_two_is_two_different_people(waiting: Scene) -> None:
    waiting.approve("chen.wei")
    twice = waiting.approve("chen.wei", expect=None)
    assert twice.returncode in {2, 4}
    own = waiting.approve("li.na", expect=None)
    assert own.returncode in {2, 4}
    assert "started the run" in own.stderr
    assert not acted(waiting)
    assert len(waiting.events(Kind.QUESTION_ANSWERED)) == 1


@pytest.mark.parametrize(
    "waiting", [("short-clock", "decide_within: 2s", "on_timeout: { then: fail }")], indirect=True
)
def test_a_gate_that_nobody_decides_fails_and_never_opens(waiting: Scene) -> None:
    view = waiting.wait_end(30)
    assert str(view.state) == "failed"
    asked = next(iter(view.questions.values()))
    assert asked.outcome == "timed_out"
    assert not acted(waiting)
    late = waiting.approve("chen.wei", expect=None, gate="gate")
    assert late.returncode in {1, 2}
    assert not acted(waiting)


@pytest.mark.parametrize("waiting", [("rejected", "quorum: 1")], indirect=True)
def test_one_rejection_ends_the_run_with_its_own_exit_code(waiting: Scene) -> None:
    words = ["--by", "chen.wei", "--key", str(waiting.key("chen.wei")), "--reason", "not now"]
    waiting.dr("reject", *words)
    waiting.dr("attach", expect=5)
    assert str(waiting.wait_end().state) == "failed"
    assert not acted(waiting)


@pytest.mark.parametrize("waiting", [("spoken", "quorum: 1")], indirect=True)
def test_a_plan_code_read_back_before_two_witnesses_is_an_approval_by_voice(
    waiting: Scene,
) -> None:
    heard = ["--voice", "0", "--witness", "liu.yang", "--witness", "sun.lei"]
    shown = waiting.approve("chen.wei", *heard, expect=6).stderr
    code = re.findall(r"plan code: ([\d ]+)", shown)[0].strip()
    said = ["--voice", code, "--witness", "liu.yang"]
    one = waiting.approve("chen.wei", *said, expect=None)
    assert one.returncode in {2, 4}
    requester = waiting.approve("chen.wei", *said, "--witness", "li.na", expect=None)
    assert requester.returncode in {2, 4}
    wrong = [w.replace(code, "0000 0000 0000") for w in said]
    other = waiting.approve("chen.wei", *wrong, "--witness", "sun.lei", expect=None)
    assert other.returncode == 6
    waiting.approve("chen.wei", *said, "--witness", "sun.lei")
    assert str(waiting.wait_end().state) == "succeeded"
    answer = waiting.events(Kind.QUESTION_ANSWERED)[0].data["answer"]
    assert (answer["means"], answer["witnesses"]) == ("voice", ["liu.yang", "sun.lei"])
    assert acted(waiting)


@pytest.mark.parametrize("waiting", [("elsewhere", "quorum: 1")], indirect=True)
def test_a_statement_signed_elsewhere_counts_and_an_edited_one_does_not(
    waiting: Scene, tmp_path: Path
) -> None:
    who = ["--by", "chen.wei", "--reason", "on the other machine"]
    text = waiting.dr("approve", *who, "--print-statement").stdout
    statement, edited = tmp_path / "statement", tmp_path / "edited"
    statement.write_text(text, "utf-8")
    edited.write_text(text.replace("the other machine", "any machine"), "utf-8")
    signature = sign(waiting, statement)
    with_edited = ["--statement", str(edited), "--signature", str(signature)]
    refused = waiting.dr("approve", "--yes", *with_edited, expect=None)
    assert refused.returncode in {2, 4, 6}
    assert waiting.events(Kind.QUESTION_ANSWERED) == []
    waiting.dr("approve", "--yes", "--statement", statement, "--signature", signature)
    assert str(waiting.wait_end().state) == "succeeded"
    assert acted(waiting)


def sign(scene: Scene, statement: Path) -> Path:
    """Sign a statement as chen.wei would on another machine."""
    bureau = snapshot(read_workspace(scene.workspace), "lab")
    namespace = gate_namespace(bureau_of(bureau))
    key = str(scene.key("chen.wei"))
    words = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", key, str(statement)]
    subprocess.run(words, check=True, capture_output=True)
    return statement.with_name(f"{statement.name}.sig")


LAPSES = ("lapsing", "quorum: 1", "expires: 6s", "decide_within: 25s")


@pytest.mark.parametrize("waiting", [LAPSES], indirect=True)
def test_what_lapsed_undecided_is_asked_again_and_still_times_out(waiting: Scene) -> None:
    def opened() -> list[dict[str, Any]]:
        return [e.data["question"] for e in waiting.events(Kind.QUESTION_OPENED)]

    until(lambda: len(opened()) > 1, 20, "the gate to be asked again")
    assert [q["id"] for q in opened()[:2]] == ["gate#1", "gate#2"]
    assert len({q["decide_by"] for q in opened()}) == 1
    first = waiting.approve("chen.wei", gate="gate#1", expect=None)
    assert first.returncode == 2
    assert waiting.events(Kind.QUESTION_ANSWERED) == []
    assert str(waiting.wait_end(40).state) == "failed"
    assert waiting.events(Kind.QUESTION_CLOSED)[-1].data["outcome"] == "timed_out"
    assert not acted(waiting)


@pytest.mark.parametrize("waiting", [("changed", "quorum: 1")], indirect=True)
def test_a_statement_of_a_run_does_not_open_the_same_gate_of_another(
    waiting: Scene, tmp_path: Path
) -> None:
    statement = tmp_path / "statement"
    who = ["--by", "chen.wei", "--reason", "once and only here"]
    statement.write_text(waiting.dr("approve", *who, "--print-statement").stdout, "utf-8")
    signature = sign(waiting, statement)
    waiting.dr("abort", waiting.run, "--because", "another run")
    waiting.wait_end()
    waiting.dr("run", "changed", "--no-wait", "--requester", "li.na", expect=3)
    handed = ["--statement", str(statement), "--signature", str(signature)]
    refused = waiting.dr("approve", "--yes", *handed, expect=None)
    assert refused.returncode in {2, 4, 6}
    assert waiting.events(Kind.QUESTION_ANSWERED) == []


@pytest.mark.parametrize(
    "step",
    [
        "ssh.run\n    hosts: backup\n    with: { argv: [touch, /root/forged] }",
        "ssh.run\n    hosts: backup\n    with: { shell: touch /root/forged }",
        "sql.check\n    with: { service: registry, query: CREATE TABLE forged () }",
        "ansible.playbook\n    hosts: backup\n    with: { playbook: ping.yaml }",
    ],
)
def test_a_step_that_only_claims_to_read_is_not_carried_out_by_a_dry_run(
    scene: Scene, step: str
) -> None:
    text = RUNBOOK.format(name="forged", keys="      quorum: 1").split("  - id: gate")[0]
    text += f"  - id: act\n    title: {{ en: A, zh: 甲 }}\n    uses: {step}\n    effect: read\n"
    path = scene.workspace / "runbooks" / "forged.yaml"
    path.write_text(text, "utf-8")
    before = scene.runs()
    planned = scene.json("run", "forged", "--dry-run", expect=None)
    assert [s["mark"] for s in planned["steps"]] == ["?"]
    assert not scene.upper("backup", "/root/forged").exists()
    assert scene.ask("db-a", "SELECT to_regclass('forged')") == ""
    assert scene.runs() == before
    path.unlink()
