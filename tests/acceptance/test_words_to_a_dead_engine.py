"""``dr skip``, ``retry``, ``pause`` and ``continue`` while no engine lives, and within a fan-out.

What is typed then is a word in the journal: the next engine obeys it once, and does nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dr.engine.core.events import Kind
from dr.lab.testing import SMALL, LabFactory
from tests.acceptance.scene import Scene
from tests.deadline import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.slow]

HOSTS = [f"x00{number}" for number in range(1, 7)]
SECOND, THIRD = HOSTS[1:3], HOSTS[3:]
"""The hosts of the second batch and of the third; the first is one host alone."""

_LINE = "echo ran >>/root/$DR_RUN.$DR_STEP"
BOOK = f"""
format: 1
name: wide
title: {{ en: Many hosts, zh: 多台主机 }}
on_failure: ask
steps:
  - id: fan
    uses: ssh.run
    hosts: [{", ".join(HOSTS)}]
    strategy: {{ batches: [1, 2, "100%"] }}
    effect: once
    precheck:
      uses: path.check
      with: {{ path: /root/refuse }}
      when: "${{{{ result.state == 'absent' }}}}"
    with: {{ shell: "{_LINE}; while [ -e /root/hold ]; do sleep 0.1; done" }}
  - {{ id: unwanted, uses: ssh.run, hosts: x001, effect: once, with: {{ shell: "{_LINE}" }} }}
  - {{ id: last, uses: ssh.run, hosts: x001, effect: once, with: {{ shell: "{_LINE}" }} }}
finally:
  - {{ id: report, uses: report.write, effect: idempotent }}
"""
GUARDED = f"""
format: 1
name: guarded
title: {{ en: A step that needs a proof, zh: 需要证明的步骤 }}
inputs: [{{ id: service, type: service, default: registry }}]
steps:
  - {{ id: ask, uses: human.task, with: {{ group: support, instructions: {{ en: x, zh: x }} }} }}
  - {{ id: fence, uses: postgres.fence, hosts: db-a, with: {{ service: registry }} }}
  - id: act
    uses: ssh.run
    hosts: x001
    effect: once
    requires: {{ proof: "${{{{ steps.fence.outputs.proof }}}}" }}
    with: {{ shell: "{_LINE}" }}
"""


@pytest.fixture(scope="module")
def lab(lab_factory: LabFactory) -> Path:
    return lab_factory(**SMALL, extra=len(HOSTS))


@pytest.fixture
def scene(lab: Path) -> Iterator[Scene]:
    """The lab with nothing held; the engine of the test's run is ended by its id."""
    scene = Scene(lab)
    for name, text in (("wide", BOOK), ("guarded", GUARDED)):
        (scene.workspace / f"runbooks/{name}.yaml").write_text(text, "utf-8")
    clear(scene, *HOSTS)
    yield scene
    if scene.runs() and scene.engine_lives():
        scene.kill_engine()


def mark(scene: Scene, name: str, *hosts: str) -> None:
    """Let the command of these hosts ``hold``, or their precheck ``refuse``."""
    for host in hosts:
        scene.on(host, "touch", f"/root/{name}")


def clear(scene: Scene, *hosts: str) -> None:
    """Take the marks away."""
    for host in hosts:
        scene.on(host, "rm", "-f", "/root/hold", "/root/refuse")


def begin(scene: Scene, *running: str) -> None:
    """Start a run of ``wide`` and return when its commands run on these hosts."""
    before = scene.runs()
    with scene.beside("run", "wide", "--no-wait"):
        wait_for(lambda: scene.runs() > before, 30, "the run")
        under_way(scene, *running)


def under_way(scene: Scene, *hosts: str) -> None:
    """Wait until the command of ``fan`` runs on each of these hosts."""
    for host in hosts:
        wait_for(lambda h=host: scene.job_runs(h, "fan", 1), 30, f"the command on {host}")  # type: ignore[misc]


def resume(scene: Scene) -> None:
    """Have another engine take the run; return when it has."""
    before = len(scene.events(Kind.RUN_LEASE))
    scene.dr("resume", scene.run, "--detach")
    wait_for(lambda: len(scene.events(Kind.RUN_LEASE)) > before, 30, "the next engine's lease")


def say(scene: Scene, *words: str) -> None:
    """Type a word to the run, with a reason where it takes one."""
    verb, *step = words
    because = ["--because", f"reason to {verb}"] if step else []
    scene.dr(verb, scene.run, *step, "--by", "sun.hao", *because)


def stands(scene: Scene, state: str) -> None:
    """Wait until the run stands so."""
    wait_for(lambda: str(scene.view.state) == state, 30, f"the run to be {state}")


def ended(scene: Scene, *hosts: str) -> None:
    """Wait until ``fan`` has ended on each of these hosts."""
    ends = {Kind.FINISHED, Kind.LOST}

    def all_of_them() -> bool:
        found = {e.host for e in scene.events(step="fan") if e.kind in ends}
        return found >= set(hosts)

    wait_for(all_of_them, 30, f"the end on {', '.join(hosts)}")


def effects(scene: Scene, step: str = "fan") -> dict[str, int]:
    """Return how often a step's command ran on each host where it did: the truth."""
    found = {}
    for host in HOSTS:
        path = scene.upper(host, f"/root/{scene.run}.{step}")
        if path.exists():
            found[host] = len(path.read_text("utf-8").splitlines())
    return found


