"""Commands on a real journal that was written by hand: no host, no engine."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from dr.engine.core.errors import ExitCode
from dr.engine.service.engines import boot_id, process_start
from tests.sample_run import ASKS, IN_DOUBT, REJECTED, RUN, SUCCEEDS, Row
from tests.unit.cli.conftest import Dr, Journalled

OTHER = "R-20261122-fghij"


def test_status_without_any_run_says_what_to_try(dr: Dr, workspace: Path) -> None:
    said = dr("status")
    assert (said.code, said.out) == (0, "no run yet; try: dr plan storage-failure\n")
    assert not (workspace / ".dr").exists()


@pytest.mark.parametrize(
    ("rows", "code", "word"),
    [
        (SUCCEEDS, ExitCode.DONE, "SUCCEEDED"),
        (ASKS, ExitCode.WAITING, "WAITS FOR PEOPLE"),
        (IN_DOUBT, ExitCode.WAITING, "IN DOUBT"),
        (REJECTED, ExitCode.REJECTED, "FAILED"),
    ],
)
def test_status_of_a_run_ends_as_the_run_stands(
    dr: Dr, journalled: Journalled, rows: list[Row], code: ExitCode, word: str
) -> None:
    journalled(rows)
    said = dr("status", "last")
    assert said.code == code
    assert word in said.out
    assert "\x1b" not in said.out
    data = json.loads(dr("status", RUN, "--json").out)
    assert (data["run"], data["runbook"]) == (RUN, "storage-failure")


def test_the_list_of_runs_names_what_to_type_next(dr: Dr, journalled: Journalled) -> None:
    journalled(SUCCEEDS)
    journalled(ASKS, OTHER)
    said = dr("status")
    assert said.code == ExitCode.WAITING
    assert said.out.splitlines()[0].startswith(OTHER)
    assert f"next: dr approve {OTHER} choose" in said.out


def test_check_tells_a_missed_rto_by_its_exit_code(dr: Dr, journalled: Journalled) -> None:
    (second, kind, step, host, data), *rest = ASKS
    late = {**data, "objectives": {"rto_s": 0.000001}}
    journalled([(second, kind, step, host, late), *rest])
    assert dr("status", "--check").code == ExitCode.DEADLINE_MISSED
    assert dr("status", RUN, "--check").code == ExitCode.DEADLINE_MISSED
    assert dr("status").code == ExitCode.WAITING


def test_an_unknown_run_is_a_usage_error(dr: Dr, journalled: Journalled) -> None:
    journalled(SUCCEEDS)
    said = dr("status", "R-nonsense")
    assert said.code == ExitCode.USAGE
    assert "no run" in said.err


def test_the_log_says_every_event_as_a_sentence_in_both_languages(
    dr: Dr, journalled: Journalled
) -> None:
    journalled(SUCCEEDS)
    english, chinese = dr("log", RUN), dr("log", RUN, "--lang", "zh")
    assert english.code == chinese.code == 0
    assert "chen.wei approves [promote-standby]" in english.out
    assert "chen.wei 批准 [promote-standby]" in chinese.out
    rows = [json.loads(row) for row in dr("log", RUN, "--json").out.splitlines()]
    assert [row["event"]["seq"] for row in rows] == list(range(1, len(SUCCEEDS) + 1))


def test_show_knows_a_step_with_its_attempts_and_answers(dr: Dr, journalled: Journalled) -> None:
    journalled(IN_DOUBT)
    said = dr("show", "promote")
    assert said.code == 0
    assert "the connection broke" in said.out
    assert "attempt 1" in said.out
    gate = json.loads(dr("show", RUN, "choose", "--json").out)
    assert gate["state"] == "succeeded"
    assert dr("show", RUN, "nonsense").code == ExitCode.USAGE


def test_attach_to_a_run_that_is_over_prints_it_and_ends_as_it_did(
    dr: Dr, journalled: Journalled
) -> None:
    journalled(REJECTED)
    said = dr("attach", RUN)
    assert said.code == ExitCode.REJECTED
    assert said.out.splitlines()[-1].endswith("run: FAILED: rejected")
    assert f"run {RUN}: FAILED" in said.err


def test_attach_without_waiting_leaves_when_people_are_awaited(
    dr: Dr, journalled: Journalled
) -> None:
    journalled(ASKS)
    said = dr("attach", "--no-wait")
    assert said.code == ExitCode.WAITING
    assert f"next: dr approve {RUN} choose" in said.err


def test_attach_as_json_is_one_object_a_line_and_ends_with_the_state(
    dr: Dr, journalled: Journalled
) -> None:
    journalled(SUCCEEDS)
    rows = [json.loads(row) for row in dr("attach", RUN, "--json").out.splitlines()]
    assert rows[-1] == {"v": 1, "run": RUN, "state": "succeeded"}
    assert len(rows) == len(SUCCEEDS) + 1


def test_a_run_need_not_be_named_when_only_one_is_open(dr: Dr, journalled: Journalled) -> None:
    journalled(SUCCEEDS)
    journalled(ASKS, OTHER)
    assert dr("pause", "--by", "ana").err == f"run {OTHER} is to pause\n"
    journalled(IN_DOUBT, "R-20261122-third")
    said = dr("pause")
    assert said.code == ExitCode.USAGE
    assert OTHER in said.err


def test_no_open_run_is_said_with_what_to_type(dr: Dr, journalled: Journalled) -> None:
    journalled(SUCCEEDS)
    said = dr("continue")
    assert said.code == ExitCode.USAGE
    assert "error: no run is under way" in said.err


@pytest.mark.parametrize(
    "words",
    [("abort",), ("skip", "fence"), ("approve", "--by", "chen.wei"), ("reject", "--by", "x")],
)
def test_off_a_terminal_a_missing_reason_is_named_and_nobody_is_asked(
    dr: Dr, journalled: Journalled, words: tuple[str, ...]
) -> None:
    journalled(ASKS)
    said = dr(*words)
    assert said.code == ExitCode.USAGE
    assert "error: a reason is required" in said.err


def test_approve_shows_the_gate_before_it_asks_for_anything(dr: Dr, journalled: Journalled) -> None:
    journalled(ASKS)
    said = dr("approve", "choose", "--by", "chen.wei")
    assert "DATA LOSS: 2.5s" in said.err
    assert said.out == ""


def test_a_way_that_is_not_available_can_not_be_chosen(dr: Dr, journalled: Journalled) -> None:
    journalled(ASKS)
    said = dr("approve", "--by", "chen.wei", "--reason", "x", "--choice", "restore-tape")
    assert said.code == ExitCode.USAGE
    assert "Choose one of: promote-standby, restore-cold-backup." in said.err


def test_a_gate_that_is_answered_already_says_so(dr: Dr, journalled: Journalled) -> None:
    journalled(IN_DOUBT)
    said = dr("approve", "choose", "--by", "chen.wei", "--reason", "x")
    assert said.code == ExitCode.USAGE
    assert "'choose#1' of run" in said.err


def test_voice_needs_two_other_witnesses(dr: Dr, journalled: Journalled) -> None:
    journalled(ASKS)
    said = dr(
        "approve", "--by", "chen.wei", "--reason", "x", "--voice", "1", "--witness", "chen.wei"
    )
    assert said.code == ExitCode.USAGE
    assert "two witnesses" in said.err


def test_resolve_without_a_verdict_shows_the_card(dr: Dr, journalled: Journalled) -> None:
    journalled(IN_DOUBT)
    said = dr("resolve")
    assert said.code == 0
    assert "pg_ctl promote" in said.out
    assert "waiting for server" in said.out


def test_a_wrong_verdict_names_the_right_ones(dr: Dr, journalled: Journalled) -> None:
    journalled(IN_DOUBT)
    assert dr("resolve", "promote", "--as", "maybe").code == ExitCode.USAGE


def test_the_chain_of_an_untouched_journal_holds(dr: Dr, journalled: Journalled) -> None:
    journalled(SUCCEEDS)
    said = dr("journal", "verify", RUN)
    assert said.code == 0
    assert said.out.startswith(f"{RUN}: intact, {len(SUCCEEDS)} rows")
    data = json.loads(dr("journal", "verify", "--all", "--json").out)
    assert [run["ok"] for run in data["runs"]] == [True]


def test_a_plan_file_that_is_none_is_refused(dr: Dr, workspace: Path) -> None:
    (workspace / "plan.json").write_text("[]")
    said = dr("run", "--plan", "plan.json")
    assert said.code == ExitCode.USAGE
    assert "plan.json is not a plan" in said.err


def test_an_input_without_a_value_is_refused(dr: Dr, workspace: Path) -> None:
    said = dr("plan", "storage-failure", "--input", "service")
    assert said.code == ExitCode.USAGE
    assert "KEY=VALUE" in said.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_names_the_program(dr: Dr, shell: str) -> None:
    said = dr("completion", shell)
    assert said.code == 0
    assert "_DR_COMPLETE" in said.out
    assert "dr" in said.out


def test_the_schema_of_runbooks_is_json_and_needs_no_workspace(
    dr: Dr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = dr("schema")
    assert said.code == 0
    assert json.loads(said.out)["type"] == "object"
    assert dr("schema", "nonsense").code == ExitCode.USAGE


def test_lint_needs_no_workspace_and_shows_every_problem(
    dr: Dr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text("format: 1\nname: bad\nnonsense: 1\nsteps: 3\n")
    said = dr("lint", "bad.yaml")
    assert said.code == ExitCode.USAGE
    assert "bad.yaml:3:1" in said.out
    assert "bad.yaml:4:8" in said.out
    problems = json.loads(dr("lint", "bad.yaml", "--json").out)["problems"]
    assert len(problems) >= 2


def test_lab_commands_say_when_no_lab_is_up(dr: Dr, tmp_path: Path) -> None:
    said = dr("lab", "status", "--dir", str(tmp_path / "none"))
    assert said.code == 1
    assert "no lab is up" in said.out
    assert dr("lab", "shell", "--dir", str(tmp_path / "none"), "db-a").code == ExitCode.FAILED
    assert dr("lab", "faults").out.startswith("storage-killed")


def test_a_run_outside_of_a_lab_must_be_confirmed_by_name(dr: Dr, workspace: Path) -> None:
    said = dr("run", "storage-failure", "--env", "prod", "--yes")
    assert said.code == ExitCode.USAGE
    assert "'storage-failure' in PRODUCTION (prod) must be confirmed" in said.err
    assert "hint: Add --confirm storage-failure." in said.err
    assert json.loads(dr("status", "--json").out)["runs"] == []


def test_another_name_than_that_of_the_runbook_confirms_nothing(dr: Dr, workspace: Path) -> None:
    said = dr("run", "storage-failure", "--env", "prod", "--confirm", "storage")
    assert said.code == ExitCode.USAGE
    assert "'storage' is not the name of the runbook; nothing was started" in said.err


def test_a_second_run_of_the_same_runbook_is_refused_while_an_engine_has_the_first(
    dr: Dr, journalled: Journalled
) -> None:
    (first, *rest) = ASKS
    here = f"{socket.gethostname()} pid {os.getpid()} start {process_start(os.getpid())}"
    held = f"{here} boot {boot_id()}"
    journalled([first, *rest], holder=held)
    said = dr("run", "storage-failure")
    assert said.code == ExitCode.HELD
    assert f"Type 'dr attach {RUN}' to follow it." in said.err


def test_doctor_names_what_is_wrong_and_still_looks_at_the_rest(dr: Dr, workspace: Path) -> None:
    said = dr("doctor", "--json")
    assert said.code == ExitCode.FAILED
    findings = {f["name"]: f for f in json.loads(said.out)["findings"]}
    assert findings["inventory"]["ok"] is False
    assert findings["inventory"]["hint"]
    assert findings["journal"]["ok"] is True
    assert findings["disk"]["ok"] in {True, False}
    assert "WRONG" in dr("doctor").out


def test_attach_says_that_the_engine_is_gone_and_how_to_go_on(
    dr: Dr, journalled: Journalled
) -> None:
    journalled(ASKS, holder=f"{socket.gethostname()} pid 1 start 1 boot an-earlier-one")
    said = dr("attach")
    assert said.code == ExitCode.FAILED
    assert f"error: the engine of run {RUN} is gone; the run is not over" in said.err
    assert f"hint: Type 'dr resume {RUN}' to go on with it." in said.err


def test_status_says_that_the_engine_is_gone_and_how_to_go_on(
    dr: Dr, journalled: Journalled
) -> None:
    journalled(ASKS, holder=f"{socket.gethostname()} pid 1 start 1 boot an-earlier-one")
    gone = f"the engine of run {RUN} is gone; the run is not over"
    for words in (["status"], ["status", RUN]):
        said = dr(*words)
        assert gone in said.out
        assert f"next: dr resume {RUN}" in said.out
        assert "dr approve" not in said.out
    data = json.loads(dr("status", RUN, "--json").out)
    assert (data["engine_gone"], data["next"]) == (True, f"dr resume {RUN}")


def test_status_of_a_run_whose_engine_is_elsewhere_does_not_call_it_gone(
    dr: Dr, journalled: Journalled
) -> None:
    journalled(ASKS)
    said = dr("status", RUN)
    assert "is gone" not in said.out
    assert "dr resume" not in said.out
