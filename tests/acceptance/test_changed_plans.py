"""Whoever approved or reviewed something else has approved nothing: exit 6, and nothing is done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dr.engine.core.events import Kind
from tests.acceptance.conftest import SceneFactory
from tests.acceptance.scene import Scene, until
from tests.acceptance.test_gates import sign

pytestmark = [pytest.mark.lab, pytest.mark.slow]

OTHER_PLAN = "the statement covers another plan than the one at 'choose'"

LADDER = """\
format: 1
name: {name}
title: {{ en: A gate before a ladder, zh: 审批后恢复 }}
owner: execution-group
on_failure: fail
inputs:
  - {{ id: word, type: string, default: one, title: {{ en: A word, zh: 词 }} }}
steps:
  - id: choose
    title: {{ en: Which way?, zh: 选择方式 }}
    phase: decide
    needs: []
    uses: gate.approve
    with:
      ask: {{ en: Which way?, zh: 选择哪种方式？ }}
      approvers: {{ group: leadership }}
      distinct_from: [requester]
      chooses: way
{keys}
  - id: way
    title: {{ en: One way or the other, zh: 恢复 }}
    phase: recover
    try:
      - name: first
        title: {{ en: The first, zh: 方式一 }}
        steps:
          - id: first_step
            uses: ssh.run
            hosts: backup
            with: {{ argv: [touch, /root/first] }}
            effect: idempotent
            precheck:
              uses: path.check
              with: {{ path: /root/never }}
              when: "${{{{ result.state == 'present' }}}}"
      - name: second
        title: {{ en: The second, zh: 方式二 }}
        steps:
          - {{ id: second_step, uses: ssh.run, hosts: backup, effect: idempotent,
              with: {{ argv: [touch, "/root/{name}"] }} }}
    on_exhausted: fail
"""


@pytest.fixture(scope="module")
def scene(make_scene: SceneFactory) -> Scene:
    """A lab without branches: only people, one host and an inventory are needed."""
    return make_scene(branches=0)


@pytest.fixture
def planned(scene: Scene, request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """Write a runbook of this test's own and return its name."""
    names: list[str] = []

    def write(*keys: str) -> str:
        name: str = request.node.name.replace("_", "-").partition("[")[0][:40].strip("-")
        text = LADDER.format(name=name, keys="\n".join(f"      {key}" for key in keys))
        (scene.workspace / "runbooks" / f"{name}.yaml").write_text(text, "utf-8")
        names.append(name)
        return name

    yield write
    if scene.runs() and not scene.view.state.ended:
        scene.dr("abort", scene.run, "--because", "the test is over")
        scene.wait_end()
    for name in names:
        (scene.workspace / "runbooks" / f"{name}.yaml").unlink()


def asked(scene: Scene) -> list[dict[str, Any]]:
    """Return every visit of the gate, as it was put."""
    return [e.data["question"] for e in scene.events(Kind.QUESTION_OPENED, "choose")]


def signed(scene: Scene, folder: Path) -> list[str | Path]:
    """Have chen.wei sign, on another machine, what the gate asks now."""
    statement = folder / asked(scene)[-1]["id"]
    who = ["--by", "chen.wei", "--reason", "as it was shown to me"]
    statement.write_text(scene.dr("approve", *who, "--print-statement").stdout, "utf-8")
    return ["--statement", statement, "--signature", sign(scene, statement)]


# -- a statement of an earlier visit


def test_a_statement_for_the_first_visit_does_not_open_the_second_with_other_forecasts(
    scene: Scene, planned: Callable[..., str], tmp_path: Path
) -> None:
    scene.dr("run", planned(), "--no-wait", "--requester", "li.na", expect=3)
    kept = signed(scene, tmp_path)
    scene.dr("approve", "--yes", *kept)
    until(lambda: len(asked(scene)) == 2, 30, "the gate to be asked again")
    first, second = asked(scene)
    assert [o["available"] for o in first["options"]] == [True, True]
    assert [o["available"] for o in second["options"]] == [False, True]
    assert first["plan_hash"] != second["plan_hash"]

    refused = scene.dr("approve", "--yes", *kept, expect=6)

    assert OTHER_PLAN in refused.stderr
    assert "hint: Type 'dr approve --print-statement' again and sign the new one." in refused.stderr
    assert len(scene.events(Kind.QUESTION_ANSWERED)) == 1
    assert scene.events(Kind.INTENT, "second_step") == []
    scene.dr("approve", "--yes", *signed(scene, tmp_path))
    assert str(scene.wait_end().state) == "succeeded"


def test_a_statement_for_a_visit_that_lapsed_does_not_open_the_next(
    scene: Scene, planned: Callable[..., str], tmp_path: Path
) -> None:
    name = planned("expires: 4s", "decide_within: 2m")
    scene.dr("run", name, "--no-wait", "--requester", "li.na", expect=3)
    kept = signed(scene, tmp_path)
    until(lambda: len(asked(scene)) > 1, 30, "the gate to be asked again")
    refused = scene.dr("approve", "--yes", *kept, expect=6)
    assert OTHER_PLAN in refused.stderr
    assert scene.events(Kind.QUESTION_ANSWERED) == []


