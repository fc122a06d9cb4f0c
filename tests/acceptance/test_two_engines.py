"""A second machine takes a run over; the first engine wakes up and can neither write nor act."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from dr.engine.core.events import Event, Kind
from dr.lab.testing import SMALL, LabFactory
from tests.acceptance.scene import DR, words_of
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


def test_a_second_machine_is_told_that_the_lease_has_lapsed_and_what_to_type(sites: Sites) -> None:
    control, second = sites
    control.dr("run", "two", "--no-wait", expect=3)
    run, machine = control.run, control.view.holder.split()[0]
    held = json.loads(looked(second, "status", run, "--json"))
    assert (held["lease_lapsed"], held["next"]) == (
        False,
        f"dr answer {run} ask done|failed",
    )
    control.kill_engine()

    def lapsed() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(looked(second, "status", run, "--json"))
        return found if found["lease_lapsed"] else {}

    assert wait_for(lapsed, 20, "the lapse")["next"] == f"dr takeover {run} --because …"
    for words in (["status"], ["status", run]):
        said = words_of(looked(second, *words).splitlines())
        assert f"the lease of run {run} on {machine} has lapsed" in said
        assert f"dr takeover {run} --because …" in said
    assert "上的租约已失效" in looked(second, "status", run, "--lang", "zh")
    assert f"Type 'dr takeover {run} --because …'" in looked(second, "attach", run, expect=1)
    here = json.loads(looked(control, "status", run, "--json"))
    assert (here["engine_gone"], here["lease_lapsed"]) == (True, False)
    assert here["next"] == f"dr resume {run}"


def looked(site: Site, *words: str, expect: int = 3) -> str:
    """Return what ``dr`` says to whoever looks on a control host."""
    on = ["lab", "run", "--dir", str(site.lab), "--on", site.host]
    done = site.dr(*on, "--", str(DR), *words, expect=expect)
    return done.stdout + done.stderr


_NOTE_TAKING = b"""
CREATE TABLE taken (at timestamptz, lapsed timestamptz);
CREATE FUNCTION note_taking() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.epoch > OLD.epoch THEN
    INSERT INTO taken VALUES (clock_timestamp(), OLD.expires_at);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER note_taking BEFORE UPDATE ON worker
  FOR EACH ROW EXECUTE FUNCTION note_taking();
"""
"""Has the database itself note when a lease was taken over, and when the one before had lapsed."""


@pytest.mark.parametrize(("first", "other"), [(600, -600), (-600, 600)])
def test_machines_whose_clocks_are_ten_minutes_wrong_take_over_when_the_lease_lapses(
    sites: Sites, postgres_server: PostgresServer, first: int, other: int
) -> None:
    control, second = sites
    control.clock_wrong_s, second.clock_wrong_s = first, other
    control.dr("run", "two", "--no-wait", expect=3)
    run, holder = control.run, control.view.holder
    assert wrong_s(control, first=True) == pytest.approx(first, abs=60)

    refused = second.json("takeover", run, "--because", "x", expect=7)["error"]["message"]
    assert 0 < float(refused.split(" lasts ")[1].split(" s more")[0]) <= SHORT_S, "not early"

    database = str(make_url(control.database).database)
    with contextlib.closing(postgres_server.connect(database)) as wire:
        wire.execute(_NOTE_TAKING)
        os.kill(pid_of(holder), signal.SIGSTOP)
        second.take_over("--wait")
        wait_for(lambda: len(second.events(Kind.RUN_LEASE)) > 1, 20, "the second engine's lease")
        ((at, lapsed),) = wire.execute(b"SELECT at, lapsed FROM taken").fetchall()
    assert isinstance(at, datetime)
    assert isinstance(lapsed, datetime)
    assert timedelta() <= at - lapsed < timedelta(minutes=1), "neither early nor late"
    assert wrong_s(second) == pytest.approx(other, abs=60)

    os.kill(pid_of(holder), signal.SIGCONT)
    wait_for(lambda: not lives(holder), 20, "the end of the engine that woke up")
    second.dr("answer", run, "ask", "done", "--by", "zhou.jie")
    assert str(second.wait_end().state) == "succeeded"
    events = second.events()
    assert (late_writes(events), second.effects()) == ([], ONCE)
    assert [e.at for e in events] == sorted(e.at for e in events)
    second.dr("journal", "verify", run)


def wrong_s(site: Site, *, first: bool = False) -> float:
    """Return by how much the clock was wrong that the log of a host's engine was written by."""
    log = site.workspace / ".dr/logs" / site.run / "engine.log"
    lines = [line for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    said = json.loads(lines[0 if first else -1])["at"]
    return datetime.fromisoformat(said).timestamp() - log.stat().st_mtime


def late_writes(events: list[Event]) -> list[Event]:
    """Return what an engine wrote after a newer one had taken the run."""
    newest, late = 0, []
    for event in events:
        late += [event] if event.epoch < newest else []
        newest = max(newest, event.epoch)
    return late
