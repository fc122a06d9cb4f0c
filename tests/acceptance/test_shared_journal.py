"""The journal lies on PostgreSQL, the engine dies around the promotion, and people are asked.

The tests are one story told in order: each finds the lab as the one before left it.
"""

from __future__ import annotations

import pytest

from dr.engine.core.events import Kind
from dr.lab.api import break_, heal
from tests.acceptance.conftest import SceneFactory
from tests.acceptance.scene import Scene, until
from tests.deadline import WaitFor
from tests.integration.postgres_server import PostgresServer

pytestmark = [pytest.mark.lab, pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def scene(make_scene: SceneFactory, postgres_server: PostgresServer) -> Scene:
    """A lab whose journal is in a PostgreSQL of the control room."""
    return make_scene(database=postgres_server.database())


def test_the_run_is_written_into_the_shared_journal_and_nowhere_else(scene: Scene) -> None:
    until(lambda: len(scene.acknowledged()) > 3, 20, "the branches to register")
    break_(scene.lab, "storage-killed", "db-a")
    scene.dr("run", "storage-failure", "--no-wait", expect=3)
    assert not (scene.workspace / ".dr/journal.sqlite3").exists()
    assert scene.runs() == 1


def test_it_dies_between_the_intent_to_promote_and_the_sending_of_it(scene: Scene) -> None:
    scene.kill_engine()
    scene.approve("chen.wei")
    assert scene.resume_until_death("before-perform:2") == "promote"
    assert scene.begun_jobs("db-b", "promote") == []


def test_a_promotion_that_may_have_been_sent_is_put_to_people(scene: Scene) -> None:
    scene.dr("resume", "--no-wait", expect=3)
    unit = scene.view.in_doubt()[0]
    assert unit[0].id == "promote"
    scene.dr("status", scene.run, expect=3)
    card = scene.wait_event(Kind.QUESTION_OPENED, "promote").data["question"]
    assert card["approvers"] == "leadership"
    assert card["card"]["probe"]["presence"] == "absent"
    assert scene.ask("db-b", "SELECT pg_is_in_recovery()") == "t"


@pytest.mark.parametrize("words", [(), ("--by", "liu.yang"), ("--by", "chen.wei")])
def test_a_verdict_needs_the_authority_and_the_key_of_the_gate(
    scene: Scene, words: tuple[str, ...]
) -> None:
    key = ["--key", str(scene.key("liu.yang"))] if words else []
    verdict = ["resolve", scene.run, "promote", "--as", "not-done", "--because", "looked"]
    done = scene.dr(*verdict, *words, *key, expect=None)
    assert done.returncode in {2, 4}, done.stderr
    assert scene.events(Kind.QUESTION_ANSWERED, "promote") == []


def test_the_engine_is_killed_while_the_promotion_runs_on_the_host(
    scene: Scene, wait_for: WaitFor
) -> None:
    signed = ["--by", "chen.wei", "--key", str(scene.key("chen.wei"))]
    verdict = ["resolve", scene.run, "promote", "--as", "not-done", "--because", "I looked"]
    scene.dr(*verdict, *signed)
    wait_for(lambda: scene.job_runs("db-b", "promote", 2), 40, "the promotion to begin")
    break_(scene.lab, "host-frozen", "db-b")
    scene.kill_engine()
    assert scene.job_runs("db-b", "promote", 2)
    assert scene.under_way() == "promote"


def test_the_next_engine_finds_the_same_job_and_ends_the_run(
    scene: Scene, wait_for: WaitFor
) -> None:
    before = len(scene.events(Kind.RUN_LEASE))
    scene.dr("resume", "--detach")
    wait_for(lambda: len(scene.events(Kind.RUN_LEASE)) > before, 40, "the next engine")
    heal(scene.lab, "host-frozen", "db-b")
    assert str(scene.wait_end(120).state) == "succeeded"
    assert scene.begun_jobs("db-b", "promote") == ["2"]
    assert (scene.timeline("db-b"), scene.switches("db-b")) == (2, 1)
    results = scene.events(Kind.RESULT, "promote")
    assert len(results) == 1


def test_the_shared_journal_is_whole(scene: Scene) -> None:
    done = scene.dr("journal", "verify", scene.run)
    assert "intact" in done.stdout
    assert len(scene.events(Kind.RUN_LEASE)) == 4
