"""Full disks, foreign locks, read-only folders, edited rows: nothing acts, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dr.engine.service.desk import open_desk
from tests.deadline import wait_for
from tests.integration.bad_days.workplace import TASK, Workplace

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


POWERLESS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Begins a program of root's for which rights of files count."""


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


@pytest.fixture
def small_disk(here: Workplace) -> Iterator[Path]:
    """Put the state folder on a disk of its own, of 1 MB."""
    state = here.folder / ".dr"
    state.mkdir()
    _mount("-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(state))
    yield state
    here.stop_engines()
    subprocess.run(["umount", "--lazy", state], check=True)


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while stream.write(b"\0" * 4096):
            pass
    return filler


def _events(here: Workplace, run: str) -> int:
    desk = open_desk(here.folder, None)
    with contextlib.closing(desk.journal):
        assert desk.verify(run).ok
        return len(desk.journal.events(run))


@needs_root
def test_on_a_full_disk_an_answer_is_refused_and_counts_once_there_is_space(
    here: Workplace, small_disk: Path
) -> None:
    run = here.begun(here.runbook("talk", TASK))
    filler = _fill(small_disk)
    before = _events(here, run)
    said = here.refused("answer", run, "done", code=1)
    assert said == f"no space is left for the journal {small_disk / 'journal.sqlite3'}"
    assert here.dr("status").code == 3  # looking still works
    refused = here.refused("run", here.runbook("other", TASK), code=1)
    assert "no space is left" in refused
    assert _events(here, run) == before
    filler.unlink()
    assert here.dr("answer", run, "done").code == 0
    here.ends(run, "succeeded")


@needs_root
@pytest.mark.lab
def test_a_disk_that_fills_during_a_step_stops_the_engine_before_it_acts_again(
    lab: Workplace,
) -> None:
    state = lab.folder / ".dr"
    state.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(state))
    try:
        noisy = "head -c 3000000 /dev/zero | tr '\\0' x; echo ran >> /root/noisy-%s"
        act = "  - {{ id: {0}, uses: ssh.run, hosts: db-b, effect: once, with: {1} }}"
        steps = [act.format(x, json.dumps({"shell": noisy % x})) for x in ("one", "two")]
        name = lab.runbook("noisy", "\n".join(steps))
        stopped = lab.dr("run", name, "--json")
        assert stopped.code == 1
        error = json.loads(stopped.out[stopped.out.rindex("\n{") :])["error"]
        assert error["code"] == "engine_gone"
        run = error["hint"].split("'")[1].split()[-1]
        log = (state / "logs" / run / "engine.log").read_text()
        assert "no space is left for the journal" in log
        ran = lab.folder.parent / "hosts/db-b/upper/root"
        assert not (ran / "noisy-two").exists()
        _mount("-o", "remount,size=40m", str(state))
        assert lab.dr("resume", run).code == 0
        lab.ends(run, "succeeded")
        assert [(ran / f"noisy-{x}").read_text() for x in ("one", "two")] == ["ran\n", "ran\n"]
    finally:
        lab.stop_engines()
        subprocess.run(["umount", "--lazy", state], check=True)


def test_a_journal_that_another_process_locks_is_said_and_the_answer_counts_later(
    here: Workplace,
) -> None:
    run = here.begun(here.runbook("talk", TASK))
    path = here.folder / ".dr/journal.sqlite3"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as wire:
        wire.execute("BEGIN IMMEDIATE")
        said = here.dr("answer", run, "done", "--json")
        assert (said.code, said.error["code"]) == (1, "journal_busy")
        assert said.error["message"] == f"the journal {path} is locked by another process"
        assert here.dr("status", run).code == 3  # looking still works
        wire.execute("ROLLBACK")
    assert here.dr("answer", run, "done").code == 0
    here.ends(run, "succeeded")


@needs_root
def test_on_a_read_only_disk_one_can_look_and_nothing_begins(here: Workplace) -> None:
    run = here.begun(here.runbook("talk", TASK))
    assert here.dr("answer", run, "done").code == 0
    here.ends(run, "succeeded")
    state = str(here.folder / ".dr")
    _mount("--bind", state, state)
    try:
        # the engine may still be at its last report: then the mount is busy
        remount = ["mount", "-o", "remount,bind,ro", state]
        wait_for(lambda: subprocess.run(remount, check=False).returncode == 0, 20, "the remount")
        assert here.dr("status", run).code == 0
        assert "journal" in here.refused("run", "talk", code=1)
    finally:
        subprocess.run(["umount", state], check=True)
    assert _events(here, run) > 0
    assert here.state(here.begun("talk")) == "waiting"


