"""What is typed at the command line to hurt, and surroundings that lack what others have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from dr.cli.asking import LONGEST_REASON
from dr.engine.service.desk import open_desk
from tests.sample_run import ASKS
from tests.unit.cli.conftest import Dr, Journalled

DR = Path(sys.executable).with_name("dr")

RUNS = ["../../x", "/etc/passwd", "..", ".", "-", "a b;touch x", "$(touch x)", "x\x1b[2J",
        "x\u202ey", "恢复", "R-" + "x" * 5000, "%s%n", "last/../x", "'", '"',
        "\n", " "]  # fmt: skip
VERBS = ["show", "log", "attach", "resume", "abort", "status", "pause", "continue", "skip", "retry"]


@pytest.mark.parametrize("run", RUNS)
def test_a_run_that_can_not_be_is_a_usage_error_that_steers_nothing(
    dr: Dr, journalled: Journalled, workspace: Path, run: str
) -> None:
    journalled(ASKS)
    for verb in VERBS:
        said = dr(verb, run, *(("step",) if verb in {"skip", "retry"} else ()), "--json")
        assert said.code == 2, (verb, said)
        assert json.loads(said.out)["error"]["hint"], verb
        assert not {"\x1b", "\u202e"} & set(said.out)
    assert not list(workspace.rglob("x"))


def test_bytes_that_are_no_text_are_refused_before_anything_is_opened(
    dr: Dr, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = dr("status", os.fsdecode(b"R-\xff\xfe"))
    assert said.code == 2
    assert "R-\\udcff\\udcfe" in said.err
    monkeypatch.setenv("DR_PERSON", os.fsdecode(b"ana\xff"))
    assert dr("status").code == 2
    assert not (workspace / ".dr").exists()


def test_a_reason_that_is_a_book_is_refused_and_one_with_control_characters_is_kept(
    dr: Dr, journalled: Journalled, workspace: Path
) -> None:
    run = journalled(ASKS)
    said = dr("abort", run, "--confirm", run, "--because", "a" * 1_000_000)
    assert said.code == 2
    assert str(LONGEST_REASON) in said.err
    assert len(said.err) < 1000

    odd = "line\x1b[2J\u202e\nanother 恢复 \U0001f600"
    assert dr("abort", run, "--confirm", run, "--because", odd).code == 0
    desk = open_desk(workspace, None)
    kept = [e.data for e in desk.journal.events(run)][-1]
    desk.close()
    assert kept["because"] == odd
    page = dr("log", run).out
    assert not {"\x1b", "\u202e"} & set(page)
    assert "^[[2J" in page


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://u:sesame@[::1", "postgresql+psycopg://u:sesame@h:port/x",
     "mysql://u:sesame@h/x", "nonsense", "sqlite://", "://", "sqlite:///:memory:"],
)  # fmt: skip
def test_a_database_that_can_not_be_is_refused_without_its_password(
    dr: Dr, workspace: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DR_DATABASE_URL", url)
    said = dr("status")
    assert said.code == 1
    assert "unexpected" not in said.err
    assert "hint: " in said.err
    assert "sesame" not in said.err


def call(words: Sequence[str], environ: Mapping[str, str], shell: str = "") -> tuple[int, str]:
    """Return the exit code and all that the real ``dr`` said."""
    argv = ["/bin/sh", "-c", f'exec "$@" {shell}', "sh", str(DR), *words]
    done = subprocess.run(
        argv, env=dict(environ), capture_output=True, timeout=60, check=False, stdin=None
    )
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "backslashreplace")


SURROUNDINGS: dict[str, dict[str, str]] = {
    "nothing at all": {},
    "C": {"LANG": "C", "LC_ALL": "C"},
    "a locale that is not installed": {"LC_ALL": "xx_YY.UTF-8"},
    "no home": {"HOME": "/nonexistent/home"},
    "a dumb terminal": {"TERM": "dumb"},
    "a terminal that nobody knows": {"TERM": "\x1b[2J"},
    "a width that is no number": {"COLUMNS": "x", "LINES": "-1"},
    "a language that is a trick": {"DR_LANG": "../../etc\x1b"},
    "a zone that is a trick": {"TZ": "../../../etc/passwd"},
}


@pytest.mark.parametrize("where", SURROUNDINGS)
def test_poor_surroundings_change_no_exit_code(workspace: Path, where: str) -> None:
    environ = {"DR_WORKSPACE": str(workspace), **SURROUNDINGS[where]}
    code, said = call(["status", "--json"], environ)
    assert (code, "Traceback" in said) == (0, False), said


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_exit_code(workspace: Path, closed: str) -> None:
    code, said = call(["status"], {"DR_WORKSPACE": str(workspace)}, closed)
    assert (code, "Traceback" in said) == (0, False), said


def test_somebody_without_a_name_is_asked_for_one(
    dr: Dr, journalled: Journalled, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = journalled(ASKS)

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)
    said = dr("pause", run)
    assert said.code == 2
    assert "DR_PERSON" in said.err
