"""``dr abort`` against real SSH servers: what it ends, what it leaves, and what it can not know."""

from __future__ import annotations

import os
import signal

import pytest

from dr.engine.core.events import Kind
from tests.deadline import wait_for
from tests.integration.trouble.place import Place, alive

pytestmark = pytest.mark.slow

LONG = (
    "  - {{ id: work, uses: ssh.run, hosts: {hosts}, effect: {effect}, with: {{ shell: "
    "'sleep 600 & echo $! >> {marks}; (sleep 600 & echo $! >> {marks}; wait) & "
    "echo $$ >> {marks}; wait' }} }}\n"
    "  - {{ id: after, uses: ssh.run, hosts: b, with: {{ argv: [touch, {marks}.after] }} }}\n"
)
WHY = ("--because", "the wrong service")


def begun(place: Place, effect: str, processes: int = 3, hosts: str = "a") -> list[str]:
    """Start a run with a long command on a host; return the command's processes."""
    marks = place.mark("pids")
    place.book("long", LONG.format(effect=effect, marks=marks, hosts=hosts))
    place.start("long")
    wait_for(lambda: len(place.read("pids")) >= processes, 30, "the command to begin")
    pids = place.read("pids")
    assert len(alive(pids)) == processes
    return pids


def test_the_whole_process_group_on_the_host_is_gone_and_the_run_ends(place: Place) -> None:
    pids = begun(place, "idempotent")
    place.dr("abort", *WHY)
    place.wait_end("aborted")
    assert alive(pids) == []
    assert [e.data["outcome"] for e in place.events(Kind.STOPPED)] == ["ended"]
    assert place.view.jobs_left() == []
    assert not place.mark("pids.after").exists()


def test_a_command_that_only_reads_is_ended_with_all_its_processes(place: Place) -> None:
    pids = begun(place, "read")
    place.dr("abort", *WHY)
    view = place.wait_end("aborted")
    assert alive(pids) == []
    assert [e.data["outcome"] for e in place.events(Kind.STOPPED)] == ["ended"]
    assert view.jobs_left() == []


def test_a_reading_command_that_nothing_leads_to_is_said_to_be_unknown(place: Place) -> None:
    pids = begun(place, "read")
    place.kill_engine()
    place.dr("abort", *WHY)
    place.wait_end("aborted")
    shown = place.dr("show", place.run, "--json").data["jobs_left"]
    assert [(job["step"], job["outcome"]) for job in shown] == [("work", "unknown")]
    assert "unknown whether its command still runs" in place.dr("show", place.run).out
    report = (place.folder / ".dr/reports" / place.run / "report.en.md").read_text("utf-8")
    assert "leaves nothing to find it by" in report
    for pid in alive(pids):
        os.kill(int(pid), signal.SIGKILL)


def test_a_dead_engine_is_no_reason_to_leave_a_command_running(place: Place) -> None:
    pids = begun(place, "idempotent")
    place.kill_engine()
    place.dr("abort", *WHY)
    place.wait_end("aborted")
    assert alive(pids) == []


def test_a_once_step_is_left_until_somebody_says_that_it_may_be_broken_off(place: Place) -> None:
    pids = begun(place, "once")
    said = place.dr("abort", *WHY)
    assert "left to come to its end: work @ a" in said.err
    place.until(lambda view: view.jobs_left(), "the abort to be heard")
    assert alive(pids) == pids
    shown = place.dr("show", place.run)
    assert "work @ a" in shown.out
    assert "left to come to its end" in shown.out
    assert place.dr("show", place.run, "--json").data["jobs_left"][0]["outcome"] == "left"

    refused = place.dr("abort", "--kill-jobs", *WHY, code=2)
    assert "confirmed with the run's id" in refused.err
    place.dr("abort", "--kill-jobs", "--confirm", place.run, *WHY)
    wait_for(lambda: not alive(pids), 20, "the command's end")
    place.until(lambda view: view.open_questions(), "the doubt about its effect")
    place.dr("resolve", place.run, "work", "--as", "failed", "--because", "broken off")
    assert place.wait_end("aborted").jobs_left() == []


def test_a_once_step_that_is_left_comes_to_its_own_end_and_the_run_with_it(place: Place) -> None:
    go = place.mark("go")
    wait = f"while [ ! -e {go} ]; do sleep 0.1; done"
    begin = f"touch {place.mark('began')}"
    step = f"  - {{ id: work, uses: ssh.run, hosts: a, with: {{ shell: '{begin}; {wait}' }} }}\n"
    place.book("finishes", step)
    place.start("finishes")
    wait_for(place.mark("began").exists, 30, "the command to begin")
    place.dr("abort", *WHY)
    place.until(lambda view: view.jobs_left(), "the abort to be heard")
    go.touch()
    view = place.wait_end("aborted")
    assert str(view.steps["work"].state) == "succeeded"
    assert view.jobs_left() == []


def test_a_host_that_is_gone_is_listed_as_unknown_until_somebody_looked(place: Place) -> None:
    pids = begun(place, "idempotent", 6, "both")
    place.hosts["a"].kill_everything()
    place.dr("abort", *WHY)
    wait_for(lambda: len(place.events(Kind.STOPPED)) == 2, 60, "what became of both")
    place.until(lambda view: view.open_questions() and view.state == "in_doubt", "a doubt", 60)
    ends = {str(e.host): e.data["outcome"] for e in place.events(Kind.STOPPED)}
    assert ends == {"a": "unknown", "b": "ended"}
    assert place.dr("status", place.run, code=3).out.count("unknown whether its command") == 1
    assert "work @ a" in place.dr("show", place.run).out
    assert len(alive(pids)) == 3

    place.dr("resolve", place.run, "work@a", "--as", "failed", "--because", "the host burnt")
    place.wait_end("aborted")
    report = (place.folder / ".dr/reports" / place.run / "report.en.md").read_text("utf-8")
    assert "Commands that may still be running" in report
    assert [j["host"] for j in place.dr("show", place.run, "--json").data["jobs_left"]] == ["a"]
    for pid in alive(pids):  # the host was only out of reach
        os.kill(int(pid), signal.SIGKILL)


def test_a_host_that_comes_back_has_its_command_ended_after_all(place: Place) -> None:
    pids = begun(place, "idempotent")
    place.hosts["a"].kill_everything()
    place.dr("abort", *WHY)
    wait_for(lambda: place.events(Kind.STOPPED), 60, "the host to be missed")
    assert alive(pids) == pids
    place.hosts["a"].start()
    place.wait_end("aborted", 60)
    assert alive(pids) == []
    assert [e.data["outcome"] for e in place.events(Kind.STOPPED)] == ["unknown", "ended"]


@pytest.mark.parametrize("point", ["before-stop", "after-stop"])
def test_an_engine_that_dies_while_it_ends_a_command_is_followed_by_one_that_does(
    place: Place, point: str
) -> None:
    marks = place.mark("pids")
    place.book("long", LONG.format(effect="idempotent", marks=marks, hosts="a"))
    place.start("long", DR_FAULT=f"{point}:1")
    wait_for(lambda: len(place.read("pids")) >= 3, 30, "the command to begin")
    place.dr("abort", *WHY)
    wait_for(lambda: not place.engine_lives(), 30, "the engine's death")
    place.dr("resume", place.run, "--detach")
    place.wait_end("aborted")
    assert alive(place.read("pids")) == []
    assert len(place.events(Kind.INTENT, "work")) == 1
