"""A second machine takes a run over; the first engine wakes up and can neither write nor act."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from dr.engine.core.events import Event, Kind
from dr.lab.testing import SMALL, LabFactory
from tests.acceptance.second_site import (
    EFFECTS,
    SHORT_S,
    SecondSite,
    Site,
    is_frozen,
    lives,
    pid_of,
    two_sites,
)
from tests.deadline import wait_for
from tests.integration.postgres_server import PostgresServer

pytestmark = [pytest.mark.lab, pytest.mark.postgres, pytest.mark.slow]

Sites = tuple[Site, SecondSite]
ONCE = dict.fromkeys(EFFECTS, 1)


@pytest.fixture(scope="module")
def lab(lab_factory: LabFactory) -> Path:
    return lab_factory(**SMALL)


@pytest.fixture
def sites(lab: Path, postgres_server: PostgresServer) -> Iterator[Sites]:
    """Both control hosts, with a journal of their own on the shared server."""
    sites = two_sites(lab, postgres_server.database())
    yield sites
    if sites[0].runs() and sites[0].engine_lives():
        os.kill(sites[0].engine_pid(), signal.SIGKILL)


def test_after_a_kill_the_other_machine_acts_within_ten_seconds(
    sites: Sites, capsys: pytest.CaptureFixture[str]
) -> None:
    control, second = sites
    control.lease_s = second.lease_s = 5
    control.begin()
    with control.engine("before-perform:1") as dead:
        wait_for(lambda: not lives(dead), 20, "the engine's death")
        died = time.monotonic()
        intents = len(control.events(Kind.INTENT))
        second.take_over("--wait")
        wait_for(lambda: len(control.events(Kind.INTENT)) > intents, 20, "the first new intent")
        took_s = time.monotonic() - died
    assert str(second.wait_end().state) == "succeeded"
    with capsys.disabled():
        print(f"\ntake-over to the first new intent, lease {control.lease_s} s: {took_s:.1f} s")
    assert took_s < 10
    assert second.effects() == ONCE
    (taken,) = second.events(Kind.OP_TAKEOVER)
    assert (taken.data["by"], taken.data["because"]) == ("sun.hao", "the machine room is dark")
    assert (taken.data["holder"], taken.data["machine"]) == (dead, "control-dr")
    lease = second.events(Kind.RUN_LEASE)[-1]
    assert (lease.seq, lease.at) == (taken.seq + 1, taken.at), "one transaction has both"
    assert lease.data["holder"].startswith("control-dr pid ")


def test_a_lease_that_lasts_is_refused_with_the_time_left_and_a_living_engine_is_not_waited_for(
    sites: Sites,
) -> None:
    control, second = sites
    control.dr("run", "two", "--no-wait", expect=3)
    refused = second.json("takeover", control.run, "--because", "x", expect=7)["error"]
    assert refused["code"] == "held"
    left = refused["message"].split(" lasts ")[1].split(" s more")[0]
    assert 0 < float(left) <= SHORT_S
    assert "--wait" in refused["hint"]
    said = second.take_over("--wait", expect=7)
    assert "waiting for the lease of the other engine to lapse" in said
    assert "lives: it has just renewed its lease" in said
    elsewhere = second.json("resume", control.run, expect=7)["error"]
    assert elsewhere["code"] == "elsewhere"
    assert f"dr takeover {control.run}" in elsewhere["hint"]
    assert second.events(Kind.OP_TAKEOVER) == []
    assert len(second.events(Kind.RUN_LEASE)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        "before-append:9:stop",  # before a write
        "after-perform:1:stop",  # it is done, and not written
        "before-perform:3:stop",  # beside others that run and wait
        "before-send:3:stop",
    ],
)
def test_an_engine_frozen_and_woken_after_the_take_over_writes_nothing_and_starts_nothing(
    sites: Sites, fault: str
) -> None:
    control, second = sites
    control.begin()
    with control.engine(fault) as frozen:
        wait_for(lambda: is_frozen(frozen), 20, "the engine to freeze")
        second.take_over("--wait")
        assert str(second.wait_end().state) == "succeeded"
        before = second.events()
        os.kill(pid_of(frozen), signal.SIGCONT)
        wait_for(lambda: not lives(frozen), 20, "the end of the engine that woke up")
    assert second.events() == before
    assert late_writes(before) == []
    assert second.effects() == ONCE
    second.dr("journal", "verify", second.run)
    log = (control.workspace / ".dr/logs" / control.run / "engine.log").read_text("utf-8")
    assert "stopped" in log
    assert "this engine lost run" in log or "has obeyed an engine with epoch" in log


def test_a_host_refuses_the_engine_that_woke_up_while_the_journal_can_not_be_asked(
    sites: Sites, postgres_server: PostgresServer
) -> None:
    control, second = sites
    control.begin()
    log = control.workspace / ".dr/logs" / control.run / "engine.log"
    database = str(make_url(control.database).database)
    with control.engine("before-send:1:stop") as frozen:
        wait_for(lambda: is_frozen(frozen), 20, "the engine to freeze")
        second.take_over("--wait")
        assert str(second.wait_end().state) == "succeeded"
        with contextlib.closing(postgres_server.connect(database)) as wire, wire.transaction():
            # whoever wants to write, or to renew a lease, waits for this
            wire.execute("LOCK TABLE run IN ACCESS EXCLUSIVE MODE")
            os.kill(pid_of(frozen), signal.SIGCONT)
            refusal = "step first on db-b was refused: db-b has obeyed an engine with epoch 3"
            wait_for(lambda: refusal in log.read_text("utf-8"), 20, "the host's refusal")
        wait_for(lambda: not lives(frozen), 20, "the end of the engine that woke up")
    assert late_writes(second.events()) == []
    assert second.effects() == ONCE


def late_writes(events: list[Event]) -> list[Event]:
    """Return what an engine wrote after a newer one had taken the run."""
    newest, late = 0, []
    for event in events:
        late += [event] if event.epoch < newest else []
        newest = max(newest, event.epoch)
    return late