@needs_root
def test_a_state_folder_of_somebody_else_is_said_with_what_to_look_at(
    here: Workplace,
) -> None:
    name = here.runbook("talk", TASK)
    here.folder.chmod(0o500)
    said = here.refused("run", name, code=1, prefix=POWERLESS)
    assert said == f"the state folder {here.folder / '.dr'} cannot be made: permission denied"
    here.folder.chmod(0o700)
    assert here.state(here.begun(name)) == "waiting"


def test_a_state_folder_that_is_a_file_is_said(here: Workplace) -> None:
    (here.folder / ".dr").write_text("in the way")
    said = here.refused("run", here.runbook("talk", TASK), code=1)
    assert said == f"the state folder {here.folder / '.dr'} cannot be made: file exists"
    assert (here.folder / ".dr").read_text() == "in the way"


def test_a_row_edited_by_hand_is_named_and_other_runs_stay_whole(here: Workplace) -> None:
    name = here.runbook("talk", TASK)
    first = here.begun(name)
    assert here.dr("answer", first, "done").code == 0
    here.ends(first, "succeeded")
    second = here.begun(name)
    assert here.dr("answer", second, "done").code == 0
    here.ends(second, "succeeded")
    path = here.folder / ".dr/journal.sqlite3"
    forged = "UPDATE event SET data = replace(data, 'first', 'somebody') WHERE run = ?"
    with contextlib.closing(sqlite3.connect(path)) as wire, wire:
        with pytest.raises(sqlite3.IntegrityError, match="events are only ever added"):
            wire.execute(forged, (first,))
        guards = wire.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (guard,) in guards:
            wire.execute(f"DROP TRIGGER {guard}")
        assert wire.execute(forged + " AND seq = 1", (first,)).rowcount == 1
    said = here.dr("journal", "verify", first)
    assert said.code == 1
    assert said.out.startswith(f"{first}: NOT INTACT at row 1, after 0 rows ")
    chinese = here.dr("--lang", "zh", "journal", "verify", first)
    assert chinese.code == 1
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese.out)
    both = here.dr("journal", "verify", "--all", "--json")
    assert both.code == 1
    assert {one["run"]: one["ok"] for one in both.data["runs"]} == {first: False, second: True}
    assert here.dr("status", second).code == 0


@pytest.mark.parametrize(
    "words", [["status"], ["show", "last"], ["run", "talk"], ["answer", "done"]]
)
def test_a_journal_that_is_no_database_is_said_and_left_as_it_is(
    here: Workplace, words: list[str]
) -> None:
    here.runbook("talk", TASK)
    path = here.folder / ".dr/journal.sqlite3"
    path.parent.mkdir()
    path.write_bytes(b"\xa5" * 20_000)
    assert "damaged" in here.refused(*words, code=1)
    assert path.read_bytes() == b"\xa5" * 20_000


def test_an_engine_that_is_told_to_stop_is_resumed_where_it_was(here: Workplace) -> None:
    run = here.begun(here.runbook("talk", TASK))
    here.stop_engines()
    assert here.dr("answer", run, "done").code == 0  # nobody needs an engine to answer
    assert here.dr("resume", run).code == 0
    here.ends(run, "succeeded")


@pytest.mark.parametrize("words", [("takeover",), ("takeover", "last", "--wait")])
def test_a_run_in_a_file_is_not_taken_over_and_what_to_do_instead_is_said(
    here: Workplace, words: tuple[str, ...]
) -> None:
    said = here.refused(*words, "--because", "the other machine is dark", code=2)
    assert said == "no run can be taken over with this journal: it is a file on one machine"


def test_a_lease_that_is_no_number_of_seconds_is_refused(here: Workplace) -> None:
    shared = {"DR_DATABASE_URL": "postgresql+psycopg://ana@/none?host=/nonexistent"}
    said = here.refused("status", code=2, environ={**shared, "DR_LEASE_S": "soon"})
    assert said == "'soon' in DR_LEASE_S is not a number of seconds from 3 to 600"
