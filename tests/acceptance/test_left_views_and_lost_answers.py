"""People leave, terminals close, engines are told to stop, cables are cut: the run goes on.

The tests are one story told in order: each finds the lab as the one before left it.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dr.engine.core.events import Kind
from dr.lab.api import break_, heal
from tests.acceptance.scene import DR, Scene, until
from tests.deadline import WaitFor

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@contextmanager
def on_terminal(scene: Scene, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run ``dr`` as the foreground of a terminal of its own; give the terminal's other end."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    environment = {**scene.environment(), "TERM": "xterm-256color"}
    process = subprocess.Popen(
        # whoever started the tests may have ignored hang-ups, and that is inherited
        [
            "env",
            "--default-signal=HUP",
            "setsid",
            "--ctty",
            "--wait",
            str(DR),
            *scene.typed(*words),
        ],
        env=environment,
        cwd="/",
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        with contextlib.suppress(OSError):
            os.close(ours)
        if process.poll() is None:
            process.kill()
        process.wait(20)


def read_until(ours: int, text: str) -> str:
    """Read the terminal until ``text`` was written to it."""
    seen = b""
    while text.encode() not in seen:
        seen += os.read(ours, 65536)
    return seen.decode("utf-8", "replace")


def drain(ours: int) -> str:
    """Read the terminal until its programs are gone."""
    seen = b""
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 65536):
            seen += piece
    return seen.decode("utf-8", "replace")


def test_ctrl_c_leaves_the_view_and_the_run_goes_on(scene: Scene) -> None:
    until(lambda: len(scene.acknowledged()) > 3, 20, "the branches to register")
    break_(scene.lab, "storage-killed", "db-a")
    with on_terminal(scene, "run", "storage-failure", "--yes") as (process, ours):
        read_until(ours, "dr approve")
        os.write(ours, b"\x03")
        said = drain(ours)
        assert process.wait(30) == 130
    assert "the run goes on" in said
    assert scene.engine_lives()
    assert not scene.view.state.ended


def test_a_closed_terminal_ends_the_view_and_not_the_engine(
    scene: Scene, wait_for: WaitFor
) -> None:
    pid = scene.engine_pid()
    with on_terminal(scene, "attach") as (process, ours):
        read_until(ours, "dr approve")
        os.close(ours)
        wait_for(lambda: process.poll() is not None, 30, "the view to end")
    assert scene.engine_lives()
    assert scene.engine_pid() == pid


def test_an_engine_that_is_told_to_stop_leaves_a_run_to_resume(
    scene: Scene, wait_for: WaitFor
) -> None:
    os.kill(scene.engine_pid(), signal.SIGTERM)
    wait_for(lambda: not scene.engine_lives(), 20, "the engine to stop")
    assert not scene.view.state.ended
    done = scene.dr("attach", expect=1)
    assert "dr resume" in done.stderr
    scene.dr("run", "storage-failure", "--yes", "--no-wait", expect=3)
    assert scene.runs() == 1
    wait_for(scene.engine_lives, 20, "the next engine")


def test_the_cable_is_cut_while_the_promotion_runs_and_the_step_is_in_doubt(
    scene: Scene, wait_for: WaitFor
) -> None:
    scene.approve("chen.wei")
    wait_for(lambda: scene.job_runs("db-b", "promote", 1), 40, "the promotion to begin")
    break_(scene.lab, "link-down", "db-b")
    scene.wait_event(Kind.LOST, "promote", 90)
    assert scene.view.in_doubt()[0][0].id == "promote"
    assert scene.events(Kind.RESULT, "promote") == []


def test_once_the_cable_is_back_its_end_is_found_and_nothing_is_sent_again(
    scene: Scene, wait_for: WaitFor
) -> None:
    heal(scene.lab, "link-down", "db-b")
    scene.wait_event(Kind.FINISHED, "promote", 90)
    assert scene.begun_jobs("db-b", "promote") == ["1"]
    assert len(scene.events(Kind.INTENT, "promote")) == 1


def test_a_connection_that_breaks_loses_no_answer(scene: Scene, wait_for: WaitFor) -> None:
    wait_for(lambda: scene.job_runs("db-b", "address", 1), 40, "the move to begin")
    sessions = scene.on("db-b", "pgrep", "-f", "sshd: root").split()
    scene.on("db-b", "kill", "-9", *sessions)
    assert str(scene.wait_end(90).state) == "succeeded"
    assert scene.begun_jobs("db-b", "address") == ["1"]


def test_nobody_had_to_be_asked_and_it_was_promoted_once(scene: Scene) -> None:
    view = scene.view
    answered = [q.question.step for q in view.questions.values() if q.answers]
    assert answered == ["choose"]
    assert (scene.timeline("db-b"), scene.switches("db-b")) == (2, 1)
    scene.dr("journal", "verify", scene.run)
