"""Runs that are amended while they wait: the real ``dr``, a real host, engines that are killed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dr.engine.core.events import Kind
from dr.engine.core.questions import QuestionKind
from dr.lab.enter import in_host
from tests.acceptance.conftest import SceneFactory
from tests.acceptance.scene import Scene, until, words_of
from tests.acceptance.test_gates import sign

pytestmark = [pytest.mark.lab, pytest.mark.slow]

HOST = "x001"
HEAD = """\
format: 1
name: {name}
title: {{ en: To be amended, zh: 待修订 }}
owner: execution-group
on_failure: fail
inputs:
  - {{ id: word, type: string, default: one, title: {{ en: A word, zh: 词 }} }}
steps:
"""
GATE = """\
  - id: gate
    title: { en: May it go on?, zh: 是否继续？ }
    uses: gate.approve
    with: { ask: { en: May it go on?, zh: 是否继续？ }, approvers: { group: leadership } }
"""
WHO = ["--by", "liu.yang", "--because", "the plan is wrong"]


def step(name: str, word: str) -> str:
    """Return a step whose effect is a line in a file of its own, on the host."""
    return (
        f"  - id: {name}\n    title: {{ en: Step {name}, zh: 步骤 }}\n    uses: ssh.run\n"
        f"    hosts: {HOST}\n    effect: once\n"
        f'    with: {{ argv: [sh, -c, "echo {word} >>/root/$DR_RUN.{name}"] }}\n'
    )


FIRST, SECOND = step("first", "1"), step("second", "2")
GONE, NEW = step("gone", "3"), step("new", "4")
OTHER = step("second", "${{ inputs.word }}")


@pytest.fixture(scope="module")
def scene(make_scene: SceneFactory) -> Scene:
    """A lab with one plain host: only people and a place for effects are needed."""
    return make_scene(only_ssh=True, extra=1)


@pytest.fixture
def write(scene: Scene, request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """Write the runbook of this test; return its name.  Its run is ended afterwards."""
    name: str = request.node.name.replace("_", "-").partition("[")[0][:40].strip("-")
    path = scene.workspace / "runbooks" / f"{name}.yaml"

    def put(*steps: str) -> str:
        path.write_text(HEAD.format(name=name) + "".join(steps), "utf-8")
        return name

    yield put
    if scene.runs() and not scene.view.state.ended:
        if not scene.engine_lives():
            scene.dr("resume", "--detach")
        scene.dr("abort", scene.run, "--because", "the test is over")
        scene.wait_end()
    path.unlink()


def at_the_gate(scene: Scene, name: str) -> None:
    scene.dr("run", name, "--no-wait", "--requester", "li.na", expect=3)


def lines(scene: Scene, name: str) -> list[str]:
    """Return the effects of a step of the newest run: the truth."""
    done = in_host(scene.lab, HOST, ["cat", f"/root/{scene.run}.{name}"], timeout_s=20)
    return done.stdout.split()


def asked(scene: Scene, kind: QuestionKind) -> list[str]:
    return [q.question.id for q in scene.view.questions.values() if q.question.kind is kind]


def approve_both(scene: Scene, gates: int) -> None:
    """Approve the open amendment, then the gate that is asked again because of it."""
    scene.approve("chen.wei", gate="@amendment")
    if scene.engine_lives():
        approve_gate(scene, gates)


def approve_gate(scene: Scene, visit: int) -> None:
    until(lambda: len(asked(scene, QuestionKind.GATE)) == visit, 30, "the gate to be asked again")
    scene.approve("chen.wei", gate="gate")


def test_a_run_at_its_gate_is_amended_and_only_the_new_plan_is_carried_out(
    scene: Scene, write: Callable[..., str], tmp_path: Path
) -> None:
    at_the_gate(scene, write(FIRST, GATE, SECOND, GONE))
    before = len(scene.events())
    write(FIRST, GATE, OTHER, NEW)
    only = scene.json("amend", scene.run, "-i", "word=two", "--dry-run", *WHO)
    assert (only["questions"], len(scene.events())) == ([], before)
    assert [s["id"] for s in only["diff"]["steps"]["added"]] == ["new"]
    assert [s["id"] for s in only["diff"]["steps"]["removed"]] == ["gone"]
    (changed,) = only["diff"]["steps"]["changed"]
    assert (changed["id"], list(changed["keys"])) == ("second", ["with.argv"])
    assert only["diff"]["inputs"] == {"word": {"old": "one", "new": "two"}}
    chinese = scene.dr("amend", "--lang", "zh", "-i", "word=two", *WHO)
    assert "新增步骤" in chinese.stdout
    assert "已请示：leadership，需 1 人" in chinese.stderr
    shown = scene.approve("chen.wei", gate="@amendment").stderr
    assert "steps removed" in shown
    assert "plan code: " in shown
    approve_gate(scene, 2)
    assert str(scene.wait_end().state) == "succeeded"
    found = {name: lines(scene, name) for name in ("first", "second", "new", "gone")}
    assert found == {"first": ["1"], "second": ["two"], "new": ["4"], "gone": []}

    run = scene.run
    said = scene.dr("log", run).stdout
    assert "liu.yang wants the run amended [+new -gone ~second ~word]" in said
    assert "the run is amended, approved by chen.wei" in said
    assert "amended by liu.yang, approved by chen.wei" in words_of(
        scene.dr("show", run).stdout.splitlines()
    )
    (kept,) = scene.json("show", run)["amendments"]
    assert (kept["number"], kept["approved_by"]) == (1, ["chen.wei"])
    folder = scene.workspace / ".dr/reports" / run
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert [o["what"] for o in report["operators"]] == ["amend", "amended"]
    assert report["run"]["inputs"] == {"word": "two"}
    assert "计划已修订" in (folder / "report.zh.md").read_text("utf-8")
    scene.dr("journal", "verify", run)
    bundle = tmp_path / "bundle"
    scene.dr("journal", "export", run, "-o", bundle, "--withhold", "inputs,inventory")
    scene.dr("journal", "verify", bundle)
    text = bundle.read_text("utf-8")
    assert '"plan":{' not in text
    assert "keys/people" not in text
    late = scene.dr("amend", run, *WHO, expect=2)
    assert f"run {run} is over" in late.stderr


@pytest.mark.parametrize("fault", ["before-amend:1", "after-amend:1"])
def test_an_engine_killed_at_the_amendment_leaves_one_plan_or_the_other(
    scene: Scene, write: Callable[..., str], fault: str
) -> None:
    at_the_gate(scene, write(FIRST, GATE, SECOND, GONE))
    scene.kill_engine()
    write(FIRST, GATE, OTHER, NEW)
    scene.dr("amend", "-i", "word=two", *WHO)
    scene.approve("chen.wei", gate="@amendment")
    assert scene.events(Kind.RUN_AMENDED) == []
    scene.resume_until_death(fault)
    view, is_new = scene.view, fault.startswith("after")
    assert len(scene.events(Kind.RUN_AMENDED)) == is_new
    assert (view.plan is not None) is is_new
    assert view.questions["@amendment#1"].outcome == ("approved" if is_new else "")
    assert view.questions["gate#1"].outcome == ("void" if is_new else "")
    said = scene.dr("undo", scene.run, "--from", "new", "--because", "x", expect=2).stderr
    assert ("has no step 'new'" in said) is not is_new  # an undo goes by the plan in force
    scene.dr("resume", "--detach")
    approve_gate(scene, 2)
    assert str(scene.wait_end().state) == "succeeded"
    found = {name: lines(scene, name) for name in ("first", "second", "new", "gone")}
    assert found == {"first": ["1"], "second": ["two"], "new": ["4"], "gone": []}
    assert len(scene.events(Kind.RUN_AMENDED)) == 1
    scene.dr("journal", "verify", scene.run)


def test_a_proposal_cut_off_by_a_kill_is_there_as_a_whole_or_not_at_all(
    scene: Scene, write: Callable[..., str]
) -> None:
    at_the_gate(scene, write(FIRST, GATE, SECOND))
    write(FIRST, GATE, SECOND, NEW)
    scene.dr("amend", *WHO, expect=-9, fault="before-append:1")
    assert (scene.events(Kind.OP_AMEND), asked(scene, QuestionKind.AMENDMENT)) == ([], [])
    scene.dr("amend", *WHO, expect=-9, fault="after-append:1")
    assert len(scene.events(Kind.OP_AMEND)) == 1
    approve_both(scene, 2)
    assert str(scene.wait_end().state) == "succeeded"
    assert lines(scene, "new") == ["4"]


def test_of_two_amendments_at_once_one_is_asked(scene: Scene, write: Callable[..., str]) -> None:
    at_the_gate(scene, write(FIRST, GATE, SECOND))
    write(FIRST, GATE, SECOND, NEW)
    words = ["amend", scene.run, *WHO, "--json"]
    with scene.beside(*words) as one, scene.beside(*words) as other:
        said = [process.communicate(timeout=60)[0] for process in (one, other)]
    assert sorted([one.returncode, other.returncode]) == [0, 2], said
    refused = next(text for text in said if '"error"' in text)
    assert json.loads(refused)["error"]["code"] == "amending"
    assert asked(scene, QuestionKind.AMENDMENT) == ["@amendment#1"]
    third = scene.dr("amend", *WHO, expect=2)
    assert "an amendment of run" in third.stderr
    assert "--withdraw" in third.stderr


def test_what_was_signed_for_another_amendment_counts_for_nothing(
    scene: Scene, write: Callable[..., str], tmp_path: Path
) -> None:
    at_the_gate(scene, write(FIRST, GATE, SECOND))
    write(FIRST, GATE, SECOND, NEW)
    scene.dr("amend", *WHO)
    statement = tmp_path / "statement"
    words = ["@amendment", "--by", "chen.wei", "--reason", "as it was shown to me"]
    statement.write_text(scene.dr("approve", scene.run, *words, "--print-statement").stdout)
    kept: list[str | Path] = ["--statement", statement, "--signature", sign(scene, statement)]
    scene.dr("amend", "--withdraw", "--by", "liu.yang", "--because", "it lacks a step")
    write(FIRST, GATE, OTHER, NEW)
    scene.dr("amend", *WHO)
    refused = scene.dr("approve", scene.run, "@amendment", *kept, "--yes", expect=6)
    assert "the statement covers another plan than the one at '@amendment'" in refused.stderr
    assert scene.events(Kind.QUESTION_ANSWERED) == []
    write(FIRST, GATE, SECOND)
    scene.approve("chen.wei", gate="gate")
    until(lambda: lines(scene, "second"), 30, "the second step, which the amendment would change")
    late = scene.approve("chen.wei", gate="@amendment", expect=6)
    assert "step 'second' has begun since the amendment was proposed" in late.stderr
    assert scene.events(Kind.RUN_AMENDED) == []
    scene.dr(
        "reject", scene.run, "@amendment", "--by", "chen.wei", "--reason", "too late",
        "--key", scene.key("chen.wei"), expect=0,
    )  # fmt: skip
    assert str(scene.wait_end().state) == "succeeded"


def test_bad_proposals_are_refused_and_change_nothing(
    scene: Scene, write: Callable[..., str]
) -> None:
    at_the_gate(scene, write(FIRST, GATE, SECOND))
    people = next(scene.workspace.glob("inventory/**/people.yaml"))
    kept = people.read_text("utf-8")

    def refused(code: int, said: str, *words: str) -> None:
        done = scene.dr("amend", *(words or WHO), expect=code)
        assert said in done.stderr, done.stderr
        assert "hint: " in done.stderr
        assert "Traceback" not in done.stderr

    refused(2, "nothing of run")
    refused(2, "a reason is required", "--by", "liu.yang")
    write(GATE, SECOND)
    refused(2, "step 'first' of run")
    write(step("first", "9"), GATE, SECOND)
    refused(2, "step 'first' of run")
    write(FIRST, SECOND)
    refused(4, "the gate 'gate' would not be asked as it is")
    write(FIRST, GATE.replace("leadership", "support"), SECOND)
    refused(4, "the gate 'gate' would not be asked as it is")
    write(FIRST, GATE, step("second", "9").replace("uses:", "needs: [first]\n    uses:"))
    refused(4, "would no longer guard step 'second'")
    write(FIRST, GATE, SECOND, NEW.replace("ssh.run", "ssh.rum"))
    refused(2, "ssh.rum")
    write(FIRST, GATE, SECOND, "  - { id: [\n")
    refused(2, "error: ")
    write(FIRST, GATE, SECOND, NEW)
    refused(2, "no input is called 'wrod'", "-i", "wrod=x", *WHO)
    refused(2, "takes KEY=VALUE", "-i", "word", *WHO)
    refused(2, "no amendment of run", "--withdraw", *WHO)
    refused(2, "no run is called", "R-20000101-nope", *WHO)
    text = kept.replace("+86-10-5550-0302", "+86-10-5550-0399")
    assert text != kept
    people.write_text(text, "utf-8")
    refused(4, "people of a run never change by amendment")
    people.write_text(kept, "utf-8")
    hostile = "x\x1b[2J\n' \" ; $(reboot) 修订"
    scene.dr("amend", "-i", f"word={hostile}", *WHO[:2], "--because", hostile)
    shown = scene.dr("log", scene.run).stdout
    assert "\x1b" not in shown
    scene.dr("approve", scene.run, "@amendment", "--by", "liu.yang", "--reason", "x",
             "--key", scene.key("liu.yang"), "--yes", expect=4)  # fmt: skip
    scene.dr("approve", scene.run, "@amendment", "--by", "li.na", "--reason", "x",
             "--key", scene.key("li.na"), "--yes", expect=4)  # fmt: skip
    assert scene.events(Kind.QUESTION_ANSWERED) == []
    assert scene.events(Kind.RUN_AMENDED) == []