def test_whoever_saw_the_first_visit_can_not_approve_the_second_by_its_code(
    scene: Scene, planned: Callable[..., str], tmp_path: Path
) -> None:
    scene.dr("run", planned(), "--no-wait", "--requester", "li.na", expect=3)
    heard = ["--witness", "liu.yang", "--witness", "sun.lei"]
    said = scene.approve("chen.wei", "--voice", "0", *heard, expect=6).stderr
    code = re.findall(r"plan code: ([\d ]+)", said)[0].strip()
    scene.dr("approve", "--yes", *signed(scene, tmp_path))
    until(lambda: len(asked(scene)) == 2, 30, "the gate to be asked again")
    refused = scene.approve("chen.wei", "--voice", code, *heard, expect=6)
    assert "error: the code read back is not that of the plan at 'choose'" in refused.stderr
    assert len(scene.events(Kind.QUESTION_ANSWERED)) == 1


# -- a plan that was written to a file

DIFFERS = "is not what would be carried out now"


def edit_runbook(scene: Scene, name: str) -> list[str]:
    path = scene.workspace / "runbooks" / f"{name}.yaml"
    path.write_text(path.read_text("utf-8").replace("/root/never", "/root/ever"), "utf-8")
    return []


def edit_inventory(scene: Scene, _name: str) -> list[str]:
    people = next(scene.workspace.glob("inventory/**/people.yaml"))
    text = people.read_text("utf-8")
    people.write_text(text.replace("+86-10-5550-0302", "+86-10-5550-0399"), "utf-8")
    assert people.read_text("utf-8") != text
    return []


def give_another_input(_scene: Scene, _name: str) -> list[str]:
    return ["--input", "word=another"]


def ask_for_a_drill(_scene: Scene, _name: str) -> list[str]:
    return ["--drill"]


@pytest.mark.parametrize(
    "change", [edit_runbook, edit_inventory, give_another_input, ask_for_a_drill]
)
def test_a_plan_file_is_refused_once_it_is_not_what_would_be_carried_out(
    scene: Scene,
    planned: Callable[..., str],
    tmp_path: Path,
    change: Callable[[Scene, str], list[str]],
) -> None:
    name, file = planned(), tmp_path / "plan.json"
    scene.dr("plan", name, "-o", file)
    before = scene.runs()
    more = change(scene, name)
    refused = scene.dr("run", "--plan", file, *more, "--no-wait", expect=6)
    assert f"error: the plan in {file} {DIFFERS}" in refused.stderr
    assert "hint: Look at the new plan with 'dr plan'" in refused.stderr
    assert scene.runs() == before


def test_the_plan_of_a_drill_edited_to_be_real_is_refused(
    scene: Scene, planned: Callable[..., str], tmp_path: Path
) -> None:
    name, file = planned(), tmp_path / "plan.json"
    scene.dr("plan", name, "--drill", "-o", file)
    data = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**data, "mode": "real"}), "utf-8")
    before = scene.runs()
    refused = scene.dr("run", "--plan", file, "--no-wait", expect=6)
    assert DIFFERS in refused.stderr
    assert scene.runs() == before


@pytest.mark.parametrize("mode", ["real", "drill"])
def test_an_unchanged_plan_file_is_carried_out_as_it_was_reviewed(
    scene: Scene, planned: Callable[..., str], tmp_path: Path, mode: str
) -> None:
    name, file = planned(), tmp_path / "plan.json"
    words = ["--drill"] if mode == "drill" else []
    scene.dr("plan", name, *words, "--input", "word=reviewed", "-o", file)
    scene.dr("run", "--plan", file, "--no-wait", "--requester", "li.na", expect=3)
    created = scene.view.created
    assert (created["mode"], created["inputs"]) == (mode, {"word": "reviewed"})
    assert created["plan_hash"] == json.loads(file.read_text("utf-8"))["hash"]


def test_an_unfinished_run_is_not_taken_for_another_plan_or_for_a_drill(
    scene: Scene, planned: Callable[..., str], tmp_path: Path
) -> None:
    name, file = planned(), tmp_path / "plan.json"
    scene.dr("run", name, "--no-wait", "--requester", "li.na", expect=3)
    scene.kill_engine()
    scene.dr("plan", name, "--input", "word=another", "-o", file)
    before = scene.runs()
    other = scene.dr("run", "--plan", file, "--yes", "--no-wait", expect=6)
    assert DIFFERS in other.stderr
    drill = scene.dr("run", name, "--drill", "--yes", "--no-wait", expect=7)
    assert "is not over, and it is no drill" in drill.stderr
    assert scene.runs() == before
    assert not scene.engine_lives()
    scene.dr("resume", "--detach")
