"""Errors leave by one door: the exit code, the words, the object for scripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dr.cli import app
from dr.engine.core.errors import (
    DrError,
    ExitCode,
    FencedError,
    HeldError,
    NotAllowedError,
    PlanChangedError,
    Problem,
    RunbookError,
    UserError,
)
from tests.unit.cli.conftest import Dr

ERRORS = [
    (DrError("it broke", hint="Do this."), ExitCode.FAILED, "failed"),
    (UserError("no such thing"), ExitCode.USAGE, "usage"),
    (
        RunbookError("one problem", [Problem("wrong", where="a.yaml:1:2")]),
        ExitCode.USAGE,
        "runbook",
    ),
    (NotAllowedError("not you"), ExitCode.NOT_ALLOWED, "not_allowed"),
    (PlanChangedError("changed"), ExitCode.PLAN_CHANGED, "plan_changed"),
    (HeldError("held"), ExitCode.HELD, "held"),
    (FencedError("fenced"), ExitCode.HELD, "fenced"),
]


def _raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def carry_out(_args: list[str], _session: object) -> int:
        raise error

    monkeypatch.setattr(app, "_carry_out", carry_out)


@pytest.mark.parametrize(("error", "code", "word"), ERRORS, ids=str)
def test_each_error_has_its_exit_code_and_word(
    dr: Dr, monkeypatch: pytest.MonkeyPatch, error: DrError, code: ExitCode, word: str
) -> None:
    _raising(monkeypatch, error)
    text, data = dr("status"), dr("status", "--json")
    assert (text.code, data.code) == (code, code)
    assert text.out == ""
    assert f"error: {error.message}" in text.err.splitlines()
    said = json.loads(data.out)["error"]
    assert (said["code"], said["message"], said["hint"]) == (word, error.message, error.hint)
    assert data.err == ""


def test_problems_are_shown_with_their_place_before_the_error(
    dr: Dr, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = Problem(
        "no step 'fenc'", where="a.yaml:3:4", excerpt="  3 | x\n    ^", hint="Say so."
    )
    _raising(monkeypatch, RunbookError("a.yaml has 1 problem", [problem]))
    assert dr("lint").err.splitlines() == [
        "a.yaml:3:4: no step 'fenc'",
        "    3 | x",
        "      ^",
        "  hint: Say so.",
        "error: a.yaml has 1 problem",
    ]


def test_an_unforeseen_error_is_one_line_and_the_traceback_is_in_a_private_file(
    dr: Dr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _raising(monkeypatch, KeyError("surprise"))
    said = dr("status")
    assert said.code == ExitCode.FAILED
    assert "Traceback" not in said.out + said.err
    assert said.err.splitlines()[0] == "error: unexpected error: KeyError: 'surprise'"
    (log,) = tmp_path.glob("dr-error-*.log")
    assert str(log) in said.err
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_file_that_can_not_be_read_is_named(dr: Dr, monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, PermissionError(13, "Permission denied", "/x/y"))
    said = dr("status")
    assert (said.code, said.err) == (
        ExitCode.FAILED,
        "error: /x/y: permission denied\nhint: Look at its owner and rights with 'ls -ld'.\n",
    )


def test_control_c_leaves_with_130(dr: Dr, monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, KeyboardInterrupt())
    assert dr("status").code == ExitCode.VIEW_LEFT


def test_a_wrong_option_is_a_usage_error_in_json_too(dr: Dr) -> None:
    said = dr("status", "--json", "--nonsense")
    assert said.code == ExitCode.USAGE
    error = json.loads(said.out)["error"]
    assert (error["code"], error["hint"]) == ("usage", "Type 'dr status --help'.")
    assert "--nonsense" in error["message"]


def test_a_reader_that_goes_away_is_no_failure() -> None:
    command = f"{sys.executable} -m dr.cli --help; echo code=$? >&2"
    done = subprocess.run(
        ["bash", "-c", f"( {command} ) | true"], capture_output=True, text=True, check=False
    )
    assert "code=0" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


def test_a_terminal_that_is_not_utf8_gets_question_marks_instead_of_a_crash() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dr.cli", "--lang", "zh", "--help"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"???")


def test_without_a_workspace_the_hint_says_how_to_make_one(
    dr: Dr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = dr("status")
    assert said.code == ExitCode.USAGE
    assert "dr init DIR" in said.err
