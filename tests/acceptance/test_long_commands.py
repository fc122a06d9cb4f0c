"""A long command outlives its engine, its cable and, as a doubt, the boot of its host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dr.engine.core.events import Kind
from dr.lab.api import break_, heal
from dr.lab.testing import LabFactory
from tests.acceptance.scene import Scene, until
from tests.soak.field import LAB

pytestmark = [pytest.mark.lab, pytest.mark.slow]

BOOK = """
format: 1
name: long
title: { en: A long command, zh: 长时间命令 }
steps:
  - id: work
    uses: ssh.run
    hosts: x001
    effect: once
    with:
      shell: "echo it began; while [ ! -e /root/go ]; do sleep 0.1; done; echo it ended; exit 7"
      ok_codes: [7]
  - { id: after, uses: ssh.run, hosts: x002, effect: once, with: { argv: ["true"] } }
"""


@pytest.fixture(scope="module")
def lab(lab_factory: LabFactory) -> Path:
    return lab_factory(**LAB)


@pytest.fixture
def scene(lab: Path) -> Iterator[Scene]:
    """A run of ``long`` whose command runs on its host, and whose engine was killed then."""
    scene = Scene(lab)
    (scene.workspace / "runbooks/long.yaml").write_text(BOOK, "utf-8")
    scene.on("x001", "rm", "-f", "/root/go")
    before = scene.runs()
    with scene.beside("run", "long", "--no-wait"):
        until(lambda: scene.runs() > before, 30, "the run")
        until(lambda: scene.job_runs("x001", "work", 1), 30, "the command to begin")
        until(lambda: "it began" in log_of(scene), 20, "its first output in the engine's log")
        scene.kill_engine()
    yield scene
    if scene.engine_lives():
        scene.kill_engine()


def log_of(scene: Scene) -> str:
    return scene.dr("log", scene.run, "work", expect=None).stdout


def test_the_next_engine_attaches_after_the_cable_is_back_and_takes_the_exit_code_once(
    scene: Scene,
) -> None:
    break_(scene.lab, "link-down", "x001")
    scene.dr("resume", scene.run, "--detach")
    scene.wait_event(Kind.LOST, "work")
    scene.wait_event(Kind.QUESTION_OPENED, "work", 60)  # nobody can tell while the cable is out
    heal(scene.lab, "link-down", "x001")

    scene.on("x001", "touch", "/root/go")
    view = scene.wait_end(90)

    assert str(view.state) == "succeeded"
    assert view.steps["work"].outputs["exit_code"] == 7
    assert "it began\nit ended" in log_of(scene)
    assert len(scene.events(Kind.INTENT, "work")) == 1
    assert scene.begun_jobs("x001", "work") == ["1"]
    ends = [e for e in scene.events(Kind.FINISHED, "work") if e.data["state"] == "succeeded"]
    assert len(ends) == 1


def test_the_output_so_far_is_shown_while_the_command_still_runs(scene: Scene) -> None:
    scene.dr("resume", scene.run, "--detach")
    scene.wait_event(Kind.LOST, "work")
    until(lambda: "it began" in log_of(scene), 30, "the output so far")
    assert "it ended" not in log_of(scene)
    assert scene.job_runs("x001", "work", 1)

    scene.on("x001", "touch", "/root/go")
    assert str(scene.wait_end(60).state) == "succeeded"
    assert scene.begun_jobs("x001", "work") == ["1"]


def test_a_host_that_was_restarted_meanwhile_leaves_the_step_in_doubt_and_not_running(
    scene: Scene,
) -> None:
    break_(scene.lab, "host-off", "x001")
    heal(scene.lab, "host-off", "x001")
    scene.dr("resume", scene.run, "--detach")

    asked = scene.wait_event(Kind.QUESTION_OPENED, "work", 60).data["question"]

    assert asked["kind"] == "doubt"
    assert asked["card"]["attach"] == {"found": "gone", "detail": "the host was restarted"}
    assert scene.states()["work"] == "in_doubt"
    assert len(scene.events(Kind.INTENT, "work")) == 1, "nothing is begun again by itself"
    assert "after" not in scene.states(), "nothing is started on top of an effect nobody sees"
    because = ["--because", "the paper says so"]
    scene.dr("resolve", scene.run, "work", "--as", "done", *because, "--by", "liu.yang")
    assert str(scene.wait_end(60).state) == "succeeded"
    assert scene.begun_jobs("x001", "work") == ["1"]
