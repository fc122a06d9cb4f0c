"""The engine is killed (kill -9) at exact moments, and each time ``dr resume`` goes on.

One run is driven through all the deaths.  Nothing of it may happen twice and nothing get lost.
"""

from __future__ import annotations

import json

import pytest

from dr.engine.core.events import Kind
from dr.lab.api import break_
from tests.acceptance.scene import Scene, until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

DEATHS = [
    # (fault, step whose attempt has no written end then)
    ("before-perform:1", "fence"),  # intent written, nothing sent
    ("after-perform:1", "fence"),  # done, its result not written
    ("after-verify:1", "fence"),  # proven, its end not written
    ("after-perform:1", "promote"),  # promoted, its result not written
    ("before-verify:1", "promote"),  # the result written, not proven
    ("before-perform:2", "address"),  # shut, then: intent to move the address written
    ("after-perform:1", "address"),
    ("before-verify:1", "address"),
    ("before-perform:1", "reopen"),
    ("after-perform:1", "reopen"),
    ("after-verify:1", "reopen"),
]


def test_an_engine_that_dies_while_it_looks_is_replaced_by_the_next_run_command(
    scene: Scene,
) -> None:
    until(lambda: len(scene.acknowledged()) > 3, 20, "the branches to register")
    break_(scene.lab, "storage-killed", "db-a")
    done = scene.dr("run", "storage-failure", "--no-wait", expect=1, fault="before-perform:3")
    assert "engine" in done.stderr
    assert "dr resume" in done.stderr
    assert not scene.engine_lives()
    done = scene.dr("run", "storage-failure", "--no-wait", "--yes", expect=3)
    assert "is resumed" in done.stderr
    assert scene.runs() == 1
    assert [e.data["epoch"] for e in scene.events(Kind.RUN_LEASE)] == [1, 2]


def test_a_decision_is_taken_while_no_engine_lives(scene: Scene) -> None:
    scene.kill_engine()
    scene.approve("chen.wei")
    assert str(scene.view.steps["choose"].state) == "waiting"


@pytest.mark.parametrize(("fault", "step"), DEATHS)
def test_it_dies_with_a_step_under_way(scene: Scene, fault: str, step: str) -> None:
    assert scene.resume_until_death(fault) == step


def test_the_next_engine_ends_the_run_well_and_asks_nobody(scene: Scene) -> None:
    scene.dr("resume", limit_s=120)
    view = scene.wait_end()
    assert str(view.state) == "succeeded"
    kinds = [str(q.question.kind) for q in view.questions.values()]
    assert kinds == ["gate"]
    assert view.in_doubt() == []


def test_the_standby_was_promoted_exactly_once(scene: Scene) -> None:
    assert scene.begun_jobs("db-b", "promote") == ["1"]
    assert (scene.timeline("db-b"), scene.switches("db-b")) == (2, 1)
    assert len(scene.events(Kind.INTENT, "promote")) == 1


@pytest.mark.parametrize(
    ("host", "step"), [("db-a", "fence"), ("db-b", "address"), ("db-b", "reopen")]
)
def test_what_was_never_sent_ran_once_all_the_same(scene: Scene, host: str, step: str) -> None:
    assert len(scene.begun_jobs(host, step)) == 1
    assert len(scene.events(Kind.INTENT, step)) == 2


def test_each_engine_had_an_epoch_of_its_own_and_hosts_remember_the_last(scene: Scene) -> None:
    epochs = [e.data["epoch"] for e in scene.events(Kind.RUN_LEASE)]
    assert epochs == list(range(1, len(DEATHS) + 4))
    guard = scene.upper("db-b", f"/var/lib/dr/guard/{scene.run}").read_text("utf-8")
    assert int(guard) <= epochs[-1]


def test_business_goes_on_and_the_journal_is_whole(scene: Scene) -> None:
    known = set(scene.acknowledged())
    new = until(lambda: set(scene.acknowledged()) - known, 30, "a branch to register")
    assert new <= scene.slips("db-b")
    scene.dr("journal", "verify", scene.run)
    report = scene.workspace / ".dr/reports" / scene.run / "report.json"
    said = json.loads(report.read_text("utf-8"))
    assert said["run"]["state"] == "succeeded"
    assert said["journal"]["engines"] == len(DEATHS) + 3
    assert len(said["doubts"]) == len(scene.events(Kind.LOST))
    assert {doubt["settled"] for doubt in said["doubts"]} <= {"attach", "probe", "rerun"}
