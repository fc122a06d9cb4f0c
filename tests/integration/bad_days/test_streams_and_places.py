"""Terminals that are not UTF-8, streams that are closed or full, folders that are no workspace."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.deadline import wait_for
from tests.integration.bad_days.workplace import DR, TASK, Workplace, surroundings, well_formed

FORMS = {"C": {"LC_ALL": "C"}, "GBK": {"LC_ALL": "zh_CN.GBK", "PYTHONIOENCODING": "gbk"}}


def _shell(here: Workplace, line: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", line],
        env={**here.environ, "dr": str(DR)},
        cwd=here.folder,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_terminal_that_is_not_utf8_is_told_everything_in_its_own_letters(
    here: Workplace, form: str
) -> None:
    here.runbook("talk", TASK)
    environ = {**here.environ, **FORMS[form], "DR_LANG": "zh" if form == "GBK" else "en"}
    for words in (["plan", "talk"], ["frob"], ["show", "runbooks"], ["--help"]):
        done = subprocess.run(
            [DR, *words], env=environ, cwd=here.folder, capture_output=True, check=False
        )
        said = (done.stdout + done.stderr).decode("gbk" if form == "GBK" else "utf-8")
        assert "Traceback" not in said
        assert done.returncode == (2 if words == ["frob"] else 0)
        if words == ["frob"] and form == "GBK":
            assert "没有命令" in said


def test_closed_and_full_streams_end_quietly_with_the_code_of_the_command(here: Workplace) -> None:
    here.runbook("talk", TASK)
    begun = _shell(here, "$dr run talk --no-wait <&- >&- 2>&-")
    assert begun.returncode == 3
    for line, code in {
        "$dr status >&-": 3,
        "$dr status <&-": 3,
        "$dr frob 2>&-": 2,
        "$dr frob 2>/dev/full": 2,
        "$dr frob --json >/dev/full": 2,
        "$dr status --json >/dev/full": 1,
        "$dr log last | head -1 >/dev/null; exit ${PIPESTATUS[0]}": 0,
        "$dr show last --json | true; exit ${PIPESTATUS[0]}": 0,
    }.items():
        done = _shell(here, line)
        assert (line, done.returncode) == (line, code), done.stderr
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr
    full = _shell(here, "$dr status >/dev/full")
    assert well_formed(full.stderr.decode())[0] == "no space left on device"
    assert "intact" in here.dr("journal", "verify", "last").out


def test_no_color_and_a_dumb_terminal_get_no_escape_sequence(here: Workplace) -> None:
    here.runbook("talk", TASK)

    def on_a_terminal(**environ: str) -> bytes:
        master, slave = pty.openpty()
        with subprocess.Popen(
            [DR, "plan", "talk"],
            env={**here.environ, "TERM": "xterm-256color", **environ},
            cwd=here.folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        ) as process:
            os.close(slave)
            out = b""
            try:
                while piece := os.read(master, 65536):
                    out += piece
            except OSError:  # the terminal's other end is closed: it is over
                pass
            os.close(master)
            assert process.wait(30) == 0
        return out

    assert b"\x1b[" in on_a_terminal()
    assert b"\x1b" not in on_a_terminal(NO_COLOR="1")
    assert b"\x1b" not in on_a_terminal(TERM="dumb")


def test_control_c_leaves_the_view_and_the_run_goes_on(here: Workplace) -> None:
    here.runbook("talk", TASK)
    with subprocess.Popen(
        [DR, "run", "talk"],
        env=here.environ,
        cwd=here.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as view:
        assert view.stdout is not None
        while "asks support" not in view.stdout.readline():
            assert view.poll() is None
        os.killpg(view.pid, signal.SIGINT)
        _out, err = view.communicate(timeout=30)
    assert view.returncode == 130
    assert "the run goes on: dr attach R-" in err
    run = here.dr("status", "--json").data["runs"][0]["id"]
    assert here.engine(run)
    assert here.dr("answer", run, "done").code == 0
    here.ends(run, "succeeded")


@pytest.fixture
def nowhere(tmp_path: Path) -> Workplace:
    """Return a folder that is no workspace."""
    return Workplace(tmp_path, surroundings())


@pytest.mark.parametrize(
    "words",
    [["status"], ["run", "storage-failure"], ["plan", "storage-failure"], ["show", "last"],
     ["journal", "verify", "--all"], ["inventory", "check"], ["approve", "--by", "x"]],
    ids=lambda words: words[0],
)  # fmt: skip
def test_outside_of_a_workspace_every_command_says_how_to_get_one(
    nowhere: Workplace, words: list[str]
) -> None:
    said = nowhere.dr(*words, "--json")
    assert (said.code, said.error["code"]) == (2, "no_workspace")
    assert "dr init DIR" in said.error["hint"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("format: 1\nbureau: [", "dr.yaml"),
        ("", "dr.yaml"),
        ("format: 2\n", "dr.yaml"),
        ("\x00", "dr.yaml"),
        ("format: 1\nbureau: {en: x, zh: x}\ndefault_environment: nope\n"
         "environments: {lab: {kind: lab, inventory: inventory/production}}\n", "nope"),
        ("format: 1\nbureau: {en: x, zh: x}\ndefault_environment: lab\n"
         "environments: {lab: {kind: lab, inventory: missing}}\n", "missing"),
    ],
)  # fmt: skip
def test_a_broken_workspace_file_is_said_with_its_place_and_starts_nothing(
    here: Workplace, broken: str, said: str
) -> None:
    here.runbook("talk", TASK)
    (here.folder / "dr.yaml").write_text(broken)
    told = here.dr("run", "talk")
    assert told.code == 2
    assert said in told.err
    assert "error: " in told.err
    assert not (here.folder / ".dr").exists()
    as_json = here.dr("run", "talk", "--json")
    assert (as_json.code, bool(as_json.error["message"])) == (2, True)


def test_a_workspace_whose_lab_is_down_says_so_and_sends_nothing(here: Workplace) -> None:
    settings = here.folder / "dr.yaml"
    settings.write_text(settings.read_text() + f'lab: {{ directory: "{here.folder}/gone" }}\n')
    here.runbook("talk", TASK)
    said = here.dr("run", "talk", "--json")
    assert (said.code, said.error["code"]) == (1, "lab_down")
    assert "dr lab up" in said.error["hint"]
    assert here.dr("status").code == 0  # looking needs no lab


def test_two_runs_on_one_service_are_refused_and_so_is_the_same_one_again(
    here: Workplace,
) -> None:
    lock = (
        "inputs: [{ id: service, type: service, default: registry }]\n"
        'locks: ["service:${{ inputs.service }}"]\n'
    )
    steps = TASK.replace("id: ask,", "id: ask, needs: [],")
    first = here.runbook("first", steps, lock.replace("type: service", "type: string"))
    second = here.runbook("second", steps, lock.replace("type: service", "type: string"))
    run = here.begun(first)
    assert here.refused("run", first, code=7) == f"run {run} of 'first' is not over"
    assert run in here.refused("run", second, code=7)
    assert len(here.dr("status", "--json").data["runs"]) == 1
    assert here.dr("abort", run, "--because", "a test").code == 0
    here.ends(run, "aborted")
    assert here.state(here.begun(second)) == "waiting"


def test_a_run_whose_gate_nobody_answers_fails_in_time_and_nothing_behind_it_acts(
    here: Workplace,
) -> None:
    gate = (
        "  - { id: choose, uses: gate.approve, with: { ask: { en: x, zh: x }, "
        "approvers: { group: leadership }, decide_within: 1s, on_timeout: { then: fail } } }\n"
    )
    run = here.begun(here.runbook("clock", gate + TASK), code=3)
    here.ends(run, "failed")
    steps = {one["id"]: one["state"] for one in here.dr("status", run, "--json").data["steps"]}
    assert steps == {"choose": "failed", "ask": "cancelled"}
    late = here.refused("approve", run, "choose", "--by", "first.leader", "--reason", "x", code=2)
    assert "already answered" in late


def test_a_killed_engine_is_resumed_and_the_waiting_view_says_that_it_is_gone(
    here: Workplace,
) -> None:
    run = here.begun(here.runbook("talk", TASK))
    pid = here.engine(run)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or _zombie(pid), 5, "the engine's end")
    began = time.monotonic()
    gone = here.dr("attach", run, "--json")
    error = json.loads(gone.out[gone.out.rindex("\n{") :])["error"]
    assert (gone.code, error["code"]) == (1, "engine_gone")
    assert time.monotonic() - began < 20
    assert here.dr("resume", run, "--no-wait").code == 3
    assert here.dr("answer", run, "done").code == 0
    here.ends(run, "succeeded")


def _zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