def once(*hosts: str) -> dict[str, int]:
    return dict.fromkeys(hosts, 1)


def report_of(scene: Scene) -> Any:
    path = scene.workspace / ".dr/reports" / scene.run / "report.json"
    return json.loads(path.read_text("utf-8"))


def test_words_typed_while_no_engine_lives_are_obeyed_once_by_the_next(scene: Scene) -> None:
    mark(scene, "refuse", SECOND[0])
    mark(scene, "hold", SECOND[1], THIRD[1])
    begin(scene, SECOND[1])
    ended(scene, SECOND[0])
    scene.kill_engine()  # in the middle of the second batch: one failed, one runs

    for verb in ("retry", "skip"):
        refused = scene.json(verb, scene.run, "fan", "--because", "x", expect=2)["error"]
        assert refused["message"] == "step 'fan' is running"
    say(scene, "pause")
    clear(scene, *SECOND)
    resume(scene)
    ended(scene, *SECOND)
    stands(scene, "paused")
    assert effects(scene) == once("x001", SECOND[1]), "the next engine found its end and paused"
    scene.kill_engine()

    say(scene, "continue")
    resume(scene)
    scene.wait_event(Kind.QUESTION_OPENED, "fan")
    scene.kill_engine()
    assert effects(scene) == once("x001", SECOND[1]), "one failed: no further host began"

    say(scene, "retry", "fan")
    resume(scene)
    under_way(scene, THIRD[1])
    ended(scene, "x001", *SECOND, THIRD[0], THIRD[2])
    scene.kill_engine()  # in the middle of the third batch
    assert effects(scene) == once(*HOSTS)

    say(scene, "skip", "unwanted")
    clear(scene, *THIRD)
    resume(scene)
    view = scene.wait_end()
    assert str(view.state) == "succeeded"
    assert (effects(scene), effects(scene, "unwanted")) == (once(*HOSTS), {})
    assert effects(scene, "last") == once("x001")
    assert str(view.steps["unwanted"].state) == "skipped"
    scene.dr("journal", "verify", scene.run)

    wishes = [Kind.OP_PAUSE, Kind.OP_CONTINUE, Kind.OP_RETRY, Kind.OP_SKIP]
    assert [[e.data["by"] for e in scene.events(kind)] for kind in wishes] == [["sun.hao"]] * 4
    assert [e.data["because"] for e in scene.events(Kind.OP_RETRY)] == ["reason to retry"]
    assert len(scene.events(Kind.STEP_REOPENED, "fan")) == 1
    assert len(scene.events(Kind.STEP_SKIPPED, "unwanted")) == 1
    said = json.dumps(report_of(scene), ensure_ascii=False)
    assert "reason to retry" in said
    assert "reason to skip" in said


def test_a_pause_within_a_fan_out_lets_the_batch_end_and_begins_no_other(scene: Scene) -> None:
    mark(scene, "hold", *SECOND)
    begin(scene, *SECOND)
    say(scene, "pause")
    clear(scene, *SECOND)
    ended(scene, *SECOND)
    stands(scene, "paused")
    assert effects(scene) == once("x001", *SECOND)
    assert {str(u.state) for u in scene.view.steps["fan"].units.values()} == {
        "succeeded",
        "pending",
    }
    assert f"dr continue {scene.run}" in scene.dr("status", scene.run, expect=3).stdout
    say(scene, "continue")
    assert str(scene.wait_end().state) == "succeeded"
    assert effects(scene) == once(*HOSTS)
    assert len(scene.events(Kind.RUN_LEASE)) == 1


def test_a_failed_fan_out_that_was_skipped_while_no_engine_lived_leaves_its_hosts_alone(
    scene: Scene,
) -> None:
    mark(scene, "refuse", *SECOND)
    scene.dr("run", "wide", "--no-wait", expect=3)
    scene.kill_engine()
    clear(scene, *SECOND)
    say(scene, "skip", "fan")
    resume(scene)
    view = scene.wait_end()
    assert str(view.state) == "succeeded"
    assert (str(view.steps["fan"].state), effects(scene)) == ("skipped", once("x001"))
    assert effects(scene, "last") == once("x001")
    assert "reason to skip" in json.dumps(report_of(scene))


def test_a_step_that_was_skipped_while_no_engine_lived_proves_nothing_to_the_next(
    scene: Scene,
) -> None:
    scene.dr("run", "guarded", "--no-wait", expect=3)
    scene.kill_engine()
    say(scene, "skip", "fence")
    scene.dr("answer", scene.run, "ask", "done", "--by", "zhou.jie")
    resume(scene)
    asked = scene.wait_event(Kind.QUESTION_OPENED, "act")
    because = "step 'act' requires a proof of step 'fence', which is skipped"
    assert because in json.dumps(asked.data)
    assert str(scene.view.steps["fence"].state) == "skipped"
    assert scene.events(Kind.INTENT, "act") == []
    assert effects(scene, "act") == {}
    scene.dr("answer", scene.run, "act", "fail", "--by", "zhou.jie", "--because", "no proof")
    assert str(scene.wait_end().state) == "failed"
    assert effects(scene, "act") == {}
