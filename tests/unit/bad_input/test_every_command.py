"""Every command, given a run, an option or words that are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dr.cli.app import VERBS
from tests.sample_run import SUCCEEDS
from tests.unit.cli.conftest import Dr, Journalled

RUN_NAMED = {
    "attach": [], "status": [], "show": [], "log": [], "approve": ["choose"],
    "reject": ["choose"], "answer": ["ask", "done"], "resolve": ["a"], "resume": [],
    "retry": ["a"], "skip": ["a"], "pause": [], "continue": [], "abort": [], "undo": [],
    "amend": [],
}  # fmt: skip


@pytest.mark.parametrize("verb", RUN_NAMED)
def test_a_run_that_is_not_there_is_a_usage_error_in_every_command(
    dr: Dr, workspace: Path, verb: str
) -> None:
    words = [verb, "R-20000101-nope", *RUN_NAMED[verb]]
    if verb in {"approve", "reject"}:
        words += ["--reason", "x", "--by", "x"]
    elif verb in {"answer", "retry", "skip", "abort", "amend"}:
        words += ["--because", "x"]
    said = dr(*words)
    assert said.code == 2
    assert said.out == ""
    message, hint = said.err.splitlines()
    assert message.startswith("error: ")
    assert message[7] == message[7].lower()
    assert hint.startswith("hint: ")
    error = json.loads(dr(*words, "--json").out)["error"]
    assert (f"error: {error['message']}", f"hint: {error['hint']}") == (message, hint)


@pytest.mark.parametrize("verb", [v for v in VERBS if v != "engine"])
def test_an_option_that_is_not_there_is_a_usage_error_in_both_languages(
    dr: Dr, workspace: Path, verb: str
) -> None:
    said = dr(verb, "--frobnicate", "--json")
    error = json.loads(said.out)["error"]
    assert (said.code, error["code"]) == (2, "usage")
    assert "--frobnicate" in error["message"]
    assert f"dr {verb}" in error["hint"]
    chinese = json.loads(dr("--lang", "zh", verb, "--frobnicate", "--json").out)["error"]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese["message"])


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("verb", list(VERBS))
def test_help_of_every_command_is_a_result_in_both_languages(dr: Dr, verb: str, lang: str) -> None:
    said = dr("--lang", lang, verb, "--help")
    assert (said.code, said.err) == (0, "")
    assert f"dr {verb}" in said.out


def test_a_name_that_fits_several_runs_names_them(
    dr: Dr, workspace: Path, journalled: Journalled
) -> None:
    for run in ("R-20261101-aaaa2", "R-20261101-aaaa3"):
        journalled(SUCCEEDS, run=run)
    for verb in ("status", "show", "log", "attach", "resume"):
        said = dr(verb, "R-20261101")
        assert said.code == 2
        assert "R-20261101-aaaa2" in said.err
        assert "R-20261101-aaaa3" in said.err
    assert dr("status", "aaaa3").code == 0
