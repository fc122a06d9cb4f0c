"""What ``dr`` must not load to answer quickly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dr.cli.app import VERBS, root_command
from dr.cli.sayings import sayings
from dr.cli.text import use
from tests.sample_run import RUN, SUCCEEDS
from tests.unit.cli.conftest import Dr, Journalled

HEAVY = {
    "sqlalchemy",
    "alembic",
    "pydantic",
    "paramiko",
    "rich",
    "ansible_runner",
    "psycopg",
    "starlette",
    "jinja2",
}

PROBE = """
import json, sys
from dr.cli.app import main
code = main(sys.argv[2:])
open(sys.argv[1], "w").write(json.dumps([int(code), sorted(sys.modules)]))
"""


def _loaded(tmp_path: Path, *words: str, **environ: str) -> tuple[int, set[str]]:
    report = tmp_path / "modules.json"
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(report), *words],
        env={**os.environ, "TERM": "xterm-256color", **environ},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stderr
    code, names = json.loads(report.read_text())
    return code, {name.split(".")[0] for name in names} | set(names)


def test_help_loads_neither_the_engine_nor_a_heavy_library(tmp_path: Path) -> None:
    code, modules = _loaded(tmp_path, "--help")
    assert code == 0
    assert (
        modules & (HEAVY | {"yaml", "sqlite3", "dr.engine.service", "dr.cli.commands.run"}) == set()
    )


@pytest.mark.parametrize(
    ("line", "position", "offered"),
    [("dr ", "1", "approve"), ("dr st", "1", "status"), ("dr approve --r", "2", "--reason")],
)
def test_one_tab_loads_no_heavy_library(
    tmp_path: Path, line: str, position: str, offered: str
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-c",
            "from dr.cli.app import main; main([])",
        ],
        env={
            **os.environ,
            "_DR_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": position,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"plain,{offered}" in done.stdout.splitlines()
    loaded = {row.rpartition("|")[2].strip() for row in done.stderr.splitlines()}
    assert loaded & (HEAVY | {"yaml"}) == set()


def test_status_of_a_run_loads_no_heavy_library(workspace: Path, journalled: Journalled) -> None:
    journalled(SUCCEEDS)
    code, modules = _loaded(workspace, "status", RUN)
    assert code == 0
    assert modules & (HEAVY | {"dr.engine.service.starting", "dr.engine.service.desk"}) == set()


def test_status_in_chinese_does_not_read_the_catalogue_of_errors(
    dr: Dr, journalled: Journalled
) -> None:
    journalled(SUCCEEDS)
    sayings.cache_clear()
    assert dr("--lang", "zh", "status", RUN).code == 0
    assert sayings.cache_info().currsize == 0
    assert dr("--lang", "zh", "status", "nope").code == 2
    assert sayings.cache_info().currsize == 1


def test_runs_and_gates_are_completed_from_the_journal(
    workspace: Path, journalled: Journalled, capfd: pytest.CaptureFixture[str]
) -> None:
    run = journalled(SUCCEEDS)
    done = subprocess.run(
        [sys.executable, "-m", "dr.cli"],
        env={
            **os.environ,
            "_DR_COMPLETE": "bash_complete",
            "COMP_WORDS": "dr status R-",
            "COMP_CWORD": "2",
        },
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [f"plain,{run}"]


@pytest.mark.parametrize("name", list(VERBS))
def test_the_list_of_commands_says_what_the_command_says_of_itself(name: str) -> None:
    use("en")
    root = root_command()
    command = root.get_command(root.make_context("dr", [], resilient_parsing=True), name)
    assert command is not None
    assert command.get_short_help_str() == VERBS[name].help
    assert command.name == name


@pytest.mark.parametrize(
    ("typed", "meant"), [("aprove", "approve"), ("statsu", "status"), ("resum", "resume")]
)
def test_a_mistyped_command_is_told_which_one_was_perhaps_meant(
    dr: Dr, typed: str, meant: str
) -> None:
    said = dr(typed)
    assert said.code == 2
    assert f"Did you mean '{meant}'?" in said.err
    assert said.out == ""
