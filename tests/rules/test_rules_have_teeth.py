"""Each rule that keeps data whole is taken out of a copy, and a test must notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.rules.rules import RULES, Rule

ROOT = Path(__file__).resolve().parents[2]
FAILED, PASSED = 1, 0


def outcome(tests: tuple[str, ...], copy: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run tests in a process of their own, with the engine of ``copy`` before the checkout's."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]
    folders = list(settings["ini_options"]["pythonpath"])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    if copy is not None:
        folders.insert(0, str(copy))
        environment["PYTHONPATH"] = str(copy)
    words = [
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-o",
        "timeout=30",
        "-o",
        f"pythonpath={' '.join(folders)}",
    ]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words, *tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_taking_a_rule_out_is_noticed(rule: Rule, tmp_path: Path) -> None:
    copy = tmp_path / "engine"
    shutil.copytree(ROOT / "engine", copy, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / Path(rule.file).relative_to("engine")
    there, instead = rule.take_out
    text = file.read_text("utf-8")
    assert text.count(there) == 1, f"the rule does not stand once in {rule.file}"
    file.write_text(text.replace(there, instead), "utf-8")

    done = outcome(rule.tests, copy)

    assert done.returncode == FAILED, done.stdout + done.stderr
    assert "error" not in done.stdout.splitlines()[-1], f"it did not even start:\n{done.stdout}"


def test_the_same_tests_pass_while_every_rule_stands() -> None:
    done = outcome(tuple(dict.fromkeys(test for rule in RULES for test in rule.tests)))
    assert done.returncode == PASSED, done.stdout + done.stderr


def test_the_page_of_evidence_names_each_rule_and_no_other() -> None:
    page = (ROOT / "docs/evidence.md").read_text("utf-8").partition("## The rules")[2]
    listed = [line.removeprefix("- ") for line in page.splitlines() if line.startswith("- ")]
    assert listed == [rule.name for rule in RULES]
